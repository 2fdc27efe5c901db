"""Ask for what would change the model most (Settles, Craven & Ray, 2008)."""

from __future__ import annotations

import numpy as np

from nextlabel.labeling.ranking import CandidatePool, Features, Floats, Group, Needs, Ranking
from nextlabel.measures.uncertainty import checked
from nextlabel.strategies.base import need_features
from nextlabel.strategies.uncertainty import best_first


class ModelChange:
    """Asks for tasks whose label would change a logistic model most, without fitting further models.

    By the expected length of a logistic model's gradient if the task's label were known.

    For multinomial logistic regression on features x, the gradient under label y is (p − e_y) xᵀ, so that its
    expected length is |x| Σ p_y |p − e_y|: no further model is fitted. With ``intercept``, x has a 1 behind it.
    Long inputs come first; normalise features if length means nothing. (Settles, Craven & Ray, 2008.)
    """

    group = Group.LEARNING
    name = "model_change"
    needs = frozenset({Needs.FEATURES})

    def __init__(self, *, intercept: bool = True) -> None:
        self._intercept = intercept

    def utilities(self, probabilities: Floats) -> Floats:
        """n utilities in [0, 1] for inputs that are all of one length: 1 for the uniform distribution."""
        p = checked(probabilities)
        return np.asarray(np.clip(expected_residual(p) / (float(np.sqrt(1 - 1 / p.shape[1])) or 1), 0, 1))

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """Raises `SettingsError` where the pool has no features."""
        lengths = input_lengths(need_features(pool, self.name), intercept=self._intercept)
        if min(size, len(pool)) < 1:
            return Ranking((), self.name)
        utilities = self.utilities(pool.probabilities) * lengths
        return best_first(pool, utilities / (lengths.max() or 1), size, self.name)


def expected_residual(probabilities: Floats) -> Floats:
    """n values Σ p_y |p − e_y|, of which the uniform distribution has the largest, √(1 − 1/k)."""
    p = checked(probabilities)
    squares = (p**2).sum(axis=1, keepdims=True)
    return np.asarray((p * np.sqrt(np.maximum(1 + squares - 2 * p, 0))).sum(axis=1))


def input_lengths(features: Features, *, intercept: bool) -> Floats:
    """n Euclidean lengths of the rows, sparse or dense."""
    squares = np.square(features) if isinstance(features, np.ndarray) else features.multiply(features)
    return np.asarray(np.sqrt(np.asarray(squares.sum(axis=1), dtype=np.float64).ravel() + intercept))
