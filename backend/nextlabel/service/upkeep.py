"""What is done beside the turns of the loop: the tool is looked after, and jobs that were lost are asked for again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from nextlabel.errors import NextlabelError, SchemaError, ToolRejected
from nextlabel.jobs.circuits import ToolCircuits, same_tool
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import CallsUs, Connector, Finding, HasTitle
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.findings import StandingFindings
from nextlabel.storage.round_log import RoundLog

log = logging.getLogger("nextlabel.service.upkeep")

_DRIFT_SECONDS = 50  # less than two turns of the usual schedule, so that drift is seen within a minute
_WARN_AGAIN_SECONDS = 86_400
_TITLE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Whether a project's tool answers and stands as `connect` made it, and whether its options can be read."""

    connections: SqlConnections
    findings: StandingFindings
    rounds: RoundLog
    job_queue: RqJobQueue
    circuits: ToolCircuits
    open_connector: Callable[[Connection], Connector]

    def warn_of_options(self, connection: Connection) -> None:
        """Once a day, of options that this release does not know."""
        complaint = connection.options.complaint
        if complaint and self.job_queue.is_first_in(_WARN_AGAIN_SECONDS, "warned", connection.project):
            log.warning("project %s: %s", connection.project, complaint)

    def wait_for_tool(self, connection: Connection) -> float:
        """For how many seconds the tool is left alone. Once that is over, one project tries with a single request.

        Raises what the connector raises.
        """
        wait, tries = self.circuits.admit(connection)
        if tries:
            with suppress(ToolRejected, SchemaError):  # it answers, if only to refuse: the turn will say what is wrong
                self.open_connector(connection).label_schema()
            self.circuits.answered(connection)
            for other in self.connections.active():
                if same_tool(other, connection) and other.project != connection.project:
                    quiet = other.options.quiet_seconds
                    self.job_queue.request_retraining(other.project, quiet=quiet, max_wait=quiet)
        return wait

    def note_title(self, connection: Connection) -> None:
        """What people call the project in the tool now. Raises `ToolUnavailable`."""
        if not self.job_queue.is_first_in(_TITLE_SECONDS, "title", connection.project):
            return
        connector = self.open_connector(connection)
        if isinstance(connector, HasTitle):
            with suppress(ToolRejected, SchemaError):  # the turn has said what is wrong
                self.connections.note_title(connection.project, connector.title())

    def note_drift(self, connection: Connection) -> None:
        """Whether somebody has undone in the tool what `connect` made there: noted once, and again when it changes.

        It is not made again unasked. Nothing is lost without it, for labels are pulled and the order is written all the
        same; and who removed it may have meant it. Order, sampling and version are what the loop is for: those it
        mends.
        """
        if not connection.callback_url or not self.job_queue.is_first_in(_DRIFT_SECONDS, "drift", connection.project):
            return
        callback, connector = self.connections.callback(connection), self.open_connector(connection)
        if not isinstance(connector, CallsUs):
            return
        try:
            found = list(connector.drift(callback))
        except ToolRejected as error:
            found = [Finding("warning", str(error))]
        if self.findings.replace(connection.project, found):
            message = " ".join(one.message for one in found) or "All that `connect` made stands again."
            log.log(logging.WARNING if found else logging.INFO, "project %s: %s", connection.project, message)
            self.rounds.add(connection.project, 0.0, message, failed=bool(found))

    def ask_again_for_the_killed(self) -> None:
        """A worker that is started may follow one that was killed with its job: RQ takes a minute to find that out."""
        with suppress(NextlabelError):  # then the project is turned to again on schedule
            for connection in self.connections.active():
                if self.job_queue.is_abandoned(connection.project):
                    self.job_queue.request_retraining(connection.project, quiet=0, max_wait=0)
