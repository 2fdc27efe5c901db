"""What a query strategy is given, and the order of tasks that it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nextlabel.labeling import TaskId

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class RankedTask:
    """A task and how much its label would teach, in [0, 1]; higher is sooner."""

    task: TaskId
    utility: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Open tasks in the order in which annotators should get them, best first, and who decided it."""

    tasks: tuple[RankedTask, ...]
    strategy: str

    def __len__(self) -> int:
        return len(self.tasks)

    def task_ids(self) -> tuple[TaskId, ...]:
        return tuple(ranked.task for ranked in self.tasks)

    def top(self, size: int) -> Ranking:
        """The window: the first ``size`` tasks in the same order."""
        return Ranking(tuple(islice(self.tasks, size)), self.strategy)


@dataclass(frozen=True, slots=True)
class CandidatePool:
    """The open tasks that a strategy chooses from, row by row the same task in every field.

    ``probabilities`` is n × k, rows summing to 1. ``features`` is n × d, sparse or dense, or None where the
    strategy does not need it. ``labeled_features`` are the features of what is labeled already. All
    randomness comes from ``seed``.
    """

    tasks: Sequence[TaskId]
    probabilities: Floats
    features: csr_matrix | Floats | None = None
    labeled_features: csr_matrix | Floats | None = None
    seed: int = 0

    def __len__(self) -> int:
        return len(self.tasks)
