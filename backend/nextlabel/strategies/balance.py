"""Rare classes: ask more for what the labels so far have little of (Aggarwal, Popescu & Hudelot, 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Floats, Group, Needs, Ranking
from nextlabel.measures.uncertainty import checked
from nextlabel.strategies.base import missing
from nextlabel.strategies.builtin import Inner, built_in, utilities_of
from nextlabel.strategies.needs import needs_of
from nextlabel.strategies.uncertainty import best_first


class Balanced:
    """Takes another strategy and prefers classes with few labels: balanced:margin?strength=1.

    A class weighs (least share / its share of the labels) ** strength, shares counted with one label more each;
    a task weighs the mean of its classes' weights under its probabilities, or under the chances of its labels where it
    may have several. With strength 0, or no labels, the order is the inner one.
    From Python, ``strategy`` takes the strategy itself. (Aggarwal, Popescu & Hudelot, 2020; Bengar et al., 2022.)
    """

    group = Group.AROUND
    needs = frozenset({Needs.CLASSES})

    def __init__(self, inner: str = "margin", *, strength: float = 1.0, strategy: Inner | None = None) -> None:
        if not 0 <= strength < np.inf:
            raise SettingsError(f"The strategy 'balanced': strength is {strength}, it must be 0 or more.")
        self._inner = built_in(strategy or inner)
        self._strength, self.name = strength, f"balanced:{self._inner.name}"
        self.needs = type(self).needs | needs_of(self._inner)

    def utilities(self, probabilities: Floats) -> Floats:
        """The inner utilities: outside a ranking nothing is known of the labels."""
        return self._inner.utilities(probabilities)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        if min(size, len(pool)) < 1:
            return Ranking((), self.name)
        weight = np.clip(self._weights_of_tasks(pool), 0, 1)
        return best_first(pool, utilities_of(self._inner, pool) * weight, size, self.name)

    def _weights_of_tasks(self, pool: CandidatePool) -> Floats:
        if pool.chances is not None:
            chances = checked(pool.chances.chances)
            shares = chances / np.maximum(chances.sum(axis=1, keepdims=True), np.finfo(chances.dtype).tiny)
            return np.asarray(shares @ class_weights(pool.chances.given.sum(axis=0), self._strength))
        if not pool.classes:
            raise missing(self.name, Needs.CLASSES)
        p = checked(pool.probabilities)
        labels = np.empty(0, np.intp) if pool.labels is None else pool.labels
        return np.asarray(p @ class_weights(np.bincount(labels, minlength=p.shape[1]), self._strength))


def class_weights(counts: NDArray[np.integer], strength: float) -> Floats:
    """k weights in (0, 1], 1 for the rarest class, from how many labels each has."""
    return np.asarray(((counts.min() + 1) / (counts + 1)) ** strength)
