"""`Connections` in SQL: the projects that were connected, and the credentials tools must show us."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from nextlabel.errors import NotConnected
from nextlabel.labeling import COMMANDS, ProjectId, ToolProjectId
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import Connection, ConnectionState, Credentials, Tool
from nextlabel.ports.tool import Callback, ToolAccess
from nextlabel.settings import Settings
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import connections, counters, installation, metadata, tools

_MODELS, _ADDRESS = "models", "address"
_SELECT = select(connections, tools.c.name, tools.c.kind, tools.c.url, tools.c.token).join(
    tools, tools.c.name == connections.c.tool
)
LONGEST_TITLE = 200
_LONGEST_READ = 10_000  # characters of a title
_UNSAFE, _LONGEST_ID = re.compile(r"[^A-Za-z0-9_.-]+"), 48
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

    def find(self, tools: Collection[str], at_tool: ToolProjectId) -> ProjectId:
        asked = select(connections.c.project).where(connections.c.tool.in_(tools), connections.c.at_tool == at_tool)
        with self._database.read() as sql:
            found = sql.execute(asked).scalar()
        if found is None:
            raise NotConnected(
                f"Project {at_tool} is not connected: run `nextlabel connect --url … --token … --project {at_tool}`."
            )
        return ProjectId(found)

    def at(self, tools: Collection[str], at_tool: str) -> Connection | None:
        """A project of one of these tools, by what the tool calls it; also one that was disconnected."""
        return self._first(connections.c.tool.in_(tools) & (connections.c.at_tool == at_tool))

    def named(self, text: str) -> Connection | None:
        """The project that a person means by our own id, or by ``tool:id``; also one that was disconnected."""
        tool, _, at_tool = text.partition(":")
        return self.known(ProjectId(text)) or self.at([tool], at_tool)

    def resting(self, project: ProjectId) -> str:
        """Why nothing is to be done for a project now, in words; empty where it is worked on."""
        known = self.known(project)
        return (
            "" if known is None or known.state == "active" else f"project {project} is {known.state}: nothing was done"
        )

    def known(self, project: ProjectId) -> Connection | None:
        """The project's connection, even where it was disconnected, or its connecting was never completed."""
        return self._first(connections.c.project == project)

    def _first(self, where: ColumnElement[bool]) -> Connection | None:
        with self._database.read() as sql:
            row = sql.execute(_SELECT.where(where)).first()
        return None if row is None else _connection(row)

    def all(self) -> Sequence[Connection]:
        listed = _SELECT.where(connections.c.state != "disconnected").order_by(connections.c.project)
        with self._database.read() as sql:
            return [_connection(row) for row in sql.execute(listed)]

    def without_options(self) -> Sequence[Connection]:
        """All of them, each with the usual options: to read the right ones takes a while where there are many."""
        listed = _SELECT.where(connections.c.state != "disconnected").order_by(connections.c.project)
        usual = ProjectOptions()
        with self._database.read() as sql:
            return [
                Connection(ProjectId(row.project), _tool(row), ToolProjectId(row.at_tool), usual, state=row.state)
                for row in sql.execute(listed)
            ]

    def active(self) -> Sequence[Connection]:
        """Those that are worked on."""
        return [connection for connection in self.all() if connection.state == "active"]

    def save(self, connection: Connection) -> None:
        """With its tool, which is made where it is new; of its title what `note_title` keeps."""
        tool, of = connection.tool, tools.c
        way = {"kind": tool.kind, "url": tool.access.url, "token": tool.access.token}
        with self._database.write() as sql:
            if not sql.execute(update(tools).where(of.name == tool.name).values(**way)).rowcount:
                sql.execute(insert(tools).values(name=tool.name, **way))
            sql.execute(delete(connections).where(connections.c.project == connection.project))
            sql.execute(insert(connections).values(**_row(connection)))

    def tools(self) -> Sequence[Tool]:
        """All tools that a project was ever connected to."""
        with self._database.read() as sql:
            return [_tool(row) for row in sql.execute(select(tools).order_by(tools.c.name))]

    def new_id(self, tool: str, at_tool: ToolProjectId) -> ProjectId:
        """An id for a project that has none yet: what the tool calls it, where that is free and can name a folder."""
        with self._database.read() as sql:
            taken = set(sql.execute(select(connections.c.project)).scalars())
        wanted = (at_tool, f"{tool}-{at_tool}", *(f"{tool}-{at_tool}-{n}" for n in range(2, len(taken) + 3)))
        plain = (_UNSAFE.sub("-", one)[:_LONGEST_ID].strip(".-") or "project" for one in wanted)
        numbered = (str(n) for n in range(1, len(taken) + 2))
        return ProjectId(next(one for one in (*plain, *numbered) if one not in taken))

    def change_state(self, project: ProjectId, new: ConnectionState, *, among: tuple[ConnectionState, ...]) -> bool:
        mine = (connections.c.project == project) & connections.c.state.in_(among)
        with self._database.write() as sql:
            return bool(sql.execute(update(connections).where(mine).values(state=new)).rowcount)

    def note_title(self, project: ProjectId, title: str) -> None:
        """What people call it in the tool: `LONGEST_TITLE` characters of it that can be shown on one line."""
        mine = update(connections).where(connections.c.project == project)
        with self._database.write() as sql:
            sql.execute(mine.values(title=_as_title(title)))

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
        """How the tool of a project reaches nextlabel: at this address, or where it last was."""
        tool, given = connection.tool, connection.callback_url if url is None else url
        # The installation's own connector calls the root, as its address always was; the others what is theirs.
        below = "" if tool.kind == self._settings.connector else f"/tools/{tool.name}"
        known, at = self.credentials_of(tool.name), f"{given}{below}"
        earlier = tuple(f"{one}{below}" for one in connection.addresses if one != given)
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

    def credentials(self) -> Mapping[str, Credentials]:
        with self._database.read() as sql:
            names = [row.name for row in sql.execute(select(tools.c.name).order_by(tools.c.name))]
        return {name: self.credentials_of(name) for name in dict.fromkeys((self._settings.connector, *names))}

    def credentials_of(self, tool: str) -> Credentials:
        """What this tool must show; made at the first call. The settings' own are those of the tool that is named as
        the installation's connector is, and of those that an earlier release connected."""
        shared = select(tools.c.shares_credentials).where(tools.c.name == tool)
        with self._database.read() as sql:
            common = tool == self._settings.connector or bool(sql.execute(shared).scalar())
            known = _installation(sql.execute(select(installation)).all())
        keys = {name: name if common else f"{name} of {tool}" for name in ("user", "password", "webhook_secret")}
        if missing := {key for key in keys.values() if key not in known}:
            try:
                known = self._make(missing)
            except IntegrityError:  # on PostgreSQL, where writers do not wait for each other: another was first
                return self.credentials_of(tool)
        found = {name: known[key] for name, key in keys.items()}
        return _set_by(self._settings, found) if common else Credentials(**found)

    def _make(self, missing: set[str]) -> dict[str, str]:
        made = {key: "nextlabel" if key.startswith("user") else secrets.token_urlsafe(32) for key in sorted(missing)}
        with self._database.write() as sql:
            known = _installation(sql.execute(select(installation)).all())  # another process may have been first
            for name, value in made.items():
                if name not in known:
                    sql.execute(insert(installation).values(name=name, value=value))
        return made | known


def _set_by(settings: Settings, found: Mapping[str, str]) -> Credentials:
    return Credentials(
        user=settings.user or found["user"],
        password=settings.password or found["password"],
        webhook_secret=settings.webhook_secret or found["webhook_secret"],
    )


def _installation(rows: Sequence[Row[Any]]) -> dict[str, str]:
    return {row.name: row.value for row in rows}


def _row(connection: Connection) -> dict[str, object]:
    return {
        "project": connection.project,
        "tool": connection.tool.name,
        "at_tool": connection.at_tool,
        "options": connection.options.row,
        "callback_url": connection.callback_url,
        "state": connection.state,
        "before": None if connection.before is None else dict(connection.before),
        "addresses": list(connection.addresses),
        "title": _as_title(connection.title),
    }


def _as_title(text: str) -> str:
    """One line that every database keeps and any page can show: without what commands a terminal or turns the direction
    of what stands beside it. "" where nothing of it can be seen: nobody could find a link by it."""
    one_line = " ".join(COMMANDS.sub(" ", text[:_LONGEST_READ]).split())[:LONGEST_TITLE]
    return one_line if any(unicodedata.category(one)[0] in "LNPS" for one in one_line) else ""


def _tool(row: Row[Any]) -> Tool:
    return Tool(row.name, row.kind, ToolAccess(row.url, row.token))


def _connection(row: Row[Any]) -> Connection:
    return Connection(
        project=ProjectId(row.project),
        tool=_tool(row),
        at_tool=ToolProjectId(row.at_tool),
        options=ProjectOptions.stored(row.options),
        callback_url=row.callback_url,
        state=row.state,
        before=row.before,
        addresses=tuple(row.addresses),
        title=row.title,
    )
