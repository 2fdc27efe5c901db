"""Labels differ in price: ask for what teaches most per unit of effort (Settles, Craven & Friedland, 2008)."""

from __future__ import annotations

import numpy as np

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Floats, Group, Needs, Ranking
from nextlabel.strategies.base import missing
from nextlabel.strategies.builtin import Inner, built_in, utilities_of
from nextlabel.strategies.needs import needs_of
from nextlabel.strategies.uncertainty import best_first


class CostAware:
    """Takes another strategy and prefers labels that take little time: cost:margin?power=1 (0: costs are ignored).

    Costs are the pool's, positive and in any unit. In a project they are the seconds that a label is expected to take,
    from how long the labels so far took and how much there was to read. From Python, ``strategy`` takes the strategy
    itself.
    (Settles, Craven & Friedland, 2008; Haertel et al., 2008, return on investment.)
    """

    group = Group.AROUND
    needs = frozenset({Needs.COSTS})

    def __init__(self, inner: str = "margin", *, power: float = 1.0, strategy: Inner | None = None) -> None:
        if not 0 <= power < np.inf:
            raise SettingsError(f"The strategy 'cost': power is {power}, it must be 0 or more.")
        self._inner = built_in(strategy or inner)
        self._power, self.name = power, f"cost:{self._inner.name}"
        self.needs = type(self).needs | needs_of(self._inner)

    def utilities(self, probabilities: Floats) -> Floats:
        """The inner utilities: a task outside a ranking has no known cost."""
        return self._inner.utilities(probabilities)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """Raises `SettingsError` where the pool has no costs, ValueError where one is not positive."""
        if pool.costs is None:
            raise missing(self.name, Needs.COSTS, f"choose '{self._inner.name}', which does without")
        costs = np.asarray(pool.costs, dtype=np.float64)
        if costs.shape != (len(pool),) or not (np.isfinite(costs) & (costs > 0)).all():
            raise ValueError("costs must be one positive number for each task")
        if min(size, len(pool)) < 1:
            return Ranking((), self.name)
        cheapness = (costs.min() / costs) ** self._power  # in (0, 1], so that utilities stay in [0, 1]
        return best_first(pool, utilities_of(self._inner, pool) * cheapness, size, self.name)
