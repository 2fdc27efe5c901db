"""`nextlabel connect`: introduce a project of the labeling tool, and put its queue in order for the first time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import click
from rich.console import Console
from rich.markup import escape

from nextlabel.cli.context import build_parts, find_redis, read_settings
from nextlabel.cli.showing import pre_annotations
from nextlabel.errors import JobQueueUnavailable, NotConnected, SettingsError
from nextlabel.labeling import LabelSchema, ProjectId
from nextlabel.loop import Round
from nextlabel.options import ProjectOptions
from nextlabel.ports import Connection, Door, Finding, ToolAccess
from nextlabel.strategies import finding
from nextlabel.wiring import Parts

_MARKS = {"done": "[green]✓[/]", "unchanged": "[dim]·[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]"}
_WAIT_FOR_LEASE_SECONDS = 120


@click.command()
@click.option("--url", help="Where nextlabel finds Label Studio. [env: LABEL_STUDIO_URL]")
@click.option("--token", help="An access token of Label Studio, legacy or personal. [env: LABEL_STUDIO_API_KEY]")
@click.option("--project", required=True, help="The project's id.")
@click.option("--backend-url", help="Where Label Studio finds nextlabel. [env: NEXTLABEL_BACKEND_URL]")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="A per-project setting, repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
def connect(
    url: str | None, token: str | None, project: str, backend_url: str | None, options: tuple[str, ...], as_json: bool
) -> None:
    """Connect a project: ML backend, webhook, sampling, first pull, first order. May be run again at any time."""
    settings = read_settings()
    access = ToolAccess(
        _needed(url or settings.tool_url, "--url", "LABEL_STUDIO_URL"),
        _needed(token or settings.tool_token, "--token", "LABEL_STUDIO_API_KEY"),
    )
    redis_url, server = find_redis(settings)
    try:
        parts = build_parts(settings, redis_url)
        door_url = (backend_url or settings.backend_url or "http://localhost:9090").rstrip("/")
        chosen = _options(parts, project, options)
        wanted = Connection(ProjectId(project), settings.connector, access, chosen, door_url)
        ok = _connect(parts, wanted, Console(stderr=as_json), as_json)
    finally:
        if server is not None:
            server.stop()
    sys.exit(0 if ok else 1)


def _connect(parts: Parts, wanted: Connection, console: Console, as_json: bool) -> bool:
    connector = parts.open_connector(wanted)
    schema = connector.label_schema(wanted.project)  # wrong address, token, project: refused before anything is kept
    hosted = parts.hosts.chosen(wanted.options.model)
    if not hosted:
        schema.check_learnable()
    parts.connections.save(wanted)
    credentials = parts.connections.credentials()
    door = Door(wanted.door_url, credentials.user, credentials.password, credentials.webhook_secret)
    findings: list[Finding] = []
    for found in (*_learned_how(schema, hosted), *connector.connect(wanted.project, door)):
        findings.append(found)
        console.print(_MARKS[found.level], found.message, highlight=False)
    parts.findings.replace(wanted.project, ())
    done = _first_order(parts, wanted.project, console)
    parts.circuits.succeeded(wanted)
    when = pre_annotations(wanted, parts.models.in_service(wanted.project))["when"]
    findings.append(Finding("unchanged", f"Pre-annotations: {when}."))
    console.print(_MARKS["unchanged"], escape(findings[-1].message), highlight=False)
    console.print(_MARKS["problem" if done.failure else "done"], done.sentence(), highlight=False)
    problems = sum(finding.level == "problem" for finding in findings) + bool(done.failure)
    if problems:
        console.print(f"[red]{problems} problem{'s' if problems > 1 else ''} to mend[/]; then run this again.")
    if as_json:
        click.echo(
            json.dumps(
                {
                    "project": wanted.project,
                    "ok": not problems,
                    "findings": [{"level": one.level, "message": one.message} for one in findings],
                    "queue": None if done.receipt is None else done.receipt.version,
                }
            )
        )
    return not problems


def _learned_how(schema: LabelSchema, hosted: str) -> Iterator[Finding]:
    if hosted:
        yield Finding("unchanged", f"The project is learned by your own model '{hosted}'.")
        return
    for name, reason in schema.left_out.items():
        yield Finding("warning", f"Control '{name}' is left out: {reason}")
    yield from _learned_by_metadata(schema)


def _learned_by_metadata(schema: LabelSchema) -> Iterator[Finding]:
    for target in schema.targets:
        if fields := [f"${one.field}" for one in target.inputs if one.kind == "metadata"]:
            yield Finding(
                "warning",
                f"Control '{target.name}' is about {' and '.join(fields)}, which nextlabel does not read: it is "
                "learned from the other fields of each task (duration, speaker, transcript …), and not where there are "
                "none.",
            )


def _first_order(parts: Parts, project: ProjectId, console: Console) -> Round:
    deadline = time.monotonic() + _WAIT_FOR_LEASE_SECONDS
    with console.status("reading the project …") as status:
        while True:
            with parts.job_queue.lease(project) as lease:
                if lease is not None:
                    return parts.loop.run(
                        project,
                        parts.models.next_fence(project),
                        lambda step, n: status.update(f"{step}: {n} tasks"),
                    )
            if time.monotonic() > deadline:
                raise JobQueueUnavailable(f"A worker has been busy with project {project} for two minutes: try again.")
            time.sleep(0.2)


def _options(parts: Parts, project: str, given: tuple[str, ...]) -> ProjectOptions:
    try:
        current = parts.connections.get(ProjectId(project)).options
    except NotConnected:
        current = ProjectOptions()
    changes: dict[str, object] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"--option {pair!r} has no '=': write it as NAME=VALUE, e.g. strategy=entropy.")
        changes[name.strip()] = value.strip()
    options = current.updated(changes)
    finding.make(options.strategy)
    return options


def _needed(value: str | None, option: str, variable: str) -> str:
    if not value:
        raise SettingsError(f"{option} is missing: give it, or set {variable}.")
    return value
