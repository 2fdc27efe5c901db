"""Ask first what the model is least sure of (Lewis & Gale, 1994): least confidence, margin, ratio, entropy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from nextlabel.labeling.ranking import CandidatePool, Floats, Group, RankedTask, Ranking
from nextlabel.measures import uncertainty


class UncertaintySampling(ABC):
    """Ranks by a measure on each task's probabilities. Equal utilities are put in an order drawn from the seed."""

    group = Group.UNSURE
    name: ClassVar[str]

    @abstractmethod
    def utilities(self, probabilities: Floats) -> Floats:
        """n utilities in [0, 1], task by task; what `/predict` reports for tasks outside the window."""

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        utilities = self.utilities(pool.probabilities) if len(pool) else np.empty(0)
        return best_first(pool, utilities, size, self.name)


class LeastConfidence(UncertaintySampling):
    """Asks for tasks whose likeliest label is least likely."""

    name = "least_confidence"

    def utilities(self, probabilities: Floats) -> Floats:
        return uncertainty.least_confidence(probabilities)


class Margin(UncertaintySampling):
    """Asks for tasks whose two likeliest labels are closest."""

    name = "margin"

    def utilities(self, probabilities: Floats) -> Floats:
        return uncertainty.margin(probabilities)


class Ratio(UncertaintySampling):
    """Asks for tasks whose second likeliest label is nearly as likely as the likeliest, by their ratio."""

    name = "ratio"

    def utilities(self, probabilities: Floats) -> Floats:
        return uncertainty.ratio(probabilities)


class Entropy(UncertaintySampling):
    """Asks for tasks whose labels are all about as likely, by the entropy of their probabilities."""

    name = "entropy"

    def utilities(self, probabilities: Floats) -> Floats:
        return uncertainty.entropy(probabilities)


def best_first(pool: CandidatePool, utilities: Floats, size: int, name: str) -> Ranking:
    """The ``size`` highest utilities, highest first; ties in an order drawn from the pool's seed."""
    size = min(size, len(pool))
    if size < 1:
        return Ranking((), name)
    ties = np.random.default_rng(pool.seed).permutation(len(pool))
    order = np.lexsort((ties, -utilities))[:size]
    return Ranking(tuple(RankedTask(pool.tasks[i], float(utilities[i])) for i in order), name)
