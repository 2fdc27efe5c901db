"""`Connections` in SQL: the projects that were connected, and the credentials tools must show us."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from nextlabel.database import Database
from nextlabel.database.tables import connections, installation
from nextlabel.errors import NotConnected
from nextlabel.labeling import ProjectId
from nextlabel.options import ProjectOptions
from nextlabel.ports import Connection, Credentials, ToolAccess
from nextlabel.settings import Settings

_MODELS = "models"


class SqlConnections:
    """Connections and credentials in the database, so that every process on every machine has the same.

    Credentials from the settings win over those in the database; what is in neither is made once.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def get(self, project: ProjectId) -> Connection:
        with self._database.read() as sql:
            row = sql.execute(select(connections).where(connections.c.project == project)).first()
        if row is None:
            raise NotConnected(
                f"Project {project} is not connected: run `nextlabel connect --url … --token … --project {project}`."
            )
        return _connection(row)

    def all(self) -> Sequence[Connection]:
        with self._database.read() as sql:
            return [_connection(row) for row in sql.execute(select(connections).order_by(connections.c.project))]

    def save(self, connection: Connection) -> None:
        values = {
            "project": connection.project,
            "connector": connection.connector,
            "url": connection.access.url,
            "token": connection.access.token,
            "options": connection.options.row,
            "door_url": connection.door_url,
            "state": connection.state,
            "before": None if connection.before is None else dict(connection.before),
            "addresses": list(connection.addresses),
        }
        with self._database.write() as sql:
            sql.execute(delete(connections).where(connections.c.project == connection.project))
            sql.execute(insert(connections).values(**values))

    def models(self) -> str:
        """The models of its own that the team has named: in this process's settings, or else where it last served."""
        if self._settings.models:
            return self._settings.models
        with self._database.read() as sql:
            found = sql.execute(select(installation.c.value).where(installation.c.name == _MODELS)).scalar()
        return found or ""

    def note_models(self, models: str) -> None:
        """What `models` says from now on in processes whose settings name none, on whatever machine."""
        with self._database.write() as sql:
            sql.execute(delete(installation).where(installation.c.name == _MODELS))
            sql.execute(insert(installation).values(name=_MODELS, value=models))

    def credentials(self) -> Credentials:
        with self._database.read() as sql:
            known = _installation(sql.execute(select(installation)).all())
        missing = {name for name in ("user", "password", "webhook_secret") if name not in known}
        if missing:
            try:
                known = self._make(missing)
            except IntegrityError:  # on PostgreSQL, where writers do not wait for each other: another was first
                return self.credentials()
        return Credentials(
            user=self._settings.user or known["user"],
            password=self._settings.password or known["password"],
            webhook_secret=self._settings.webhook_secret or known["webhook_secret"],
        )

    def _make(self, missing: set[str]) -> dict[str, str]:
        made = {name: "nextlabel" if name == "user" else secrets.token_urlsafe(32) for name in sorted(missing)}
        with self._database.write() as sql:
            known = _installation(sql.execute(select(installation)).all())  # another process may have been first
            for name, value in made.items():
                if name not in known:
                    sql.execute(insert(installation).values(name=name, value=value))
        return made | known


def _installation(rows: Sequence[Row[Any]]) -> dict[str, str]:
    return {row.name: row.value for row in rows}


def _connection(row: Row[Any]) -> Connection:
    return Connection(
        project=ProjectId(row.project),
        connector=row.connector,
        access=ToolAccess(row.url, row.token),
        options=ProjectOptions.stored(row.options),
        door_url=row.door_url,
        state=row.state,
        before=row.before,
        addresses=tuple(row.addresses),
    )
