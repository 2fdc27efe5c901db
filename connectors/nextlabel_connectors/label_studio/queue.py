"""The order in which Label Studio serves a project's tasks: written as a window of predictions, switched, proven."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter

from nextlabel.errors import ToolRejected
from nextlabel.labeling import Prediction, ProjectId, QueueVersion, TaskId
from nextlabel.ports import QueueReceipt
from nextlabel.ranking import Ranking
from nextlabel_connectors.label_studio.client import Failed, LabelStudioClient
from nextlabel_connectors.label_studio.data_manager import HAS_SCORE, OPEN, TaskListing
from nextlabel_connectors.label_studio.dialect import UNCERTAINTY_SAMPLING
from nextlabel_connectors.label_studio.payloads import JsonObject, is_window_score, window_score, write_window_item
from nextlabel_connectors.label_studio.predictions import Item, Predictions, Stored, stored
from nextlabel_connectors.label_studio.project import Project, fetch_project, update_project
from nextlabel_connectors.label_studio.walking import task_id

# The names that nextlabel gives: a team's own predictions are never touched.
_OURS = re.compile(r"(untrained-)?\d{4,}(\.\d+)?")
# How much of the order is read back to prove it.
_PROOF = 10
# The head is read a little longer than asked for: the listing goes by the mean of a task's scores, the queue by
# the lowest.
_SPARE = 20
# A version of up to so many predictions is removed in one write of less than a second (200: 0.8 s, against 14 s one by
# one); a larger one is first worn down in small writes.
_AT_ONCE = 250
# Up to here, stray predictions are removed one by one, so that others can write in between.
_ONE_BY_ONE = 50
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Queue:
    """One project's queue."""

    client: LabelStudioClient
    project: ProjectId

    @property
    def _predictions(self) -> Predictions:
        return Predictions(self.client, self.project)

    def _fetch(self) -> Project:
        return fetch_project(self.client, self.project)

    def in_force(self, standing: int = 1) -> QueueVersion | None:
        """None under another sampling, where no predictions are shown, where the version is empty or a mere ML
        backend's title, and where it has fewer than ``standing`` predictions.

        Answers to `/predict` that Label Studio has stored count too: they may hide as many that were deleted.
        """
        project = self._fetch()
        version = QueueVersion(project.version)
        if not version or not _serves(project, version):
            return None
        return version if self._predictions.counts().get(version, 0) >= max(1, standing) else None

    def head(self, n: int) -> list[TaskId]:
        """The first ``n`` open tasks by the scores of the version in force; none where there is no such order."""
        project = self._fetch()
        return self._head(project.version, n) if project.version and project.by_uncertainty else []

    def reorder(
        self,
        version: QueueVersion,
        window: Ranking,
        predictions: Iterable[Prediction],
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        """Write the window, switch to it, prove it. What an earlier try has left is completed, not doubled."""
        project = self._fetch()
        items = _items(project, version, window, predictions)
        missing, stray = self._compare(project, version, items)
        written = self._predictions.write(missing)
        # After the write, so that a version in force is never without its window.
        self._predictions.remove(stray)
        vanished, refused = tuple(written.vanished), tuple(written.refused)
        wanted = [task for task in items if task not in set(vanished)]
        if not wanted:  # nothing to switch to: Label Studio takes no version without predictions
            return QueueReceipt(version, 0, vanished, tuple(self.head(_PROOF)), refused)
        may_switch()
        self._switch(project, version)
        return QueueReceipt(version, len(wanted), vanished, tuple(self._prove(version, wanted)), refused)

    def prune(self, keep: Callable[[], Collection[QueueVersion]], at_most: int) -> int:
        """Remove predictions of our old orders, oldest order first."""
        current, counts = self._fetch().version, self._predictions.counts()
        kept, removed = keep(), 0
        for version, held in counts.items():
            if removed >= at_most:
                break
            if version != current and version not in kept and _OURS.fullmatch(version):
                left = at_most - removed
                if held <= min(left, _AT_ONCE):
                    removed += self._clear(version, held)
                elif removed:  # it fits into the next lot
                    break
                else:
                    some = list(islice(self._predictions.of_version(version), min(left, _ONE_BY_ONE)))
                    return self._predictions.remove(some)
        return removed

    def _clear(self, version: QueueVersion, held: int) -> int:
        """Remove a version at once; where Label Studio fails over one of its tasks, some of what the others have."""
        try:
            self._predictions.remove_version(version)
        except Failed:
            return self._predictions.remove(list(islice(self._predictions.of_version(version), _ONE_BY_ONE)))
        return held

    def _compare(
        self, project: Project, version: QueueVersion, items: Mapping[TaskId, Item]
    ) -> tuple[Sequence[Item], Sequence[Stored]]:
        """What must still be written, and what a former try or another installation has left in its way."""
        everything = list(items.values())
        if not self._predictions.counts().get(version):
            return everything, []
        right, stray = _sorted_out(self._predictions.of_version(version), items)
        if len(stray) > _ONE_BY_ONE and project.version != version:
            self._predictions.remove_version(version)
            return everything, []
        return [item for task, item in items.items() if task not in right], stray

    def _switch(self, project: Project, version: QueueVersion) -> None:
        if not _serves(project, version):
            changes = {
                "show_collab_predictions": True,
                "sampling": UNCERTAINTY_SAMPLING,
                "model_version": version,
            }
            update_project(self.client, self.project, changes)
            project = self._fetch()
        if not _serves(project, version):
            raise ToolRejected(
                f"Label Studio was told to serve project {self.project} by the predictions of {version}, but stands at "
                f"version '{project.version}', sampling '{project.raw.get('sampling')}': is someone else changing "
                "the project's settings?"
            )

    def _head(self, version: str, n: int) -> list[TaskId]:
        tasks = self._with_lowest_scores(n + _SPARE)
        scores = [(min((s.score for s in stored(task, version)), default=None), task_id(task)) for task in tasks]
        ordered = sorted(((score, task) for score, task in scores if score is not None), key=itemgetter(0))
        return [task for _, task in ordered[:n]]

    def _with_lowest_scores(self, n: int) -> Iterable[JsonObject]:
        """The first ``n`` open tasks by score; all that have one, where Label Studio fails to list one of the first."""
        listing, columns, filters = TaskListing(self.client, self.project), "id,predictions", [OPEN, HAS_SCORE]
        try:
            return listing.first(n, columns, filters, "tasks:predictions_score")
        except Failed:
            return [task for page in listing.by_id(columns, _PAGE, filters) for task in page.tasks]

    def _prove(self, version: QueueVersion, wanted: Sequence[TaskId]) -> list[TaskId]:
        """The head of the queue, once it is certain that it follows the window; tasks closed meanwhile are passed."""
        head = self._head(version, _PROOF)
        place = {task: rank for rank, task in enumerate(wanted)}
        ranks = [place.get(task, len(wanted)) for task in head]
        reached = ranks[-1] if len(head) == _PROOF else len(wanted)
        passed = [task for task in wanted[:reached] if task not in set(head)]
        if ranks != sorted(ranks) or self._open(passed):
            raise ToolRejected(
                f"Label Studio does not serve project {self.project} in the order of {version}: expected were "
                f"{', '.join(wanted[:_PROOF])}, served are {', '.join(head) or 'none'}. Are there predictions of "
                "another source under that version?"
            )
        return head

    def _open(self, tasks: Sequence[TaskId]) -> list[TaskId]:
        found = TaskListing(self.client, self.project).among(tasks, "id,is_labeled")
        return [task_id(task) for task in found if task.get("is_labeled") is not True]


def _items(
    project: Project, version: QueueVersion, window: Ranking, predictions: Iterable[Prediction]
) -> dict[TaskId, Item]:
    """The window as import items, in order."""
    said = {prediction.task: prediction for prediction in predictions}
    return {
        task: write_window_item(task, window_score(rank, len(window)), said.get(task), project.config, version)
        for rank, task in enumerate(window.task_ids())
    }


def _sorted_out(found: Iterable[Stored], items: Mapping[TaskId, Item]) -> tuple[set[TaskId], list[Stored]]:
    """The tasks that already have exactly what is wanted, and the predictions that would disturb the order.

    An answer to `/predict` for a task outside the window disturbs nothing: it comes after the window.
    """
    right: set[TaskId] = set()
    stray: list[Stored] = []
    for prediction in found:
        item = items.get(prediction.task)
        if item is not None and prediction.task not in right and _same(prediction, item):
            right.add(prediction.task)
        elif item is not None or is_window_score(prediction.score):
            stray.append(prediction)
    return right, stray


def _same(prediction: Stored, item: Item) -> bool:
    return prediction.score == item["score"] and prediction.result == item["result"]


def _serves(project: Project, version: QueueVersion) -> bool:
    return project.version == version and project.by_uncertainty and project.shows_predictions
