"""Unsure *and* different: batches that weigh how little the model knows against how new a task is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata
from sklearn.cluster import KMeans

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Floats, Group, Needs, Ranking
from nextlabel.strategies.base import PoolStrategy
from nextlabel.strategies.coverage import Likeness, Volume
from nextlabel.strategies.density import MEASURES, known_measure, mean_similarity, uncertainty_of
from nextlabel.strategies.geometry import (
    Coverage,
    Nearest,
    Rows,
    greedy,
    in_order,
    space_of,
)
from nextlabel.strategies.uncertainty import best_first

COVERAGES = ("kcenter", "facility", "dpp")
_PAIRS = 2000  # drawn at random to know what distances are usual
_QUANTILES = 100

Novelty = Callable[[Floats], Floats]
"""From a coverage's gains to numbers of the size of 1, in the same order."""


class Hybrid(PoolStrategy):
    """Weighs uncertainty against novelty, task after task: hybrid:margin+kcenter?alpha=0.7.

    By alpha · uncertainty + (1 − alpha) · novelty, picked one after another: ``hybrid:margin+kcenter?alpha=0.7``.

    Novelty is what a coverage gains: the distance to the nearest labeled or picked task over that of two tasks drawn
    at random (``kcenter``), the share of the largest gain there was (``facility``), or the variance left (``dpp``).
    Alpha 1 is uncertainty sampling, alpha 0 the coverage alone.
    """

    group = Group.BOTH
    needs = frozenset({Needs.FEATURES})

    def __init__(self, parts: str = "margin+kcenter", alpha: float = 0.5) -> None:
        self.name = "hybrid"
        measure, _, self._coverage = parts.partition("+")
        self._measure, self._alpha = known_measure(self.name, measure), alpha
        if self._coverage not in COVERAGES:
            raise SettingsError(
                f"The strategy '{self.name}' is an uncertainty and a coverage, such as hybrid:margin+kcenter: "
                f"coverages are {', '.join(COVERAGES)}, not '{self._coverage}'."
            )
        if not 0 <= alpha <= 1:
            raise SettingsError(f"The strategy '{self.name}': alpha is {alpha:g}, it must be from 0 to 1.")

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        if not len(pool) or size < 1:
            return Ranking((), self.name)
        unsure = uncertainty_of(pool, self._measure)
        if self._alpha == 1:
            return best_first(pool, unsure, size, self.name)
        coverage, novelty = _coverage_of(self._coverage, pool, size, self.name)

        def score(gains: Floats, rows: Rows | slice, _picked: int) -> Floats:
            return np.asarray(self._alpha * unsure[rows] + (1 - self._alpha) * novelty(gains))

        return in_order(pool, greedy(coverage, score, size, pool.seed), self.name)


class Product(PoolStrategy):
    """Asks for tasks that rank high by several objectives at once: product:margin+density+kcenter.

    By the product of several objectives, each as a rank in (0, 1]: ``product:margin+density+kcenter``.

    Any of the uncertainties, ``density`` (mean similarity to the pool) and ``kcenter``. The novelty is the rank of the
    distance to the nearest labeled or picked task among the distances of random pairs, and falls with every pick.
    Ranks make objectives of any scale comparable; the product wants all of them at once.
    """

    group = Group.BOTH

    def __init__(self, parts: str = "margin+density+kcenter") -> None:
        self.name = "product"
        self._parts = [part for part in parts.split("+") if part != "kcenter"]
        self.covering = "kcenter" in parts.split("+")
        self.needs = frozenset({Needs.FEATURES} if self.covering or "density" in self._parts else ())
        for part in self._parts:
            if part not in (*MEASURES, "density"):
                raise SettingsError(
                    f"The strategy '{self.name}' knows no objective '{part}': "
                    f"it takes {', '.join((*MEASURES, 'density', 'kcenter'))}, joined by '+'."
                )

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        if not len(pool) or size < 1:
            return Ranking((), self.name)
        fixed = np.ones(len(pool))
        for part in self._parts:
            values = mean_similarity(pool, self.name) if part == "density" else uncertainty_of(pool, part)
            fixed *= rankdata(values, method="max") / len(pool)
        if not self.covering:
            return best_first(pool, fixed, size, self.name)
        nearest = Nearest(space_of(pool, self.name))
        usual = _usual_distances(nearest, pool)

        def score(gains: Floats, rows: Rows | slice, _picked: int) -> Floats:
            return np.asarray(fixed[rows] * np.interp(np.sqrt(gains), usual, np.linspace(0, 1, len(usual))))

        return in_order(pool, greedy(nearest, score, size, pool.seed), self.name)


class ClusterUncertain(PoolStrategy):
    """Divides the most unsure tasks into clusters and asks for one of each: cluster:margin?beta=10.

    The beta · size most unsure tasks, clustered, weighted by uncertainty; of each cluster the task nearest to its
    centre, the cluster with most uncertainty first (Zhdanov, 2019): ``cluster:margin?beta=10``.

    A batch is planned as a whole, so that a longer one does not begin with the shorter one.
    """

    group = Group.BOTH
    needs = frozenset({Needs.FEATURES})

    def __init__(self, measure: str = "margin", beta: float = 10.0) -> None:
        self.name = "cluster"
        self._measure, self._beta = known_measure(self.name, measure), beta
        if beta < 1:
            raise SettingsError(f"The strategy '{self.name}': beta is {beta:g}, it must be 1 or more.")

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        size = min(size, len(pool))
        if size < 1:
            return Ranking((), self.name)
        unsure, points = uncertainty_of(pool, self._measure), space_of(pool, self.name).points
        ties = np.random.default_rng(pool.seed).permutation(len(pool))
        by_uncertainty = np.lexsort((ties, -unsure))
        chosen = by_uncertainty[: int(np.ceil(self._beta * size))]
        central = chosen[_central(points[chosen], unsure[chosen] + 1e-9, size, pool.seed)]
        rest = by_uncertainty[~np.isin(by_uncertainty, central)]
        return in_order(pool, np.concatenate([central, rest])[:size], self.name)


def _central(points: Floats, weights: Floats, size: int, seed: int) -> Rows:
    """The row nearest to the centre of each of at most ``size`` weighted clusters, the heaviest cluster first."""
    size = min(size, len(np.unique(points, axis=0)))
    clusters = KMeans(size, n_init=1, random_state=seed).fit(points, sample_weight=weights)
    heavy = np.bincount(clusters.labels_, weights, minlength=size)
    far = np.linalg.norm(points - clusters.cluster_centers_[clusters.labels_], axis=1)
    order = np.lexsort((far, clusters.labels_, -heavy[clusters.labels_]))
    _, first = np.unique(clusters.labels_[order], return_index=True)
    return np.asarray(order[np.sort(first)])


def _coverage_of(name: str, pool: CandidatePool, size: int, strategy: str) -> tuple[Coverage, Novelty]:
    space = space_of(pool, strategy)
    if name == "dpp":
        return Volume(space), lambda gains: gains
    if name == "facility":
        likeness = Likeness(space, pool.seed, size)
        most = float(likeness.gains.max()) or 1.0
        return likeness, lambda gains: gains / most
    nearest = Nearest(space)
    typical = nearest.typical or 1.0
    return nearest, lambda gains: np.where(np.isinf(gains), 1, np.sqrt(gains) / typical)


def _usual_distances(nearest: Nearest, pool: CandidatePool) -> Floats:
    """Quantiles of the distances of random pairs, from 0 up, rising."""
    a, b = np.random.default_rng(pool.seed).integers(len(pool), size=(2, _PAIRS))
    distances = nearest.distances(a[a != b], b[a != b])
    if not distances.any():
        return np.array([0.0, 1.0])
    return np.unique([0, *np.quantile(distances, np.linspace(0, 1, _QUANTILES))])
