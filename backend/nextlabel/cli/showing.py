"""`nextlabel status`, `strategies` and `credentials`: what there is to see."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nextlabel.cli.context import build_parts, look_into, read_settings
from nextlabel.cli.escaping import printable
from nextlabel.errors import SettingsError, StorageError
from nextlabel.evaluation import accuracy, agreement
from nextlabel.labeling import counted, quoted
from nextlabel.labeling.ranking import Group
from nextlabel.options import ProjectOptions
from nextlabel.service.accounts import ROLES, Role
from nextlabel.service.health import DEFAULT_ADDRESS, Running, without_database
from nextlabel.service.versions import COMMAND_LINE
from nextlabel.strategies import finding

_MOST_NAMED = 5
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))

_MAY: dict[Role, str] = {"admin": "  (may choose versions)", "viewer": "  (may only see)"}

_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


@click.command()
@click.option("--project", help="Only this project.")
@_json
def status(project: str | None, as_json: bool) -> None:
    """What does not run, what is in service, how far it agrees with people, what happened lately.

    The exit code is 1 where something does not run, or the projects cannot be read now.
    """
    settings = read_settings()
    shown: list[dict[str, Any]] | None = None
    try:
        overview = look_into(settings).overview
        shown = list(overview.projects(project))
        alarm, running, place = overview.alarm(), overview.running(), overview.place()
    except StorageError as error:  # on a full disk the database cannot even be read; what runs is still known
        alarm, running, place = str(error), without_database(settings), {"home": str(settings.home), "database": None}
    if as_json:
        services = [asdict(one) for one in running]
        click.echo(json.dumps({"alarm": alarm or None, **place, "services": services, "projects": shown}))
    else:
        _print_running(alarm, running)
        _print(place, shown)
    sys.exit(0 if shown is not None and all(one.runs for one in running) else 1)


def _print_running(alarm: str, running: Sequence[Running]) -> None:
    if alarm:
        click.secho(printable(alarm), fg="red")
    if stopped := [one.name for one in running if one.runs is False]:
        click.secho(f"Not running as it should: {', '.join(stopped)}.", fg="red", bold=True)
    for one in running:
        if one.message != alarm:
            click.secho(printable(one.message), fg=None if one.runs else "red")


def _print(place: dict[str, Any], shown: Sequence[dict[str, Any]] | None) -> None:
    database = f", and the {place['database']}" if place["database"] else ""
    if shown is None:
        click.echo(printable(f"The state in {place['home']}{database} cannot be read now."))
        return
    click.echo(printable(f"The state is read from {place['home']}{database}."))
    if not shown:
        click.echo("No project is connected there yet: run `nextlabel connect --url … --token … --project …`.")
    for project in shown:
        Console().print(_table(project))


def _table(one: dict[str, Any]) -> Table:
    title = Text(printable(f"Project {one['project']}{_title(one)}{_name(one)} on {one['url']}"), style="table.title")
    table = Table(title=title, show_header=False, title_justify="left")
    rows: Iterable[tuple[str, str | Text]] = (*_warnings(one), *_figures(one), *_history(one))
    for name, value in rows:
        table.add_row(name, Text(printable(value)) if isinstance(value, str) else value)
    return table


def _title(one: dict[str, Any]) -> str:
    return f" {quoted(one['title'])}" if one["title"] else ""


def _name(one: dict[str, Any]) -> str:
    """What the tool calls it, where that is something else."""
    return "" if one["name"].endswith(f":{one['project']}") else f" ({one['name']})"


def _warnings(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if one["state"] != "active":
        yield "[yellow]left alone[/]", f"it is {one['state']}: `nextlabel resume --project {one['project']}`"
    if fails := one["tool_fails"]:
        yield (
            "[red]tool does not answer[/]",
            f"{fails['failures']} times in a row since {_at(fails['since'])}; asked again in "
            f"{fails['left_alone_seconds']:.0f} s: {fails['reason']}",
        )
    for found in one["findings"]:
        colour = "red" if found["level"] == "problem" else "yellow"
        yield f"[{colour}]{found['level']}[/]", found["message"]
    for unreadable in one["unreadable"][:_MOST_NAMED]:
        yield "[yellow]set aside[/]", f"{unreadable['name']}: {unreadable['reason']}"
    if (number := len(one["unreadable"])) > _MOST_NAMED:
        yield "[yellow]set aside[/]", f"{number} in all: `nextlabel status --json` has them"


def _figures(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "last read from the tool", _ago(one["pulled_seconds_ago"], one["pulled_at"])
    yield "tasks", f"{one['tasks']}, of which {one['open']} open"
    trained = f"{one['model']}, trained on {counted(one['labels'], 'label')}"
    if any(version["chosen"] for version in one["versions"]):
        trained += "; chosen by a person: new ones are held back until `nextlabel models release`"
    yield "model in service", trained if one["model"] else "none yet"
    yield "accuracy on all tasks,\nby audit tasks", "\n".join(_accuracy(one))
    yield "when to stop", one["stopping"]["sentence"]
    for figure, name in (("labels_saved", "labels saved"), ("gain_over_random", "gain over random order")):
        if saved := "\n".join(_saved(one, figure)):
            yield name, saved
    if one["recall"]:
        yield f"recall of {quoted(one['recall']['class'])}", one["recall"]["sentence"]
    yield "how much at a time", one["at_a_time"]["sentence"]
    if lines := "\n".join(agreement.in_words(one["agreement_on_tasks_asked"])):
        yield agreement.NAME.replace(" (", "\n("), lines
    if one["suspects"]["version"] or one["suspects"]["reviewed"]:
        yield "labels that are likely wrong", _suspects(one)
    if one["learner"] != "built-in":
        yield "your own model", one["learner"].rpartition(" ")[0]
    yield "pre-annotations", one["pre_annotations"]["when"]
    order = f"{one['queue']}, {counted(one['window_left'], 'task')} left in order"
    yield "queue", order if one["queue"] else "none yet"
    if one["queue"]:
        check = one["queue_verified"]
        yield "queue verified", f"{_at(check['at'])} UTC: {check['sentence']}" if check["at"] else check["sentence"]
        yield "labels from the order", one["from_order"]["sentence"]
    yield "strategy", one["options"]["strategy"]


def _suspects(one: dict[str, Any]) -> str:
    known = one["suspects"]
    reviewed = f", {known['reviewed']} were reviewed" if known["reviewed"] else ""
    return f"{counted(known['waiting'], 'label')} to review{reviewed}: `nextlabel suspects --project {one['project']}`"


def _accuracy(one: dict[str, Any]) -> Iterator[str]:
    """A line for each target and figure; what stands in the way where there is none."""
    several = agreement.of_several(one["agreement_on_tasks_asked"])
    for name, words in (("accuracy", "the version in service"), ("accuracy_of_answers", "the answers so far")):
        for target, found in one[name].items():
            share = accuracy.in_words(found["value"], found["low"], found["high"])
            labels = f"on {counted(found['n'], 'label')}: {found['method']}"
            yield f"{f'{target}: ' if several else ''}{share}, {words}, {labels}"
    yield from _beside(one, several=several)
    yield from one["audits"]["notes"]


def _saved(one: dict[str, Any], figure: str) -> Iterator[str]:
    """A line for each target."""
    several = len(one[figure]) > 1
    for target, found in one[figure].items():
        yield f"{f'{target}: ' if several else ''}{found['sentence']}"


def _beside(one: dict[str, Any], *, several: bool) -> Iterator[str]:
    """Of each target F1 or correlation, and the class that is found least often; `nextlabel models show` has all."""
    for target, figures in one["figures_for_one_look"].items():
        for name, found in figures.items():
            words = f"{name.replace('_', ' ')} {found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
            yield f"{f'{target}: ' if several else ''}{words}, {found['method'].rpartition('; ')[2]}"
    for target, known in one["accuracy_by_class"].items():
        clauses = [known["untold"]] if known["untold"] else []
        if worst := min(known["classes"].items(), key=lambda share: share[1]["value"], default=None):
            name, found = worst
            share = accuracy.in_words(found["value"], found["low"], found["high"])
            clauses.insert(
                0, f"least often right where it is {quoted(name)}: {share}, on {counted(found['n'], 'label')}"
            )
        if clauses:
            yield f"{f'{target}: ' if several else ''}{'; '.join(clauses)}"


def _history(one: dict[str, Any]) -> Iterator[tuple[str, Text]]:
    for entry in one["rounds"][:_MOST_NAMED]:
        failed = ("failed ", "red") if entry["failed"] else ""
        yield _at(entry["at"]), Text.assemble(failed, printable(f"{entry['summary']} ({entry['seconds']:.1f} s)"))


def _ago(seconds: int | None, at: str | None) -> str:
    if seconds is None or at is None:
        return "never"
    unit = next((unit for unit in _UNITS if seconds >= 2 * unit[0]), (1, "second"))
    return f"{counted(max(0, seconds) // unit[0], unit[1])} ago, at {_at(at)} UTC"


def _at(time: str) -> str:
    return time[:19].replace("T", " ")


@click.command()
@_json
def strategies(as_json: bool) -> None:
    """The query strategies that can be chosen; NEXTLABEL_HOME/strategies/NAME.py is one of your own."""
    finding.use_folder(read_settings().strategies_folder)
    found = [_strategy(name) for name in finding.names()]
    if as_json:
        click.echo(json.dumps(found))
        return
    console = Console(highlight=False)
    for group in Group:
        mine = sorted((one for one in found if one["group"] == group.name.lower()), key=lambda one: not one["default"])
        if mine:
            console.print(Text(f"\n{group.value}", style="bold"))
        for one in mine:
            mark = " (the default)" if one["default"] else ""
            console.print(Padding(Text(printable(f"{one['name']}{mark}: {one['about']}")), (0, 0, 0, 2)))


def _strategy(name: str) -> dict[str, Any]:
    group = finding.group(name)
    return {
        "name": name,
        "group": group.name.lower(),
        "when": group.value,
        "default": name == ProjectOptions().strategy,
        "about": finding.about(name),
    }


@click.command()
@click.option("--tool", help="Those of this tool; without it those of the usual one, Label Studio.")
@click.option("--renew", type=click.Choice(ROLES), help="Give this account of the pages another password first.")
@_json
def credentials(tool: str | None, renew: Role | None, as_json: bool) -> None:
    """The basic-auth user and password that a tool must show (`connect` sets them by itself), and how people log in to
    the pages."""
    settings = read_settings()
    parts = build_parts(settings, settings.redis_url or "redis://localhost")
    known = parts.connections.credentials()
    name = tool or settings.connector
    if name not in known:
        raise SettingsError(f"There is no tool '{name}': known are {', '.join(known)}.")
    if renew:
        parts.accounts.renew(renew, COMMAND_LINE)
    found, pages = known[name], parts.accounts.keys().passwords
    if as_json:
        click.echo(json.dumps({"user": found.user, "password": found.password, "pages": dict(pages)}))
        return
    click.echo(f"A tool shows nextlabel:\nuser      {found.user}\npassword  {found.password}")
    address = parts.connections.address() or DEFAULT_ADDRESS
    click.echo(f"\nPeople log in at {address}, or where their browser reaches that port, with a name and its password:")
    for role, password in pages.items():
        click.echo(f"{role:<9} {password}{_MAY[role]}")
