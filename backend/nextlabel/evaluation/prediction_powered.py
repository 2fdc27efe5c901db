"""A mean made surer by what the model says of tasks that have no label: PPI++ (Angelopoulos, Duchi & Zrnic, 2023)."""

from __future__ import annotations

import numpy as np

from nextlabel.evaluation.intervals import (
    LEVEL,
    Interval,
    Values,
    gain,
    in_unit_range,
    labels_worth,
    share_left,
    squares_of,
    wilson,
)
from nextlabel.labeling.ranking import Floats

_FOLDS = 5
_NO_SPREAD = 1e-12  # a variance that rounding alone may make


def mean_interval(
    right: Values, sure: Floats, others: Floats, *, pool: int | None = None, level: float = LEVEL
) -> Interval:
    """For the mean of ``right``, n values in [0, 1] of audit tasks, in the random order in which they were drawn.

    ``sure`` is how right the model took itself to be on them, and ``others`` on m tasks that stand for all tasks: the
    reserved ones without a label, or all without an audit label; always by a model that had not seen the task. It need
    not be calibrated: how far it is trusted (between not at all and fully) is taken from other labels than those it is
    then applied to. ``pool`` is how many tasks there are in all. Raises `ValueError` for values outside [0, 1] and for
    fewer than 5 labels.
    """
    right, sure, others = in_unit_range(right), in_unit_range(sure), in_unit_range(others)
    n, m = len(right), len(others)
    if n < _FOLDS or len(sure) != n:
        raise ValueError(f"{n} labels and {len(sure)} confidences: it takes as many of both, and at least {_FOLDS}.")
    trust = _trust(right, sure, n / m)
    rectified = right - trust * (sure - others.mean())  # around the mean: folds that trust differently stay comparable
    inside = float(np.clip(rectified.mean(), 0, 1))
    squares = squares_of(rectified) + n**2 * float(trust.mean() ** 2 * others.var()) / m
    size = labels_worth(right) * gain(squares_of(right), squares, inside, n) / share_left(n, pool)
    return wilson(inside, n, size, "wilson, prediction-powered", level)


def _trust(right: Floats, sure: Floats, ratio: float) -> Floats:
    """n weights in [0, 1], each row's from the rows of other folds, which makes the variance least there."""
    fold = np.arange(len(right)) % _FOLDS
    return np.array([_best_weight(right[fold != one], sure[fold != one], ratio) for one in range(_FOLDS)])[fold]


def _best_weight(right: Floats, sure: Floats, ratio: float) -> float:
    spread = sure.var()
    if spread < _NO_SPREAD:
        return 0.0
    shared = ((right - right.mean()) * (sure - sure.mean())).mean()
    return float(np.clip(shared / (spread * (1 + ratio)), 0, 1))
