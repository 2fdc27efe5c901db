"""`nextlabel connect`: introduce a project of the labeling tool, and put its queue in order for the first time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import click
from rich.console import Console
from rich.markup import escape

from nextlabel.cli.context import build_parts, find_redis, read_settings
from nextlabel.cli.escaping import printable
from nextlabel.cli.showing import pre_annotations
from nextlabel.errors import JobQueueUnavailable, SettingsError
from nextlabel.jobs.circuits import same_tool
from nextlabel.labeling import LabelSchema, ProjectId, QueueVersion
from nextlabel.loop.turn import Round
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import BLANK, FIELDS, STRATEGY, Connector, Finding, ToolAccess, ToolSetting
from nextlabel.strategies import finding
from nextlabel.strategies.needs import check_project
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
    redis_url, server = find_redis(settings)
    try:
        parts = build_parts(settings, redis_url)
        name = ProjectId(project)
        known = parts.connections.known(name)
        chosen = _options(known, options)
        wanted = Connection(name, settings.connector, access, chosen, _address(parts, known, backend_url))
        ok = _Connecting(parts, wanted, known, options, Report(as_json)).run(moved=moved)
    finally:
        if server is not None:
            server.stop()
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


class _Connecting:
    """One run of `connect`. ``known`` is what was known of the project before, ``options`` what was typed."""

    def __init__(
        self, parts: Parts, wanted: Connection, known: Connection | None, options: Sequence[str], report: Report
    ) -> None:
        self._parts, self._wanted, self._known, self._options, self._report = parts, wanted, known, options, report

    def run(self, *, moved: bool) -> bool:
        project, connector = self._wanted.project, self._parts.open_connector(self._wanted)
        schema = connector.label_schema(project)  # wrong address, token, project: refused before anything is kept
        hosted = self._parts.hosts.chosen(self._wanted.options.model)
        if not hosted:
            schema.check_learnable()
        strategy = self._wanted.options.strategy
        check_project(finding.make(strategy), strategy, schema, hosted)
        self._check_tool(connector, moved=moved)
        for found in _learned_how(schema, hosted):
            self._report.add(found)
        if not self._set_up(connector):
            self._report.line(Finding("unchanged", "The project was left as it was, and nothing of this run is kept."))
            return self._report.end(project, queue=None)
        self._parts.findings.replace(project, ())
        done = _first_order(self._parts, project, self._report.console)
        for topic, news in done.findings().items():
            self._parts.findings.replace(project, news, topic)
        for topic in (FIELDS, BLANK, STRATEGY):
            for one in self._parts.findings.of(project, topic):
                self._report.add(one)
        self._parts.circuits.succeeded(self._wanted)
        when = pre_annotations(self._parts.connections.get(project), self._parts.models.in_service(project))["when"]
        self._report.add(Finding("unchanged", f"Pre-annotations: {when}."))
        if done.failure:
            self._report.add(Finding("problem", done.sentence()))
        else:
            self._report.line(Finding("done", done.sentence()))
        return self._report.end(project, queue=None if done.receipt is None else done.receipt.version)

    def _check_tool(self, connector: Connector, *, moved: bool) -> None:
        """A project is kept under its id in the tool: one of the same id in another tool would take its place."""
        known, wanted = self._known, self._wanted
        if known is None or same_tool(known, wanted):
            return
        if not moved and not connector.is_connected(wanted.project, self._parts.connections.door(wanted)):
            raise SettingsError(
                f"Project {wanted.project} is that of {known.access.url} here, and nextlabel cannot hold two projects "
                f"of one number yet. Connect this one from another installation (another NEXTLABEL_HOME, and "
                "NEXTLABEL_DATABASE_URL where that is set), or give up the other with all that was learned of it: "
                f"`nextlabel disconnect --project {wanted.project} --forget`. If {wanted.access.url} is the same "
                "tool at a new address: add --moved."
            )
        self._report.add(Finding("done", f"The tool moved from {known.access.url} to {wanted.access.url}."))

    def _set_up(self, connector: Connector) -> bool:
        """Have the tool call nextlabel, and keep the connection, or leave both as they were.

        What is about to be changed is noted first, as of a project that is not connected: whatever interrupts this, the
        next `connect` or `disconnect` knows.
        """
        parts, project, known = self._parts, self._wanted.project, self._known
        ours = our_versions(parts, project)
        before = connector.settings(project, ours)
        noted = self._noted(before, ours)
        earlier = known.addresses if known else ()
        addresses = (*(one for one in earlier if one != self._wanted.door_url), self._wanted.door_url)
        wanted = replace(self._wanted, before=noted, addresses=addresses)
        parts.connections.save(
            replace(known or replace(wanted, state="disconnected"), before=noted, addresses=addresses)
        )
        problems = self._report.problems
        door = replace(parts.connections.door(wanted), interactive=bool(parts.hosts.chosen(wanted.options.model)))
        for found in connector.connect(project, door):
            self._report.add(found)
        if self._report.problems > problems:
            if known is None:
                parts.connections.delete(project)
            else:
                parts.connections.save(known)
            return False
        for found in _put_out_of_service(before):
            self._report.add(found)
        # While it was introduced the tool may have sent options of its own; what was typed wins.
        latest = parts.connections.known(project)
        parts.connections.save(replace(wanted, options=_options(latest, self._options)))
        return True

    def _noted(self, now: Sequence[ToolSetting], ours: Sequence[QueueVersion]) -> Mapping[str, object] | None:
        """The settings to put back one day: those of before nextlabel, or what somebody chose since, never its own."""
        known, values = self._known, {one.name: one.value for one in now}
        if known is not None and known.before is not None:
            return {**known.before, **{one.name: one.value for one in now if not one.ours}}
        if known is not None and known.state != "disconnected" and known.door_url:
            return None  # connected by a release that did not note them
        return None if values.get("model_version") in ours else values


def our_versions(parts: Parts, project: ProjectId) -> Sequence[QueueVersion]:
    """The names of all orders of a project that the tool may still hold."""
    return [order.version for order in parts.models.own_orders(project)]


def _put_out_of_service(before: Sequence[ToolSetting]) -> Iterator[Finding]:
    for one in before:
        if one.detail and not one.ours:
            yield Finding(
                "warning",
                f"Until now {one.name} was '{one.value}' ({one.detail}): nextlabel's order takes its place. Nothing of "
                "it is changed, and `nextlabel disconnect` puts it back.",
            )


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
    with console.status("reading the project …") as status, waiting_lease(parts, project):
        return parts.loop.run(
            project, parts.models.next_fence(project), lambda step, n: status.update(f"{step}: {n} tasks")
        )


@contextmanager
def waiting_lease(parts: Parts, project: ProjectId) -> Iterator[None]:
    """The project for this process alone, once no worker is on it. Raises `JobQueueUnavailable` after two minutes."""
    deadline = time.monotonic() + _WAIT_FOR_LEASE_SECONDS
    while True:
        with parts.job_queue.lease(project) as lease:
            if lease is not None:
                yield
                return
        if time.monotonic() > deadline:
            raise JobQueueUnavailable(f"A worker has been busy with project {project} for two minutes: try again.")
        time.sleep(0.2)


def _options(known: Connection | None, given: Sequence[str]) -> ProjectOptions:
    current = known.options if known else ProjectOptions()
    changes: dict[str, object] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"--option {pair!r} has no '=': write it as NAME=VALUE, e.g. strategy=entropy.")
        changes[name.strip()] = value.strip()
    options = current.updated(changes)
    finding.make(options.strategy)
    return options


def _address(parts: Parts, known: Connection | None, given: str | None) -> str:
    """Where the tool is to find nextlabel: as typed, as set, as this project was told, or where it was last started."""
    before = known.door_url if known else ""
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
