"""Information density: ask for tasks that are unsure *and* like many others, not for lonely outliers."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Floats, Group, Needs, Ranking
from nextlabel.measures import uncertainty
from nextlabel.strategies.base import PoolStrategy, need_features
from nextlabel.strategies.geometry import blocks
from nextlabel.strategies.uncertainty import best_first

MEASURES = ("margin", "entropy", "least_confidence", "ratio")


class InformationDensity(PoolStrategy):
    """Asks for unsure tasks that are like many others: density:margin?beta=1.

    Uncertainty × (mean cosine similarity to the open tasks)^beta (Settles & Craven, 2008).

    ``density:margin?beta=1``; with beta 0 it is plain uncertainty. A task that points away from the rest of the pool
    (mean similarity under 0) counts as not dense at all.
    """

    group = Group.BOTH
    needs = frozenset({Needs.FEATURES})

    def __init__(self, measure: str = "margin", beta: float = 1.0) -> None:
        self.name = "density"
        self._measure, self._beta = known_measure(self.name, measure), beta
        if beta < 0:
            raise SettingsError(f"The strategy '{self.name}': beta is {beta:g}, it must be 0 or more.")

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        if not len(pool):
            return Ranking((), self.name)
        likeness = np.clip(mean_similarity(pool, self.name), 0, 1) ** self._beta
        return best_first(pool, uncertainty_of(pool, self._measure) * likeness, size, self.name)


def mean_similarity(pool: CandidatePool, strategy: str) -> Floats:
    """n mean cosines of each open task with all open tasks, itself included: exact, in O(n·d).

    The mean of a row's inner products with all rows is its inner product with their mean. Raises `SettingsError`
    without features, ValueError on NaN.
    """
    features = need_features(pool, strategy)
    if not isinstance(features, np.ndarray):
        unit = csr_matrix(normalize(features))
        return np.asarray(unit @ np.asarray(unit.mean(axis=0)).ravel(), dtype=np.float64)
    total, cosines = np.zeros(features.shape[1]), np.empty(len(features))
    for rows in blocks(len(features)):
        total += normalize(features[rows]).sum(axis=0, dtype=np.float64)
    mean = total / len(features)
    for rows in blocks(len(features)):
        cosines[rows] = normalize(features[rows]) @ mean
    return cosines


def known_measure(strategy: str, measure: str) -> str:
    """The name of a measure of uncertainty. Raises `SettingsError` listing those there are."""
    if measure not in MEASURES:
        raise SettingsError(
            f"The strategy '{strategy}' knows no uncertainty '{measure}': it takes {', '.join(MEASURES)}."
        )
    return measure


def uncertainty_of(pool: CandidatePool, measure: str) -> Floats:
    """n uncertainties in [0, 1]. Raises ValueError on NaN."""
    return np.asarray(getattr(uncertainty, measure)(pool.probabilities), dtype=np.float64)
