"""A query strategy, as the loop asks it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from nextlabel.labeling.ranking import CandidatePool, Ranking


@runtime_checkable
class QueryStrategy(Protocol):
    """Decides which open tasks to ask for next. Found by entry points of the group ``nextlabel.strategies``.

    It may also have ``utilities(probabilities)``: n utilities in [0, 1] from n × k probabilities, each task by itself,
    for tasks outside a ranking. Without it the margin is taken. And ``needs``, a frozen set of `ranking.Needs`: then it
    is refused where a project cannot give these, and never handed a pool without them. Whatever it raises, the default
    order takes its place.
    """

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """The best ``size`` tasks of the pool, best first (fewer where the pool is smaller).

        Deterministic under the pool's seed; leaves the pool untouched.
        """
