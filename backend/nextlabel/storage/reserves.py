"""`Reserves` in SQL: each project's audit tasks, and how right the model was about those that were labeled."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from nextlabel.labeling import ModelVersion, ProjectId, TaskId
from nextlabel.ports.state import AuditAnswer, AuditProgress, Draw
from nextlabel.storage.counts import note_change
from nextlabel.storage.database import Database, chunks, tables
from nextlabel.storage.database.tables import audit_answers, audit_tasks, reserves

_SALT_BYTES = 16


def new_salt() -> str:
    """Random characters that nobody else knows: which tasks are reserved, follows from them."""
    return secrets.token_hex(_SALT_BYTES)


class StoredReserves:
    """The reserves of all projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def draw(self, project: ProjectId) -> Draw | None:
        with self._database.read() as sql:
            row = sql.execute(select(reserves).where(reserves.c.project == project)).one_or_none()
        return None if row is None else _draw(row)

    def begin(self, project: ProjectId, *, share: float, least: int, labeled_before: int) -> Draw:
        with self._database.write() as sql:
            mine = select(reserves).where(reserves.c.project == project)
            if sql.execute(mine).one_or_none() is None:
                drawn = {"salt": new_salt(), "share": share, "least": least}
                nothing = {"blank": [], "among": "", "last": ""}
                row = {"project": project, "labeled_before": labeled_before, **nothing, **drawn}
                sql.execute(insert(reserves).values(**row))
            return _draw(sql.execute(mine).one())

    def tasks(self, project: ProjectId, among: Collection[TaskId] | None = None) -> frozenset[TaskId]:
        mine = select(audit_tasks.c.task).where(audit_tasks.c.project == project)
        chosen = [mine] if among is None else [mine.where(audit_tasks.c.task.in_(some)) for some in chunks(among)]
        with self._database.read() as sql:
            return frozenset(TaskId(task) for one in chosen for task in sql.execute(one).scalars())

    def progress(self, project: ProjectId) -> AuditProgress:
        audited, state, given = audit_tasks.c, tables.tasks.c, tables.annotations.c
        there = select(state.id).where(state.project == project, state.id == audited.task).exists()
        mine = select(func.count(audited.task)).where(audited.project == project, there)
        annotated = select(given.task).where(given.project == project, given.task == audited.task)
        has_label = annotated.where(~given.skipped).exists()
        labeled, skipped = mine.where(has_label), mine.where(annotated.where(given.skipped).exists(), ~has_label)
        with self._database.read() as sql:
            return AuditProgress(*(sql.execute(one).scalar() or 0 for one in (mine, labeled, skipped)))

    def add(self, project: ProjectId, tasks: Collection[TaskId], *, among: str, last: str) -> None:
        with self._database.write() as sql:
            for some in chunks(tasks):
                known = select(audit_tasks.c.task).where(audit_tasks.c.project == project, audit_tasks.c.task.in_(some))
                new = set(some).difference(sql.execute(known).scalars())
                if new:
                    sql.execute(insert(audit_tasks), [{"project": project, "task": task} for task in sorted(new)])
            note_change(sql, project)
            sql.execute(update(reserves).where(reserves.c.project == project).values(among=among, last=last))

    def note_blank(self, project: ProjectId, tasks: Collection[TaskId]) -> None:
        with self._database.write() as sql:
            sql.execute(update(reserves).where(reserves.c.project == project).values(blank=sorted(tasks)))

    def answers(self, project: ProjectId) -> Sequence[AuditAnswer]:
        found = select(audit_answers).where(audit_answers.c.project == project).order_by(audit_answers.c.number)
        with self._database.read() as sql:
            rows = sql.execute(found).all()
        return [
            AuditAnswer(
                row.target, TaskId(row.task), row.correctness, row.whole, ModelVersion(row.version), row.predicted
            )
            for row in rows
        ]

    def note_answers(self, project: ProjectId, answers: Sequence[AuditAnswer]) -> None:
        with self._database.write() as sql:
            mine = audit_answers.c.project == project
            found = sql.execute(select(audit_answers.c.target, audit_answers.c.task).where(mine)).all()
            known = {(target, task) for target, task in found}
            first = 1 + (sql.execute(select(func.max(audit_answers.c.number)).where(mine)).scalar() or 0)
            new = [one for one in answers if (one.target, one.task) not in known]
            rows = [
                {
                    "project": project,
                    "target": one.target,
                    "task": one.task,
                    "number": first + n,
                    "version": one.version,
                    "correctness": one.correctness,
                    "whole": one.whole,
                    "predicted": one.predicted,
                }
                for n, one in enumerate(new)
            ]
            if rows:
                sql.execute(insert(audit_answers), rows)


def _draw(row: Row[Any]) -> Draw:
    blank = frozenset(map(TaskId, row.blank))
    return Draw(row.salt, row.share, row.least, row.labeled_before, blank, row.among, row.last)
