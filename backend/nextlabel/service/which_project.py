"""Which project of which tool a person means, and the way to that tool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nextlabel.errors import SettingsError
from nextlabel.labeling import ToolProjectId
from nextlabel.ports.state import Connection, Tool
from nextlabel.ports.tool import ToolAccess
from nextlabel.service import discovery
from nextlabel.service.connecting import Wanted
from nextlabel.settings import Settings
from nextlabel.storage.connections import SqlConnections


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person typed to connect a project.

    ``project`` is ``TOOL:ID``, where TOOL is a tool or the kind of one, or an id alone. ``tool`` names the tool.
    """

    project: str
    tool: str = ""
    url: str | None = None
    token: str | None = None
    backend_url: str | None = None
    moved: bool = False


@dataclass(frozen=True, slots=True)
class _Meant:
    """``tool`` is one that is known already, None where there is none yet; ``name`` what a person calls it."""

    kind: str
    tool: Tool | None
    name: str
    at_tool: ToolProjectId


@dataclass(frozen=True, slots=True)
class WhichProject:
    """Completes what was typed by what is set and what is known."""

    settings: Settings
    connections: SqlConnections

    def of(self, typed: Typed) -> Wanted:
        """The way to the tool is the one that was typed, or that of a tool that was named as known, or as set, or else
        as known. Raises `SettingsError` where a part of it is missing."""
        meant = self._meant(typed)
        way, kind = meant.tool and meant.tool.access, discovery.connector_type(meant.kind)
        usual = meant.kind == self.settings.connector and not (meant.name and way)
        urls = (typed.url, self.settings.tool_url if usual else None, way.url if way else None)
        tokens = (typed.token, self.settings.tool_token if usual else None, way.token if way else None)
        access = ToolAccess(
            _needed(urls, "--url", "LABEL_STUDIO_URL" if usual else "", kind.address),
            _needed(tokens, "--token", "LABEL_STUDIO_API_KEY" if usual else "", kind.token)
            if kind.token
            else next(filter(None, tokens), ""),
        )
        called = kind.webhooks or kind.ml_backend
        address = self._address(self._known(meant), typed.backend_url) if called else ""
        return Wanted(meant.kind, access, meant.at_tool, address, meant.name, typed.moved)

    def _meant(self, typed: Typed) -> _Meant:
        """``TOOL:ID`` names a tool, or the kind of one; an id alone may be our own, or that of the usual tool.

        Raises `SettingsError` where TOOL is neither."""
        tools = {one.name: one for one in self.connections.tools()}
        kinds = discovery.names()
        before, colon, rest = typed.project.partition(":")
        named = bool(colon) and (before in tools or before in kinds)
        name = typed.tool or (before if named and before in tools else "")
        known = self.connections.named(typed.project)
        if known and not name and not named and (not typed.url or known.at_tool != typed.project):
            return _Meant(known.tool.kind, known.tool, "", known.at_tool)
        if colon and not named and not known:
            raise SettingsError(
                f"There is no tool '{before}': write the project as TOOL:ID, where TOOL is one of "
                f"{', '.join(sorted({*tools, *kinds}))}, or as its id alone."
            )
        kind = tools[name].kind if name in tools else before if named else self.settings.connector
        at_tool = ToolProjectId(rest if named else typed.project)
        return _Meant(kind, tools.get(name), name, at_tool)

    def _known(self, meant: _Meant) -> Connection | None:
        return next(
            (one for one in self.connections.all() if one.at_tool == meant.at_tool and one.tool.kind == meant.kind),
            None,
        )

    def _address(self, known: Connection | None, given: str | None) -> str:
        """Where the tool finds nextlabel: as typed, as set, as this project was given, or where it last started."""
        before = known.callback_url if known else ""
        address = given or self.settings.backend_url or before or self.connections.address()
        if not address:
            raise SettingsError(
                "--backend-url is missing: start `nextlabel up` or `serve`, which note where they are, or give the "
                "address at which the tool finds nextlabel, e.g. http://192.168.1.20:9090 (or set "
                "NEXTLABEL_BACKEND_URL)."
            )
        return address.rstrip("/")


def _needed(values: Sequence[str | None], option: str, variable: str, what: str) -> str:
    """The first that there is. Raises `SettingsError` where there is none."""
    if found := next(filter(None, values), ""):
        return found
    raise SettingsError(f"{option} is missing: give it{f', or set {variable}' if variable else ''}. It is {what}.")
