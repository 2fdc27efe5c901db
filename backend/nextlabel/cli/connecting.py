"""`nextlabel connect`: introduce a project of the labeling tool, and put its queue in order for the first time."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.markup import escape

from nextlabel.cli.context import read_settings, wired
from nextlabel.cli.escaping import printable
from nextlabel.errors import SettingsError
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import Finding, ToolAccess
from nextlabel.wiring import Parts

_MARKS = {"done": "[green]✓[/]", "unchanged": "[dim]·[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]"}
_WAIT_FOR_LEASE_SECONDS = 120


@click.command()
@click.option("--url", help="Where nextlabel finds Label Studio. [env: LABEL_STUDIO_URL]")
@click.option("--token", help="An access token of Label Studio, legacy or personal. [env: LABEL_STUDIO_API_KEY]")
@click.option("--project", required=True, help="The project's id.")
@click.option(
    "--backend-url",
    help="Where Label Studio finds nextlabel; without it where the project was told, or where `up` or `serve` was last "
    "started. [env: NEXTLABEL_BACKEND_URL]",
)
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="A per-project setting, repeatable.")
@click.option("--moved", is_flag=True, help="This is the Label Studio of before, at another address.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
def connect(
    url: str | None,
    token: str | None,
    project: str,
    backend_url: str | None,
    options: tuple[str, ...],
    moved: bool,
    as_json: bool,
) -> None:
    """Connect a project: ML backend, webhook, sampling, first pull, first order. May be run again at any time."""
    settings = read_settings()
    access = ToolAccess(
        _needed(url or settings.tool_url, "--url", "LABEL_STUDIO_URL"),
        _needed(token or settings.tool_token, "--token", "LABEL_STUDIO_API_KEY"),
    )
    changes, report = _typed(options), Report(as_json)
    with wired(settings) as parts:
        name = ProjectId(project)
        address = _address(parts, parts.connections.known(name), backend_url)
        wanted = Connection(name, settings.connector, access, callback_url=address)
        with report.console.status("connecting the project …") as shown:
            queue = parts.connecting.connect(
                wanted,
                changes,
                moved=moved,
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


def _address(parts: Parts, known: Connection | None, given: str | None) -> str:
    """Where the tool is to find nextlabel: as typed, as set, as this project was told, or where it was last started."""
    before = known.callback_url if known else ""
    address = given or parts.settings.backend_url or before or parts.connections.address()
    if not address:
        raise SettingsError(
            "--backend-url is missing: start `nextlabel up` or `serve`, which note where they are, or give the address "
            "at which Label Studio finds nextlabel, e.g. http://192.168.1.20:9090 (or set NEXTLABEL_BACKEND_URL)."
        )
    return address.rstrip("/")


def _needed(value: str | None, option: str, variable: str) -> str:
    if not value:
        raise SettingsError(f"{option} is missing: give it, or set {variable}.")
    return value
