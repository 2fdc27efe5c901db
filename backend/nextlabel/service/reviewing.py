"""Labeled tasks that the tool is asked to serve once more, to somebody else; what it had of them is put back.

A review is begun and ended for a reason: each has its own tasks, and ends no other's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nextlabel.errors import NextlabelError, ToolRejected
from nextlabel.labeling import Annotation, ProjectId, TaskId, counted
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import AsksAgain, Connector, Finding
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.label_store import SqlLabelStore
from nextlabel.storage.reviews import SUSPECTED, WORTH, Review, StoredReviews
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

    def after_turn(self, project: ProjectId, *, learned: bool, again: Sequence[TaskId] | None) -> None:
        """Have the tool serve once more the most doubtful labels, and those tasks that are worth it ``again``, and none
        that need not be any more. Which labels are in doubt is only known anew where the turn has ``learned``
        something; where no order was made, ``again`` is None. Whatever fails waits for the next turn."""
        try:
            options = self.connections.get(project).options
            in_doubt = options.suspects == "queue"
            if learned or not in_doubt:
                self._serve(project, SUSPECTED, self._in_doubt(project) if in_doubt else [], AT_A_TIME)
            self._relabel(project, again if options.relabel == "auto" else [])
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

    def _relabel(self, project: ProjectId, again: Sequence[TaskId] | None) -> None:
        """A task that somebody else has labeled since is served no more, unless the order wants another label of it
        still: then it is begun anew. Nor is one that somebody skipped: it may have no answer."""
        begun = {task: one for task, one in self.reviews.begun(project).items() if one.reason == WORTH}
        given = self.store.annotations_of(project, {*begun, *(again or ())})
        skipped = {task for task, some in given.items() if any(one.skipped for one in some)}
        done = skipped.intersection(begun)
        done |= {task for task, one in begun.items() if _people(given.get(task, ())) > one.people}
        if again is not None:
            wanted = [task for task in again if task not in skipped]
            self._serve(project, WORTH, wanted, len(wanted), done)
        elif done:
            self._serve(project, WORTH, [task for task in begun if task not in done], len(begun), done)

    def _serve(
        self,
        project: ProjectId,
        reason: str,
        wanted: Sequence[TaskId],
        at_a_time: int,
        done: Collection[TaskId] = (),
    ) -> None:
        """Have those that are ``wanted`` for a reason served once more, the first ones first, and no others for it.
        Reviews that are ``done`` end first, even of tasks that are wanted."""
        begun = {task: one for task, one in self.reviews.begun(project).items() if one.reason == reason}
        if not (begun or wanted):
            return
        connector = self.open_connector(self.connections.get(project))
        if not isinstance(connector, AsksAgain):
            return
        if wanted and (why_not := connector.why_not_again()):
            log.warning("project %s: no label is reviewed in the queue: %s", project, why_not)
            wanted = []
        ended = {task: one for task, one in begun.items() if task in done or task not in set(wanted)}
        for complaint in self._end(project, connector, ended):
            log.warning("project %s: %s", project, complaint)
        left = set(begun).difference(ended)
        for task in left:
            if connector.as_it_is(task) == begun[task].before:  # whoever noted it came no further
                _ask(project, connector, task, begun[task].before)
        under_review = set(self.reviews.waiting(project))  # for another reason, or because the tool does not let it go
        new = [task for task in wanted if task not in under_review][: max(0, at_a_time - len(left))]
        given = self.store.annotations_of(project, new)
        for task in new:
            if (before := connector.as_it_is(task)) is not None:
                # First: whatever happens then, it can be put back.
                self.reviews.begin(project, task, Review(reason, before, _people(given.get(task, ()))))
                _ask(project, connector, task, before)

    def _end(self, project: ProjectId, connector: AsksAgain, begun: Mapping[TaskId, Review]) -> Iterator[str]:
        """Have these reviewed no more; a complaint for each that the tool does not let go, and which stays noted."""
        for task, review in begun.items():
            try:
                connector.settle(task, review.before)
            except ToolRejected as error:
                yield f"Task {task} stays under review: {error}"
            else:
                self.reviews.end(project, task)


def _ask(project: ProjectId, connector: AsksAgain, task: TaskId, before: Mapping[str, object]) -> None:
    """A task that the tool refuses keeps no other from being served once more."""
    try:
        connector.ask_again(task, before)
    except ToolRejected as error:
        log.warning("project %s: task %s is not served once more: %s", project, task, error)


def _people(given: Sequence[Annotation]) -> int:
    """How many have labeled a task."""
    return len({one.by for one in given if not one.skipped})
