"""Do not trust the model everywhere: a share of the places is drawn at random (epsilon-greedy)."""

from __future__ import annotations

import math

import numpy as np

from nextlabel.errors import SettingsError
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool, Floats, Group, RankedTask, Ranking
from nextlabel.strategies.builtin import Inner, built_in
from nextlabel.strategies.needs import needs_of


class Explore:
    """Takes another strategy and draws a share of the places at random: explore:margin?share=0.1.

    Of the first n places, round(share × n) or one beside it are random, spread evenly; where they fall and what
    they hold comes from the pool's seed. What the model overlooks is found so (Osugi, Kun & Scott, 2005).
    From Python, ``strategy`` takes the strategy itself.
    """

    group = Group.AROUND

    def __init__(self, inner: str = "margin", *, share: float = 0.1, strategy: Inner | None = None) -> None:
        if not 0 <= share <= 1:
            raise SettingsError(f"The strategy 'explore': share is {share}, it must be between 0 and 1.")
        self._inner = built_in(strategy or inner)
        self._share, self.name = share, f"explore:{self._inner.name}"
        self.needs = needs_of(self._inner)

    def utilities(self, probabilities: Floats) -> Floats:
        return self._inner.utilities(probabilities)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """The inner order is asked for ``size`` places, no more."""
        inner = self._inner.rank(pool, size)
        rng = np.random.default_rng(pool.seed)
        offset, order = rng.random(), rng.permutation(len(pool))
        chosen = (ranked.task for ranked in inner.tasks)
        drawn = (pool.tasks[i] for i in order)
        taken: set[TaskId] = set()
        tasks = []
        for place, ranked in enumerate(inner.tasks):
            explores = self._is_random(place, offset)
            source = drawn if explores else chosen
            task = next(task for task in source if task not in taken)
            taken.add(task)
            tasks.append(RankedTask(task, ranked.utility, explores))
        return Ranking(tuple(tasks), self.name)

    def _is_random(self, place: int, offset: float) -> bool:
        return math.floor((place + 1) * self._share + offset) > math.floor(place * self._share + offset)
