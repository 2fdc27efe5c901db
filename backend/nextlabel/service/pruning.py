"""Taking out of the tool, and out of our own store, what is no longer needed: old orders and old versions."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nextlabel.errors import NextlabelError
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import Connector, KeepsOldOrders, OwnOrder, Pruned
from nextlabel.service.ownership import LEFT_ALONE, left_alone
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.findings import StandingFindings
from nextlabel.storage.orders import StoredOrders
from nextlabel.storage.retention import Retention

log = logging.getLogger("nextlabel.service.pruning")

_PAUSE_SECONDS, _MOST = 0.3, 5000
# How many predictions are removed at a time at rest, and while people are at work. Then so many old orders are left
# for when they are not: the tool shows a task with all of its predictions, so that there must be an end to them.
_WHOLE_LOT, _TRICKLE_LOT, _MOST_LEFT = 250, 10, 50
_SHOWN_LOT = 50  # where somebody waits, so that one sees it go on
_SWEEP_SECONDS = 3600  # listing a store may be slow, and cost money


@dataclass(frozen=True, slots=True)
class Pruning:
    """Removes old orders and versions of one project at a time; a training never waits for it."""

    connections: SqlConnections
    orders: StoredOrders
    retention: Retention
    findings: StandingFindings
    job_queue: RqJobQueue
    open_connector: Callable[[Connection], Connector]

    def run(self, project: ProjectId) -> int:
        """Let old versions go, and take orders that are no longer needed out of the tool, lot by lot so that annotators
        never wait long. Returns how many predictions were removed from it.

        The order in force and the one before it stay: the latter is what a rollback switches to.
        """
        try:
            if self.connections.resting(project):
                return 0
            self._let_go(project)
            return self.remove_old_orders(project)
        except NextlabelError as error:
            log.warning("project %s: old versions and orders stay for now: %s", project, error)
            return 0

    def _let_go(self, project: ProjectId) -> None:
        """Versions that are not kept any more, and now and then files that are nobody's."""
        first = self.job_queue.is_first_in
        stuck = self.retention.sweep(project).stuck if first(_SWEEP_SECONDS, "sweep", project) else ""
        while (gone := self.retention.let_go(project)).number and not self.job_queue.learning_waits():
            stuck = stuck or gone.stuck
        stuck = stuck or gone.stuck
        if stuck and first(_SWEEP_SECONDS, "stuck", project):
            log.warning(
                "project %s: %s. It is tried again from time to time; see NEXTLABEL_MODELS_URL.", project, stuck
            )

    def remove_old_orders(self, project: ProjectId) -> int:
        """Those that the tool still holds and that need not stay. Predictions that nextlabel did not write are left
        alone, and those that only bear names like its own are noted for `nextlabel status`."""
        connector, removed = self.open_connector(self.connections.get(project)), 0
        if not isinstance(connector, KeepsOldOrders):
            return removed
        while removed < _MOST and not self.connections.resting(project):
            at_rest, old = self.job_queue.is_at_rest(project), self.orders.old(project)
            if not at_rest and len(old) <= _MOST_LEFT:
                break
            lot = connector.prune(old, _WHOLE_LOT if at_rest else _TRICKLE_LOT, at_rest=at_rest)
            self.orders.note_removed(project, lot.emptied)
            # A training never waits for this; the reorder at its end asks for pruning again.
            if lot.removed == 0 or self.job_queue.learning_waits():
                break
            removed += lot.removed
            time.sleep(_PAUSE_SECONDS)
        held, ours = connector.predictions_held(), {order.version for order in self.orders.own(project)}
        found = list(left_alone(held, ours, self.orders.earlier_names(project)))
        self.findings.replace(project, found, LEFT_ALONE)
        return removed


def remove_all(connector: KeepsOldOrders, orders: Sequence[OwnOrder], *, at_rest: bool = False) -> Iterator[Pruned]:
    """Remove the predictions of these orders lot by lot, and yield what each lot came to; the last removed nothing, or
    there is nothing left. What is not emptied then the tool keeps."""
    left = list(orders)
    while left:
        lot = connector.prune(left, _SHOWN_LOT, at_rest=at_rest)
        left = [order for order in left if order.version not in lot.emptied]
        yield lot
        if not lot.removed:
            return
