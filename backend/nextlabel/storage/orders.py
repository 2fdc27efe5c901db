"""`OrderRegistry` in SQL: the orders that were written to tools, under which names, and what of them is left there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from nextlabel.labeling import ModelVersion, ProjectId, QueueVersion, TaskId
from nextlabel.ports.state import OrderFacts, QueueCheck, QueueRecord, TaskFacts
from nextlabel.ports.tool import OwnOrder
from nextlabel.storage.counts import note_change
from nextlabel.storage.database import Database, in_utc
from nextlabel.storage.database.tables import models, order_facts, queue_checks, queues
from nextlabel.storage.fences import check_fence

PREFIX = "nextlabel-"  # of every version: people see it beside a prediction
_STANDING = 2  # orders: the one in force, and the one before, which a rollback switches to


class StoredOrders:
    """The orders of all projects. No name is given twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(
        self, project: ProjectId, model: ModelVersion, *, fence: int, taken: Collection[QueueVersion] = ()
    ) -> QueueVersion:
        with self._database.write() as sql:
            check_fence(sql, project, fence)
            mine = queues.c.project == project
            number = (sql.execute(select(func.max(queues.c.number)).where(mine)).scalar() or 0) + 1
            used = set(sql.execute(select(queues.c.version).where(mine, queues.c.model == model)).scalars())
            version = next(name for name in _order_names(model, len(used)) if name not in used and name not in taken)
            values = {"project": project, "version": version, "number": number, "model": model, "own_name": True}
            rest = {"strategy": "", "window": [], "pool": 0, "announced": False, "created_at": datetime.now(UTC)}
            sql.execute(insert(queues).values(**values, **rest))
        return version

    def announce(self, project: ProjectId, queue: QueueRecord, *, fence: int) -> None:
        mine = queues.c.project == project
        values = {"strategy": queue.strategy, "window": list(queue.window), "pool": queue.pool, "announced": True}
        of_model = (models.c.project == project) & (models.c.version == queue.model)
        with self._database.write() as sql:
            check_fence(sql, project, fence)
            sql.execute(update(queues).where(mine, queues.c.version == queue.version).values(**values))
            note_change(sql, project)
            sql.execute(update(models).where(of_model).values(queue_version=queue.version))

    def note_check(self, project: ProjectId, queue: QueueVersion, *, serves: bool) -> None:
        now, mine = datetime.now(UTC), queue_checks.c.project == project
        values = {"queue": queue, "at": now, "serves": serves} | ({} if serves else {"lost_at": now})
        with self._database.write() as sql:
            if not sql.execute(update(queue_checks).where(mine).values(**values)).rowcount:
                sql.execute(insert(queue_checks).values(project=project, **values))

    def check(self, project: ProjectId) -> QueueCheck | None:
        """The last one; None where there was none yet."""
        with self._database.read() as sql:
            row = sql.execute(select(queue_checks).where(queue_checks.c.project == project)).one_or_none()
        if row is None:
            return None
        return QueueCheck(QueueVersion(row.queue), in_utc(row.at), row.serves, row.lost_at and in_utc(row.lost_at))

    def note_facts(self, project: ProjectId, queue: QueueVersion, facts: OrderFacts) -> None:
        mine, of = order_facts.c.project == project, queues.c
        newest = select(of.version).where(of.project == project, of.announced).order_by(of.number.desc())
        with self._database.write() as sql:
            kept = [*sql.execute(newest.limit(_STANDING)).scalars(), queue]
            sql.execute(delete(order_facts).where(mine, order_facts.c.version.not_in(kept)))
            sql.execute(delete(order_facts).where(mine, order_facts.c.version == queue))
            sql.execute(insert(order_facts).values(project=project, version=queue, facts=asdict(facts)))

    def facts(self, project: ProjectId, queue: QueueVersion) -> OrderFacts | None:
        """None for an order of a release before 0.4, or an older one."""
        mine = (order_facts.c.project == project) & (order_facts.c.version == queue)
        with self._database.read() as sql:
            found = sql.execute(select(order_facts.c.facts).where(mine)).scalar()
        if found is None:
            return None
        return OrderFacts(**found | {"tasks": {TaskId(task): TaskFacts(**one) for task, one in found["tasks"].items()}})

    def model_of(self, project: ProjectId, queue: QueueVersion) -> ModelVersion | None:
        mine = (queues.c.project == project) & (queues.c.version == queue)
        with self._database.read() as sql:
            model = sql.execute(select(queues.c.model).where(mine)).scalar()
        return None if model is None else ModelVersion(model)

    def own(self, project: ProjectId) -> Sequence[OwnOrder]:
        mine, of = queues.c.project == project, queues.c
        served = select(models.c.version).where(models.c.project == project, models.c.promotion > 0)
        named = served.where(models.c.version.startswith(PREFIX, autoescape=True)).order_by(models.c.number)
        with self._database.read() as sql:
            orders = [
                _own_order(row) for row in sql.execute(select(queues).where(mine, ~of.removed).order_by(of.number))
            ]
            known = set(sql.execute(select(of.version).where(mine)).scalars())
            answered = [version for version in sql.execute(named).scalars() if version not in known]
        return [*(OwnOrder(QueueVersion(version)) for version in answered), *orders]

    def old(self, project: ProjectId) -> Sequence[OwnOrder]:
        mine, of = queues.c.project == project, queues.c
        announced = select(of.number).where(mine, of.announced).order_by(of.number.desc())
        with self._database.read() as sql:
            oldest = sql.execute(announced.offset(_STANDING - 1).limit(1)).scalar() or 0
            earlier = select(queues).where(mine, ~of.removed, of.number < oldest).order_by(of.number)
            return [_own_order(row) for row in sql.execute(earlier)]

    def earlier_names(self, project: ProjectId) -> Collection[QueueVersion]:
        """The versions of orders from before 0.1.1, under which a team may have predictions too."""
        with self._database.read() as sql:
            found = select(queues.c.version).where(queues.c.project == project, ~queues.c.own_name)
            return {QueueVersion(version) for version in sql.execute(found).scalars()}

    def note_removed(self, project: ProjectId, versions: Collection[QueueVersion]) -> None:
        these = (queues.c.project == project) & queues.c.version.in_(list(versions))
        with self._database.write() as sql:
            sql.execute(update(queues).where(these).values(removed=True))

    def announced(self, project: ProjectId, *, newest: int | None = None) -> Sequence[QueueRecord]:
        found = select(queues).where(queues.c.project == project, queues.c.announced).order_by(queues.c.number.desc())
        with self._database.read() as sql:
            return [_queue(row) for row in sql.execute(found.limit(newest))]


def _queue(row: Row[Any]) -> QueueRecord:
    return QueueRecord(
        version=QueueVersion(row.version),
        model=ModelVersion(row.model),
        strategy=row.strategy,
        window=tuple(TaskId(task) for task in row.window),
        pool=row.pool,
        created_at=row.created_at,
        own_name=row.own_name,
    )


def _own_order(row: Row[Any]) -> OwnOrder:
    return OwnOrder(QueueVersion(row.version), None if row.own_name else tuple(TaskId(task) for task in row.window))


def _order_names(model: ModelVersion, used: int) -> Iterator[QueueVersion]:
    """Names for the next order of a model of which so many are used; of one from before 0.1.1, ``0007``, too."""
    kind, _, number = model.removeprefix(PREFIX).rpartition("-")
    name = f"{PREFIX}{kind and f'{kind}-'}{int(number)}"
    if not used:
        yield QueueVersion(name)
    for n in count(used + 1):
        yield QueueVersion(f"{name}.{n}")
