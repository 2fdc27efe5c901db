"""`nextlabel status`, `strategies` and `credentials`: what there is to see."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from nextlabel.cli.context import build_parts, read_settings
from nextlabel.errors import JobQueueUnavailable
from nextlabel.ports import Connection
from nextlabel.strategies import finding
from nextlabel.wiring import Parts, embedded_redis

_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


@click.command()
@click.option("--project", help="Only this project.")
@_json
def status(project: str | None, as_json: bool) -> None:
    """What is in service, what it was trained on, how good it is, and what happened lately."""
    settings = read_settings()
    parts = build_parts(settings, settings.redis_url or embedded_redis(settings).url)
    circuits = _Circuits(parts)
    shown = [
        _status(parts, connection, circuits.of(connection))
        for connection in parts.connections.all()
        if project is None or connection.project == project
    ]
    alarm = parts.alarms.look()
    if as_json:
        click.echo(json.dumps({"alarm": alarm or None, "projects": shown}))
        return
    if alarm:
        click.secho(alarm, fg="red")
    if not shown:
        click.echo("No project is connected yet: run `nextlabel connect --url … --token … --project …`.")
    for one in shown:
        _print_status(Console(), one)


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
    project = connection.project
    history, queues = parts.models.history(project), parts.models.queues(project, newest=1)
    serving = next((record for record in history if record.state == "in_service"), None)
    return {
        "project": project,
        "connector": connection.connector,
        "state": connection.state,
        "url": connection.access.url,
        "tool_fails": tool_fails,
        "findings": [{"level": one.level, "message": one.message} for one in parts.findings.of(project)],
        "options": asdict(connection.options),
        "tasks": len(parts.store.task_ids(project)),
        "open": parts.store.count_open(project),
        "all_read_at": all_read.isoformat() if (all_read := parts.store.full_pull_at(project)) else None,
        "unreadable": [{"name": one.name, "reason": one.reason} for one in parts.store.unreadable(project)],
        "learner": (serving and serving.learner) or "built-in",
        "model": serving and serving.version,
        "labels": serving.labels if serving else 0,
        "metrics": dict(serving.metrics) if serving else {},
        "queue": queues[0].version if queues else None,
        "window_left": parts.store.count_open(project, queues[0].window) if queues else 0,
        "versions": [
            {
                "version": record.version,
                "state": record.state,
                "labels": record.labels,
                "reason": record.reason,
                **record.metrics,
            }
            for record in history
        ],
        "rounds": [
            {"at": one.at.isoformat(), "seconds": round(one.seconds, 3), "summary": one.summary, "failed": one.failed}
            for one in parts.rounds.last(project, 10)
        ],
    }


def _print_status(console: Console, one: dict[str, Any]) -> None:
    table = Table(title=f"Project {one['project']} on {one['url']}", show_header=False, title_justify="left")
    metrics = one["metrics"]
    if one["state"] != "active":
        table.add_row("[yellow]left alone[/]", f"it is {one['state']}: `nextlabel resume --project {one['project']}`")
    table.add_row("tasks", f"{one['tasks']}, of which {one['open']} open")
    if fails := one["tool_fails"]:
        table.add_row(
            "[red]tool does not answer[/]",
            f"{fails['failures']} times in a row since {fails['since'][:19].replace('T', ' ')}; asked again in "
            f"{fails['left_alone_seconds']:.0f} s: {fails['reason']}",
        )
    for finding_ in one["findings"]:
        table.add_row("[yellow]undone in the tool[/]", finding_["message"])
    for unreadable in one["unreadable"][:5]:
        table.add_row("[yellow]set aside[/]", f"{unreadable['name']}: {unreadable['reason']}")
    if len(one["unreadable"]) > 5:
        table.add_row("[yellow]set aside[/]", f"{len(one['unreadable'])} in all: `nextlabel status --json` has them")
    table.add_row("model in service", f"{one['model'] or 'none yet'}, trained on {one['labels']} labels")
    if "accuracy" in metrics:
        table.add_row(
            "accuracy, cross-validated",
            f"{metrics['accuracy']:.3f} ± {metrics['accuracy_standard_error']:.3f} on the labels so far "
            "(harder than the average task where the order asks for hard ones)",
        )
    if one["learner"] != "built-in":
        table.add_row("your own model", one["learner"].rpartition(" ")[0])
    if "foretold" in metrics:
        table.add_row(
            "said beforehand",
            f"{metrics['foretold']:.0%} of {metrics['new_labels']:.0f} labels, by the version before they came",
        )
    table.add_row("queue", f"{one['queue'] or 'none yet'}, {one['window_left']} tasks left in order")
    table.add_row("strategy", one["options"]["strategy"])
    for entry in one["rounds"][:5]:
        mark = "[red]failed[/] " if entry["failed"] else ""
        table.add_row(entry["at"][:19].replace("T", " "), f"{mark}{entry['summary']} ({entry['seconds']:.1f} s)")
    console.print(table)


@click.command()
@_json
def strategies(as_json: bool) -> None:
    """The query strategies that can be chosen; NEXTLABEL_HOME/strategies/NAME.py is one of your own."""
    finding.look_in(read_settings().strategies_folder)
    found = [{"name": name, "about": finding.about(name)} for name in finding.names()]
    if as_json:
        click.echo(json.dumps(found))
        return
    for one in found:
        click.echo(f"{one['name']:20} {one['about']}")


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
