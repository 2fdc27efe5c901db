"""The figures of all projects in a handful of statements, so that a scrape is quick however many projects there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, ScalarSelect, Select, func, select

from nextlabel.labeling import ProjectId
from nextlabel.storage.database import Database, in_utc
from nextlabel.storage.database.tables import annotations as annotations_
from nextlabel.storage.database.tables import (
    audit_tasks,
    cursors,
    models,
    queues,
    rounds,
    tasks,
    unreadable,
)
from nextlabel.storage.database.tables import connections as projects
from nextlabel.storage.label_store import skipped_by_all


@dataclass(frozen=True, slots=True)
class VersionFigures:
    """The version in service: how many labels it learned from, when it was made, and its figures by name."""

    version: str
    labels: int
    created_at: datetime
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """The last round: when it ended, how long it took in seconds, and whether it failed."""

    at: datetime
    seconds: float
    failed: bool


@dataclass(frozen=True, slots=True)
class ProjectFigures:
    """What is counted of a project, as `nextlabel status` shows it.

    ``labeled`` are tasks with an annotation that is no skip. ``window_left`` are the tasks of the order in force that
    are still open.
    """

    tasks: int = 0
    open: int = 0
    labeled: int = 0
    audit_tasks: int = 0
    audit_labels: int = 0
    window_left: int = 0
    pulled_at: datetime | None = None
    serving: VersionFigures | None = None
    last_round: RoundFigures | None = None


NO_FIGURES = ProjectFigures()
"""Of a project of which nothing is known yet."""


class StoredFigures:
    """The figures of every project, read in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[ProjectId, ProjectFigures]:
        """Of the projects that are connected."""
        with self._database.read() as sql:
            serving = {row.project: _version(row) for row in sql.execute(_serving())}
            last = {
                row.project: RoundFigures(in_utc(row.at), row.seconds, row.failed) for row in sql.execute(_rounds())
            }
            pulled = _counted(sql, select(cursors.c.project, func.coalesce(cursors.c.pulled_at, cursors.c.full_at)))
            counts = _counts(sql)
            connected = select(projects.c.project).where(projects.c.state != "disconnected")
            return {
                ProjectId(name): ProjectFigures(
                    **{what: found.get(name, 0) for what, found in counts.items()},
                    pulled_at=in_utc(pulled[name]) if pulled.get(name) else None,
                    serving=serving.get(name),
                    last_round=last.get(name),
                )
                for name in sql.execute(connected).scalars()
            }


def _counts(sql: Connection) -> dict[str, dict[str, int]]:
    """What is counted, and by project how much of it."""
    state, unread, given, audited = tasks.c, unreadable.c, annotations_.c, audit_tasks.c
    # One project after the other, which SQLite counts twice as fast as it groups.
    project = projects.c.project
    mine = select(func.count()).select_from(tasks).where(state.project == project).correlate(projects)
    open_tasks = _counted(sql, select(project, mine.where(~state.closed).scalar_subquery()))
    closed = _counted(sql, select(project, mine.where(state.closed).scalar_subquery()))
    is_task = select(state.id).where(state.project == unread.project, state.id == unread.task).exists()
    unknown = select(unread.project, func.count(unread.task.distinct())).where(~is_task).group_by(unread.project)
    total = Counter(open_tasks) + Counter(closed) + Counter(_counted(sql, unknown))
    left = _counted(sql, _open_in_windows(sql))
    if skipped := skipped_by_all(sql):
        windows = _counted(sql, _windows())
        for name, passed in skipped.items():
            open_tasks[name] = open_tasks.get(name, 0) - len(passed)
            left[name] = left.get(name, 0) - len(passed.intersection(windows.get(name, ())))
    labeled = select(given.project, func.count(given.task.distinct())).where(~given.skipped).group_by(given.project)
    audits = select(audited.project, func.count()).group_by(audited.project)
    # Of columns that an index has, so that no row is read.
    label = select(given.task).where(~given.skipped, given.project == audited.project, given.task == audited.task)
    return {
        "tasks": total,
        "open": open_tasks,
        "labeled": _counted(sql, labeled),
        "audit_tasks": _counted(sql, audits),
        "audit_labels": _counted(sql, audits.where(label.exists())),
        "window_left": left,
    }


def _counted(sql: Connection, statement: Select[Any]) -> dict[str, Any]:
    """By project the one value that is selected with it."""
    return {row[0]: row[1] for row in sql.execute(statement)}


def _newest(number: Column[int], *where: ColumnElement[bool]) -> ScalarSelect[int]:
    """The highest number of a project's rows: the index by project and number is read from its end."""
    mine = number.table.c.project == projects.c.project
    return select(number).where(mine, *where).order_by(number.desc()).limit(1).scalar_subquery()


def _windows() -> Select[Any]:
    """The window of each project's newest order."""
    of = queues.alias()
    newest = _newest(of.c.number, of.c.announced)
    joined = projects.join(queues, (queues.c.project == projects.c.project) & (queues.c.number == newest))
    return select(queues.c.project, queues.c.window).select_from(joined)


def _open_in_windows(sql: Connection) -> Select[Any]:
    """How many tasks of each window are open: the window is read first, and each task is looked up in an index."""
    newest, state = _windows().subquery(), tasks.c
    items = func.json_array_elements_text if sql.dialect.name == "postgresql" else func.json_each
    item = items(newest.c.window).table_valued("value")
    is_open = (state.project == newest.c.project) & ~state.closed & (state.id == item.c.value)
    # An outer join, for SQLite would look up each open task in the window instead.
    number = select(func.count(state.id)).select_from(item.outerjoin(tasks, is_open)).correlate(newest)
    return select(newest.c.project, number.scalar_subquery())


def _serving() -> Select[Any]:
    of = models.c
    return select(of.project, of.version, of.labels, of.created_at, of.metrics).where(of.state == "in_service")


def _rounds() -> Select[Any]:
    """The last round of each project; what takes no time is a finding, and no round."""
    of = rounds.alias()
    newest = _newest(of.c.id, of.c.seconds > 0)
    return select(rounds).select_from(projects.join(rounds, rounds.c.id == newest))


def _version(row: Row[Any]) -> VersionFigures:
    return VersionFigures(row.version, row.labels, in_utc(row.created_at), row.metrics)
