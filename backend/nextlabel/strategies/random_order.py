"""Random order: what every other strategy has to beat."""

from __future__ import annotations

import numpy as np

from nextlabel.labeling.ranking import CandidatePool, Floats, Group, Ranking
from nextlabel.strategies.uncertainty import best_first


class RandomOrder:
    """Asks in a random order. It is what every other strategy is to be compared with.

    A random order drawn from the pool's seed; every task has the same utility.
    """

    group = Group.ANY
    name = "random"

    def utilities(self, probabilities: Floats) -> Floats:
        return np.full(len(probabilities), 0.5, dtype=np.float32)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        return best_first(pool, np.full(len(pool), 0.5), size, self.name)
