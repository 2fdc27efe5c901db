"""`nextlabel status`, `strategies` and `credentials`: what there is to see."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from sqlalchemy import make_url

from nextlabel.cli.context import build_parts, read_settings
from nextlabel.cli.escaping import printable
from nextlabel.cli.health import DEFAULT_ADDRESS, Running, backend, redis_and_workers
from nextlabel.errors import JobQueueUnavailable, NotConnected
from nextlabel.evaluation import agreement
from nextlabel.evaluation.showing import showing
from nextlabel.labeling import counted
from nextlabel.labeling.ranking import Group
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import Connection, ModelRecord
from nextlabel.ports.tool import Finding
from nextlabel.settings import Settings
from nextlabel.strategies import finding
from nextlabel.wiring import Parts, embedded_redis

_MOST_NAMED = 5
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))

_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


@click.command()
@click.option("--project", help="Only this project.")
@_json
def status(project: str | None, as_json: bool) -> None:
    """What does not run, what is in service, how far it agrees with people, what happened lately.

    The exit code is 1 where something does not run.
    """
    settings = read_settings()
    parts = build_parts(settings, settings.redis_url or embedded_redis(settings).url)
    connections = _chosen(parts.connections.all(), project)
    circuits = _Circuits(parts)
    shown = [_status(parts, connection, circuits.of(connection)) for connection in connections]
    alarm, running = parts.alarms.look(), _running(parts)
    if as_json:
        services = [asdict(one) for one in running]
        found = {"alarm": alarm or None, **_place(settings), "services": services, "projects": shown}
        click.echo(json.dumps(found))
    else:
        _print_running(alarm, running)
        _print(_place(settings), shown)
    sys.exit(0 if all(one.runs for one in running) else 1)


def _chosen(connections: Sequence[Connection], project: str | None) -> Sequence[Connection]:
    found = [connection for connection in connections if project in (None, connection.project)]
    if project is not None and not found:
        known = ", ".join(connection.project for connection in connections[:_MOST_NAMED]) or "none"
        more = " and others" if len(connections) > _MOST_NAMED else ""
        raise NotConnected(
            f"Project {project} is not connected; connected are: {known}{more}. To connect it, run `nextlabel connect "
            f"--url … --token … --project {project}`."
        )
    return found


def _running(parts: Parts) -> list[Running]:
    """Each part of the installation; the backend wherever it was started or tools find it, or at the same port here."""
    found = [parts.connections.address(), *(one.door_url for one in parts.connections.all())]
    addresses = [one for one in found if one] or [parts.settings.backend_url or DEFAULT_ADDRESS]
    return [*redis_and_workers(parts.settings), backend([*addresses, *map(_on_this_machine, addresses)])]


def _on_this_machine(address: str) -> str:
    """A tool in a container may know this machine by a name that the machine itself does not know."""
    try:
        return f"http://127.0.0.1:{urlsplit(address).port or 80}"
    except ValueError:
        return address


class _Circuits:
    """How the tools fail, as far as Redis can be asked: it is tried once, for there may be many projects."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._redis_answers = parts, True

    def of(self, connection: Connection) -> dict[str, Any] | None:
        try:
            circuit = self._parts.circuits.state(connection) if self._redis_answers else None
        except JobQueueUnavailable:
            self._redis_answers, circuit = False, None
        if circuit is None:
            return None
        told = {"failures": circuit.failures, "since": circuit.since.isoformat(), "reason": circuit.reason}
        return {**told, "left_alone_seconds": round(circuit.wait, 1)}


def _status(parts: Parts, connection: Connection, tool_fails: dict[str, Any] | None) -> dict[str, Any]:
    project, complaint = connection.project, connection.options.complaint
    history, queues = parts.models.history(project), parts.models.queues(project, newest=1)
    serving = next((record for record in history if record.state == "in_service"), None)
    findings = [*([Finding("warning", complaint)] if complaint else []), *parts.findings.of(project)]
    findings = list(dict.fromkeys(findings))  # two may look into the same, and find it
    drift = " ".join(one.message for one in parts.findings.of(project, "drift"))
    pulled_at = parts.store.pulled_at(project) or parts.store.full_pull_at(project)
    return {
        "project": project,
        "connector": connection.connector,
        "state": connection.state,
        "url": connection.access.url,
        "tool_fails": tool_fails,
        "findings": [{"level": one.level, "message": one.message} for one in findings],
        "options": connection.options.in_force,
        "tasks": len(parts.store.task_ids(project)),
        "open": parts.store.count_open(project),
        "pulled_at": pulled_at and pulled_at.isoformat(),
        "pulled_seconds_ago": pulled_at and round((datetime.now(UTC) - pulled_at).total_seconds()),
        "all_read_at": all_read.isoformat() if (all_read := parts.store.full_pull_at(project)) else None,
        "unreadable": [{"name": one.name, "reason": one.reason} for one in parts.store.unreadable(project)],
        "learner": (serving and serving.learner) or "built-in",
        "model": serving and serving.version,
        "labels": serving.labels if serving else 0,
        "agreement_on_tasks_asked": agreement.named(serving.metrics) if serving else {},
        "pre_annotations": pre_annotations(connection, serving),
        "queue": queues[0].version if queues else None,
        "window_left": parts.store.count_open(project, queues[0].window) if queues else 0,
        "versions": [
            {
                "version": record.version,
                "state": record.state,
                "labels": record.labels,
                "reason": record.reason,
                "agreement_on_tasks_asked": agreement.named(record.metrics),
            }
            for record in history
        ],
        "rounds": [
            {"at": one.at.isoformat(), "seconds": round(one.seconds, 3), "summary": one.summary, "failed": one.failed}
            for one in parts.rounds.last(project, 10)
            if one.summary != drift  # it stands among the findings
        ],
    }


def pre_annotations(connection: Connection, serving: ModelRecord | None) -> dict[str, Any]:
    """Whether guesses about each target are shown, and which or from when on, in words."""
    options = connection.options
    found = serving.showing(options) if serving else showing(options.show_from, {})
    when = f"{found.sentence} (show_predictions={options.show_predictions})"
    return {"shown": dict(found.shown), "when": when}


def _place(settings: Settings) -> dict[str, Any]:
    """Where the state is that is shown: nothing is more puzzling than the right figures of another installation."""
    url = make_url(settings.database_url)
    in_home = url.get_backend_name() == "sqlite" and str(url.database).startswith(str(settings.home))
    elsewhere = f"{url.get_backend_name()} database {url.database}{f' on {url.host}' if url.host else ''}"
    return {"home": str(settings.home), "database": None if in_home else elsewhere}


def _print_running(alarm: str, running: Sequence[Running]) -> None:
    if alarm:
        click.secho(printable(alarm), fg="red")
    if stopped := [one.name for one in running if one.runs is False]:
        click.secho(f"Not running as it should: {', '.join(stopped)}.", fg="red", bold=True)
    for one in running:
        if one.message != alarm:
            click.secho(printable(one.message), fg=None if one.runs else "red")


def _print(place: dict[str, Any], shown: Sequence[dict[str, Any]]) -> None:
    database = f", and the {place['database']}" if place["database"] else ""
    click.echo(printable(f"The state is read from {place['home']}{database}."))
    if not shown:
        click.echo("No project is connected there yet: run `nextlabel connect --url … --token … --project …`.")
    for project in shown:
        Console().print(_table(project))


def _table(one: dict[str, Any]) -> Table:
    title = Text(printable(f"Project {one['project']} on {one['url']}"), style="table.title")
    table = Table(title=title, show_header=False, title_justify="left")
    rows: Iterable[tuple[str, str | Text]] = (*_warnings(one), *_figures(one), *_history(one))
    for name, value in rows:
        table.add_row(name, Text(printable(value)) if isinstance(value, str) else value)
    return table


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
    yield "model in service", trained if one["model"] else "none yet"
    if lines := "\n".join(agreement.in_words(one["agreement_on_tasks_asked"])):
        yield agreement.NAME.replace(" (", "\n("), lines
    if one["learner"] != "built-in":
        yield "your own model", one["learner"].rpartition(" ")[0]
    yield "pre-annotations", one["pre_annotations"]["when"]
    order = f"{one['queue']}, {counted(one['window_left'], 'task')} left in order"
    yield "queue", order if one["queue"] else "none yet"
    yield "strategy", one["options"]["strategy"]


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
    finding.look_in(read_settings().strategies_folder)
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
@_json
def credentials(as_json: bool) -> None:
    """The basic-auth user and password that Label Studio must show (`connect` sets them by itself)."""
    settings = read_settings()
    found = build_parts(settings, settings.redis_url or "redis://localhost").connections.credentials()
    if as_json:
        click.echo(json.dumps({"user": found.user, "password": found.password}))
    else:
        click.echo(f"user      {found.user}\npassword  {found.password}")
