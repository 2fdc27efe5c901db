"""What people decided, in SQL: who did what, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select

from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import actions

_KEPT = 1_000
_LONGEST = 500  # characters


@dataclass(frozen=True, slots=True)
class Action:
    """``about`` is a project, "" for the whole installation."""

    at: datetime
    who: str
    what: str
    about: str


class StoredActions:
    """The last thousand actions of all people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, who: str, what: str, about: str = "") -> None:
        values = {"at": datetime.now(UTC), "who": who, "what": what[:_LONGEST], "about": about}
        with self._database.write() as sql:
            result = sql.execute(insert(actions).values(**values))
            newest = result.inserted_primary_key[0] if result.inserted_primary_key else 0
            sql.execute(delete(actions).where(actions.c.id <= newest - _KEPT))

    def last(self, n: int) -> Sequence[Action]:
        """The last n, newest first."""
        found = select(actions).order_by(actions.c.id.desc()).limit(n)
        with self._database.read() as sql:
            return [Action(row.at, row.who, row.what, row.about) for row in sql.execute(found)]
