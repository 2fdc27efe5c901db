"""What is wrong with an installation and its projects, looked at now: each with what a person can do, and what
nextlabel can mend itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from nextlabel.errors import (
    ConfigurationError,
    JobQueueUnavailable,
    ProjectGone,
    SchemaError,
    SettingsError,
    StorageBusy,
    StorageError,
    ToolRejected,
    ToolUnavailable,
)
from nextlabel.features.model_folders import Embeddings
from nextlabel.hosting.hosts import read_models
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.labeling import ProjectId, counted
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import AsksAgain, CallsUs, Connector, Finding
from nextlabel.service.connecting import Connecting, Report, Wanted
from nextlabel.service.health import Running
from nextlabel.service.overview import Overview
from nextlabel.service.versions import COMMAND_LINE
from nextlabel.storage.actions import StoredActions
from nextlabel.storage.database import in_utc
from nextlabel.strategies import finding

_LATE_TURNS, _LATE_SECONDS = 4, 600.0  # after which a project is read too seldom
_MOST_NAMED = 3
_ROUNDS = 20  # of the log, some of which are findings and took no time
_AT_ONCE = 8  # projects: each waits for its tool, and one that hangs must not hold up the others
_LONGEST = 80  # of what was asked for, in a message

_SILENT = frozenset({"nothing-can-be-written", "backend-stopped"})

Mend = Literal["", "connect", "read"]
_MENDS: dict[Mend, str] = {
    "connect": "connect it again, with the options that it has",
    "read": "have a worker read it and make its order again",
}


@dataclass(frozen=True, slots=True)
class Symptom:
    """Something that is not as it should be.

    ``name`` is for programs; ``project`` is None where it concerns the installation. ``message`` says what is wrong and
    what a person can do. ``mend`` is what `Doctor.mend` does about it; "" where only a person can.
    """

    name: str
    message: str
    project: ProjectId | None = None
    level: Literal["problem", "warning"] = "problem"
    mend: Mend = ""

    @property
    def remedy(self) -> str:
        """What `Doctor.mend` does, in words; "" for nothing."""
        return _MENDS.get(self.mend, "")


def of_storage(error: StorageError) -> Symptom:
    """That not even the database can be read."""
    return Symptom("database-locked" if isinstance(error, StorageBusy) else "nothing-can-be-written", str(error))


def stopped(part: Running) -> Symptom:
    """That a part of the installation does not run."""
    return Symptom(f"{part.name}-stopped", part.message)


@dataclass(frozen=True, slots=True)
class Doctor:
    """Looks at everything that is known to go wrong in practice. Looking changes nothing, in no tool either."""

    overview: Overview
    connecting: Connecting
    job_queue: RqJobQueue
    open_connector: Callable[[Connection], Connector]
    actions: StoredActions

    def examine(self, only: ProjectId | None = None, *, in_backend: bool = False) -> Iterator[Symptom]:
        """Of the installation, and of each project or ``only`` one. Raises `NotConnected` for an unknown one.

        ``in_backend`` is whether it is the backend that asks: it must not wait for an answer of its own.
        """
        connections = self.overview.connections
        chosen = connections.all() if only is None else [connections.get(only)]
        ours = list(self._installation(in_backend=in_backend))
        yield from ours
        serves = _SILENT.isdisjoint(one.name for one in ours)
        with ThreadPoolExecutor(_AT_ONCE, "doctor") as examining:
            for found in examining.map(lambda one: list(self._project(one, serves=serves)), chosen):
                yield from found

    def ours(self, *, in_backend: bool = False) -> Iterator[Symptom]:
        """Of the installation alone: no tool is asked."""
        yield from self._installation(in_backend=in_backend)

    def ask_mend(self, project: ProjectId, mend: str, who: str) -> str:
        """Do one of the things that `mend` does; in words what came of it. Raises `SettingsError` for another one, and
        what connecting raises."""
        known = next((one for one in _MENDS if one == mend), None)
        if known is None:
            raise SettingsError(
                f"There is no remedy {mend[:_LONGEST]!r}: examine the project again, and press a button."
            )
        report = _Kept()
        self.mend(Symptom("asked", "", project, mend=known), report, who)
        if problems := [one.message for one in report.found if one.level == "problem"]:
            raise SettingsError(" ".join(problems))
        return f"Project {project}: {_MENDS[known]}: {'done' if known == 'connect' else 'a worker does it now'}."

    def mend(self, symptom: Symptom, report: Report, who: str = COMMAND_LINE) -> None:
        """Do what `Symptom.remedy` says; it is noted ``who`` wanted it. Raises what connecting raises."""
        if symptom.project is None or not symptom.mend:
            return
        connection = self.overview.connections.get(symptom.project)
        if symptom.mend == "connect":
            if connection.state != "active":  # since the project was examined
                raise SettingsError(
                    f"Project {symptom.project} is {connection.state}: `nextlabel resume` or "
                    "`nextlabel connect` ends that."
                )
            tool = connection.tool
            wanted = Wanted(tool.kind, tool.access, connection.at_tool, connection.callback_url, tool.name)
            self.connecting.connect(wanted, {}, report=report, progress=lambda step, n: None)
        else:
            self.job_queue.request_retraining(symptom.project, quiet=0.0, max_wait=0.0)
        self.actions.add(who, f"mended: {symptom.remedy}", symptom.project)

    # --- the installation -------------------------------------------------------------------------------------------

    def _installation(self, *, in_backend: bool) -> Iterator[Symptom]:
        if alarm := self.overview.alarm():
            yield Symptom("nothing-can-be-written", alarm)
        for part in self.overview.seen_from_backend() if in_backend else self.overview.running():
            if part.runs is False and part.message != alarm:
                yield stopped(part)
        yield from self._set()
        yield from self._jobs()
        if not self.overview.connections.all():
            home = self.overview.place()["home"]
            yield Symptom(
                "no-project",
                f"No project is connected in {home}: run `nextlabel connect --url … --token … --project …`, or set "
                "NEXTLABEL_HOME to the home of the installation that has them.",
                level="warning",
            )

    def _set(self) -> Iterator[Symptom]:
        """What the settings name."""
        embeddings = Embeddings.of(self.overview.settings)
        yield from _refused("embeddings", partial(_is_there, embeddings.of_texts))
        yield from _refused("embeddings", partial(_is_there, embeddings.of_images))
        yield from _refused("own-model", lambda: read_models(self.overview.connections.models()))
        for name in finding.names():
            yield from _refused("strategy-file", partial(finding.factory, name))

    def _jobs(self) -> Iterator[Symptom]:
        try:
            failed = self.job_queue.failures()
        except JobQueueUnavailable:
            return  # Redis is a symptom already
        for what, times in list(failed.items())[:_MOST_NAMED]:
            yield Symptom(
                "failed-jobs",
                f"{counted(times, 'job')} of the last day failed: {what}. What they were to do is done by later ones; "
                "if it goes on, see the worker's log.",
                level="warning",
            )

    # --- one project ------------------------------------------------------------------------------------------------

    def _project(self, connection: Connection, *, serves: bool) -> Iterator[Symptom]:
        """``serves`` is whether tools can reach nextlabel: where they cannot, what they say of it is no news."""
        found = list(self._now(connection, serves=serves))
        yield from found
        # Where nothing else tells why, such as a package that is not installed.
        if not any(one.level == "problem" for one in found) and connection.state == "active":
            yield from self._last_round(connection.project)

    def _last_round(self, project: ProjectId) -> Iterator[Symptom]:
        last = next((one for one in self.overview.rounds.last(project, _ROUNDS) if one.seconds), None)
        read = self.overview.store.pulled_at(project)
        # One that went well and had no news is in no log: it has read since.
        if last and last.failed and (read is None or in_utc(last.at) >= read):
            message = f"Project {project}: the last round failed, at {last.at:%Y-%m-%d %H:%M} UTC: {last.summary}"
            yield Symptom("round-failed", message, project, "warning")

    def _now(self, connection: Connection, *, serves: bool) -> Iterator[Symptom]:
        project, options = connection.project, connection.options
        if connection.state != "active":
            message = f"Project {project} is {connection.state}: nothing is learned or ordered. To go on: `nextlabel "
            yield Symptom(f"project-{connection.state}", f"{message}resume --project {project}`.", project, "warning")
        if complaint := options.complaint:
            yield Symptom("option", f"Project {project}: {complaint}", project, "warning")
        yield from _refused("strategy", lambda: finding.make(options.strategy), project)
        yield from self._kept(connection)
        if connection.state == "active":
            yield from self._at_the_tool(connection, serves=serves)
        looked_at_now = self.overview.findings.of(project, "drift")
        for found in self.overview.findings.of(project):
            if found not in looked_at_now:
                yield Symptom("finding", f"Project {project}: {found.message}", project, "warning")

    def _kept(self, connection: Connection) -> Iterator[Symptom]:
        """What our own state tells."""
        project, models, store = connection.project, self.overview.models, self.overview.store
        serving = models.in_service(project)
        if serving is None:
            yield Symptom("no-model", f"Project {project} has no model yet.", project, "warning", "read")
        elif not models.is_intact(project, serving.version):
            message = f"The model in service of project {project}, {serving.version}, is lost or damaged"
            yield Symptom("model-lost", f"{message}: it is learned again from the labels.", project, mend="read")
        read = store.pulled_at(project)
        late = max(_LATE_SECONDS, _LATE_TURNS * self.overview.settings.reconcile_seconds)
        if connection.state == "active" and read and (datetime.now(UTC) - read).total_seconds() > late:
            message = f"Project {project} was last read at {read:%Y-%m-%d %H:%M} UTC: later labels are unknown."
            yield Symptom("not-read", f"{message} See that `nextlabel work` runs.", project, mend="read")
        if unreadable := store.unreadable(project):
            named = ", ".join(f"{one.name} ({one.reason})" for one in unreadable[:_MOST_NAMED])
            message = f"Project {project}: {len(unreadable)} set aside, because they cannot be read"
            yield Symptom("unreadable", f"{message}: {named}.", project, "warning")

    def _at_the_tool(self, connection: Connection, *, serves: bool) -> Iterator[Symptom]:
        """What the tool itself says, asked now."""
        project = connection.project
        try:
            connector = self.open_connector(connection)
            connector.label_schema().check_learnable()
            if serves:
                yield from self._changed_there(connection, connector)
            yield from self._order(connection, connector)
            reviews = connector if connection.options.serves_again else None
            if isinstance(reviews, AsksAgain) and (why_not := reviews.why_not_again()):
                yield Symptom("reviews", f"Project {project}: {why_not}", project, "warning")
        except ToolUnavailable as error:
            yield Symptom("tool-down", f"Project {project}: {error}", project)
        except ProjectGone as error:
            yield Symptom("project-gone", f"Project {project}: {error}", project)
        except ToolRejected as error:
            yield Symptom("tool-refuses", f"Project {project}: {error}", project)
        except SchemaError as error:
            yield Symptom("labeling-config", f"Project {project}: {error}", project)

    def _changed_there(self, connection: Connection, connector: Connector) -> Iterator[Symptom]:
        if not connection.callback_url or not isinstance(connector, CallsUs):
            return
        project = connection.project
        for found in connector.drift(self.overview.connections.callback(connection)):
            yield Symptom("connection", f"Project {project}: {found.message}", project, "warning", "connect")

    def _order(self, connection: Connection, connector: Connector) -> Iterator[Symptom]:
        project, newest = connection.project, self.overview.orders.announced(connection.project, newest=1)
        if not newest:
            return
        wanted, served = newest[0].version, connector.queue_in_force()
        if served != wanted:
            instead = f"another one ({served})" if served else "none of nextlabel's"
            message = f"Project {project}: annotators should get the order {wanted}, and the tool serves {instead}."
            yield Symptom("order", message, project, mend="read")
        left, still_open = (self.overview.store.count_open(project, some) for some in (newest[0].window, None))
        if still_open and not left:
            message = f"Project {project}: no task of the order is open any more, and {still_open} others are."
            yield Symptom("order-used-up", message, project, mend="read")


@dataclass(slots=True)
class _Kept:
    """A `Report` that keeps what it gets."""

    found: list[Finding] = field(default_factory=list)

    @property
    def problems(self) -> int:
        return sum(one.level == "problem" for one in self.found)

    def add(self, found: Finding) -> None:
        self.found.append(found)

    def line(self, found: Finding) -> None:
        """A line that is no finding about the project."""


def _is_there(named: Callable[[], Path | None]) -> None:
    folder = named()
    if folder is not None and not folder.is_dir():
        raise SettingsError(f"The embeddings' folder {folder} does not exist: name one that does, or leave it empty.")


def _refused(name: str, check: Callable[[], object], project: ProjectId | None = None) -> Iterator[Symptom]:
    """What a person must change, where the check says so."""
    try:
        check()
    except ConfigurationError as error:
        yield Symptom(name, f"Project {project}: {error}" if project else str(error), project)
