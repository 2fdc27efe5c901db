"""What people log in to the pages with, and the key that sessions are signed by: made once, the same everywhere."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Set

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import installation

_BYTES = 18  # 144 bits, 24 characters: a person may have to type it
_BEFORE = "pages "  # of each name in the table


class PageSecrets:
    """Kept as the credentials of tools are: in the database, by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, names: Set[str]) -> Mapping[str, str]:
        """The secret of each name; those that are missing are made."""
        with self._database.read() as sql:
            known = _known(sql)
        if names <= known.keys():
            return {name: known[name] for name in names}
        try:
            return self._make(names)
        except IntegrityError:  # on PostgreSQL, where writers do not wait for each other: another was first
            return self.all(names)

    def renew(self, name: str) -> str:
        """Another secret in place of the one before."""
        with self._database.write() as sql:
            sql.execute(delete(installation).where(installation.c.name == _BEFORE + name))
            return _insert(sql, name)

    def _make(self, names: Set[str]) -> Mapping[str, str]:
        with self._database.write() as sql:
            known = _known(sql)
            return {name: known.get(name) or _insert(sql, name) for name in names}


def _known(sql: Connection) -> dict[str, str]:
    found = select(installation).where(installation.c.name.startswith(_BEFORE, autoescape=True))
    return {row.name.removeprefix(_BEFORE): row.value for row in sql.execute(found)}


def _insert(sql: Connection, name: str) -> str:
    made = secrets.token_urlsafe(_BYTES)
    sql.execute(insert(installation).values(name=_BEFORE + name, value=made))
    return made
