"""How much there is of each project, kept with it: a scrape of a hundred projects, or a page of a large one, must not
count all rows again each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, ScalarSelect, Select, func, insert, select, true, update

from nextlabel.labeling import ProjectId
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import annotations as annotations_
from nextlabel.storage.database.tables import audit_tasks, counted, queues, tasks, unreadable
from nextlabel.storage.database.tables import connections as projects
from nextlabel.storage.skipped import skipped_by_all


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted of a project.

    ``labeled`` are tasks with an annotation that is no skip. ``window_left`` are the tasks of the order in force that
    are still open.
    """

    tasks: int = 0
    open: int = 0
    labeled: int = 0
    audit_tasks: int = 0
    audit_labels: int = 0
    audit_skipped: int = 0
    window_left: int = 0


NO_COUNTS = Counts()


class StoredCounts:
    """Whoever changes what is counted notes that in the same transaction (`note_change`); until it is counted again,
    by `renew`, it is counted each time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, project: ProjectId) -> Counts:
        with self._database.read() as sql:
            return counts_of(sql, [project]).get(project, NO_COUNTS)

    def renew(self, project: ProjectId) -> None:
        """Count and keep it, unless it is kept. What changes meanwhile is noted before this could keep it."""
        mine = counted.c.project == project
        with self._database.read() as sql:
            row = sql.execute(select(counted).where(mine)).one_or_none()
            if row is not None and row.counts is not None:
                return
            found = _count(sql, [project]).get(project)
        if found is None:
            return
        same = mine & (counted.c.changes == (row.changes if row else 0))
        with self._database.write() as sql:
            if row is None:
                _begin(sql, project)
            sql.execute(update(counted).where(same).values(counts=asdict(found)))


def note_change(sql: Connection, project: ProjectId) -> None:
    """Something was added to what is counted of a project, taken from it, or is counted otherwise now."""
    mine = update(counted).where(counted.c.project == project)
    if not sql.execute(mine.values(changes=counted.c.changes + 1, counts=None)).rowcount:
        _begin(sql, project, changes=1)


def _begin(sql: Connection, project: ProjectId, changes: int = 0) -> None:
    known = select(counted.c.project).where(counted.c.project == project)
    if sql.execute(known).one_or_none() is None:
        sql.execute(insert(counted).values(project=project, changes=changes, counts=None))


def counts_of(sql: Connection, only: Collection[ProjectId] | None = None) -> Mapping[ProjectId, Counts]:
    """Of the projects that are connected, or only of some of these."""
    connected = select(projects.c.project).where(projects.c.state != "disconnected", _among(projects.c.project, only))
    names = [ProjectId(name) for name in sql.execute(connected).scalars()]
    kept = select(counted.c.project, counted.c.counts).where(counted.c.counts.is_not(None))
    known = {
        ProjectId(row.project): Counts(**row.counts) for row in sql.execute(kept.where(_among(counted.c.project, only)))
    }
    missing = [name for name in names if name not in known]
    return known | (_count(sql, missing if len(missing) < len(names) or only is not None else None) if missing else {})


def _among(project: Column[str], only: Collection[str] | None) -> ColumnElement[bool]:
    return true() if only is None else project.in_(list(only))


def _count(sql: Connection, only: Collection[ProjectId] | None) -> dict[ProjectId, Counts]:
    found = _by_name(sql, only)
    connected = select(projects.c.project).where(projects.c.state != "disconnected", _among(projects.c.project, only))
    return {
        ProjectId(name): Counts(**{what: values.get(name, 0) for what, values in found.items()})
        for name in sql.execute(connected).scalars()
    }


def _by_name(sql: Connection, only: Collection[ProjectId] | None) -> dict[str, dict[str, int]]:
    """What is counted, and by project how much of it."""
    state, unread, given, audited = tasks.c, unreadable.c, annotations_.c, audit_tasks.c
    # One project after the other, which SQLite counts twice as fast as it groups.
    project, chosen = projects.c.project, _among(projects.c.project, only)
    mine = select(func.count()).select_from(tasks).where(state.project == project).correlate(projects)
    open_tasks = _each(sql, select(project, mine.where(~state.closed).scalar_subquery()).where(chosen))
    closed = _each(sql, select(project, mine.where(state.closed).scalar_subquery()).where(chosen))
    is_task = select(state.id).where(state.project == unread.project, state.id == unread.task).exists()
    unknown = select(unread.project, func.count(unread.task.distinct())).where(~is_task, _among(unread.project, only))
    total = Counter(open_tasks) + Counter(closed) + Counter(_each(sql, unknown.group_by(unread.project)))
    left = _each(sql, _open_in_windows(sql, chosen))
    one = next(iter(only)) if only is not None and len(only) == 1 else None
    if skipped := skipped_by_all(sql, one):
        windows = _each(sql, _windows(chosen))
        for name, passed in skipped.items():
            open_tasks[name] = open_tasks.get(name, 0) - len(passed)
            left[name] = left.get(name, 0) - len(passed.intersection(windows.get(name, ())))
    labeled = select(given.project, func.count(given.task.distinct())).where(~given.skipped)
    labeled = labeled.where(_among(given.project, only)).group_by(given.project)
    audits = select(audited.project, func.count()).where(_among(audited.project, only)).group_by(audited.project)
    audits = audits.where(select(state.id).where(state.project == audited.project, state.id == audited.task).exists())
    # Of columns that an index has, so that no row is read.
    label = select(given.task).where(given.project == audited.project, given.task == audited.task)
    has_label = label.where(~given.skipped).exists()
    return {
        "tasks": total,
        "open": open_tasks,
        "labeled": _each(sql, labeled),
        "audit_tasks": _each(sql, audits),
        "audit_labels": _each(sql, audits.where(has_label)),
        "audit_skipped": _each(sql, audits.where(label.where(given.skipped).exists(), ~has_label)),
        "window_left": left,
    }


def _each(sql: Connection, statement: Select[Any]) -> dict[str, Any]:
    """By project the one value that is selected with it."""
    return {row[0]: row[1] for row in sql.execute(statement)}


def newest(number: Column[int], *where: ColumnElement[bool]) -> ScalarSelect[int]:
    """The highest number of a project's rows: the index by project and number is read from its end."""
    mine = number.table.c.project == projects.c.project
    return select(number).where(mine, *where).order_by(number.desc()).limit(1).scalar_subquery()


def _windows(chosen: ColumnElement[bool]) -> Select[Any]:
    """The window of each project's newest order."""
    of = queues.alias()
    number = newest(of.c.number, of.c.announced)
    joined = projects.join(queues, (queues.c.project == projects.c.project) & (queues.c.number == number))
    return select(queues.c.project, queues.c.window).select_from(joined).where(chosen)


def _open_in_windows(sql: Connection, chosen: ColumnElement[bool]) -> Select[Any]:
    """How many tasks of each window are open: the window is read first, and each task is looked up in an index."""
    in_force, state = _windows(chosen).subquery(), tasks.c
    items = func.json_array_elements_text if sql.dialect.name == "postgresql" else func.json_each
    item = items(in_force.c.window).table_valued("value")
    is_open = (state.project == in_force.c.project) & ~state.closed & (state.id == item.c.value)
    # An outer join, for SQLite would look up each open task in the window instead.
    number = select(func.count(state.id)).select_from(item.outerjoin(tasks, is_open)).correlate(in_force)
    return select(in_force.c.project, number.scalar_subquery())
