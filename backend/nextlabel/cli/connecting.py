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
from nextlabel.ports.tool import Finding
from nextlabel.service.which_project import Typed

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
        wanted = parts.which_project.of(Typed(project, tool, url, token, backend_url, moved))
        with report.console.status("connecting the project …") as shown:
            name, queue = parts.connecting.connect(
                wanted,
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
