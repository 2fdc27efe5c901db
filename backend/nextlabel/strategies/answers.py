"""Whatever is asked of a task: what a model says of it, which answers are likely, and how models differ about it.

So that strategies which fit further models need not know whether a target is one of several classes, several labels at
once or a number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray

from nextlabel.labeling.ranking import CandidatePool, Chances, Floats, Learner, Needs, Numbers
from nextlabel.measures.disagreement import standard_deviation
from nextlabel.measures.uncertainty import checked
from nextlabel.strategies.base import missing, need_learner

Measure = Callable[[Floats], Floats]
Labels = NDArray[Any]

_MOST_DOUBTFUL = 10  # labels of which all combinations are looked at


class Answers(Protocol):
    """What is predicted of a target: ``labels`` are the m given ones, as the ``learner`` is fitted on them."""

    @property
    def labels(self) -> Labels: ...

    @property
    def learner(self) -> Learner: ...

    def likely(self, row: int, most: int) -> list[tuple[Labels, float]]:
        """The likeliest labels of one open task, ``most`` at most, each as a single row with its chance; these sum to
        1."""

    def unsure(self, stated: Floats, measure: Measure) -> Floats:
        """n numbers, higher is less sure, from what a model says of n tasks, by a measure on class probabilities."""

    def disagreement(self, members: Floats, measure: Measure) -> Floats:
        """n numbers from what m members say of n tasks (m × n × …), by a measure on their class probabilities."""

    def errors(self, stated: Floats) -> Floats:
        """n expected errors of what a model says of n tasks."""

    def missed(self, stated: Floats, labels: Labels) -> Floats:
        """n errors of what a model says of n tasks with these labels."""


def answers_of(pool: CandidatePool, strategy: str) -> Answers:
    """Raises `SettingsError` where no model can be fitted again, or nothing is labeled."""
    chances, numbers = pool.chances, pool.numbers
    if chances is not None and chances.learner is not None:
        return _OfLabels(chances, chances.given, chances.learner)
    if numbers is not None and numbers.learner is not None:
        return _OfNumber(numbers, numbers.given, numbers.learner)
    if pool.labels is None or not pool.classes:
        raise missing(strategy, Needs.LEARNER)
    return _OfClasses(checked(pool.probabilities), np.asarray(pool.labels), need_learner(pool, strategy))


@dataclass(frozen=True, slots=True)
class _OfClasses:
    """One of k classes: models say n × k, labels are columns."""

    probabilities: Floats
    labels: Labels
    learner: Learner

    def likely(self, row: int, most: int) -> list[tuple[Labels, float]]:
        p = self.probabilities[row]
        columns = np.argsort(-p, kind="stable")[:most]
        return [(np.array([column]), p[column] / (p[columns].sum() or 1)) for column in columns]

    def unsure(self, stated: Floats, measure: Measure) -> Floats:
        return measure(stated)

    def disagreement(self, members: Floats, measure: Measure) -> Floats:
        return measure(members)

    def errors(self, stated: Floats) -> Floats:
        p = checked(stated)
        return np.asarray((p * (1 - p)).sum(axis=1))

    def missed(self, stated: Floats, labels: Labels) -> Floats:
        return np.asarray(1 - stated[np.arange(len(labels)), labels])


@dataclass(frozen=True, slots=True)
class _OfLabels:
    """Any of l labels: models say n × l; each label is two classes, and what holds of all is the mean."""

    stated: Chances
    labels: Labels
    learner: Learner

    def likely(self, row: int, most: int) -> list[tuple[Labels, float]]:
        """As if labels were independent. The likeliest sets differ in the most doubtful labels only."""
        p = self.stated.chances[row]
        doubtful = np.argsort(np.abs(p - 0.5), kind="stable")[: min(most - 1, _MOST_DOUBTFUL)]
        sets = np.tile(p >= 0.5, (2 ** len(doubtful), 1))
        sets[:, doubtful] = list(product([False, True], repeat=len(doubtful)))
        chance = np.where(sets, p, 1 - p).prod(axis=1)
        best = np.argsort(-chance, kind="stable")[:most]
        return [(sets[[n]], chance[n] / (chance[best].sum() or 1)) for n in best]

    def unsure(self, stated: Floats, measure: Measure) -> Floats:
        return np.asarray(measure(_two_classes(stated)).reshape(stated.shape).mean(axis=1))

    def disagreement(self, members: Floats, measure: Measure) -> Floats:
        shape = members.shape[1:]
        parts = np.stack([_two_classes(stated) for stated in members])
        return np.asarray(measure(parts).reshape(shape).mean(axis=1))

    def errors(self, stated: Floats) -> Floats:
        return np.asarray((2 * stated * (1 - stated)).sum(axis=1))

    def missed(self, stated: Floats, labels: Labels) -> Floats:
        return np.asarray(np.abs(labels - stated).sum(axis=1))


@dataclass(frozen=True, slots=True)
class _OfNumber:
    """A number: models say n × 2, mean and spread, in any unit; here in that of the labels' own spread.

    How unsure a model is of a number is its spread, and members disagree by the deviation of their means (Burbidge,
    Rowland & King, 2007), whatever the measure for classes.
    """

    stated: Numbers
    labels: Labels
    learner: Learner

    def likely(self, row: int, most: int) -> list[tuple[Labels, float]]:
        """Few numbers that stand for the whole normal distribution (Gauss-Hermite)."""
        places, weights = hermegauss(most)
        numbers = self.stated.mean[row] + self.stated.spread[row] * places
        return list(zip(numbers[:, None], (weights / weights.sum()).tolist(), strict=True))

    def unsure(self, stated: Floats, measure: Measure) -> Floats:
        spread = stated[:, 1]
        return np.asarray(spread / (spread + self._unit))

    def disagreement(self, members: Floats, measure: Measure) -> Floats:
        apart = standard_deviation(members[:, :, 0])
        return np.asarray(apart / (apart + self._unit))

    def errors(self, stated: Floats) -> Floats:
        return np.asarray((stated[:, 1] / self._unit) ** 2)

    def missed(self, stated: Floats, labels: Labels) -> Floats:
        return np.asarray(((labels - stated[:, 0]) / self._unit) ** 2)

    @property
    def _unit(self) -> float:
        return max(self.stated.typical, 1e-9)


def _two_classes(chances: Floats) -> Floats:
    """n · l rows of two probabilities, from n × l chances."""
    p = np.asarray(chances).reshape(-1)
    return np.column_stack([1 - p, p])
