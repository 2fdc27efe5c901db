"""Look ahead: ask for the label after which the model is expected to err least (Roy & McCallum, 2001).

Every candidate is given each of its likely labels in turn (of several at once likely sets, of a number a few that stand
for all), a model is fitted, and what it would be unsure of in a sample of the pool is weighed by how likely the label
is. That is dear, so the cost is bounded: at most
``candidates`` × ``labels`` fits, each judged on ``sample`` tasks. The candidates are the tasks of smallest margin;
all others come behind them, in the order of their margins. The look-ahead is one label deep.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Features, Floats, Group, Needs, RankedTask, Ranking
from nextlabel.measures import uncertainty
from nextlabel.strategies.answers import Answers, answers_of
from nextlabel.strategies.base import PoolStrategy, need_features, need_labels
from nextlabel.strategies.committee import Member


class LookAhead(PoolStrategy, ABC):
    """Ranks a few candidates by the risk that is expected to remain once their label is known."""

    group = Group.LEARNING
    needs = frozenset({Needs.FEATURES, Needs.LEARNER})

    name: str

    def __init__(self, *, candidates: int = 16, labels: int = 3, sample: int = 300) -> None:
        if min(candidates, labels, sample) < 1:
            raise SettingsError(f"The strategy '{self.name}': candidates, labels and sample must be 1 at least.")
        self._candidates, self._labels, self._sample = candidates, labels, sample

    @abstractmethod
    def value(self, pool: CandidatePool, task: int, remaining: float) -> float:
        """What knowing that task's label is worth; higher is sooner."""

    @abstractmethod
    def risk(self, pool: CandidatePool, model: Member, sample: Features) -> float:
        """What a model is expected to get wrong."""

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """Raises `SettingsError` where the pool has no features, learner or labels."""
        features = need_features(pool, self.name)
        need_labels(pool, self.name)
        answers = answers_of(pool, self.name)
        size = min(size, len(pool))
        if size < 1:
            return Ranking((), self.name)
        rng = np.random.default_rng(pool.seed)
        margins = uncertainty.margin(pool.probabilities)
        order = np.lexsort((rng.permutation(len(pool)), -margins))
        sample = features[np.sort(rng.permutation(len(pool))[: self._sample])]
        values = np.array([self._value_of(pool, answers, int(i), sample) for i in order[: self._candidates]])
        first = np.argsort(-values, kind="stable")
        utilities = np.concatenate([_upper_half(values[first]), margins[order[len(values) :]] / 2])
        order[: len(values)] = order[first]
        ranked = zip(order[:size], utilities[:size], strict=True)
        return Ranking(tuple(RankedTask(pool.tasks[i], float(utility)) for i, utility in ranked), self.name)

    def _value_of(self, pool: CandidatePool, answers: Answers, task: int, sample: Features) -> float:
        """Over the labels that the task may have, each with the model that would be fitted if it had it."""
        features, _ = need_labels(pool, self.name)
        more = _below(features, need_features(pool, self.name)[[task]])
        remaining = 0.0
        for label, weight in answers.likely(task, self._labels):
            model = answers.learner.fit(more, np.concatenate([answers.labels, label]), seed=pool.seed)
            remaining += weight * self.risk(pool, model, sample)
        return self.value(pool, task, remaining)


class ErrorReduction(LookAhead):
    """Asks for labels after which the least error is expected to remain: error_reduction:log, zero_one.
    ``log`` is the mean entropy of the sample, ``zero_one`` its mean 1 − largest probability (Roy & McCallum, 2001); of
    numbers both are the mean spread.
    """

    def __init__(self, loss: str = "log", *, candidates: int = 16, labels: int = 3, sample: int = 300) -> None:
        if loss not in ("log", "zero_one"):
            raise SettingsError(f"The strategy 'error_reduction' has no loss '{loss}': it has log, zero_one.")
        self._measure = uncertainty.entropy if loss == "log" else uncertainty.least_confidence
        self.name = f"error_reduction:{loss}"
        super().__init__(candidates=candidates, labels=labels, sample=sample)

    def value(self, pool: CandidatePool, task: int, remaining: float) -> float:
        return -remaining

    def risk(self, pool: CandidatePool, model: Member, sample: Features) -> float:
        return float(answers_of(pool, self.name).unsure(model(sample), self._measure).mean())


class ValueOfInformation(LookAhead):
    """Asks for labels that are expected to prevent more errors than they cost.

    By the errors that a label is expected to prevent in all tasks, less the price of asking for it.

    The risk is Σ p (1 − p) over classes and open tasks, and 1 − p of the given label over labeled ones; of numbers the
    squared error, expected and made, in units of how far the labels spread. ``price``
    is what one unit of the pool's costs is worth, in tasks gone wrong (Kapoor, Horvitz & Basu, 2007).
    """

    name = "value_of_information"

    def __init__(self, *, price: float = 0.0, candidates: int = 16, labels: int = 3, sample: int = 300) -> None:
        super().__init__(candidates=candidates, labels=labels, sample=sample)
        self._price = price

    def value(self, pool: CandidatePool, task: int, remaining: float) -> float:
        cost = 1.0 if pool.costs is None else float(pool.costs[task])
        return -remaining - self._price * cost

    def risk(self, pool: CandidatePool, model: Member, sample: Features) -> float:
        features, _ = need_labels(pool, self.name)
        answers = answers_of(pool, self.name)
        missed = answers.missed(model(features), answers.labels)
        return float(len(pool) * answers.errors(model(sample)).mean() + missed.sum())


def _below(features: Features, row: Features) -> Features:
    if isinstance(features, np.ndarray) and isinstance(row, np.ndarray):
        return np.concatenate([features, row])
    return csr_matrix(vstack([csr_matrix(features), csr_matrix(row)]))


def _upper_half(values: NDArray[np.floating]) -> Floats:
    """The same order in [½, 1]."""
    low, high = values.min(), values.max()
    return np.asarray(0.5 + (values - low) / (2 * (high - low or 1)))
