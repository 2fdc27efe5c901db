"""Rare classes: ask more for what the labels so far have little of (Aggarwal, Popescu & Hudelot, 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nextlabel.errors import SettingsError
from nextlabel.ranking import CandidatePool, Floats, Ranking
from nextlabel.strategies.builtin import Inner, built_in, utilities_of
from nextlabel.strategies.uncertainty import best_first
from nextlabel.uncertainty import checked


class Balanced:
    """By another strategy's utility, more for classes with few labels: balanced:margin?strength=1.

    A class weighs (least share / its share of the labels) ** strength, shares counted with one label more each;
    a task weighs the mean of its classes' weights under its probabilities. With strength 0, or no labels, the
    order is the inner one.
    From Python, ``strategy`` takes the strategy itself. (Aggarwal, Popescu & Hudelot, 2020; Bengar et al., 2022.)
    """

    def __init__(self, inner: str = "margin", *, strength: float = 1.0, strategy: Inner | None = None) -> None:
        if not 0 <= strength < np.inf:
            raise SettingsError(f"The strategy 'balanced': strength is {strength}, it must be 0 or more.")
        self._inner = built_in(strategy or inner)
        self._strength, self.name = strength, f"balanced:{self._inner.name}"

    def utilities(self, probabilities: Floats) -> Floats:
        """The inner utilities: outside a ranking nothing is known of the labels."""
        return self._inner.utilities(probabilities)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        if min(size, len(pool)) < 1:
            return Ranking((), self.name)
        p = checked(pool.probabilities)
        weights = class_weights(pool.labels, p.shape[1], self._strength)
        return best_first(pool, utilities_of(self._inner, pool) * np.clip(p @ weights, 0, 1), size, self.name)


def class_weights(labels: NDArray[np.integer] | None, classes: int, strength: float) -> Floats:
    """k weights in (0, 1]: 1 for the rarest class."""
    counts = np.ones(classes)
    if labels is not None:
        counts += np.bincount(labels, minlength=classes)
    return np.asarray((counts.min() / counts) ** strength)
