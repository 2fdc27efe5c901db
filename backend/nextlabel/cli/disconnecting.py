"""`nextlabel disconnect`, `pause` and `resume`: a project as it was before nextlabel, or left alone for a while."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.prompt import Prompt

from nextlabel.cli.connecting import Report
from nextlabel.cli.context import chosen, read_settings, wired
from nextlabel.cli.escaping import printable
from nextlabel.errors import NotConnected
from nextlabel.ports.tool import Finding, ToolSetting
from nextlabel.service.disconnecting import NONE, Wishes

_project = click.option("--project", required=True, help="The project's id.")
_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


@click.command()
@_project
@click.option(
    "--predictions",
    type=click.Choice(["keep", "remove"]),
    help="Those that nextlabel wrote, and those that the tool stored from its answers.  [default: keep, or asked]",
)
@click.option("--sampling", help="What the project's sampling is to be, instead of what it was before.")
@click.option("--model-version", help="The version whose predictions are to be shown, or 'none'; likewise.")
@click.option("--show-predictions", type=click.Choice(["yes", "no"]), help="Whether any are shown; likewise.")
@click.option("--similar", is_flag=True, help="Also remove ML backends that resemble nextlabel's at other addresses.")
@click.option("--offline", is_flag=True, help="Only here: the tool is not there any more, or is to stay as it is.")
@click.option("--forget", is_flag=True, help="Also delete all that was learned: labels, models, orders, the log.")
@click.option("--token", help="An access token, where that of `connect` is no longer good.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object, and ask nothing.")
def disconnect(
    project: str,
    predictions: str | None,
    sampling: str | None,
    model_version: str | None,
    show_predictions: str | None,
    similar: bool,
    offline: bool,
    forget: bool,
    token: str | None,
    as_json: bool,
) -> None:
    """Take back what `connect` made: webhook, ML backend, sampling and version. May be run again at any time."""
    settings = {"sampling": sampling, "model_version": model_version, "show_predictions": show_predictions}
    wishes, report = Wishes(settings, predictions, similar, offline, forget), _Report(as_json)
    person = _AtTerminal(report.console) if _at_terminal() and not as_json else None
    with wired(read_settings()) as parts:
        known = parts.connections.named(project)
        if known is None:
            raise NotConnected(f"Project {project} was never connected here: there is nothing to disconnect.")
        if token:
            known = replace(known, tool=replace(known.tool, access=replace(known.tool.access, token=token)))
        try:
            parts.disconnecting.disconnect(known, wishes, report, person)
        finally:
            report.end_bar()
        ok = report.end(known.project)
    sys.exit(0 if ok else 1)


@click.command()
@_project
@_json
def pause(project: str, as_json: bool) -> None:
    """Leave a project alone: nothing is read, learned, written or put right until `nextlabel resume`."""
    with wired(read_settings()) as parts:
        name = chosen(parts, project).project
        if parts.pausing.is_paused(name):
            if as_json:
                click.echo(json.dumps({"project": name, "state": "paused", "changed": False}))
                return
            click.echo(f"Project {name} is paused already: `nextlabel resume --project {name}` ends it.")
            return
        serving = parts.pausing.pause(name)
        if as_json:
            click.echo(json.dumps({"project": name, "state": "paused", "changed": True, "serving": serving}))
            return
        answers = f"by version {serving}" if serving else "without a model"
        click.echo(
            f"Project {name} is paused: nothing is read, learned or written, and what you change in the tool stays. "
            f"Whoever asks for predictions still gets them, {answers}. `nextlabel resume --project {name}` ends it."
        )


@click.command()
@_project
@_json
def resume(project: str, as_json: bool) -> None:
    """End `nextlabel pause`, or try again with a project that was gone from the tool."""
    with wired(read_settings()) as parts:
        name = chosen(parts, project).project
        resumed = parts.pausing.resume(name)
        if as_json:
            click.echo(json.dumps({"project": name, "state": "active", "changed": resumed}))
        elif not resumed:
            click.echo(f"Project {name} was not paused.")
        else:
            click.echo(f"Project {name} is worked on again: what was labeled meanwhile is read and learned now.")


def _at_terminal() -> bool:
    return sys.stdin.isatty()


class _Report(Report):
    """With a bar while predictions are being removed."""

    _bar: Progress | None = None

    def removed(self, number: int, total: int) -> None:
        if self._bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
            self._bar.start()
            self._bar.add_task("removing predictions", total=total)
        self._bar.update(self._bar.task_ids[0], completed=number)

    def add(self, found: Finding) -> None:
        self.end_bar()
        super().add(found)

    def end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()


@dataclass(frozen=True, slots=True)
class _AtTerminal:
    """Whoever typed the command."""

    console: Console

    def explain(self, why: str) -> None:
        self.console.print(escape(printable(why)), highlight=False)

    def setting(self, one: ToolSetting) -> str:
        choices = [choice or NONE for choice in one.choices]
        question = f"What was {one.name} before?"
        return Prompt.ask(question, console=self.console, choices=choices, default=choices[0])

    def wants_removed(self, number: int) -> bool:
        question = f"The tool stores {number} predictions of nextlabel's: keep or remove them?"
        answer = Prompt.ask(question, console=self.console, choices=["keep", "remove"], default="keep")
        return answer == "remove"
