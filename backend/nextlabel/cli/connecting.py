"""`nextlabel connect`: introduce a project of the labeling tool, and put its queue in order for the first time."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import click
from rich.console import Console
from rich.markup import escape

from nextlabel.cli.context import read_settings, wired
from nextlabel.cli.escaping import printable
from nextlabel.errors import SettingsError
from nextlabel.labeling import ProjectId, ToolProjectId
from nextlabel.ports.state import Connection, Tool
from nextlabel.ports.tool import Finding, ToolAccess
from nextlabel.service import discovery
from nextlabel.service.connecting import Wanted
from nextlabel.wiring import Parts

_MARKS = {"done": "[green]✓[/]", "unchanged": "[dim]·[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]"}


@click.command()
@click.option("--url", help="Where nextlabel finds the tool: an address or a folder. [env: LABEL_STUDIO_URL]")
@click.option("--token", help="An access token, where the tool needs one. [env: LABEL_STUDIO_API_KEY]")
@click.option("--project", required=True, help="The project's id in the tool, or TOOL:ID.")
@click.option("--tool", default="", help="A name for the tool; without it that of its kind, with a number if needed.")
@click.option(
    "--backend-url",
    help="Where the tool finds nextlabel; without it where it found it before, or where `up` or `serve` was last "
    "started. [env: NEXTLABEL_BACKEND_URL]",
)
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="A per-project setting, repeatable.")
@click.option("--moved", is_flag=True, help="This is the tool of before, at another address.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
def connect(
    url: str | None,
    token: str | None,
    project: str,
    tool: str,
    backend_url: str | None,
    options: tuple[str, ...],
    moved: bool,
    as_json: bool,
) -> None:
    """Connect a project: ML backend, webhook, sampling, first pull, first order. May be run again at any time."""
    settings = read_settings()
    changes, report = _typed(options), Report(as_json)
    with wired(settings) as parts:
        typed = _read_project(parts, project, tool, by_address=bool(url))
        wanted = _wanted(parts, typed, url, token, backend_url)
        with report.console.status("connecting the project …") as shown:
            name, queue = parts.connecting.connect(
                replace(wanted, moved=moved),
                changes,
                report=report,
                progress=lambda step, n: shown.update(f"{step}: {n} tasks"),
            )
        ok = report.end(name, queue=queue)
    sys.exit(0 if ok else 1)


class Report:
    """What a command did and found: printed line by line, and as JSON at the end where that is wanted."""

    def __init__(self, as_json: bool) -> None:
        self.console = Console(stderr=as_json)
        self.findings: list[Finding] = []
        self._as_json = as_json

    def add(self, found: Finding) -> None:
        self.findings.append(found)
        self.line(found)

    def line(self, found: Finding) -> None:
        """Print something that is no finding about the project."""
        self.console.print(_MARKS[found.level], escape(printable(found.message)), highlight=False)

    @property
    def problems(self) -> int:
        return sum(one.level == "problem" for one in self.findings)

    def end(self, project: ProjectId, **more: object) -> bool:
        """Returns whether all went well."""
        if self.problems:
            many = "s" if self.problems > 1 else ""
            self.console.print(f"[red]{self.problems} problem{many} to mend[/]; then run this again.")
        if self._as_json:
            found = [{"level": one.level, "message": one.message} for one in self.findings]
            click.echo(json.dumps({"project": project, "ok": not self.problems, "findings": found, **more}))
        return not self.problems


def _typed(options: Sequence[str]) -> dict[str, object]:
    changes: dict[str, object] = {}
    for pair in options:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"--option {pair!r} has no '=': write it as NAME=VALUE, e.g. strategy=entropy.")
        changes[name.strip()] = value.strip()
    return changes


@dataclass(frozen=True, slots=True)
class _Typed:
    """Which project of which tool was typed. ``tool`` is one that is known already, None where there is none yet."""

    kind: str
    tool: Tool | None
    name: str
    at_tool: str


def _read_project(parts: Parts, project: str, tool: str, *, by_address: bool) -> _Typed:
    """``TOOL:ID`` names a tool, or the kind of one; an id by itself may be our own, or that of the usual tool."""
    before, colon, rest = project.partition(":")
    tools = {one.name: one for one in parts.connections.tools()}
    kinds = discovery.names()
    if not colon or (before not in tools and before not in kinds):
        before, rest = "", project
    name = tool or (before if before in tools else "")
    known = parts.connections.named(project)
    if known and not name and not before and (not by_address or known.at_tool != project):
        return _Typed(known.tool.kind, known.tool, "", known.at_tool)
    kind = tools[name].kind if name in tools else before if before in kinds else parts.settings.connector
    return _Typed(kind, tools.get(name), name, rest)


def _wanted(parts: Parts, typed: _Typed, url: str | None, token: str | None, backend_url: str | None) -> Wanted:
    """The way to it: as typed, or of a tool that was named as known, or as set, or else as known."""
    settings, way, kind = parts.settings, typed.tool and typed.tool.access, discovery.connector_type(typed.kind)
    usual = typed.kind == settings.connector and not (typed.name and way)
    urls = (url, settings.tool_url if usual else None, way.url if way else None)
    tokens = (token, settings.tool_token if usual else None, way.token if way else None)
    access = ToolAccess(
        _needed(urls, "--url", "LABEL_STUDIO_URL" if usual else "", kind.address),
        _needed(tokens, "--token", "LABEL_STUDIO_API_KEY" if usual else "", kind.token)
        if kind.token
        else next(filter(None, tokens), ""),
    )
    at_tool = ToolProjectId(typed.at_tool)
    known = next(
        (one for one in parts.connections.all() if one.at_tool == at_tool and one.tool.kind == typed.kind), None
    )
    address = _address(parts, known, backend_url) if kind.webhooks or kind.ml_backend else ""
    return Wanted(typed.kind, access, at_tool, address, typed.name)


def _address(parts: Parts, known: Connection | None, given: str | None) -> str:
    """Where the tool is to find nextlabel: as typed, as set, as this project was given, or where it last started."""
    before = known.callback_url if known else ""
    address = given or parts.settings.backend_url or before or parts.connections.address()
    if not address:
        raise SettingsError(
            "--backend-url is missing: start `nextlabel up` or `serve`, which note where they are, or give the address "
            "at which the tool finds nextlabel, e.g. http://192.168.1.20:9090 (or set NEXTLABEL_BACKEND_URL)."
        )
    return address.rstrip("/")


def _needed(values: Sequence[str | None], option: str, variable: str, what: str) -> str:
    """The first that there is. Raises `SettingsError` where there is none."""
    if found := next(filter(None, values), ""):
        return found
    raise SettingsError(f"{option} is missing: give it{f', or set {variable}' if variable else ''}. It is {what}.")
