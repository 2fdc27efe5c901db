"""The order by what another model says of tasks, of which nextlabel has nothing but the scores on its predictions."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from nextlabel.labeling import Guess, Prediction, QueueVersion, Result, Task, TaskId, number_in
from nextlabel.measures.target_predictions import OwnPredictions
from nextlabel.ports.tool import Finding

_LONGEST = 60  # of a version in a message


@dataclass(frozen=True, slots=True)
class Outside:
    """How unsure the predictions of one version are of tasks, in [0, 1]; tasks that have no score are not there.

    ``mark`` changes whenever they do.
    """

    version: QueueVersion
    mark: str
    uncertainty: Mapping[TaskId, float]

    @property
    def name(self) -> str:
        """What tells orders by these predictions from others."""
        return f"by {hashlib.sha256(self.mark.encode()).hexdigest()[:12]}" if self.uncertainty else ""

    def predictions(self, tasks: Sequence[Task]) -> OwnPredictions | None:
        """What it says of n tasks; None where it has scored none of them.

        A task without a score is as unsure as the median of the others: nothing is known of it, so that it comes
        neither first nor last, however sure of itself the model is.
        """
        found = np.array([self.uncertainty.get(task.id, np.nan) for task in tasks], dtype=np.float64)
        known = ~np.isnan(found)
        if not known.any():
            return None
        found[~known] = np.median(found[known])
        return OwnPredictions([Result(())] * len(tasks), found, known.tolist())

    def shown(
        self, predictions: Sequence[Prediction], results: Mapping[TaskId, Result], least: float
    ) -> list[Prediction]:
        """The same predictions, each with what this version says of its task before our own guesses: regions whose own
        score is ``least`` or more; where no region has one, all by the task's. Without any score all are shown."""
        return [self._shown(one, results[one.task], least) if one.task in results else one for one in predictions]

    def _shown(self, prediction: Prediction, result: Result, least: float) -> Prediction:
        unsure = self.uncertainty.get(prediction.task)
        chance = 1 - (prediction.uncertainty if unsure is None else unsure)
        scored = any(_score_of(item) is not None for item in result.items)
        items = _sure(result.items, least) if scored else result.items
        if least == inf or not items or (not scored and unsure is not None and chance < least):
            return prediction
        guess = Guess("", Result(tuple(items)), chance, scored=unsure is not None)
        return prediction._replace(guesses=(guess, *prediction.guesses))

    def sentence(self, tasks: Collection[Task]) -> str:
        """How many of the open tasks it has scored."""
        scored = sum(task.id in self.uncertainty for task in tasks)
        return f"ordered by '{self.version[:_LONGEST]}', which has scored {scored} of {len(tasks)} open tasks"

    def missing(self, tasks: Collection[Task]) -> Sequence[Finding]:
        """What a person should know where it has scored none of the open tasks."""
        if not tasks or any(task.id in self.uncertainty for task in tasks):
            return ()
        return [
            Finding(
                "warning",
                f"No open task has a prediction of '{self.version[:_LONGEST]}' with a score, by which they are to be "
                "ordered: they come in the order of nextlabel's own model. Import such predictions, or choose another "
                "version with `nextlabel connect --option uncertainty_from=VERSION`; without VERSION none is.",
            )
        ]


def _score_of(item: Mapping[str, object]) -> float | None:
    return number_in(item.get("score"))


def _sure(items: Sequence[Mapping[str, object]], least: float) -> list[Mapping[str, object]]:
    """Without the regions whose score is below, and what is said of these without a score of its own."""
    doubtful = [item for item in items if not _is_sure(item, least)]
    ids = {str(item["id"]) for item in doubtful if "id" in item}
    about = [{str(item.get(name)) for name in ("id", "from_id", "to_id")} for item in items]
    return [
        item
        for item, named in zip(items, about, strict=True)
        if _is_sure(item, least) and (_score_of(item) is not None or named.isdisjoint(ids))
    ]


def _is_sure(item: Mapping[str, object], least: float) -> bool:
    score = _score_of(item)
    return score is None or score >= least
