"""The order by what another model says of tasks, of which nextlabel has nothing but the scores on its predictions."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nextlabel.labeling import QueueVersion, Result, Task, TaskId
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
