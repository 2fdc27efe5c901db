"""Having every project read on a schedule, whether or not a webhook came: webhooks are hints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nextlabel.jobs.circuits import ToolCircuits, same_tool
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import Connection
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.label_store import SqlLabelStore

_JUST_NOW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Reconciling:
    """Asks for a turn of every active project. Requests are coalesced: several processes may do this."""

    connections: SqlConnections
    store: SqlLabelStore
    job_queue: RqJobQueue
    circuits: ToolCircuits

    def run(self, at_most: float, *, all_tasks: bool = False) -> None:
        """Within ``at_most`` seconds each; with ``all_tasks`` unchanged tasks are read too.

        Of a tool that does not answer, one project only.
        """
        waiting: list[Connection] = []
        for connection in self.connections.active():
            if all_tasks:
                self._have_all_read(connection.project)
            circuit = self.circuits.state(connection)
            if circuit and circuit.is_open:
                if circuit.wait or any(same_tool(connection, other) for other in waiting):
                    continue
                waiting.append(connection)  # one tries, and its success has the others pulled
            # Labels that are just being given are gathered as ever; but a long quiet time puts nothing off for good.
            quiet = min(connection.options.quiet_seconds, at_most)
            self.job_queue.request_retraining(connection.project, quiet=quiet, max_wait=quiet)

    def _have_all_read(self, project: ProjectId) -> None:
        """Unless that has just been done: several may start at the same time, or again and again."""
        last = self.store.full_pull_at(project)
        if last is not None and abs(datetime.now(UTC) - last) > _JUST_NOW:
            self.store.note_full_pull(project, None)
