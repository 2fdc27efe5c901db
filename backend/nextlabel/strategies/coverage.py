"""Batches that cover the pool: each task is picked for what it adds to those labeled and picked before it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from sklearn.cluster import KMeans

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Floats, Group, Needs, Ranking
from nextlabel.strategies.badge import Gradients, seeding
from nextlabel.strategies.base import PoolStrategy
from nextlabel.strategies.density import known_measure, uncertainty_of
from nextlabel.strategies.geometry import (
    Nearest,
    Rows,
    Space,
    blocks,
    centred,
    directions,
    greedy,
    in_order,
    space_of,
    squared_distances,
    squared_norms,
)

_CELLS = 20_000_000  # of the similarity matrix in facility location: 80 MB, whatever the size of the pool
_CANDIDATES = 10_000
_CLUSTERS, _NEIGHBOURS = 500, 20  # as published for typicality
_AMONG = 2000  # neighbours are looked for among so many tasks of a cluster
_FITTED = 20_000  # clusters are found on a sample this large; every task is still given its cluster
_ROUNDS = 10  # of k-means
_LANDMARKS = 256  # labeled tasks that a determinantal batch stays away from
_NUGGET = 1e-5  # of variance that no neighbour explains; keeps the factors regular where tasks are equal


class KCenter(PoolStrategy):
    """Asks for the task that is farthest from everything labeled or asked for, again and again.

    The task farthest from everything labeled or picked, again and again (core-set: Sener & Savarese, 2018).

    The farthest open task is then at most twice as far from the nearest picked one as with the best batch there is
    (Gonzalez, 1985). Uses features only. Exact, in O(size·n·d) at most.
    """

    group = Group.COVERING
    name = "kcenter"
    needs = frozenset({Needs.FEATURES})

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        if not len(pool) or size < 1:
            return Ranking((), self.name)
        nearest = Nearest(space_of(pool, self.name))
        return in_order(pool, greedy(nearest, lambda gains, _rows, _picked: gains, size, pool.seed), self.name)


class FacilityLocation(PoolStrategy):
    """Asks for tasks that represent the pool best: each open task should have one like it among them.

    The task that most raises the sum, over the pool, of each task's cosine similarity to its nearest pick
    (Wei, Iyer & Bilmes, 2015): representatives, where `KCenter` goes for the rim.

    Greedy, hence at least 1 − 1/e of the best sum (Nemhauser, Wolsey & Fisher, 1978). Pools of more than about 4,400
    tasks are measured on a sample, and above 10,000 the candidates are a sample, too (Mirzasoleiman et al., 2015).
    """

    group = Group.COVERING
    name = "facility"
    needs = frozenset({Needs.FEATURES})

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        if not len(pool) or size < 1:
            return Ranking((), self.name)
        likeness = Likeness(space_of(pool, self.name), pool.seed, size)
        return in_order(pool, greedy(likeness, lambda gains, _rows, _picked: gains, size, pool.seed), self.name)


class Determinantal(PoolStrategy):
    """Asks for unsure tasks that differ from one another, by a determinantal point process.

    Greedy maximum of a determinantal point process (Chen, Zhang & Zhou, 2018): unsure tasks that differ.

    Maximises theta · Σ uncertainty + (1 − theta) · log det of the tasks' similarities; ``dpp?theta=0`` is diversity
    alone and needs no probabilities. The similarity is Gaussian in the distance, as wide as two tasks drawn at random
    are apart.
    """

    group = Group.BOTH
    needs = frozenset({Needs.FEATURES})

    def __init__(self, measure: str = "margin", theta: float = 0.5) -> None:
        self.name = "dpp"
        self._measure, self.theta = known_measure(self.name, measure), theta
        if not 0 <= theta < 1:
            raise SettingsError(f"The strategy '{self.name}': theta is {theta:g}, it must be from 0 to below 1.")

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        if not len(pool) or size < 1:
            return Ranking((), self.name)
        volume = Volume(space_of(pool, self.name))
        quality = self.theta * uncertainty_of(pool, self._measure) if self.theta else np.zeros(len(pool))

        def score(gains: Floats, rows: Rows | slice, _picked: int) -> Floats:
            return np.asarray(quality[rows] + (1 - self.theta) * np.log(gains))

        return in_order(pool, greedy(volume, score, size, pool.seed), self.name)


class Typical(PoolStrategy):
    """Asks for the most typical task of each cluster that has no label yet.

    The most typical task of each cluster that has no label yet, largest cluster first (TypiClust: Hacohen, Dekel &
    Weinshall, 2022): sound while labels are few.

    There are as many clusters as labels and picks together, 500 at most. Typical is near to its 20 nearest neighbours
    in the cluster. A batch is planned as a whole, so that a longer one does not begin with the shorter one.
    """

    group = Group.COVERING
    name = "typical"
    needs = frozenset({Needs.FEATURES})

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        size = min(size, len(pool))
        if size < 1:
            return Ranking((), self.name)
        space = directions(space_of(pool, self.name))
        member, covered = _clusters(space, min(_CLUSTERS, len(space.labeled) + size), pool.seed)
        sizes, rng = np.bincount(member, minlength=len(covered)), np.random.default_rng(pool.seed)
        turn = np.empty(len(pool), dtype=np.intp)  # when its cluster comes to this task, labels counted
        for cluster in range(len(covered)):
            rows = np.flatnonzero(member == cluster)
            typical_first = np.lexsort((rng.permutation(len(rows)), _loneliness(space.points[rows], rng)))
            turn[rows[typical_first]] = covered[cluster] + np.arange(len(rows))
        return in_order(pool, np.lexsort((member, -sizes[member], turn))[:size], self.name)


def _clusters(space: Space, k: int, seed: int) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """The cluster of each open task, and how many labeled tasks each cluster holds."""
    n, both, rng = len(space.points), np.vstack([space.points, space.labeled]), np.random.default_rng(seed)
    sample = both[rng.permutation(len(both))[:_FITTED]]
    k = min(k, len({row.tobytes() for row in sample}))
    plain = Gradients(np.zeros((len(sample), 1)), sample)  # with one class, gradients are as far apart as the points
    heads = sample[seeding(plain, k, rng)]
    member = KMeans(k, init=heads, n_init=1, max_iter=_ROUNDS, random_state=seed).fit(sample).predict(both)
    return member[:n], np.bincount(member[n:], minlength=k)


def _loneliness(points: Floats, rng: np.random.Generator) -> Floats:
    """Mean distance to the nearest neighbours among these points, or among a sample where they are many."""
    if len(points) < 2:
        return np.zeros(len(points))
    among = np.sort(rng.permutation(len(points))[:_AMONG])
    norms, lonely = squared_norms(points), np.empty(len(points))
    neighbours = min(_NEIGHBOURS, len(among) - 1)
    for rows in blocks(len(points), 2048):
        far = squared_distances(points[rows], norms[rows], points[among], norms[among])
        far[np.arange(rows.start, rows.stop)[:, None] == among] = np.inf
        lonely[rows] = np.sqrt(np.partition(far, neighbours - 1, axis=1)[:, :neighbours]).mean(axis=1)
    return lonely


class Likeness:
    """Coverage by cosine: how much a row raises the sum of similarities to the nearest labeled or picked row.

    Gains are a share of the number of tasks the sum is over. Rows that are not candidates gain nothing.
    """

    front = 512

    def __init__(self, space: Space, seed: int, size: int) -> None:
        space, rng = directions(space), np.random.default_rng(seed)
        n = len(space.points)
        many = min(n, max(_CANDIDATES, 2 * size)) if n * n > _CELLS else n
        self._candidates = np.sort(rng.permutation(n)[:many])
        self._among = space.points[np.sort(rng.permutation(n)[: max(_CANDIDATES // 40, _CELLS // many)])]
        self._points, self._best = space.points, np.zeros(len(self._among), dtype=np.float32)
        for some in blocks(len(space.labeled), 1024):
            np.maximum(self._best, (self._among @ space.labeled[some].T).max(axis=1), out=self._best)
        self._similar = self._points[self._candidates] @ self._among.T
        self.gains: Floats = np.zeros(n, dtype=np.float32)
        self._measure()

    def settle(self, picks: Sequence[int]) -> None:
        for pick in picks:
            np.maximum(self._best, self._among @ self._points[pick], out=self._best)
        self._measure()

    def watch(self, rows: Rows) -> _Like:
        return _Like(self._points[rows] @ self._among.T, self._best.copy(), self.gains[rows])

    def _measure(self) -> None:
        for some in blocks(len(self._candidates), 256):
            self.gains[self._candidates[some]] = _gain(self._similar[some], self._best)


class _Like:
    def __init__(self, similar: Floats, best: Floats, gains: Floats) -> None:
        self._similar, self._best, self.gains = similar, best, gains

    def add(self, place: int) -> None:
        np.maximum(self._best, self._similar[place], out=self._best)
        np.minimum(self.gains, _gain(self._similar, self._best), out=self.gains)


def _gain(similar: Floats, best: Floats) -> Floats:
    more = similar - (best + 1e-6)  # less is rounding
    return np.asarray(np.maximum(more, 0, out=more).mean(axis=1))


class Volume:
    """Coverage by variance: what labeled and picked rows leave unexplained of a row, under a Gaussian kernel.

    Gains go from 1 (nothing like it yet) to 0; the determinant of a set's kernel is the product of its gains.
    """

    front = 1024

    def __init__(self, space: Space) -> None:
        space = centred(space)
        self._points, self._norms = space.points, squared_norms(space.points)
        self._width = float(4 * self._norms.mean(dtype=np.float64)) or 1.0  # twice the mean squared distance
        self._known = _spread(space.labeled)
        self.gains: Floats = np.ones(len(self._points))
        self._explain()

    def settle(self, picks: Sequence[int]) -> None:
        self._known = np.vstack([self._known, self._points[np.asarray(picks, dtype=np.intp)]])
        self._explain()

    def watch(self, rows: Rows) -> _Vary:
        factors = self._factors(self._points[rows], self._norms[rows])
        return _Vary(self._points[rows], self._norms[rows], self._width, factors, self.gains[rows])

    def _explain(self) -> None:
        if not len(self._known):
            return
        norms = squared_norms(self._known)
        kernel = _alike(self._known, norms, self._known, norms, self._width)
        self._triangle = cholesky(kernel + _NUGGET * np.eye(len(kernel)), lower=True)
        for rows in blocks(len(self._points)):
            factors = self._factors(self._points[rows], self._norms[rows])
            self.gains[rows] = np.maximum(1 - squared_norms(factors.T), _NUGGET)

    def _factors(self, points: Floats, norms: Floats) -> Floats:
        if not len(self._known):
            return np.empty((0, len(points)))
        kernel = _alike(self._known, squared_norms(self._known), points, norms, self._width)
        return np.asarray(solve_triangular(self._triangle, kernel, lower=True, check_finite=False))


class _Vary:
    def __init__(self, points: Floats, norms: Floats, width: float, factors: Floats, gains: Floats) -> None:
        self._points, self._norms, self._width, self._factors, self.gains = points, norms, width, factors, gains

    def add(self, place: int) -> None:
        one = slice(place, place + 1)
        kernel = _alike(self._points[one], self._norms[one], self._points, self._norms, self._width)
        explained = self._factors[:, place] @ self._factors
        factor = (kernel - explained) / np.sqrt(self.gains[place] + _NUGGET)
        self._factors = np.vstack([self._factors, factor])
        self.gains = np.maximum(self.gains - factor[0] ** 2, _NUGGET)


def _alike(a: Floats, a_norms: Floats, b: Floats, b_norms: Floats, width: float) -> NDArray[np.float64]:
    return np.exp(squared_distances(a, a_norms, b, b_norms).astype(np.float64) / -width)


def _spread(points: Floats) -> Floats:
    """At most `_LANDMARKS` of the points, far apart."""
    if len(points) <= _LANDMARKS:
        return points
    nearest = Nearest(Space(points, points[:0]))
    return points[greedy(nearest, lambda gains, _rows, _picked: gains, _LANDMARKS, 0)]
