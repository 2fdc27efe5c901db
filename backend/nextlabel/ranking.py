"""What a query strategy is given, and the order of tasks that it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

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


Features = csr_matrix | Floats
"""n × d, sparse or dense."""


class Learner(Protocol):
    """Fits fresh models of the same kind as the one in service, for strategies that need more than one."""

    def fit(self, features: Features, labels: NDArray[np.integer], seed: int = 0) -> Callable[[Features], Floats]:
        """A function from features to n × k probabilities over *all* classes, fitted on these labels.

        ``labels`` are columns of the pool's probabilities; some classes may have none, in which case they get
        a little probability all the same.
        """


@dataclass(frozen=True, slots=True)
class CandidatePool:
    """The open tasks that a strategy chooses from, row by row the same task in every field.

    ``probabilities`` is n × k, rows summing to 1: what the model in service says. ``features`` is n × d, or None
    where there are none. ``labeled_features`` and ``labels`` (columns of the probabilities) are what is labeled
    already. ``learner`` fits further models, for committees and look-ahead. ``costs`` are n positive numbers, the
    expected effort of a label (None: all the same). All randomness comes from ``seed``.
    """

    tasks: Sequence[TaskId]
    probabilities: Floats
    features: Features | None = None
    labeled_features: Features | None = None
    labels: NDArray[np.integer] | None = None
    learner: Learner | None = None
    costs: Floats | None = None
    seed: int = 0

    def __len__(self) -> int:
        return len(self.tasks)
