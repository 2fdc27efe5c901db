"""The order in which Label Studio serves a project's tasks: written as a window of predictions, switched, proven."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter

from nextlabel.errors import ToolRejected, VersionTaken
from nextlabel.labeling import Prediction, QueueVersion, TaskId, ToolProjectId
from nextlabel.labeling.ranking import Ranking
from nextlabel.ports.tool import OwnOrder, Pruned, QueueReceipt
from nextlabel_connectors.label_studio.client import Failed, LabelStudioClient
from nextlabel_connectors.label_studio.data_manager import HAS_SCORE, OPEN, TaskListing
from nextlabel_connectors.label_studio.dialect import UNCERTAINTY_SAMPLING
from nextlabel_connectors.label_studio.payloads import (
    NO_DATA,
    JsonObject,
    as_object,
    is_window_score,
    window_score,
    window_scores,
)
from nextlabel_connectors.label_studio.predictions import Item, Predictions, Stored, stored
from nextlabel_connectors.label_studio.project import Project, fetch_project, update_project
from nextlabel_connectors.label_studio.values import Data
from nextlabel_connectors.label_studio.walking import task_id
from nextlabel_connectors.label_studio.writing import Writer

# How much of the order is read back to prove it.
_PROOF = 10
# The head is read a little longer than asked for: the listing goes by the mean of a task's scores, the queue by
# the lowest.
_SPARE = 20
# A version of up to so many predictions is removed in one write of a second or two, but only when nobody is at work: on
# PostgreSQL it locks all of their tasks meanwhile, so that annotators are served others, and wait when they submit.
_AT_ONCE = 250
_ONE_BY_ONE = 50
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Queue:
    """One project's queue."""

    client: LabelStudioClient
    project: ToolProjectId

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
        items = _items(project, version, window, predictions, self._data_of(project, window))
        written = self._predictions.write(self._missing(version, items))
        vanished, refused = tuple(written.vanished), tuple(written.refused)
        wanted = [task for task in items if task not in set(vanished)]
        if not wanted:  # nothing to switch to: Label Studio takes no version without predictions
            return QueueReceipt(version, 0, vanished, tuple(self.head(_PROOF)), refused)
        may_switch()
        self._switch(project, version)
        return QueueReceipt(version, len(wanted), vanished, tuple(self._prove(version, wanted)), refused)

    def _data_of(self, project: Project, window: Ranking) -> Mapping[TaskId, Data]:
        """What the tasks of the window hold, where regions are written by it."""
        if all(control.form.for_task is None for control in project.config.controls.values()):
            return {}
        found = TaskListing(self.client, self.project).among(window.task_ids(), "id,data")
        return {task_id(task): as_object(task.get("data"), "task's data") for task in found}

    def prune(self, old: Sequence[OwnOrder], at_most: int, *, at_rest: bool) -> Pruned:
        """Remove predictions of these orders, and of the one in force nothing."""
        current, held = self._fetch().version, self._predictions.counts()
        removed, emptied = 0, []
        for order in (one for one in old if one.version != current):
            here = held.get(order.version, 0)
            if here and removed >= at_most:
                break
            if here and order.window is None and at_rest and here <= min(at_most, _AT_ONCE):
                if removed and removed + here > at_most:  # it fits into the next lot
                    break
                gone, more = self._clear(order.version, here)
            elif here:
                gone, more = self._remove_some(order, here, at_most - removed)
            else:
                gone, more = 0, False
            removed += gone
            if not more:
                emptied.append(order.version)
        return Pruned(removed, tuple(emptied))

    def _remove_some(self, order: OwnOrder, held: int, at_most: int) -> tuple[int, bool]:
        """Remove predictions of an order one by one, each in a short write; how many, and whether more is left."""
        if order.window is None:
            gone = self._predictions.remove(islice(self._predictions.of_version(order.version, at_most), at_most))
            return gone, gone < held
        gone = self._remove_window(order.version, order.window, at_most)
        return gone, gone >= at_most

    def _remove_window(self, version: QueueVersion, window: Sequence[TaskId], at_most: int) -> int:
        """Remove what stands exactly as a window was written; of two such predictions of a task neither is certain."""
        places = {task: window_score(rank, len(window)) for rank, task in enumerate(window)}
        found: dict[TaskId, list[Stored]] = {}
        for one in self._predictions.of_version(version):
            if places.get(one.task) == one.score:
                found.setdefault(one.task, []).append(one)
        return self._predictions.remove([same[0] for same in found.values() if len(same) == 1][:at_most])

    def _clear(self, version: QueueVersion, held: int) -> tuple[int, bool]:
        """Remove a version at once; where Label Studio fails over one of its tasks, some of what the others have."""
        try:
            self._predictions.remove_version(version)
        except Failed:
            return self._remove_some(OwnOrder(version), held, _ONE_BY_ONE)
        return held, False

    def _missing(self, version: QueueVersion, items: Mapping[TaskId, Item]) -> Sequence[Item]:
        """What is still to be written. Raises `VersionTaken` where something else in the version would disturb the
        order.

        An answer to `/predict` for a task outside the window disturbs nothing: it comes after the window.
        """
        if not self._predictions.counts().get(version):
            return list(items.values())
        right: set[TaskId] = set()
        for prediction in self._predictions.of_version(version):
            item = items.get(prediction.task)
            if item is not None and prediction.task not in right and _same(prediction, item):
                right.add(prediction.task)
            elif item is not None or is_window_score(prediction.score):
                raise VersionTaken(
                    f"Project {self.project} of Label Studio already holds other predictions under the version "
                    f"{version}: nextlabel leaves them alone and takes another name."
                )
        return [item for task, item in items.items() if task not in right]

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
                f"Label Studio was set to serve project {self.project} by the predictions of {version}, but stands at "
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
    project: Project,
    version: QueueVersion,
    window: Ranking,
    predictions: Iterable[Prediction],
    data: Mapping[TaskId, Data],
) -> dict[TaskId, Item]:
    """The window as import items, in order."""
    stated = {prediction.task: prediction for prediction in predictions}
    writer = Writer(project.config)
    ranked = [(task, writer.shown(stated.get(task))) for task in window.task_ids()]
    scores = window_scores([one for _, one in ranked])
    return {
        task: writer.window_item(task, score, one, version, data.get(task, NO_DATA))
        for (task, one), score in zip(ranked, scores, strict=True)
    }


def _same(prediction: Stored, item: Item) -> bool:
    return prediction.score == item["score"] and prediction.result == item["result"]


def _serves(project: Project, version: QueueVersion) -> bool:
    return project.version == version and project.by_uncertainty and project.shows_predictions
