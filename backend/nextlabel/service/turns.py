"""One turn of the loop under its project's lease: when it is taken, what comes of it, what is done when it fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from nextlabel.errors import (
    ArtifactError,
    ConfigurationError,
    HostedModelError,
    NextlabelError,
    NotConnected,
    ProjectGone,
    SettingsError,
    StaleWorker,
    StorageBusy,
    StorageError,
    ToolRejected,
    ToolUnavailable,
)
from nextlabel.jobs.alarms import Alarms, is_no_room
from nextlabel.jobs.circuits import ToolCircuits
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.labeling import ProjectId
from nextlabel.loop.turn import ActiveLearning, Round
from nextlabel.ports.tool import STRATEGY
from nextlabel.service.annotators import Annotators
from nextlabel.service.connecting import waiting_lease
from nextlabel.service.notes import Notes
from nextlabel.service.reviewing import Reviewing
from nextlabel.service.suspects import Suspects
from nextlabel.service.upkeep import Upkeep
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.counts import StoredCounts
from nextlabel.storage.fences import StoredFences
from nextlabel.storage.findings import StandingFindings
from nextlabel.storage.orders import StoredOrders
from nextlabel.storage.round_log import RoundLog

log = logging.getLogger("nextlabel.service.turns")

BUSY_SECONDS = 1.0
LOCKED_SECONDS = 5.0
_NO_ROOM_SECONDS = 15.0
_CLEAR_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Turns:
    """Takes turns of the loop, for one project at a time."""

    loop: ActiveLearning
    upkeep: Upkeep
    connections: SqlConnections
    orders: StoredOrders
    fences: StoredFences
    findings: StandingFindings
    rounds: RoundLog
    job_queue: RqJobQueue
    circuits: ToolCircuits
    alarms: Alarms
    suspects: Suspects
    reviewing: Reviewing
    annotators: Annotators
    counts: StoredCounts
    notes: Notes

    def take(self, project: ProjectId) -> str:
        """One turn; returns what happened, in words for a person. Only what another try could mend is raised."""
        try:
            return self._under_lease(project)
        except StorageBusy as error:
            self._again(project, LOCKED_SECONDS)
            log.warning("project %s: %s", project, error)  # the log of rounds is where nothing can be written now
            return str(error)

    def at_once(self, project: ProjectId, turn: Callable[[ProjectId, int], Round]) -> Round:
        """A turn that a person waits for, once no worker is on the project; it takes the project and a fence. What it
        raises is noted, and raised."""
        started = time.monotonic()
        with waiting_lease(self.job_queue, project):
            if resting := self.connections.resting(project):
                raise SettingsError(f"{resting}: `nextlabel resume --project {project}` ends it.")
            try:
                done = turn(project, self.fences.next(project))
            except NextlabelError as error:
                with suppress(StorageError):
                    self.rounds.add(project, time.monotonic() - started, str(error), failed=True)
                raise
            self.circuits.succeeded(self.connections.get(project))
            self._record(project, done, time.monotonic() - started)
        return done

    def _under_lease(self, project: ProjectId) -> str:
        started = time.monotonic()
        with self.job_queue.lease(project) as lease:
            if lease is None:
                self._again(project, BUSY_SECONDS)
                return "another worker is on it; asked again"
            done = self._attempt(project, started)
            with suppress(StorageError):  # whoever shows it counts it then
                self.counts.renew(project)
            # Under the lease too: it changes the tool, and whoever disconnects the project waits for no more than that.
            return done if isinstance(done, str) else self._record(project, done, time.monotonic() - started)

    def _attempt(self, project: ProjectId, started: float) -> Round | str:
        """What came of it, or in words why nothing did."""
        try:
            if why_not := self.connections.resting(project) or self._waits(project):
                return why_not
            done = self.loop.run(project, self.fences.next(project))
            self.circuits.succeeded(self.connections.get(project))
        except ToolUnavailable as error:
            wait = self.circuits.failed(self.connections.get(project), str(error), error.retry_after)
            self.notes.tool_fails(project, str(error))
            self._again(project, wait)
            return self._failed(project, started, f"{error} Asked again in {wait:.0f} s.", error)
        except StorageBusy:
            raise
        except (StorageError, OSError) as error:
            if isinstance(error, OSError) and not (is_no_room(error) or self.alarms.check()):
                raise
            return self._no_room(project, started, error)
        except (ToolRejected, ConfigurationError, StaleWorker, ArtifactError, HostedModelError) as error:
            if isinstance(error, StaleWorker) and (rests := self.connections.resting(project)):
                return rests
            return self._failed(project, started, f"{error}{self._is_asked_no_more(project, error)}", error)
        return done

    def _waits(self, project: ProjectId) -> str:
        """Why its tool is left alone for now, in words; empty where it is not. Raises what the connector raises."""
        connection = self.connections.get(project)
        self.upkeep.warn_of_options(connection)
        wait = self.upkeep.wait_for_tool(connection)
        if wait:
            self._again(project, wait)
        return f"its tool does not answer; asked again in {wait:.0f} s" if wait else ""

    def _record(self, project: ProjectId, done: Round, seconds: float) -> str:
        for topic, found in done.findings().items():
            if self.findings.replace(project, found, topic) and topic == STRATEGY:
                for one in found:
                    log.warning("project %s: %s", project, one.message)
        self.alarms.clear()
        summary = done.sentence()
        is_news = done.changes_something or done.read_again
        level = logging.ERROR if done.failure else logging.INFO if is_news else logging.DEBUG
        log.log(level, "%s (%.2f s)", summary, seconds)
        if is_news:
            waited = self._waited() if done.receipt else None
            kind = HostedModelError.__name__ if done.failure else ""
            self.rounds.add(project, seconds, summary, failed=bool(done.failure), waited=waited, kind=kind)
        if done.trained:  # labels came, perhaps without a webhook
            self.job_queue.note_work(project)
        self._follow_up(done, learned=bool(done.trained))
        if done.receipt or done.trained or self.may_clear(project):  # a version that was turned down leaves files too
            self.job_queue.request_pruning(project)
        with suppress(ToolUnavailable, NotConnected):  # the next turn will find it
            connection = self.connections.get(project)
            self.upkeep.note_title(connection)
            self.upkeep.note_drift(connection)
        self.notes.after_round(done)
        return summary

    def after_connecting(self, done: Round) -> None:
        """What follows a turn whose project may have other options than before: all is found anew."""
        self._follow_up(done, learned=True)

    def _follow_up(self, done: Round, *, learned: bool) -> None:
        self.suspects.after_round(done.project, learned=learned)
        self.reviewing.after_turn(done.project, learned=learned, again=done.again)
        if done.changed or learned:
            self.annotators.after_round(done.project, learned=learned)

    def _waited(self) -> float | None:
        """For how many seconds whoever asked for this round has waited; labels that came since wait for the next."""
        asked_at = self.job_queue.asked_at()
        return None if asked_at is None else max(0.0, (datetime.now(UTC) - asked_at).total_seconds())

    def may_clear(self, project: ProjectId) -> bool:
        """Whether old orders are left and nobody is at work: asked once a minute at most."""
        return (
            self.job_queue.is_at_rest(project)
            and self.job_queue.is_first_in(_CLEAR_SECONDS, "clear", project)
            and bool(self.orders.old(project))
        )

    def _is_asked_no_more(self, project: ProjectId, error: Exception) -> str:
        """A project that is gone is left alone until a person wants it, or the tool sends a webhook of it."""
        if not isinstance(error, ProjectGone):
            return ""
        self.connections.change_state(project, "gone", among=("active",))
        return (
            f" It is asked for no more. If it comes back: `nextlabel resume --project {project}`; if it does not: "
            f"`nextlabel disconnect --project {project}`."
        )

    def _no_room(self, project: ProjectId, started: float, error: Exception) -> str:
        """An alarm: a person must make room, and then it goes on by itself."""
        sentence = self.alarms.check() or (
            str(error)
            if isinstance(error, StorageError)
            else f"Nothing can be written ({error}): make room, or make it writable; nextlabel goes on by itself."
        )
        self.alarms.raise_(sentence)
        self._again(project, _NO_ROOM_SECONDS)
        return self._failed(project, started, sentence, error)

    def _failed(self, project: ProjectId, started: float, sentence: str, error: Exception) -> str:
        log.error("project %s: %s", project, sentence)
        with suppress(StorageError):
            seconds, kind = time.monotonic() - started, type(error).__name__
            self.rounds.add(project, seconds, sentence, failed=True, kind=kind)
        return sentence

    def _again(self, project: ProjectId, seconds: float) -> None:
        self.job_queue.request_retraining(project, quiet=seconds, max_wait=seconds)
