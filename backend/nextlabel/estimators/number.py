"""A number for each task, and how far it may be off: Bayesian ridge regression on weighed features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse

from nextlabel.estimators.folds import Draws, splits_of
from nextlabel.estimators.rows import Rows
from nextlabel.features.spaces import Space, active, restore_space
from nextlabel.labeling import Scale, Task
from nextlabel.labeling.ranking import Features, Floats
from nextlabel.measures.target_predictions import NumberPredictions

_FOLDS, _MANY = 5, 500


class LinearNumber:
    """Means and standard deviations. Make one with `fit_number`.

    How sure it is comes from two sides: how much of a task lies in the directions that the labels have explored, and
    how certain the labels have made those (MacKay, 1992).
    """

    kind = "number/1"
    informative: bool = True

    def __init__(
        self,
        *,
        scale: Scale,
        space: Space,
        columns: NDArray[np.int32],
        rows: Features,
        weights: Floats,
        covariance: Floats,
        centre: Floats,
        intercept: float,
        noise: float,
        prior: float,
        typical: float,
    ) -> None:
        self._scale, self._space = scale, space
        self._columns, self._labeled = columns, rows  # what was labeled, weighed, its active columns only
        self._rows = Rows(rows)
        self._weights, self._covariance, self._centre = weights, covariance, centre
        self._intercept, self._typical = intercept, typical
        self._noise, self._prior = noise, prior  # variances: of a label by itself, of a weight before any label

    def predict(self, tasks: Sequence[Task], features: Features) -> NumberPredictions:
        weighed = self._space.weigh(features)
        places = self._rows.of(weighed[:, self._columns] if issparse(weighed) else weighed)
        unexplored = np.maximum(_squares(weighed) - (places**2).sum(axis=1), 0)
        off = places - self._centre
        variance = self._noise + ((off @ self._covariance) * off).sum(axis=1) + self._prior * unexplored
        return NumberPredictions(
            self._intercept + places @ self._weights, np.sqrt(variance), self._typical, self._scale
        )

    @property
    def directions(self) -> Floats:
        """d × m: what the columns of weighed features add to each of the m numbers that labels are known in."""
        every = np.zeros((self._space.columns, self._rows.numbers.shape[1]))
        every[self._columns] = self._rows.weights_of_columns(np.eye(every.shape[1]))
        return every

    def state(self) -> dict[str, object]:
        rows = self._labeled
        parts = [rows] if isinstance(rows, np.ndarray) else [rows.data, rows.indices, rows.indptr]
        return {
            "kind": self.kind,
            "scale": [self._scale.low, self._scale.high, self._scale.step],
            "space": self._space.state(),
            "columns": self._columns,
            "rows": parts,
            "weights": self._weights,
            "covariance": self._covariance,
            "centre": self._centre,
            "intercept": self._intercept,
            "noise": self._noise,
            "prior": self._prior,
            "typical": self._typical,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> LinearNumber:
        given = {name: value for name, value in state.items() if name != "kind"}
        rows, columns = given["rows"], given["columns"]
        shape = (len(rows[-1]) - 1, len(columns))  # type: ignore[arg-type, index]
        given["rows"] = rows[0] if len(rows) == 1 else csr_matrix(tuple(rows), shape=shape)  # type: ignore[arg-type, index]
        return cls(**given | {"scale": Scale(*given["scale"]), "space": restore_space(given["space"])})  # type: ignore[arg-type, misc]


def fit_number(
    features: Features,
    given: Sequence[float],
    *,
    scale: Scale,
    space: Space,
    seed: int = 0,
    judged: bool = True,
    draws: Draws | None = None,
    row_weights: Floats | None = None,
) -> tuple[LinearNumber, NumberPredictions | None]:
    """Fit on n labeled rows; returns the model, and what one that had not seen the row predicts (None: too few labels).

    ``draws`` fix the folds (`splits_of`); ``seed`` does without them. ``row_weights`` is how much each row counts
    in the fit (None: all alike).

    Raises ValueError unless two different numbers were given.
    """
    from sklearn.linear_model import BayesianRidge  # noqa: PLC0415 - slow to load: see preload

    numbers = np.array(given, dtype=np.float64)
    if len(np.unique(numbers)) < 2:
        raise ValueError("at least two different numbers must have been given")
    columns, x = active(space.weigh(features))
    places, typical = Rows(x).numbers, float(numbers.std())
    ridge: Any = BayesianRidge().fit(places, numbers, sample_weight=row_weights)
    model = LinearNumber(
        scale=scale,
        space=space,
        columns=columns,
        rows=x,
        weights=ridge.coef_,
        covariance=ridge.sigma_.astype(np.float32),
        centre=places.mean(axis=0),
        intercept=float(ridge.intercept_),
        noise=float(1 / ridge.alpha_),
        prior=float(1 / ridge.lambda_),
        typical=typical,
    )
    if not judged or len(numbers) < 2 * _FOLDS:
        return model, None
    return model, NumberPredictions(*_out_of_fold(places, numbers, seed, draws, row_weights), typical, scale)


def _out_of_fold(
    x: Floats, numbers: Floats, seed: int, draws: Draws | None, row_weights: Floats | None
) -> tuple[Floats, Floats]:
    from sklearn.linear_model import BayesianRidge  # noqa: PLC0415 - slow to load: see preload
    from sklearn.model_selection import KFold  # noqa: PLC0415 - slow to load: see preload

    means, spreads = np.empty(len(numbers)), np.empty(len(numbers))
    folds = _FOLDS if len(numbers) <= _MANY else 2  # each takes the cube of its labels
    by_seed = KFold(folds, shuffle=True, random_state=seed)
    for train, test in by_seed.split(x) if draws is None else splits_of(draws, folds):
        ridge: Any = BayesianRidge()
        counted = None if row_weights is None else row_weights[train]
        ridge.fit(x[train], numbers[train], sample_weight=counted)
        means[test], spreads[test] = ridge.predict(x[test], return_std=True)
    return means, spreads


def _squares(x: Features) -> Floats:
    """The squared length of each row."""
    squares = x.multiply(x).sum(axis=1) if issparse(x) else (np.asarray(x) ** 2).sum(axis=1)
    return np.asarray(squares).ravel()
