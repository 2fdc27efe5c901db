"""Labels that are suspected of being wrong, in SQL, and the tabs of tools in which people review them."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, ScalarSelect, delete, func, insert, select

from nextlabel.labeling import ModelVersion, ProjectId, TaskId
from nextlabel.ports.tool import OwnTab
from nextlabel.storage.database import Database, chunks
from nextlabel.storage.database.tables import annotations, suspects, tabs

_MARK_BYTES = 16


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that is likely wrong: what was ``given``, and what models that had not seen it say ``instead``, both as
    plain values. ``self_confidence`` and ``gain`` are those of `nextlabel.evaluation.suspects`."""

    target: str
    task: TaskId
    given: object
    instead: object
    self_confidence: float
    gain: float


@dataclass(frozen=True, slots=True)
class Counted:
    """How many labels are suspected and wait for a review, and how many were reviewed; by ``version``."""

    waiting: int = 0
    reviewed: int = 0
    version: str = ""


class StoredSuspects:
    """The suspects of all projects. What was suspected once is remembered, so that no review is asked for twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(
        self,
        project: ProjectId,
        version: ModelVersion,
        found: Sequence[Suspect],
        annotated_at: Mapping[TaskId, str],
    ) -> None:
        """Those that a version suspects, the most doubtful first, in place of those before. ``annotated_at`` is the
        time of the latest annotation of each of their tasks."""
        mine = suspects.c.project == project
        with self._database.write() as sql:
            earlier = sql.execute(select(suspects).where(mine)).mappings().all()
            first = {(row["target"], row["task"]): row["annotated_at"] for row in earlier}
            named = {(one.target, one.task) for one in found}
            rows = [
                {
                    "project": project,
                    "target": one.target,
                    "task": one.task,
                    "annotated_at": first.get((one.target, one.task), annotated_at.get(one.task, "")),
                    "standing": True,
                    "number": number,
                    "self_confidence": one.self_confidence,
                    "gain": one.gain,
                    "given": one.given,
                    "instead": one.instead,
                    "version": version,
                }
                for number, one in enumerate(found)
            ]
            rows += [{**row, "standing": False} for row in earlier if (row["target"], row["task"]) not in named]
            sql.execute(delete(suspects).where(mine))
            for chunk in chunks(rows):
                sql.execute(insert(suspects), chunk)

    def waiting(self, project: ProjectId) -> Sequence[Suspect]:
        """Those that nobody has reviewed, the most doubtful first. A review is an annotation of the task that is new
        or was submitted again since it was first suspected."""
        of = suspects.c
        found = select(suspects).where(*_in_doubt(project), _latest(project) <= of.annotated_at).order_by(of.number)
        with self._database.read() as sql:
            return [
                Suspect(row.target, TaskId(row.task), row.given, row.instead, row.self_confidence, row.gain)
                for row in sql.execute(found)
            ]

    def counted(self, project: ProjectId) -> Counted:
        """Nothing where no label was ever suspected."""
        of = suspects.c
        number = select(func.count()).select_from(suspects)
        waits = number.where(*_in_doubt(project), _latest(project) <= of.annotated_at)
        reviewed = number.where(of.project == project, _latest(project) > of.annotated_at)
        version = select(of.version).where(*_in_doubt(project)).limit(1)
        with self._database.read() as sql:
            waiting, done = (sql.execute(one).scalar() or 0 for one in (waits, reviewed))
            return Counted(waiting, done, sql.execute(version).scalar() or "")

    def reviewed(self, project: ProjectId) -> Collection[tuple[str, TaskId]]:
        """Target and task of each label that was reviewed."""
        of = suspects.c
        found = select(of.target, of.task).where(of.project == project, _latest(project) > of.annotated_at)
        with self._database.read() as sql:
            return {(row.target, TaskId(row.task)) for row in sql.execute(found)}

    def tab(self, project: ProjectId, name: str) -> OwnTab | None:
        """None where none of that name was ever begun, or it was removed."""
        mine = select(tabs).where(tabs.c.project == project, tabs.c.name == name)
        with self._database.read() as sql:
            row = sql.execute(mine).one_or_none()
        return None if row is None else OwnTab(row.mark, row.at_tool)

    def begin_tab(self, project: ProjectId, name: str) -> OwnTab:
        """The tab of that name. A new one gets a mark first, so that it is known as ours whatever happens then."""
        with self._database.write() as sql:
            row = sql.execute(select(tabs).where(tabs.c.project == project, tabs.c.name == name)).one_or_none()
            if row is not None:
                return OwnTab(row.mark, row.at_tool)
            tab = OwnTab(secrets.token_hex(_MARK_BYTES))
            sql.execute(insert(tabs).values(project=project, name=name, mark=tab.mark, at_tool=""))
        return tab

    def note_tab(self, project: ProjectId, name: str, tab: OwnTab | None) -> None:
        """What the tool calls it; None: it is gone."""
        mine = (tabs.c.project == project) & (tabs.c.name == name)
        with self._database.write() as sql:
            sql.execute(delete(tabs).where(mine))
            if tab is not None:
                sql.execute(insert(tabs).values(project=project, name=name, mark=tab.mark, at_tool=tab.at_tool))


def _in_doubt(project: ProjectId) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return suspects.c.project == project, suspects.c.standing


def _latest(project: ProjectId) -> ScalarSelect[str | None]:
    """The time of the latest annotation of a suspect's task; NULL, which compares as false, where there is none."""
    of = annotations.c
    mine = (of.project == project, of.task == suspects.c.task)
    return select(func.max(of.updated_at)).where(*mine).correlate(suspects).scalar_subquery()
