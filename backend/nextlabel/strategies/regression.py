"""Numbers instead of classes, such as ratings: ask far from what is known, in features, predicted values or both."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.metrics.pairwise import euclidean_distances

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Features, Floats, Group, Needs, RankedTask, Ranking
from nextlabel.measures.uncertainty import checked
from nextlabel.strategies.base import PoolStrategy, finite, need_features, need_labels, need_numbers
from nextlabel.strategies.model_change import input_lengths


class GreedySampling(PoolStrategy):
    """Asks for tasks far from what is labeled, in features, predicted numbers or both: greedy:gsx, gsy, igs.

    Each place goes to the task whose least distance to all labeled and already chosen tasks is largest: the
    distance of features (gsx), of predicted values (gsy) or their product (igs). The first of a gsx without
    labels is the most central; it alone goes without numbers. (Wu, Lin & Huang, 2019.)
    """

    group = Group.KIND
    needs = frozenset({Needs.FEATURES, Needs.NUMBERS})

    def __init__(self, variant: str = "igs") -> None:
        if variant not in ("gsx", "gsy", "igs"):
            raise SettingsError(f"The strategy 'greedy' has no variant '{variant}': it has gsx, gsy, igs.")
        self._inputs, self._outputs, self.name = variant != "gsy", variant != "gsx", f"greedy:{variant}"
        if not self._outputs:
            self.needs = frozenset({Needs.FEATURES})

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """Costs size × n × d. Raises `SettingsError` without features and, but for gsx, without numbers or labels."""
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
        outputs = need_numbers(pool, self.name).mean if self._outputs else None
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
        labeled, known = need_labels(pool, self.name)[0], need_numbers(pool, self.name).given
        if not self._inputs:
            return _least_gaps(outputs, known)
        return _least_products(features, outputs, labeled, known)


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
