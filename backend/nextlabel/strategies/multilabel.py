"""Tasks that may take several labels at once: ask by the uncertainty of all their labels together.

Here ``probabilities`` is n × l, one independent chance per label, so that rows need not sum to 1. Every
measure returns n numbers in [0, 1]; a label's confidence is |2p − 1| and its score 2p − 1 (Esuli & Sebastiani,
2009). The names are modAL's, the meaning is the papers': modAL's min_confidence takes the smallest p, and its
scores jump at ½.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Floats, Group, Needs, Ranking
from nextlabel.measures.uncertainty import checked
from nextlabel.strategies.base import need_chances
from nextlabel.strategies.uncertainty import best_first


class MultiLabel:
    """Asks for tasks that have several labels to be unsure of: multilabel:avg_confidence, multilabel:max_score."""

    group = Group.KIND
    needs = frozenset({Needs.LABEL_CHANCES})

    def __init__(self, measure: str = "avg_confidence") -> None:
        if measure not in MEASURES:
            raise SettingsError(f"The strategy 'multilabel' has no measure '{measure}': it has {', '.join(MEASURES)}.")
        self._measure, self.name = MEASURES[measure], f"multilabel:{measure}"

    def utilities(self, probabilities: Floats) -> Floats:
        """n utilities from n × l chances: whoever asks knows by its needs that they are no classes'."""
        return self._measure(probabilities)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """Raises `SettingsError` where no more than one label can be given."""
        chances = need_chances(pool, self.name).chances
        return best_first(pool, self.utilities(chances) if len(pool) else np.empty(0), size, self.name)


def avg_confidence(probabilities: Floats) -> Floats:
    """1 − the mean confidence of the labels (Esuli & Sebastiani, 2009)."""
    return np.asarray(1 - _confidence(probabilities).mean(axis=1))


def min_confidence(probabilities: Floats) -> Floats:
    """1 − the confidence of the least confident label: one doubtful label is enough."""
    return np.asarray(1 - _confidence(probabilities).min(axis=1))


def max_confidence(probabilities: Floats) -> Floats:
    """1 − the confidence of the most confident label: every label must be doubtful."""
    return np.asarray(1 - _confidence(probabilities).max(axis=1))


def avg_score(probabilities: Floats) -> Floats:
    """The mean score, scaled to [0, 1]: likely positives first, which teach most where labels are rare."""
    return np.asarray(unit(probabilities).mean(axis=1))


def max_score(probabilities: Floats) -> Floats:
    """The largest score, scaled to [0, 1]."""
    return np.asarray(unit(probabilities).max(axis=1))


def max_loss(probabilities: Floats) -> Floats:
    """The loss if the most certain label were the only one, over its maximum 2l (Li, Wang & Sung, 2004)."""
    f = 2 * unit(probabilities) - 1
    return _loss_if(f, f.max(axis=1, keepdims=True))[:, 0]


def mean_max_loss(probabilities: Floats) -> Floats:
    """The mean of `max_loss` over all labels that the model gives (its most certain one, where it gives none)."""
    f = 2 * unit(probabilities) - 1
    given = (f > 0) | (f == f.max(axis=1, keepdims=True))
    return np.asarray((_loss_if(f, f) * given).sum(axis=1) / given.sum(axis=1))


def _loss_if(f: Floats, chosen: Floats) -> Floats:
    """Σ over labels of 1 − y f, for y = +1 at the chosen label's score and −1 elsewhere; the hinge never cuts."""
    labels = f.shape[1]
    return np.asarray((labels + f.sum(axis=1, keepdims=True) - 2 * chosen) / (2 * labels))


def _confidence(probabilities: Floats) -> Floats:
    return np.asarray(np.abs(2 * unit(probabilities) - 1))


def unit(probabilities: Floats) -> Floats:
    """The same numbers. Raises ValueError where some are no probabilities."""
    p = checked(probabilities)
    if ((p < -1e-5) | (p > 1 + 1e-5)).any():
        raise ValueError("probabilities of labels must be between 0 and 1")
    return np.asarray(np.clip(p, 0, 1))


MEASURES: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {
        measure.__name__: measure
        for measure in (
            avg_confidence, min_confidence, max_confidence, avg_score, max_score, max_loss, mean_max_loss,
        )
    }
)  # fmt: skip
