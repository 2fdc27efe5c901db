"""Numbers instead of classes, such as ratings: ask where the prediction wavers, or where nothing is known yet.

A pool has classes; where these are the steps of a scale, a task's predicted value is the mean of the columns
0, 1, … k − 1 under its probabilities, and its label is its column. For other numbers, pass regressors from Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.metrics.pairwise import euclidean_distances

from nextlabel.disagreement import standard_deviation
from nextlabel.errors import SettingsError
from nextlabel.ranking import CandidatePool, Features, Floats, RankedTask, Ranking
from nextlabel.strategies.base import PoolStrategy, finite, missing, need_features, need_labels
from nextlabel.strategies.committee import fitted_members
from nextlabel.strategies.model_change import input_lengths
from nextlabel.strategies.uncertainty import best_first
from nextlabel.uncertainty import checked

Regressor = Callable[[Features], Floats]
"""From features to n predicted values."""


class Spread(PoolStrategy):
    """By the spread of the values that further models predict, for ratings and numbers.

    ``members`` models are fitted by the pool's learner on bootstraps (Burbidge, Rowland & King, 2007).
    """

    name = "spread"

    def __init__(self, *, members: int = 8) -> None:
        if members < 2:
            raise SettingsError(f"The strategy 'spread': members is {members}, an ensemble has 2 at least.")
        self._members = members

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """Raises `SettingsError` where the pool has no features, learner or labels."""
        features = need_features(pool, self.name)
        checked(pool.probabilities)
        if min(size, len(pool)) < 1:
            return Ranking((), self.name)
        return best_first(pool, _share(self._spread(pool, features)), size, self.name)

    def _spread(self, pool: CandidatePool, features: Features) -> Floats:
        members = fitted_members(pool, self._members, self.name)
        return standard_deviation(np.stack([expected_value(member(features)) for member in members]))


class SpreadOf(Spread):
    """By the spread of regressors that are fitted already: for use from Python.

    A regressor is a function from features to n values, or has ``predict``. A single one must be a Gaussian
    process, whose ``predict`` takes ``return_std``: it is asked for its own spread.
    """

    def __init__(self, regressors: Sequence[Any]) -> None:
        if not regressors:
            raise SettingsError("An ensemble needs regressors: give it at least one.")
        self._regressors = tuple(regressors)

    def _spread(self, pool: CandidatePool, features: Features) -> Floats:
        if len(self._regressors) == 1:
            _, own = self._regressors[0].predict(features, return_std=True)
            return np.asarray(finite(own, "the spread of the Gaussian process"))
        return standard_deviation(np.stack([getattr(r, "predict", r)(features) for r in self._regressors]))


class GreedySampling(PoolStrategy):
    """Far from what is labeled, in features, predicted values or both: greedy:gsx, gsy, igs.

    Each place goes to the task whose least distance to all labeled and already chosen tasks is largest: the
    distance of features (gsx), of predicted values (gsy) or their product (igs). The first of a gsx without
    labels is the most central. (Wu, Lin & Huang, 2019.)
    """

    def __init__(self, variant: str = "igs") -> None:
        if variant not in ("gsx", "gsy", "igs"):
            raise SettingsError(f"The strategy 'greedy' has no variant '{variant}': it has gsx, gsy, igs.")
        self._inputs, self._outputs, self.name = variant != "gsy", variant != "gsx", f"greedy:{variant}"

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """Costs size × n × d. Raises `SettingsError` without features and, but for gsx, without labels."""
        features = need_features(pool, self.name)
        checked(pool.probabilities)
        size = min(size, len(pool))
        if size < 1:
            return Ranking((), self.name)
        order, gains = self._farthest_first(pool, features, size)
        chosen = zip(order, _share(gains), strict=True)
        return Ranking(tuple(RankedTask(pool.tasks[i], float(gain)) for i, gain in chosen), self.name)

    def _farthest_first(self, pool: CandidatePool, features: Features, size: int) -> tuple[list[int], Floats]:
        ties = np.random.default_rng(pool.seed).permutation(len(pool))
        outputs = self._predicted(pool, features) if self._outputs else None
        gain = self._start(pool, features, outputs)
        squares = input_lengths(features, intercept=False) ** 2
        order, gains = [], np.empty(size)
        for place in range(size):
            best = np.flatnonzero(gain == gain.max())
            chosen = int(best[ties[best].argmin()])
            order.append(chosen)
            gains[place] = gain[chosen]
            distance = _distances_to(features, squares, chosen) if self._inputs else np.ones(len(pool))
            if outputs is not None:
                distance = distance * np.abs(outputs - outputs[chosen])
            gain = np.minimum(gain, distance)
            gain[order] = -1
        if np.isinf(gains[0]):  # nothing was labeled: the first is at no distance from anything
            gains[0] = gains[1:].max(initial=1)
        return order, np.minimum.accumulate(gains)

    def _start(self, pool: CandidatePool, features: Features, outputs: Floats | None) -> Floats:
        """n least distances to what is labeled."""
        if outputs is None:
            if pool.labeled_features is None or not pool.labeled_features.shape[0]:
                return _most_central(features)
            return _least_distances(features, finite(pool.labeled_features, "labeled_features"))
        labeled, known = self._known(pool)
        if not self._inputs:
            return _least_gaps(outputs, known)
        return _least_products(features, outputs, labeled, known)

    def _predicted(self, pool: CandidatePool, features: Features) -> Floats:
        return expected_value(pool.probabilities)

    def _known(self, pool: CandidatePool) -> tuple[Features, Floats]:
        labeled, labels = need_labels(pool, self.name)
        return labeled, labels.astype(np.float64)


class GreedySamplingOf(GreedySampling):
    """Greedy sampling for numbers that are no classes, from Python.

    ``predict`` gives n values from features, ``values`` are those of the labeled tasks, in the same unit.
    """

    def __init__(self, predict: Regressor, values: Floats, variant: str = "igs") -> None:
        super().__init__(variant)
        self._predict, self._values = predict, np.asarray(values, dtype=np.float64)

    def _predicted(self, pool: CandidatePool, features: Features) -> Floats:
        return np.asarray(finite(np.asarray(self._predict(features), dtype=np.float64), "predicted values"))

    def _known(self, pool: CandidatePool) -> tuple[Features, Floats]:
        if pool.labeled_features is None:
            raise missing(self.name, "features of the labeled tasks")
        return finite(pool.labeled_features, "labeled_features"), np.asarray(finite(self._values, "values"))


def expected_value(probabilities: Floats) -> Floats:
    """n means of the columns' numbers 0 … k − 1."""
    p = checked(probabilities)
    return np.asarray(p @ np.arange(p.shape[1], dtype=np.float64))


def _share(values: Floats) -> Floats:
    """The same order in [0, 1]."""
    return np.asarray(values / (values.max() or 1))


def _most_central(features: Features) -> Floats:
    center = np.asarray(features.mean(axis=0)).reshape(1, -1)
    start = np.full(features.shape[0], np.finfo(np.float64).max)
    start[euclidean_distances(features, center)[:, 0].argmin()] = np.inf
    return start


def _distances_to(features: Features, squares: Floats, chosen: int) -> Floats:
    """n Euclidean distances to one row, by one product; ``squares`` are the rows' squared lengths."""
    product = features @ features[[chosen]].T
    flat = product.ravel() if isinstance(product, np.ndarray) else product.toarray().ravel()
    return np.asarray(np.sqrt(np.maximum(squares + squares[chosen] - 2 * flat, 0)))


def _least_distances(features: Features, labeled: Features) -> Floats:
    """n distances of features to the nearest labeled task, in chunks."""
    return np.asarray(pairwise_distances_argmin_min(features, labeled)[1])


def _least_gaps(outputs: Floats, known: Floats) -> Floats:
    """n distances of values to the nearest known value."""
    ordered = np.concatenate([[-np.inf], np.sort(known), [np.inf]])
    above = np.searchsorted(ordered, outputs)
    return np.asarray(np.minimum(ordered[above] - outputs, outputs - ordered[above - 1]))


def _least_products(features: Features, outputs: Floats, labeled: Features, known: Floats) -> Floats:
    """n least products of both distances, over the labeled tasks in chunks."""
    least = np.full(len(outputs), np.inf)
    for start in range(0, len(known), 64):
        rows = slice(start, start + 64)
        product = euclidean_distances(features, labeled[rows]) * np.abs(outputs[:, None] - known[None, rows])
        np.minimum(least, product.min(axis=1), out=least)
    return least
