"""`Connections` in SQL: the projects that were connected, and the credentials tools must show us."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from nextlabel.errors import NotConnected
from nextlabel.labeling import ProjectId
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import Connection, ConnectionState, Credentials
from nextlabel.ports.tool import Callback, ToolAccess
from nextlabel.settings import Settings
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import connections, counters, installation, metadata

_MODELS, _ADDRESS = "models", "address"
_OF_A_PROJECT = [table for table in metadata.sorted_tables if "project" in table.c and table is not counters]


class SqlConnections:
    """Connections and credentials in the database, so that every process on every machine has the same.

    Credentials from the settings win over those in the database; what is in neither is made once.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def get(self, project: ProjectId) -> Connection:
        found = self.known(project)
        if found is None or found.state == "disconnected":
            was = "not connected" if found is None else "disconnected"
            raise NotConnected(
                f"Project {project} is {was}: run `nextlabel connect --url … --token … --project {project}`."
            )
        return found

    def resting(self, project: ProjectId) -> str:
        """Why nothing is to be done for a project now, in words; empty where it is worked on."""
        known = self.known(project)
        return (
            "" if known is None or known.state == "active" else f"project {project} is {known.state}: nothing was done"
        )

    def known(self, project: ProjectId) -> Connection | None:
        """The project's connection, even where it was disconnected, or its connecting was never completed."""
        with self._database.read() as sql:
            row = sql.execute(select(connections).where(connections.c.project == project)).first()
        return None if row is None else _connection(row)

    def all(self) -> Sequence[Connection]:
        listed = select(connections).where(connections.c.state != "disconnected").order_by(connections.c.project)
        with self._database.read() as sql:
            return [_connection(row) for row in sql.execute(listed)]

    def active(self) -> Sequence[Connection]:
        """Those that are worked on."""
        return [connection for connection in self.all() if connection.state == "active"]

    def save(self, connection: Connection) -> None:
        with self._database.write() as sql:
            sql.execute(delete(connections).where(connections.c.project == connection.project))
            sql.execute(insert(connections).values(**_row(connection)))

    def change_state(self, project: ProjectId, new: ConnectionState, *, among: tuple[ConnectionState, ...]) -> bool:
        mine = (connections.c.project == project) & connections.c.state.in_(among)
        with self._database.write() as sql:
            return bool(sql.execute(update(connections).where(mine).values(state=new)).rowcount)

    def delete(self, project: ProjectId) -> None:
        """Delete a connection, and nothing that was learned."""
        with self._database.write() as sql:
            sql.execute(delete(connections).where(connections.c.project == project))

    def forget(self, project: ProjectId) -> None:
        """Delete all that is kept of a project: its connection, its labels, its models' rows. Only the numbers that
        workers and models were given are never given again."""
        with self._database.write() as sql:
            for table in _OF_A_PROJECT:
                sql.execute(delete(table).where(table.c.project == project))

    def callback(self, connection: Connection, url: str | None = None) -> Callback:
        """How the tool of a project reaches nextlabel: at this address, or where it was last told."""
        known, at = self.credentials(), connection.callback_url if url is None else url
        earlier = tuple(one for one in connection.addresses if one != at)
        return Callback(at, known.user, known.password, known.webhook_secret, earlier=earlier)

    def address(self) -> str:
        """Where `nextlabel serve` or `up` was last started, as far as it knows itself; empty where it never was."""
        return self._noted(_ADDRESS)

    def note_address(self, address: str) -> None:
        self._note(_ADDRESS, address)

    def models(self) -> str:
        """The models of its own that the team has named: in this process's settings, or else where it last served."""
        if self._settings.models:
            return self._settings.models
        return self._noted(_MODELS)

    def note_models(self, models: str) -> None:
        """What `models` says from now on in processes whose settings name none, on whatever machine."""
        self._note(_MODELS, models)

    def _noted(self, name: str) -> str:
        with self._database.read() as sql:
            return sql.execute(select(installation.c.value).where(installation.c.name == name)).scalar() or ""

    def _note(self, name: str, value: str) -> None:
        with self._database.write() as sql:
            sql.execute(delete(installation).where(installation.c.name == name))
            sql.execute(insert(installation).values(name=name, value=value))

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


def _row(connection: Connection) -> dict[str, object]:
    return {
        "project": connection.project,
        "connector": connection.connector,
        "url": connection.access.url,
        "token": connection.access.token,
        "options": connection.options.row,
        "callback_url": connection.callback_url,
        "state": connection.state,
        "before": None if connection.before is None else dict(connection.before),
        "addresses": list(connection.addresses),
    }


def _connection(row: Row[Any]) -> Connection:
    return Connection(
        project=ProjectId(row.project),
        connector=row.connector,
        access=ToolAccess(row.url, row.token),
        options=ProjectOptions.stored(row.options),
        callback_url=row.callback_url,
        state=row.state,
        before=row.before,
        addresses=tuple(row.addresses),
    )
