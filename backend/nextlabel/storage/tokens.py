"""Tokens for the API and the metrics, in SQL: of each only the hash."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from nextlabel.errors import SettingsError
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import tokens


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What is known of a token: what it may be used for, and since when there is one of that name."""

    name: str
    scopes: frozenset[str]
    created_at: datetime


class StoredTokens:
    """The tokens of an installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, sha256: str, scopes: Collection[str]) -> None:
        """Raises `SettingsError` where there is one of that name."""
        row = {"name": name, "sha256": sha256, "scopes": sorted(scopes), "created_at": datetime.now(UTC)}
        try:
            with self._database.write() as sql:
                sql.execute(insert(tokens).values(**row))
        except IntegrityError:
            raise SettingsError(f"There is a token '{name}' already: revoke it, or choose another name.") from None

    def revoke(self, name: str) -> bool:
        """Returns whether there was one of that name."""
        with self._database.write() as sql:
            return bool(sql.execute(delete(tokens).where(tokens.c.name == name)).rowcount)

    def all(self) -> Sequence[StoredToken]:
        """By name."""
        with self._database.read() as sql:
            rows = sql.execute(select(tokens).order_by(tokens.c.name)).all()
        return [StoredToken(row.name, frozenset(row.scopes), row.created_at) for row in rows]

    def by_hash(self, sha256: str) -> StoredToken | None:
        with self._database.read() as sql:
            row = sql.execute(select(tokens).where(tokens.c.sha256 == sha256)).one_or_none()
        return None if row is None else StoredToken(row.name, frozenset(row.scopes), row.created_at)
