"""Strategies inside strategies: ``cost:margin`` finds its ``margin`` here, as do all that wrap another one."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from nextlabel.labeling.ranking import CandidatePool, Floats, Ranking
from nextlabel.measures.uncertainty import checked
from nextlabel.strategies import finding
from nextlabel.strategies.base import PoolStrategy
from nextlabel.strategies.needs import needs_of
from nextlabel.strategies.uncertainty import UncertaintySampling


class Inner(Protocol):
    """What can be wrapped: any query strategy."""

    @property
    def name(self) -> str: ...

    def utilities(self, probabilities: Floats) -> Floats: ...

    def rank(self, pool: CandidatePool, size: int) -> Ranking: ...


def built_in(inner: str | Inner) -> Inner:
    """The strategy that a spec names, or the one given. Raises `SettingsError` listing those there are.

    Other people's strategies are found too: see `finding`.
    """
    if not isinstance(inner, str):
        return inner
    made: Any = finding.make(inner)
    return made if hasattr(made, "name") and hasattr(made, "utilities") else _Complete(made, inner)


class _Complete(PoolStrategy):
    """A strategy that has no more than `rank`, with the name it was asked for by."""

    def __init__(self, inner: Any, name: str) -> None:
        self._inner, self.name = inner, name
        self.needs = needs_of(inner)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        ranking: Ranking = self._inner.rank(pool, size)
        return ranking


def utilities_of(inner: Inner, pool: CandidatePool) -> Floats:
    """n utilities, task by task in the pool's order: read off the inner strategy's ranking of the whole pool.

    A batch strategy has to order the whole pool for this, which costs what it costs.
    """
    if not len(pool):
        return np.empty(0)
    if isinstance(inner, UncertaintySampling):
        return inner.utilities(pool.probabilities)
    checked(pool.probabilities)
    found = {ranked.task: ranked.utility for ranked in inner.rank(pool, len(pool)).tasks}
    return np.array([found[task] for task in pool.tasks])
