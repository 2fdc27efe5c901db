"""Linear models of features that have far more columns than there are labels, in as few numbers as there are rows.

The weights lie in the span of the rows, so that the same optimum is found among n numbers per class instead of 100,000
(the representer theorem: Kimeldorf & Wahba, 1971).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from nextlabel.features.spaces import inner_products
from nextlabel.labeling.ranking import Features, Floats

_NUGGET = 1e-6  # keeps the products of equal rows regular


class Rows:
    """n rows in m numbers each, m never more than n: their inner products are those of the features they stand for,
    so that a linear model of either gives the same scores.

    ``features`` are weighed, n × d, with active columns only. Where these are no more than the rows, they are the
    numbers themselves.
    """

    def __init__(self, features: Features) -> None:
        self._features = features
        n, columns = features.shape
        self._root: Floats | None = None
        if columns > n:
            held = inner_products(features, features)
            held[np.diag_indices(n)] += _NUGGET
            self._root = np.asarray(cholesky(held, lower=True, overwrite_a=True, check_finite=False))

    @property
    def numbers(self) -> Floats:
        """n × m."""
        return dense(self._features) if self._root is None else self._root

    def of(self, features: Features) -> Floats:
        """Other rows of the same columns in the same m numbers; what lies outside the span of the n rows is lost."""
        if self._root is None:
            return dense(features)
        products = inner_products(features, self._features)
        return np.asarray(solve_triangular(self._root, products.T, lower=True, check_finite=False).T)

    def weights_of_columns(self, weights: Floats) -> Floats:
        """From the weights of a model of the numbers (m × classes) to those of the columns (d × classes)."""
        return weights if self._root is None else np.asarray(self._features.T @ self.weights_of_rows(weights))

    def weights_of_rows(self, weights: Floats) -> Floats:
        """From the weights of a model of the numbers to those of the rows of which it is a sum (m × classes), which
        mean the same whatever other rows there are; the numbers' own where these are the features."""
        if self._root is None:
            return weights
        return np.asarray(solve_triangular(self._root, weights, lower=True, trans="T", check_finite=False))

    def from_weights_of_rows(self, weights: Floats) -> Floats:
        """The way back."""
        return weights if self._root is None else np.asarray(self._root.T @ weights)

    @property
    def are_rows(self) -> bool:
        """Whether `weights_of_rows` has a row for each row, and not for each column."""
        return self._root is not None


def dense(features: Features) -> Floats:
    """n × d, in double precision."""
    return np.asarray(features if isinstance(features, np.ndarray) else features.toarray(), dtype=np.float64)
