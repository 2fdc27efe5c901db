"""`Fences` in SQL: a number for each worker that takes over a project, so that an overtaken one publishes nothing."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from nextlabel.errors import StaleWorker
from nextlabel.labeling import ProjectId
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import counters


class StoredFences:
    """The fences of all projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next(self, project: ProjectId) -> int:
        with self._database.write() as sql:
            return count_up(sql, project, "fence")

    def check(self, project: ProjectId, fence: int) -> None:
        with self._database.read() as sql:
            check_fence(sql, project, fence)


def count_up(sql: Connection, project: ProjectId, counter: str) -> int:
    mine = counters.c.project == project
    column = counters.c[counter]
    found = sql.execute(update(counters).where(mine).values({column: column + 1}).returning(column)).scalar()
    if found is None:
        sql.execute(insert(counters).values(**{"project": project, "fence": 0, "model": 0, counter: 1}))
        return 1
    return int(found)


def check_fence(sql: Connection, project: ProjectId, fence: int) -> None:
    # FOR UPDATE (a no-op on SQLite, whose writers hold the lock anyway): nobody can hand out a later fence
    # between this look and the commit.
    mine = select(counters.c.fence).where(counters.c.project == project).with_for_update()
    latest = sql.execute(mine).scalar()
    if latest != fence:
        raise StaleWorker(f"Another worker has taken over project {project} (fence {latest}, mine is {fence}).")
