"""Points, distances and greedy picking for strategies that look at the pool's shape; memory O(n·d), never O(n²)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize

from nextlabel.labeling.ranking import CandidatePool, Floats, RankedTask, Ranking
from nextlabel.strategies.base import finite, need_features

Rows = NDArray[np.intp]
Score = Callable[[Floats, "Rows | slice", int], Floats]
"""(gains of some rows, which rows, how many are picked already) → what to pick by; never falls as a gain rises."""

_SKETCHED = 1024  # columns that sparse features are hashed into first
_DIMENSIONS = 100  # of the space that sparse features are projected into
_MAX_FITTED = 20_000  # the projection is found on a sample this large
_BLOCK = 8192  # rows at a time
_SAME = 2e-6  # squared distances under this share of the squared lengths are rounding: the points are equal
_ALL = slice(None)


@dataclass(frozen=True, slots=True)
class Space:
    """Open (n × d) and labeled (m × d, m may be 0) tasks as points of one space."""

    points: Floats
    labeled: Floats


def space_of(pool: CandidatePool, strategy: str) -> Space:
    """The pool's features as dense points.

    Sparse rows are weighted as words are (1 + ln(count), times rarity), projected by latent semantic analysis
    (Deerwester et al., 1990) of their `sketch`, and set to length 1, because their length is that of the text; dense
    rows stay as they are. Raises `SettingsError` where the pool has no
    features, and ValueError where they hold NaN.
    """
    features = need_features(pool, strategy)
    labeled = None if pool.labeled_features is None else finite(pool.labeled_features, "labeled_features")
    if isinstance(features, np.ndarray):
        return Space(features, np.asarray(features[:0] if labeled is None else labeled))
    both = features if labeled is None else csr_matrix(vstack([features, csr_matrix(labeled)]))
    points = normalize(_projected(csr_matrix(both), pool.seed), copy=False)
    return Space(points[: len(pool)], points[len(pool) :])


def centred(space: Space) -> Space:
    """float32 with the same distances, around the origin where least is lost: the mean of the open tasks."""
    mean = space.points.mean(axis=0, dtype=np.float64) if len(space.points) else np.zeros(space.points.shape[1])
    return Space(_float32(space.points, mean), _float32(space.labeled, mean))


def directions(space: Space) -> Space:
    """float32 with every point at length 1 (0 stays 0), so that inner products are cosines."""
    points, labeled = _float32(space.points), _float32(space.labeled)
    return Space(normalize(points, copy=False), normalize(labeled, copy=False) if len(labeled) else labeled)


def _float32(points: Floats, origin: Floats | float = 0.0) -> Floats:
    moved = np.empty(points.shape, dtype=np.float32)
    for rows in blocks(len(points)):
        moved[rows] = points[rows] - origin
    return moved


def sketch(features: csr_matrix, weights: Floats | None = None) -> Floats:
    """n × at most `_SKETCHED` dense float32 rows of length 1 with about the same cosines (count sketch: Charikar, Chen
    & Farach-Colton, 2002), at a fraction of what a projection of 100,000 columns costs.

    Counts are dampened to 1 + ln(count); ``weights``, one for each column, make common ones count less.
    """
    dampened = features.astype(np.float32)
    if dampened.nnz and dampened.data.min() >= 1:
        dampened.data = 1 + np.log(dampened.data)
    if weights is not None:
        dampened.data *= weights[dampened.indices]
    return np.asarray(normalize((dampened @ _hashing(features.shape[1])).toarray(), copy=False))


@lru_cache(maxsize=4)
def _hashing(columns: int) -> csr_matrix:
    """Each column's place in the sketch, and its sign: the same always, so that sketches can be compared."""
    width, rng = min(_SKETCHED, columns), np.random.default_rng(0)
    signs = rng.choice(np.array([-1, 1], dtype=np.float32), size=columns)
    return csr_matrix((signs, rng.integers(width, size=columns), np.arange(columns + 1)), shape=(columns, width))


def _projected(features: csr_matrix, seed: int) -> Floats:
    rows, wide = features.shape
    found, common = np.unique(features.indices, return_counts=True)
    if len(found) <= _DIMENSIONS:
        narrow = np.asarray(features[:, found].toarray(), dtype=np.float32)
        return narrow if len(found) else np.zeros((rows, 1), dtype=np.float32)
    width = min(_DIMENSIONS, rows - 1)
    if width < 1:
        return np.ones((rows, 1), dtype=np.float32)
    rarity = np.zeros(wide, dtype=np.float32)
    rarity[found] = np.log((1 + rows) / (1 + common)) + 1
    sample = np.random.default_rng(seed).permutation(rows)[:_MAX_FITTED]
    svd = TruncatedSVD(width, n_iter=2, random_state=seed).fit(sketch(features[sample], rarity))
    points = np.empty((rows, width), dtype=np.float32)
    for some in blocks(rows):
        points[some] = svd.transform(sketch(features[some], rarity))
    return points


def blocks(n: int, size: int = _BLOCK) -> Iterator[slice]:
    """Slices that cover 0 … n."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def squared_norms(points: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", points, points))


def squared_distances(a: Floats, a_norms: Floats, b: Floats, b_norms: Floats) -> Floats:
    """len(a) × len(b) squared Euclidean distances from points and their squared norms; equal points give exactly 0."""
    return apart(a @ b.T, a_norms, b_norms)


def apart(products: Floats, a_norms: Floats, b_norms: Floats) -> Floats:
    """|a − b|² from the inner products a·b and the squared norms; what is no more than rounding becomes 0."""
    sums = a_norms[:, None] + b_norms[None, :]
    products *= -2
    products += sums
    sums *= _SAME
    products[products < sums] = 0
    return products


class Coverage(Protocol):
    """How much each row would add to what is labeled and picked so far; with every pick gains fall or stay.

    ``gains`` may be out of date, then they are too high. ``front`` is how many rows are best watched at once.
    """

    front: int
    gains: Floats

    def settle(self, picks: Sequence[int]) -> None:
        """Bring all gains up to date after these further picks."""

    def watch(self, rows: Rows) -> Watched:
        """A few rows whose gains are kept up to date, pick by pick."""


class Watched(Protocol):
    gains: Floats

    def add(self, place: int) -> None:
        """The row at this place among the watched is picked."""


class Nearest:
    """Coverage by squared distance to the nearest labeled or picked point (float32; infinite while there is none)."""

    front = 4096

    def __init__(self, space: Space) -> None:
        space = centred(space)
        self._points, self._norms = space.points, squared_norms(space.points)
        self.gains: Floats = np.full(len(self._points), np.inf, dtype=np.float32)
        self._approach(space.labeled)

    @property
    def typical(self) -> float:
        """The root mean square distance of two open tasks drawn at random."""
        return float(np.sqrt(2 * self._norms.mean(dtype=np.float64)))

    @property
    def centrality(self) -> Floats:
        """Minus the squared distance to the mean."""
        return -self._norms

    def distances(self, a: Rows, b: Rows) -> Floats:
        """Euclidean distances row by row."""
        return np.asarray(np.linalg.norm(self._points[a] - self._points[b], axis=1))

    def settle(self, picks: Sequence[int]) -> None:
        self._approach(self._points[np.asarray(picks, dtype=np.intp)])

    def watch(self, rows: Rows) -> _Near:
        return _Near(self._points[rows], self._norms[rows], self.gains[rows])

    def _approach(self, centres: Floats) -> None:
        norms = squared_norms(centres)
        for some in blocks(len(centres), 256):
            for rows in blocks(len(self._points)):
                far = squared_distances(self._points[rows], self._norms[rows], centres[some], norms[some])
                np.minimum(self.gains[rows], far.min(axis=1), out=self.gains[rows])


class _Near:
    def __init__(self, points: Floats, norms: Floats, gains: Floats) -> None:
        self._points, self._norms, self.gains = points, norms, gains

    def add(self, place: int) -> None:
        one = slice(place, place + 1)
        far = squared_distances(self._points, self._norms, self._points[one], self._norms[one])
        np.minimum(self.gains, far[:, 0], out=self.gains)


def greedy(coverage: Coverage, score: Score, size: int, seed: int) -> list[int]:
    """The rows picked one after another, each with the highest score given those before; ties by the seed.

    Exact, and lazy (Minoux, 1978): after a pick only the rows that were in front are looked at again; all the others
    only once one of them, with its outdated and hence too high gain, would come before the best row in front.
    """
    ties = np.random.default_rng(seed).permutation(len(coverage.gains))
    size, order = min(size, len(ties)), list[int]()
    while len(order) < size:
        rows = _front(_scores(coverage, score, order), coverage.front, ties)
        watched, taken = coverage.watch(rows), list[int]()
        while len(order) < size:
            inside = np.array(score(watched.gains, rows, len(order)))
            inside[taken] = -np.inf
            best = int(np.argmax(inside))
            if taken and (len(taken) == len(rows) or inside[best] <= _outside(coverage, score, order, rows)):
                break
            order.append(int(rows[best]))
            taken.append(best)
            if len(order) < size:
                watched.add(best)
        if len(order) < size:
            coverage.settle(order[-len(taken) :])
    return order


def _scores(coverage: Coverage, score: Score, order: Sequence[int]) -> Floats:
    scores = np.array(score(coverage.gains, _ALL, len(order)))
    scores[order] = -np.inf
    return scores


def _outside(coverage: Coverage, score: Score, order: Sequence[int], rows: Rows) -> float:
    if len(rows) == len(coverage.gains):
        return -np.inf
    scores = _scores(coverage, score, order)
    scores[rows] = -np.inf
    return float(scores.max())


def _front(scores: Floats, width: int, ties: NDArray[np.integer]) -> Rows:
    """The rows with the highest scores, in the order of ``ties``, so that the first of equals is the one to take."""
    rows = np.arange(len(scores))
    if len(rows) > width:
        rows = np.flatnonzero(scores >= np.partition(scores, -width)[-width])
        rows = rows[np.lexsort((ties[rows], -scores[rows]))][:width]
    return rows[np.argsort(ties[rows])]


def in_order(
    pool: CandidatePool,
    order: Sequence[int] | NDArray[np.integer],
    name: str,
    exploring: Collection[int] = frozenset(),
) -> Ranking:
    """A ranking of these rows, first to last, with utilities that fall evenly from 1; some rows are ``exploring``."""
    tasks = (RankedTask(pool.tasks[i], 1 - n / len(pool), i in exploring) for n, i in enumerate(order))
    return Ranking(tuple(tasks), name)
