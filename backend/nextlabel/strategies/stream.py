"""Tools that ask task by task: is this one worth a person's time? (Atlas, Cohn & Ladner, 1990.)"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from nextlabel.errors import SettingsError

T = TypeVar("T")


class PreferUncertain:
    """Says of each task of a stream, from its utility alone, whether to ask for it, and never starves.

    A task is wanted when its utility is at least the moving average so far plus ``eagerness`` moving standard
    deviations: the bar follows a model that grows surer. After ``patience`` refusals in a row the next is wanted
    whatever it is. Both moments weigh the past by 1 − ``smoothing`` at each step; the first task is always wanted.
    One object serves one stream. (The idea of Prodigy's ``prefer_uncertain``; moments after Finch, 2009.)
    """

    def __init__(self, *, smoothing: float = 0.05, eagerness: float = 0.0, patience: int = 100) -> None:
        if not 0 < smoothing <= 1 or not math.isfinite(eagerness) or patience < 0:
            raise SettingsError("prefer_uncertain: smoothing must be in (0, 1], eagerness finite, patience 0 or more.")
        self._smoothing, self._eagerness, self._patience = smoothing, eagerness, patience
        self._mean: float | None = None
        self._variance = 0.0
        self._refused = 0

    @property
    def bar(self) -> float:
        """The least utility that is wanted now; −∞ before the first task."""
        if self._mean is None:
            return -math.inf
        return self._mean + self._eagerness * math.sqrt(self._variance)

    def wants(self, utility: float) -> bool:
        """Whether to ask for this task; learns from its utility either way. Raises ValueError for NaN."""
        if not math.isfinite(utility):
            raise ValueError(f"a utility must be a finite number, not {utility}")
        wanted = self._refused >= self._patience or utility >= self.bar - 1e-12
        self._refused = 0 if wanted else self._refused + 1
        self._learn(utility)
        return wanted

    def _learn(self, utility: float) -> None:
        if self._mean is None:
            self._mean = utility
            return
        gap = utility - self._mean
        self._mean += self._smoothing * gap
        self._variance = (1 - self._smoothing) * (self._variance + self._smoothing * gap * gap)


def prefer_uncertain(
    stream: Iterable[T], utility: Callable[[T], float], prefer: PreferUncertain | None = None
) -> Iterator[T]:
    """The tasks of a stream that are worth asking for, as they come, one by one."""
    judge = prefer or PreferUncertain()
    return (task for task in stream if judge.wants(utility(task)))
