"""What a query strategy is given, and the order of tasks that it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from math import isfinite
from numbers import Real
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nextlabel.labeling import TaskId
from nextlabel.labeling.needs import Needs as Needs  # noqa: PLC0414  # strategies import it from here

Floats = NDArray[np.floating]


class RankedTask(NamedTuple):
    """A task and how much its label would teach, in [0, 1]; higher is sooner.

    ``explores`` is whether a strategy that goes by doubts chose it for another reason: so as not to trust them alone.
    """

    task: TaskId
    utility: float
    explores: bool = False


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


class Group(Enum):
    """What query strategies are for, and when to choose one of them; a strategy may declare its ``group``."""

    ANY = "For every project. Choose the default unless you know of a reason for another, and random to compare with."
    UNSURE = "What the model is unsure of. Choose one of these when tasks hardly repeat each other."
    COVERING = "Tasks that represent the others. Choose one of these while labels are few, or the model is poor."
    BOTH = "Unsure tasks that differ. Choose one of these when many tasks are alike and labels are given in batches."
    LEARNING = "What a label would change. Choose one of these for small projects: most fit models for each order."
    KIND = "For one kind of target. Choose one of these when the project asks for that kind alone."
    AROUND = "Around another strategy. Choose one of these to change the order of the strategy that you name in it."
    ELSEWHERE = "Made elsewhere. Choose one of these to use a package or a function that you know already."
    OWN = "Your own, and those of other packages."


class Learner(Protocol):
    """Fits fresh models of the same kind as the one in service, for strategies that need more than one."""

    def fit(self, features: Features, labels: NDArray[Any], seed: int = 0) -> Callable[[Features], Floats]:
        """A function from features to what such a model says of n tasks, fitted on these labels.

        Of classes: n × k probabilities over *all* classes, ``labels`` being columns of the pool's; a class that has no
        label gets a little probability all the same. Of `Chances` and `Numbers`: see there.
        """


@dataclass(frozen=True, slots=True)
class Chances:
    """Several labels at once: n × l ``chances``, each label's by itself, and m × l, whether it was ``given``.

    The ``learner`` fits on what was given and answers with n × l chances.
    """

    chances: Floats
    given: NDArray[np.bool_]
    learner: Learner | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """A number: n means, n standard deviations (``spread``), and the m numbers that were ``given``.

    ``typical`` is how far the given ones spread. The ``learner`` fits on those and answers with n × 2: mean and spread.
    """

    mean: Floats
    spread: Floats
    given: Floats
    typical: float = 1.0
    learner: Learner | None = None


@dataclass(frozen=True, slots=True)
class CandidatePool:
    """The open tasks that a strategy chooses from, row by row the same task in every field.

    ``probabilities`` is n × k, rows summing to 1: what the model in service says. ``features`` is n × d, or None
    where there are none. ``labeled_features`` and ``labels`` (columns of the probabilities) are what is labeled
    already, m rows. ``learner`` fits further models, for committees and look-ahead. ``costs`` are n positive numbers,
    the expected effort of a label (None: all the same). All randomness comes from ``seed``.

    Where the target is no single choice, ``classes`` is false: then the probabilities are those of two classes of which
    the margin says how unsure the model is, and the labels are codes that only tell like from unlike. What is said of
    several labels at once stands in ``chances``, what is said of a number in ``numbers``. What the model says is
    ``from_labels`` unless it knew it before there were any.
    """

    tasks: Sequence[TaskId]
    probabilities: Floats
    features: Features | None = None
    labeled_features: Features | None = None
    labels: NDArray[np.integer] | None = None
    learner: Learner | None = None
    costs: Floats | None = None
    seed: int = 0
    classes: bool = True
    chances: Chances | None = None
    numbers: Numbers | None = None
    from_labels: bool = True

    def __len__(self) -> int:
        return len(self.tasks)

    @property
    def gives(self) -> frozenset[Needs]:
        """What it has for strategies that declare what they need."""
        learners = [one.learner for one in (self, self.chances, self.numbers) if one is not None]
        found = {
            Needs.FEATURES: self.features is not None,
            Needs.CLASSES: self.classes or self.chances is not None,
            Needs.LABEL_CHANCES: self.chances is not None,
            Needs.NUMBERS: self.numbers is not None,
            Needs.LEARNER: any(learners),
            Needs.CLASSIFIER: self.classes and self.learner is not None,
            Needs.COSTS: self.costs is not None,
        }
        return frozenset(one for one, is_given in found.items() if is_given)


def complaint_of(ranking: object, pool: CandidatePool, size: int) -> str:
    """What is wrong with what a strategy gave for a ranking, to follow its name; "" where it is ``size`` tasks of the
    pool (or all, where it has fewer), each once and with a utility that is a number."""
    if not isinstance(ranking, Ranking) or not all(isinstance(ranked, RankedTask) for ranked in ranking.tasks):
        return f"gave {type(ranking).__name__} that is no Ranking of RankedTask."
    chosen, expected = ranking.task_ids(), min(size, len(pool))
    if not all(isinstance(ranked.utility, Real) and isfinite(ranked.utility) for ranked in ranking.tasks):
        return "gave a utility that is no finite number."
    known = set(pool.tasks)
    if strange := [task for task in chosen if not isinstance(task, str) or task not in known]:
        return f"gave the task {strange[0]!r:.60}, which is not in the pool."
    if len(chosen) < expected or len(set(chosen)) < len(chosen):
        return f"gave {len(set(chosen))} distinct tasks of {expected} asked for."
    return ""
