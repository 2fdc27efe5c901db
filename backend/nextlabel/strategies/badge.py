"""BADGE: a batch of tasks whose gradients would move the model far, and each another way."""

from __future__ import annotations

import numpy as np

from nextlabel.labeling.ranking import CandidatePool, Floats, Group, Needs, Ranking
from nextlabel.measures.uncertainty import checked
from nextlabel.strategies.base import PoolStrategy
from nextlabel.strategies.geometry import Rows, apart, blocks, in_order, space_of, squared_norms

_PENDING = 32  # picks until all distances are brought up to date
_DRAWS = 32  # candidates looked at in one go


class Badge(PoolStrategy):
    """Asks for tasks that would change the model in different ways, without fitting further models.

    k-means++ seeding (Arthur & Vassilvitskii, 2007) over gradient embeddings (Ash et al., 2020).

    A task's embedding is the gradient of the last layer's loss at the likeliest label, (p − onehot(argmax p)) ⊗ x:
    long where the model is unsure. The longest comes first; each further one is drawn with probability proportional
    to its squared distance to the nearest picked one. Embeddings are never built: memory is O(n·(k + d)).
    """

    group = Group.BOTH
    name = "badge"
    needs = frozenset({Needs.FEATURES})

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        if not len(pool) or size < 1:
            return Ranking((), self.name)
        gradients = Gradients(checked(pool.probabilities), space_of(pool, self.name).points)
        return in_order(pool, seeding(gradients, min(size, len(pool)), np.random.default_rng(pool.seed)), self.name)


class Gradients:
    """n embeddings q ⊗ x, kept as their factors: (q ⊗ x)·(q' ⊗ x') = (q·q')(x·x')."""

    def __init__(self, probabilities: Floats, points: Floats) -> None:
        residuals = probabilities.astype(np.float32)
        residuals[np.arange(len(residuals)), residuals.argmax(axis=1)] -= 1
        self._residuals, self._points = residuals, np.asarray(points, dtype=np.float32)
        self.norms: Floats = squared_norms(residuals) * squared_norms(self._points)

    def squared_distances(self, rows: Rows | slice, to: Rows) -> Floats:
        """Rows × to squared distances between embeddings; equal embeddings give exactly 0."""
        products = self._points[rows] @ self._points[to].T
        products *= self._residuals[rows] @ self._residuals[to].T
        return apart(products, self.norms[rows], self.norms[to])


def seeding(gradients: Gradients, size: int, rng: np.random.Generator) -> list[int]:
    """k-means++ picks, lazily: a row is drawn by its outdated, too large distance and kept with the probability
    (distance now) / (outdated distance), which is the same as drawing it by its distance now."""
    n = len(gradients.norms)
    distances = np.full(n, np.inf, dtype=np.float32)
    order, settled = [int(np.argmax(gradients.norms))], 0
    while len(order) < size:
        _settle(gradients, distances, np.asarray(order[settled:]))
        settled = len(order)
        cumulated = np.cumsum(distances, dtype=np.float64)
        if not cumulated[-1] > 0:  # nothing but copies is left: any order is as good
            left = np.setdiff1d(np.arange(n), order)
            return [*order, *(int(row) for row in rng.permutation(left)[: size - len(order)])]
        for _ in range(_PENDING):
            row = _draw(gradients, distances, cumulated, np.asarray(order[settled:], dtype=np.intp), rng)
            if row is None or len(order) == size:
                break
            order.append(row)
    return order


def _settle(gradients: Gradients, distances: Floats, picks: Rows) -> None:
    for rows in blocks(len(distances)):
        now = gradients.squared_distances(rows, picks).min(axis=1)
        np.minimum(distances[rows], now, out=distances[rows])
    distances[picks] = 0


def _draw(
    gradients: Gradients, distances: Floats, cumulated: Floats, pending: Rows, rng: np.random.Generator
) -> int | None:
    """A row drawn by its distance to all picks; None when the outdated distances are too far off to draw by."""
    aims, dice = rng.random((2, _DRAWS))
    drawn = np.searchsorted(cumulated, aims * cumulated[-1], side="right").clip(max=len(cumulated) - 1)
    now = distances[drawn]
    if len(pending):
        now = np.minimum(now, gradients.squared_distances(drawn, pending).min(axis=1))
        now[np.isin(drawn, pending)] = 0
    kept = np.flatnonzero(dice * distances[drawn] < now)
    return int(drawn[kept[0]]) if len(kept) else None
