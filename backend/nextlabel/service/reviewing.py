"""Labeled tasks that the tool is asked to serve once more, to somebody else; what it had of them is put back.

A review is begun and ended for a reason: each has its own tasks, and ends no other's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nextlabel.errors import NextlabelError, ToolRejected
from nextlabel.labeling import ProjectId, TaskId, counted
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import AsksAgain, Connector, Finding
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.label_store import SqlLabelStore
from nextlabel.storage.reviews import SUSPECTED, Review, StoredReviews
from nextlabel.storage.suspects import StoredSuspects

log = logging.getLogger("nextlabel.service.reviewing")

AT_A_TIME = 20
"""Suspected labels of a project that are under review in the queue."""


@dataclass(frozen=True, slots=True)
class Reviewing:
    """Begins and ends the reviews of projects. All raise `NotConnected`."""

    connections: SqlConnections
    store: SqlLabelStore
    suspects: StoredSuspects
    reviews: StoredReviews
    open_connector: Callable[[Connection], Connector]

    def after_turn(self, project: ProjectId, *, learned: bool) -> None:
        """Have the tool serve the most doubtful labels once more, and none that need not be any more. Which labels are
        in doubt is only known anew where the turn has ``learned`` something. Whatever fails waits for the next turn."""
        try:
            wanted = self.connections.get(project).options.suspects == "queue"
            if learned or not wanted:
                self._serve(project, SUSPECTED, self._in_doubt(project) if wanted else [], AT_A_TIME)
        except NextlabelError as error:
            log.warning("project %s: labels under review are as they were: %s", project, error)

    def withdraw(self, project: ProjectId, connector: Connector) -> Iterator[Finding]:
        """End every review; nothing is yielded where there is none."""
        begun = self.reviews.begun(project)
        if not begun or not isinstance(connector, AsksAgain):
            return
        stuck = list(self._end(project, connector, begun))
        yield from (Finding("problem", complaint) for complaint in stuck)
        if ended := len(begun) - len(stuck):
            yield Finding("done", f"{counted(ended, 'label')} under review served no more.")

    def _in_doubt(self, project: ProjectId) -> Sequence[TaskId]:
        return list(dict.fromkeys(one.task for one in self.suspects.waiting(project)))

    def _serve(self, project: ProjectId, reason: str, wanted: Sequence[TaskId], at_a_time: int) -> None:
        """Have those that are ``wanted`` for a reason served once more, the first ones first, and no others for it."""
        everyone = self.reviews.begun(project)
        begun = {task: one for task, one in everyone.items() if one.reason == reason}
        if not (begun or wanted):
            return
        connector = self.open_connector(self.connections.get(project))
        if not isinstance(connector, AsksAgain):
            return
        if wanted and (why_not := connector.why_not_again()):
            log.warning("project %s: no label is reviewed in the queue: %s", project, why_not)
            wanted = []
        for complaint in self._end(project, connector, {task: begun[task] for task in set(begun).difference(wanted)}):
            log.warning("project %s: %s", project, complaint)
        left = set(begun).intersection(wanted)
        for task in left:
            if connector.as_it_is(task) == begun[task].before:  # whoever noted it came no further
                connector.ask_again(task, begun[task].before)
        new = [task for task in wanted if task not in everyone][: at_a_time - len(left)]
        given = self.store.annotations_of(project, new)
        for task in new:
            if (before := connector.as_it_is(task)) is not None:
                people = len({one.by for one in given.get(task, ()) if not one.skipped})
                # First: whatever happens then, it can be put back.
                self.reviews.begin(project, task, Review(reason, before, people))
                connector.ask_again(task, before)

    def _end(self, project: ProjectId, connector: AsksAgain, begun: Mapping[TaskId, Review]) -> Iterator[str]:
        """Have these reviewed no more; a complaint for each that the tool does not let go, and which stays noted."""
        for task, review in begun.items():
            try:
                connector.settle(task, review.before)
            except ToolRejected as error:
                yield f"Task {task} stays under review: {error}"
            else:
                self.reviews.end(project, task)
