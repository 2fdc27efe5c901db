"""Ranked batch mode: at first tasks unlike the labeled ones, later more and more the unsure ones."""

from __future__ import annotations

import numpy as np

from nextlabel.labeling.ranking import CandidatePool, Floats, Group, Needs, Ranking
from nextlabel.strategies.base import PoolStrategy
from nextlabel.strategies.density import known_measure, uncertainty_of
from nextlabel.strategies.geometry import Nearest, Rows, greedy, in_order, space_of


class RankedBatch(PoolStrategy):
    """Weighs likeness to what is labeled against uncertainty, and relies on uncertainty more the more is labeled.

    By alpha · (1 − similarity) + (1 − alpha) · uncertainty (Cardoso et al., 2017), picked one after another.

    The similarity is 1 / (1 + distance) to the nearest labeled or picked task, alpha the share of the tasks that is
    still open, counted anew at every pick: modAL's order. With nothing labeled the task nearest to the pool's mean
    comes first. O(size·n·d) at most: every pick updates the distances, none is computed twice.
    """

    group = Group.BOTH
    needs = frozenset({Needs.FEATURES})

    def __init__(self, measure: str = "least_confidence") -> None:
        self.name = "ranked_batch"
        self._measure = known_measure(self.name, measure)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        if not len(pool) or size < 1:
            return Ranking((), self.name)
        space = space_of(pool, self.name)
        nearest, unsure = Nearest(space), uncertainty_of(pool, self._measure)
        labeled, everything = len(space.labeled), len(space.labeled) + len(pool)

        def score(gains: Floats, rows: Rows | slice, picked: int) -> Floats:
            if not labeled and not picked:
                return nearest.centrality[rows]
            alpha = (len(pool) - picked) / everything
            return np.asarray(alpha * (1 - 1 / (1 + np.sqrt(gains, dtype=np.float64))) + (1 - alpha) * unsure[rows])

        return in_order(pool, greedy(nearest, score, size, pool.seed), self.name)
