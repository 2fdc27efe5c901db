"""`LabelStore` in SQL: tasks and annotations as the tool last had them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from statistics import median
from typing import Any

from sqlalchemy import (
    Column,
    CompoundSelect,
    Connection,
    Row,
    Text,
    Update,
    cast,
    delete,
    func,
    insert,
    select,
    union,
    update,
)

from nextlabel.evaluation.agreed import agreed_labels
from nextlabel.labeling import Annotation, AnnotationId, Cursor, ProjectId, Task, TaskId, seconds_of
from nextlabel.ports.state import Labeled
from nextlabel.ports.tool import ChangePage, TaskSeen, Unreadable
from nextlabel.storage.counts import note_change
from nextlabel.storage.database import Database, chunks, read_each
from nextlabel.storage.database.tables import annotations, cursors, queues, tasks, uncertainties, unreadable
from nextlabel.storage.skipped import skipped_by_all

_STREAMED = 5_000  # rows read at a time
_RECENT = 200  # annotations that are compared with orders
_STANDING = 2  # orders: the one in force, and the one before, from which somebody may still have a task
_MOST_TIMED, _FEWEST_TIMED = 500, 10  # annotations that the time a label takes is told from


class SqlLabelStore:
    """Tasks and annotations in the database. A task's annotations are always replaced as a whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def apply(self, project: ProjectId, page: ChangePage) -> None:
        seen = {one.task.id: one for one in page.tasks}  # twice in one page: the later word counts
        with self._database.write() as sql:
            known = _from_order(sql, project, seen.values())
            _forget(sql, project, {*seen, *(one.task for one in page.unreadable)})
            _set_aside(sql, project, page.unreadable)
            for chunk in chunks(seen.values()):
                sql.execute(insert(tasks), [_task_row(project, one) for one in chunk])
                rows = [
                    row | {"from_order": known.get(row["id"])}
                    for one in chunk
                    for row in _annotation_rows(project, one)
                ]
                _forget_annotations(sql, project, [row["id"] for row in rows])
                if rows:
                    sql.execute(insert(annotations), rows)
            if seen or page.unreadable:
                note_change(sql, project)
            if not sql.execute(_of(project).values(cursor=page.cursor)).rowcount:
                sql.execute(insert(cursors).values(project=project, cursor=page.cursor))

    def forget_tasks(self, project: ProjectId, tasks: Collection[TaskId]) -> None:
        with self._database.write() as sql:
            _forget(sql, project, tasks)
            note_change(sql, project)
            mine = uncertainties.c.project == project
            for chunk in chunks(tasks):
                sql.execute(delete(uncertainties).where(mine, uncertainties.c.task.in_(chunk)))

    def cursor(self, project: ProjectId) -> Cursor | None:
        with self._database.read() as sql:
            found = sql.execute(select(cursors.c.cursor).where(cursors.c.project == project)).scalar()
        return Cursor(found) if found else None

    def full_pull_at(self, project: ProjectId) -> datetime | None:
        return self._time(project, cursors.c.full_at)

    def pulled_at(self, project: ProjectId) -> datetime | None:
        return self._time(project, cursors.c.pulled_at)

    def _time(self, project: ProjectId, column: Column[datetime]) -> datetime | None:
        with self._database.read() as sql:
            found = sql.execute(select(column).where(cursors.c.project == project)).scalar()
        return found and found.replace(tzinfo=found.tzinfo or UTC)  # SQLite keeps no time zone

    def note_full_pull(self, project: ProjectId, at: datetime | None) -> None:
        with self._database.write() as sql:
            sql.execute(_of(project).values(full_at=at))

    def note_pull(self, project: ProjectId, at: datetime) -> None:
        with self._database.write() as sql:
            if not sql.execute(_of(project).values(pulled_at=at)).rowcount:  # an empty project has no cursor
                sql.execute(insert(cursors).values(project=project, cursor="", pulled_at=at))

    def task_ids(self, project: ProjectId) -> Collection[TaskId]:
        return _TaskIds(self._database, project)

    def known(self, project: ProjectId, tasks: Collection[TaskId]) -> Collection[TaskId]:
        with self._database.read() as sql:
            return {task for chunk in chunks(tasks) for task in _among(sql, project, chunk)}

    def unreadable(self, project: ProjectId) -> Sequence[Unreadable]:
        with self._database.read() as sql:
            found = sql.execute(select(unreadable).where(unreadable.c.project == project)).all()
        given = [Unreadable(row.task, row.reason, AnnotationId(row.annotation) or None) for row in found]
        return sorted(given, key=lambda one: (_stable(one.task), _stable(one.annotation or "")))

    def scores_mark(self, project: ProjectId) -> str:
        with self._database.read() as sql:
            return sql.execute(select(cursors.c.scores_mark).where(cursors.c.project == project)).scalar() or ""

    def keep_uncertainties(self, project: ProjectId, mark: str, found: Mapping[TaskId, float]) -> None:
        with self._database.write() as sql:
            sql.execute(delete(uncertainties).where(uncertainties.c.project == project))
            for chunk in chunks(found.items()):
                rows = [{"project": project, "task": task, "uncertainty": value} for task, value in chunk]
                sql.execute(insert(uncertainties), rows)
            sql.execute(_of(project).values(scores_mark=mark))

    def uncertainties(self, project: ProjectId) -> Mapping[TaskId, float]:
        mine = select(uncertainties.c.task, uncertainties.c.uncertainty).where(uncertainties.c.project == project)
        with self._database.read() as sql:
            return {TaskId(task): value for task, value in sql.execute(mine)}

    def labeled(self, project: ProjectId) -> Labeled:
        rows = list(self._annotated_rows(project))
        agreed = agreed_labels({task.id: given for task, given in rows})
        kept = [(task, labels, given) for task, given in rows if (labels := agreed[task.id])]
        kept.sort(key=lambda one: _stable(one[0].id))
        return Labeled(
            tuple(task for task, _, _ in kept),
            tuple(labels for _, labels, _ in kept),
            tuple(seconds_of(given) for _, _, given in kept),
        )

    def _annotated_rows(self, project: ProjectId) -> Iterator[tuple[Task, tuple[Annotation, ...]]]:
        """Tasks with the annotations of each."""
        found = (
            select(annotations, tasks.c.data)
            .join(tasks, (tasks.c.project == annotations.c.project) & (tasks.c.id == annotations.c.task))
            .where(annotations.c.project == project)
            .order_by(annotations.c.task)
        )
        with self._database.read() as sql:
            for task, group in groupby(sql.execute(found), key=lambda row: str(row.task)):
                rows = list(group)
                yield Task(TaskId(task), rows[0].data), tuple(_annotation(row) for row in rows)

    def median_seconds(self, project: ProjectId) -> float | None:
        """How long the latest annotations took; None where the tool does not tell of enough of them."""
        of = annotations.c
        given = select(of.seconds).where(of.project == project, of.seconds.is_not(None), ~of.skipped)
        with self._database.read() as sql:
            found = sql.execute(given.order_by(of.updated_at.desc()).limit(_MOST_TIMED)).scalars().all()
        return float(median(found)) if len(found) >= _FEWEST_TIMED else None

    def shared_tasks(self, project: ProjectId) -> int:
        """How many tasks several accounts have labeled."""
        of = annotations.c
        given = select(of.task).where(of.project == project, of.given_by.is_not(None), ~of.skipped)
        shared = given.group_by(of.task).having(func.count(of.given_by.distinct()) > 1).subquery()
        with self._database.read() as sql:
            return sql.execute(select(func.count()).select_from(shared)).scalar() or 0

    def labels_since(self, project: ProjectId, at: datetime) -> int:
        """How many annotations that are no skips were given, or changed, since a time."""
        since = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")  # the beginning of all that come later
        mine = (annotations.c.project == project) & (annotations.c.updated_at >= since) & ~annotations.c.skipped
        with self._database.read() as sql:
            return sql.execute(select(func.count()).where(mine)).scalar() or 0

    def from_order(self, project: ProjectId) -> Sequence[tuple[AnnotationId, bool | None]]:
        """The latest annotations that are no skips, and whether the task of each stood in the window of the order in
        force, or of the one before, when it came; None where that is not known."""
        of = annotations.c
        mine = select(of.id, of.from_order).where(of.project == project, ~of.skipped)
        with self._database.read() as sql:
            found = sql.execute(mine.order_by(of.updated_at.desc()).limit(_RECENT)).all()
        return [(AnnotationId(row.id), row.from_order) for row in found]

    def annotated(self, project: ProjectId) -> Sequence[tuple[Task, tuple[Annotation, ...]]]:
        kept = [
            (task, tuple(sorted((one for one in given if not one.skipped), key=lambda one: _stable(one.id))))
            for task, given in self._annotated_rows(project)
        ]
        return sorted(((task, given) for task, given in kept if given), key=lambda pair: _stable(pair[0].id))

    def annotations_of(self, project: ProjectId, tasks: Collection[TaskId]) -> Mapping[TaskId, tuple[Annotation, ...]]:
        """Every annotation on each of these tasks, skipped ones too."""
        given: dict[TaskId, list[Annotation]] = {}
        with self._database.read() as sql:
            for chunk in chunks(tasks):
                mine = select(annotations).where(annotations.c.project == project, annotations.c.task.in_(chunk))
                for row in sql.execute(mine):
                    given.setdefault(TaskId(row.task), []).append(_annotation(row))
        return {task: tuple(some) for task, some in given.items()}

    def count_open(self, project: ProjectId, among: Collection[TaskId] | None = None) -> int:
        """How many tasks are open, of all or of some."""
        mine = (tasks.c.project == project) & ~tasks.c.closed
        with self._database.read() as sql:
            skipped = skipped_by_all(sql, project).get(project, set())

            def count(some: Collection[TaskId]) -> int:
                chosen = [mine & tasks.c.id.in_(chunk) for chunk in chunks(some)]
                return sum(sql.execute(select(func.count()).where(one)).scalar() or 0 for one in chosen)

            if among is not None:
                return count(set(among) - skipped)
            return (sql.execute(select(func.count()).where(mine)).scalar() or 0) - count(skipped)

    def count_labeled(self, project: ProjectId) -> int:
        """How many tasks somebody has labeled, and not only skipped."""
        mine = (annotations.c.project == project) & ~annotations.c.skipped
        with self._database.read() as sql:
            return sql.execute(select(func.count(annotations.c.task.distinct())).where(mine)).scalar() or 0

    def next_open(self, project: ProjectId, window: Sequence[TaskId], n: int) -> Sequence[Task]:
        """The first n tasks of a window that are open, in its order."""
        mine, found = (tasks.c.project == project) & ~tasks.c.closed, list[Task]()
        with self._database.read() as sql:
            skipped = skipped_by_all(sql, project).get(project, set())
            for chunk in chunks([task for task in window if task not in skipped]):
                rows = sql.execute(select(tasks.c.id, tasks.c.data).where(mine, tasks.c.id.in_(chunk)))
                known = {row.id: row.data for row in rows}
                found += [Task(task, known[task]) for task in chunk if task in known]
                if len(found) >= n:
                    break
        return found[:n]

    def count(self, project: ProjectId) -> int:
        """How many tasks can be read."""
        with self._database.read() as sql:
            return sql.execute(select(func.count()).where(tasks.c.project == project)).scalar() or 0

    def pages(self, project: ProjectId, size: int) -> Iterator[Sequence[tuple[Task, bool]]]:
        """All tasks, so many at a time, and whether somebody has labeled each. Each page is read by itself: however
        long it takes until the next one is asked for, nobody waits for it."""
        of, last = tasks.c, ""
        while True:
            mine = select(of.id, of.data).where(of.project == project, of.id > last).order_by(of.id).limit(size)
            with self._database.read() as sql:
                page = [Task(TaskId(row.id), row.data) for row in sql.execute(mine)]
                labeled = {task for some in chunks(page) for task in _labeled(sql, project, [one.id for one in some])}
            if not page:
                return
            last = page[-1].id
            yield [(task, task.id in labeled) for task in page]

    def open(self, project: ProjectId) -> Sequence[Task]:
        found = select(tasks.c.id, cast(tasks.c.data, Text)).where(tasks.c.project == project, ~tasks.c.closed)
        still_open: list[Task] = []
        with self._database.read() as sql:
            skipped = skipped_by_all(sql, project).get(project, set())
            # All rows at once would be in memory twice.
            parts = sql.execution_options(yield_per=_STREAMED).execute(found).partitions()
            # Of a million tasks a name asked of each row, or a call for each text, is a second.
            for part in parts:
                ids, data = zip(*part, strict=True)
                still_open += map(Task, ids, read_each(data))
        if skipped:
            still_open = [task for task in still_open if task.id not in skipped]
        still_open.sort(key=lambda task: _stable(task.id))
        return still_open


@dataclass(frozen=True, slots=True)
class _TaskIds(Collection[TaskId]):
    """The tasks of a project, counted or read when they are asked for."""

    database: Database
    project: ProjectId

    def __len__(self) -> int:
        with self.database.read() as sql:
            return sql.execute(select(func.count()).select_from(_ids_of(self.project).subquery())).scalar() or 0

    def __iter__(self) -> Iterator[TaskId]:
        with self.database.read() as sql:
            found = sql.execute(_ids_of(self.project)).scalars().all()
        return iter([TaskId(task) for task in found])

    def __contains__(self, task: object) -> bool:
        with self.database.read() as sql:
            return bool(_among(sql, self.project, [str(task)]))


def _labeled(sql: Connection, project: ProjectId, ids: Collection[str]) -> list[str]:
    """Those of at most `_CHUNK` tasks that somebody has labeled, and not only skipped."""
    of = annotations.c
    given = select(of.task).where(of.project == project, of.task.in_(ids), ~of.skipped).distinct()
    return list(sql.execute(given).scalars())


def _among(sql: Connection, project: ProjectId, ids: Collection[str]) -> list[TaskId]:
    """Those of at most `_CHUNK` ids that are of tasks, whether or not these can be read."""
    readable = select(tasks.c.id).where(tasks.c.project == project, tasks.c.id.in_(ids))
    others = select(unreadable.c.task).where(unreadable.c.project == project, unreadable.c.task.in_(ids))
    return [TaskId(task) for task in sql.execute(union(readable, others)).scalars()]


def _ids_of(project: ProjectId) -> CompoundSelect[Any]:
    """The ids of a project's tasks, of those that cannot be read too."""
    readable = select(tasks.c.id).where(tasks.c.project == project)
    return union(readable, select(unreadable.c.task).where(unreadable.c.project == project))


def _stable(id: str) -> tuple[int, str]:  # noqa: A002 - of a task or an annotation
    """Numeric ids in numeric order, so that the order does not depend on the database's collation."""
    return len(id), id


def _of(project: ProjectId) -> Update:
    return update(cursors).where(cursors.c.project == project)


def _from_order(sql: Connection, project: ProjectId, seen: Collection[TaskSeen]) -> Mapping[str, bool | None]:
    """By annotation what was noted when it was first read; of those that are new, whether their tasks stand in a window
    now, and nothing where no order has one."""
    given = {annotation.id: one.task.id for one in seen for annotation in one.annotations}
    known = dict[str, bool | None]()
    for chunk in chunks(given):
        mine = select(annotations.c.id, annotations.c.from_order).where(annotations.c.project == project)
        known |= {row.id: row.from_order for row in sql.execute(mine.where(annotations.c.id.in_(chunk)))}
    if len(known) == len(given):
        return known
    announced = select(queues.c.window).where(queues.c.project == project, queues.c.announced)
    newest = sql.execute(announced.order_by(queues.c.number.desc()).limit(_STANDING)).scalars()
    windows = {task for window in newest for task in window}
    return {annotation: task in windows for annotation, task in given.items() if windows} | known


def _forget(sql: Connection, project: ProjectId, ids: Collection[TaskId]) -> None:
    for chunk in chunks(ids):
        sql.execute(delete(annotations).where(annotations.c.project == project, annotations.c.task.in_(chunk)))
        sql.execute(delete(tasks).where(tasks.c.project == project, tasks.c.id.in_(chunk)))
        sql.execute(delete(unreadable).where(unreadable.c.project == project, unreadable.c.task.in_(chunk)))


def _set_aside(sql: Connection, project: ProjectId, given: Collection[Unreadable]) -> None:
    named = {(one.task, one.annotation or ""): one.reason for one in given}
    rows = [
        {"project": project, "task": task[:64], "annotation": annotation[:64], "reason": reason.replace("\0", "")}
        for (task, annotation), reason in named.items()
    ]
    if rows:
        sql.execute(insert(unreadable), rows)


def _forget_annotations(sql: Connection, project: ProjectId, ids: Collection[str]) -> None:
    for chunk in chunks(ids):
        sql.execute(delete(annotations).where(annotations.c.project == project, annotations.c.id.in_(chunk)))


def _task_row(project: ProjectId, one: TaskSeen) -> dict[str, Any]:
    # Where the tool wants more labels of it, it asks for them without an order.
    closed = one.closed or any(not given.skipped for given in one.annotations)
    return {"project": project, "id": one.task.id, "data": dict(one.task.data), "closed": closed}


def _annotation_rows(project: ProjectId, one: TaskSeen) -> Iterator[dict[str, Any]]:
    for annotation in one.annotations:
        yield {
            "project": project,
            "id": annotation.id,
            "task": one.task.id,
            "labels": dict(annotation.labels),
            "updated_at": annotation.updated_at,
            "skipped": annotation.skipped,
            "whole": None if annotation.whole is None else dict(annotation.whole),
            "seconds": annotation.seconds,
            "ground_truth": annotation.ground_truth,
            "given_by": annotation.by,
        }


def _annotation(row: Row[Any]) -> Annotation:
    return Annotation(
        AnnotationId(row.id),
        row.labels,
        row.updated_at,
        row.skipped,
        row.whole,
        row.seconds,
        row.ground_truth,
        row.given_by,
    )
