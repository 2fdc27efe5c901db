"""Strategies inside strategies: ``cost:margin`` finds its ``margin`` here, as do all that wrap another one."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, Protocol

import numpy as np

from nextlabel.errors import SettingsError
from nextlabel.ranking import CandidatePool, Floats, Ranking
from nextlabel.strategies import spec
from nextlabel.strategies.uncertainty import UncertaintySampling
from nextlabel.uncertainty import checked

GROUP = "nextlabel.strategies"


class Inner(Protocol):
    """What can be wrapped: any query strategy."""

    @property
    def name(self) -> str: ...

    def utilities(self, probabilities: Floats) -> Floats: ...

    def rank(self, pool: CandidatePool, size: int) -> Ranking: ...


def built_in(inner: str | Inner) -> Inner:
    """The strategy that a spec names, or the one given. Raises `SettingsError` listing those there are.

    Other people's strategies are found too: all come through the entry points of one group.
    """
    if not isinstance(inner, str):
        return inner
    wanted = spec.parse(inner)
    points = {point.name: point for point in entry_points(group=GROUP)}
    if wanted.name not in points:
        raise SettingsError(f"There is no strategy '{wanted.name}': known are {', '.join(sorted(points))}.")
    try:
        factory = points[wanted.name].load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"The strategy '{wanted.name}' cannot be loaded ({error}).") from error
    made: Any = spec.call(factory, wanted)
    if not hasattr(made, "rank"):
        raise SettingsError(f"The strategy '{wanted.name}' is broken: it has no rank(pool, size).")
    return made  # type: ignore[no-any-return]


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
