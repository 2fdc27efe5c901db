"""Introducing a project of the labeling tool, and putting its queue in order for the first time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from nextlabel.errors import JobQueueUnavailable, SettingsError
from nextlabel.features.encoders import why_unread
from nextlabel.features.work import Progress
from nextlabel.hosting.hosts import Hosts
from nextlabel.jobs.circuits import ToolCircuits, is_same
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.labeling import RECORDINGS, LabelSchema, ProjectId, QueueVersion, ToolProjectId
from nextlabel.learning.confidence import weighed_how, without
from nextlabel.loop.turn import ActiveLearning, Round
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import Connection, Tool
from nextlabel.ports.tool import (
    BLANK,
    FIELDS,
    SCORES,
    STRATEGY,
    AsksAgain,
    CallsUs,
    ChangesSettings,
    Connector,
    Finding,
    HasTitle,
    MLBackendWords,
    Order,
    OrderedFile,
    Prepares,
    SortedView,
    TellsScores,
    ToolAccess,
    ToolSetting,
    versions_held,
)
from nextlabel.service.option_checks import CHECKED, check_options
from nextlabel.service.overview import pre_annotations
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.fences import StoredFences
from nextlabel.storage.findings import StandingFindings
from nextlabel.storage.model_store import StoredModels
from nextlabel.storage.orders import StoredOrders
from nextlabel.strategies import finding

_LONGEST_NAME, _NAMED = 60, 10  # of a control or a version, in a message, and how many
_WAIT_FOR_LEASE_SECONDS = 600  # a turn takes seconds, and minutes on a machine that is busy with other things


class Report(Protocol):
    """Where it goes what was done and found."""

    @property
    def problems(self) -> int:
        """How many findings so far are problems."""

    def add(self, found: Finding) -> None:
        """A finding about the project."""

    def line(self, found: Finding) -> None:
        """A line that is no finding about the project."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed: which project of which tool.

    ``tool`` is a name for the tool, "" where it is found by its address; ``callback_url`` is where it finds nextlabel.
    ``moved`` is whether it is the tool of before, at another address.
    """

    kind: str
    access: ToolAccess
    at_tool: ToolProjectId
    callback_url: str = ""
    tool: str = ""
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Connecting:
    """Connects projects; may be called again for one at any time."""

    connections: SqlConnections
    models: StoredModels
    orders: StoredOrders
    fences: StoredFences
    findings: StandingFindings
    circuits: ToolCircuits
    job_queue: RqJobQueue
    hosts: Hosts
    loop: ActiveLearning
    open_connector: Callable[[Connection], Connector]
    after_turn: Callable[[Round], None]
    """Called with the turn that `connect` takes, under its lease: what the options want of it is done at once."""

    def connect(
        self, typed: Wanted, changes: Mapping[str, object], *, report: Report, progress: Progress
    ) -> tuple[ProjectId, QueueVersion | None]:
        """The project as ``typed``, its options with ``changes``; returns its own id, and the order that was made.

        Where there is a problem the project is left as it was. Raises `SettingsError`, `SchemaError` and what the
        connector raises before anything is kept.
        """
        # What is wrong in itself is refused first: a tool that is down would hide it until it is up again. A name that
        # is to be removed may be that of an option that only another release has.
        _options(ProjectOptions(set_aside=dict.fromkeys(changes, "")), changes)
        new = Connection(ProjectId(""), Tool("", typed.kind, typed.access), typed.at_tool)
        connector = self.open_connector(new)
        schema = connector.label_schema()  # wrong address, token, project: refused before all that is about it
        tool, moved_from = self._tool(typed)
        known = self.connections.at([tool.name], typed.at_tool)
        project = known.project if known else self.connections.new_id(tool.name, typed.at_tool)
        wanted = replace(new, project=project, tool=tool, callback_url=typed.callback_url)
        wanted = replace(wanted, options=_options(known.options if known else ProjectOptions(), changes))
        hosted = self.hosts.chosen(wanted.options.model)
        if not hosted:
            schema.check_learnable()
        elif not isinstance(connector, MLBackendWords):
            self.hosts.check_without_words(hosted, schema, wanted.options.parameters)
        # A class that the labeling config no longer has keeps nobody from connecting: `status` says so.
        chosen = CHECKED.difference({"recall_class"}.difference(changes))
        check_options(wanted.options, schema, hosted, finding.make, chosen=chosen)
        confidence = wanted.options.confidence
        learned = without(schema, confidence)
        _check_scores(connector, wanted.options.uncertainty_from, our_versions(self.orders, project))
        _check_reviews(connector, wanted)
        if moved_from:
            report.add(Finding("done", f"The tool moved from {moved_from} to {tool.access.url}."))
        for found in (*_learned_how(learned, hosted), *_weighed_how(confidence, schema, hosted)):
            report.add(found)
        for found in _reviewed_how(connector, wanted.options):
            report.add(found)
        wanted = replace(wanted, title=connector.title() if isinstance(connector, HasTitle) else "")
        if not self._set_up(connector, known, wanted, changes, report):
            report.line(Finding("unchanged", "The project was left as it was, and nothing of this run is kept."))
            return project, None
        pre_annotated = bool(hosted) or any(one.pre_annotated for one in schema.targets)
        return project, self._first_order(wanted, report, progress, pre_annotated=pre_annotated)

    def _first_order(
        self, wanted: Connection, report: Report, progress: Progress, *, pre_annotated: bool
    ) -> QueueVersion | None:
        project = wanted.project
        self.findings.replace(project, ())
        with waiting_lease(self.job_queue, project):
            done = self.loop.run(project, self.fences.next(project), progress)
            self.after_turn(done)
        for topic, news in done.findings().items():
            self.findings.replace(project, news, topic)
        for topic in (FIELDS, BLANK, STRATEGY, SCORES):
            for one in self.findings.of(project, topic):
                report.add(one)
        self.circuits.succeeded(wanted)
        when = pre_annotations(self.connections.get(project), self.models.in_service(project))["when"]
        if pre_annotated:
            report.add(Finding("unchanged", f"Pre-annotations: {when}."))
        if done.failure:
            report.add(Finding("problem", done.sentence()))
        else:
            report.line(Finding("done", done.sentence()))
        return None if done.receipt is None else done.receipt.version

    def _tool(self, typed: Wanted) -> tuple[Tool, str]:
        """The tool that is meant, with the way to it that was typed; and where it was before, if it has moved."""
        tools, new = self.connections.tools(), Tool(typed.tool, typed.kind, typed.access)
        if found := [one for one in tools if one.name == typed.tool]:
            if found[0].kind != typed.kind:
                raise SettingsError(f"The tool '{typed.tool}' is a {found[0].kind}: give another name as --tool.")
            if not (is_same(found[0], new) or typed.moved or self._shows_our_secret(found[0], typed)):
                raise SettingsError(
                    f"The tool '{typed.tool}' is at {found[0].access.url}, not at {typed.access.url}. If it has moved, "
                    "add --moved; if this is another one, give it another name as --tool."
                )
        elif not typed.tool:
            here = [one for one in tools if is_same(one, new)]
            found = sorted(here, key=lambda one: one.access.token != typed.access.token) or self._moved(tools, typed)
        if not found:
            return replace(new, name=typed.tool or _new_name(typed.kind, {one.name for one in tools})), ""
        moved_from = "" if is_same(found[0], new) else found[0].access.url
        return replace(found[0], access=typed.access), moved_from

    def _moved(self, tools: Sequence[Tool], typed: Wanted) -> list[Tool]:
        """Tools that are the one at the new address: as was typed, or because the project there shows our secret."""
        have_it = [one for one in tools if one.kind == typed.kind and self.connections.at([one.name], typed.at_tool)]
        if typed.moved and len(have_it) > 1:
            names = ", ".join(f"{one.name} ({one.access.url})" for one in have_it)
            raise SettingsError(
                f"Several tools have a project {typed.at_tool}: say by --tool which one moved: {names}."
            )
        return have_it if typed.moved else [one for one in have_it if self._shows_our_secret(one, typed)]

    def _shows_our_secret(self, tool: Tool, typed: Wanted) -> bool:
        there = Connection(ProjectId(""), replace(tool, access=typed.access), typed.at_tool)
        connector = self.open_connector(there)
        return isinstance(connector, CallsUs) and connector.is_connected(self.connections.callback(there))

    def _made(self, connector: Connector, wanted: Connection) -> Iterator[Finding]:
        if isinstance(connector, CallsUs):
            interactive = bool(self.hosts.chosen(wanted.options.model))
            yield from connector.connect(replace(self.connections.callback(wanted), interactive=interactive))
        elif isinstance(connector, Prepares):
            yield from connector.prepare()

    def _set_up(
        self,
        connector: Connector,
        known: Connection | None,
        wanted: Connection,
        changes: Mapping[str, object],
        report: Report,
    ) -> bool:
        """Have the tool call nextlabel, and keep the connection, or leave both as they were.

        What is about to be changed is noted first, as of a project that is not connected: whatever interrupts this, the
        next `connect` or `disconnect` knows.
        """
        project, ours = wanted.project, our_versions(self.orders, wanted.project)
        before = connector.settings(ours) if isinstance(connector, ChangesSettings) else ()
        noted = _noted(known, before, ours)
        earlier = known.addresses if known else ()
        addresses = (*(one for one in earlier if one != wanted.callback_url), wanted.callback_url)
        wanted = replace(wanted, before=noted, addresses=addresses)
        self.connections.save(
            replace(known or replace(wanted, state="disconnected"), before=noted, addresses=addresses)
        )
        problems = report.problems
        for found in self._made(connector, wanted):
            report.add(found)
        if report.problems > problems:
            if known is None:
                self.connections.delete(project)
            else:
                self.connections.save(known)
            return False
        where = () if isinstance(connector, Prepares) else _where_it_is(connector.order)  # `prepare` names it
        for found in (*_put_out_of_service(before), *where):
            report.add(found)
        # While it was introduced the tool may have sent options of its own; what was typed wins.
        latest = self.connections.known(project)
        options = _options(latest.options if latest else ProjectOptions(), changes)
        self.connections.save(replace(wanted, options=options))
        return True


def _new_name(kind: str, taken: Collection[str]) -> str:
    """The connector's name, with a number from the second tool of its kind on."""
    return next(name for name in (kind, *(f"{kind}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)


def _noted(
    known: Connection | None, now: Sequence[ToolSetting], ours: Sequence[QueueVersion]
) -> Mapping[str, object] | None:
    """The settings to put back one day: those of before nextlabel, or what somebody chose since, never its own."""
    values = {one.name: one.value for one in now}
    if known is not None and known.before is not None:
        return {**known.before, **{one.name: one.value for one in now if not one.ours}}
    if known is not None and known.state != "disconnected" and known.callback_url:
        return None  # connected by a release that did not note them
    return None if values.get("model_version") in ours else values


def our_versions(orders: StoredOrders, project: ProjectId) -> Sequence[QueueVersion]:
    """The names of all orders of a project that the tool may still hold."""
    return [order.version for order in orders.own(project)]


def _check_scores(connector: Connector, version: str, ours: Collection[QueueVersion]) -> None:
    """Raises `SettingsError` where tasks cannot be ordered by predictions of that version, naming those there are."""
    if not version:
        return
    if not isinstance(connector, TellsScores):
        raise SettingsError(
            "'uncertainty_from' names a version of predictions, and nextlabel can read none from this tool: set it to "
            "nothing (`--option uncertainty_from=`)."
        )
    if version in ours:
        raise SettingsError(f"'{version[:_LONGEST_NAME]}' is an order of nextlabel's own: it says nothing of tasks.")
    held = [one for one in versions_held(connector) if one not in ours]
    if version not in held:
        named = ", ".join(f"'{one[:_LONGEST_NAME]}'" for one in held[:_NAMED]) + (" …" if held[_NAMED:] else "")
        raise SettingsError(
            f"No task has a prediction of the version '{version[:_LONGEST_NAME]}'. "
            + (
                f"Name one of {named}."
                if held
                else "There are none but nextlabel's own: import such predictions first."
            )
        )


def _put_out_of_service(before: Sequence[ToolSetting]) -> Iterator[Finding]:
    for one in before:
        if one.detail and not one.ours:
            yield Finding(
                "warning",
                f"Until now {one.name} was '{one.value}' ({one.detail}): nextlabel's order takes its place. Nothing of "
                "it is changed, and `nextlabel disconnect` puts it back.",
            )


def _where_it_is(order: Order) -> Iterator[Finding]:
    if isinstance(order, SortedView):
        yield Finding("unchanged", f"Annotators get the order in {order.where}.")
    elif isinstance(order, OrderedFile):
        yield Finding("unchanged", f"The order is in {order.path}.")


def _learned_how(schema: LabelSchema, hosted: str) -> Iterator[Finding]:
    if hosted:
        yield Finding("unchanged", f"The project is learned by your own model '{hosted}'.")
        return
    for name, how in schema.held.items():
        yield Finding("unchanged", f"Control '{name[:_LONGEST_NAME]}' orders tasks {how}")
    for name, reason in schema.left_out.items():
        yield Finding("warning", f"Control '{name[:_LONGEST_NAME]}' is left out: {reason}")
    yield from _learned_by_metadata(schema)


def _check_reviews(connector: Connector, wanted: Connection) -> None:
    """Raises `SettingsError` where labeled tasks are to be served once more, and the tool cannot do that."""
    options = wanted.options
    if options.serves_again and not isinstance(connector, AsksAgain):
        name, instead = ("suspects", "list") if options.suspects == "queue" else ("relabel", "off")
        raise SettingsError(
            f"'{name}' is {getattr(options, name)}, and {wanted.tool.kind} serves nobody a labeled task once more: "
            f"choose {instead}."
        )


def _reviewed_how(connector: Connector, options: ProjectOptions) -> Iterator[Finding]:
    if options.serves_again and isinstance(connector, AsksAgain) and (why_not := connector.why_not_again()):
        yield Finding("warning", f"No labeled task is served once more yet. {why_not}")


def _weighed_how(confidence: str, schema: LabelSchema, hosted: str) -> Iterator[Finding]:
    if confidence and not hosted:
        shown = confidence[:_LONGEST_NAME]
        yield Finding("unchanged", f"Control '{shown}' weighs the labels of its annotation, and is not learned.")
    for complaint in weighed_how(confidence, schema, hosted):
        yield Finding("warning", complaint)


_FROM_OTHER_FIELDS = (
    "So it is learned from the other fields of each task (duration, speaker, transcript …), and not where there are "
    "none."
)


def _learned_by_metadata(schema: LabelSchema) -> Iterator[Finding]:
    for target in schema.targets:
        unread = {f"${one.field}": why_unread(one.kind) for one in target.inputs if one.kind in RECORDINGS}
        reasons = [why for why in dict.fromkeys(unread.values()) if why]
        if fields := [field for field, why in unread.items() if why]:
            so = "Until then nothing is learned of it." if target.compared else _FROM_OTHER_FIELDS
            yield Finding(
                "warning", f"Control '{target.name}' is about {' and '.join(fields)}. {' '.join(reasons)} {so}"
            )


@contextmanager
def waiting_lease(
    job_queue: RqJobQueue, project: ProjectId, seconds: float = _WAIT_FOR_LEASE_SECONDS
) -> Iterator[None]:
    """The project for this process alone, once no worker is on it. Raises `JobQueueUnavailable` after that time."""
    deadline = time.monotonic() + seconds
    while True:
        with job_queue.lease(project) as lease:
            if lease is not None:
                yield
                return
        if time.monotonic() > deadline:
            raise JobQueueUnavailable(f"A worker has been busy with project {project} for ten minutes: try again.")
        time.sleep(0.2)


def _options(before: ProjectOptions, changes: Mapping[str, object]) -> ProjectOptions:
    options = before.updated(changes)
    finding.make(options.strategy)
    return options
