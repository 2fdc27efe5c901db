"""Intervals for one look: how sure a figure is that was taken from this number of labels.

Whoever looks again after each label and takes notice only when it suits needs those of `always_valid`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri, stdtrit

from nextlabel.labeling.ranking import Floats

Values = Floats | NDArray[np.bool_]
"""Numbers in [0, 1], or whether each answer was right."""

LEVEL = 0.95
_STEADY = 12.0  # how many labels the largest possible spread counts for, beside the spread that was seen
_MOST_GROUPS = 100  # that a jackknife leaves out, one after the other


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure taken from ``n`` labels: its ``value``, and from where (``low``) to where (``high``) the truth may lie.

    ``method`` names how the interval was made.
    """

    value: float
    low: float
    high: float
    n: int
    method: str


def mean_interval(values: Values, *, pool: int | None = None, level: float = LEVEL) -> Interval:
    """For the mean of ``n`` values in [0, 1] of tasks drawn at random: Wilson's (1927) where they are all 0 or 1.

    Other values spread less, which counts as if there were more labels (Korn & Graubard, 1998). ``pool`` is how many
    tasks there are in all: the more of them are labeled, the narrower it is. Raises `ValueError` for no values, and for
    those outside [0, 1].
    """
    seen = in_unit_range(values)
    mean, n = float(seen.mean()), len(seen)
    size = labels_worth(seen) / share_left(n, pool)
    return wilson(mean, n, size, "wilson" if np.isin(seen, (0, 1)).all() else "wilson, by spread", level)


def labels_worth(values: Floats) -> float:
    """How many labels of 0 and 1 tell as much as these n values in [0, 1], which spread less around the same mean."""
    mean, n = float(values.mean()), len(values)
    return n * gain(n * mean * (1 - mean), squares_of(values), mean, n)


def gain(most: float, squares: float, mean: float, n: int) -> float:
    """How many times as much n labels tell if the squares of their deviations sum to ``squares`` instead of ``most``;
    never taken to be large because few values happen to agree."""
    inside = (mean * n + 1) / (n + 2)
    steady = _STEADY * inside * (1 - inside)
    return (most + steady) / (squares + steady)


def squares_of(values: Floats) -> float:
    """The sum of the squares of how far values are from their mean."""
    return float(((values - values.mean()) ** 2).sum())


def jackknife(
    figure: Callable[[NDArray[np.intp]], float],
    n: int,
    *,
    lowest: float = 0.0,
    highest: float = 1.0,
    level: float = LEVEL,
) -> Interval:
    """For a ``figure`` that is no mean, such as F1 or a correlation (Tukey, 1958); not for repeated looks.

    ``figure`` takes the row numbers that count, of ``n`` labels in random order, and is between ``lowest`` and
    ``highest``. From 100 labels on, groups of them are left out together. Where leaving out changes nothing, such as an
    F1 of 1, it is Wilson's of as many labels. Raises `ValueError` for fewer than 2 labels.
    """
    if n < 2:
        raise ValueError(f"A jackknife takes at least 2 labels, not {n}.")
    rows, groups = np.arange(n), min(n, _MOST_GROUPS)
    whole = figure(rows)
    without = np.array([figure(rows[rows % groups != left_out]) for left_out in range(groups)])
    width = highest - lowest
    place, places = (whole - lowest) / width, (without - lowest) / width
    low, high = _left_out(place, places, n, level) if np.ptp(places) else _ends(wilson(place, n, n, "", level))
    low, high = (lowest + width * end for end in (low, high))
    return Interval(whole, min(low, whole), max(high, whole), n, "jackknife, not for repeated looks")


def _left_out(place: float, places: Floats, n: int, level: float) -> tuple[float, float]:
    """The ends on a scale without ends (log odds): shorter towards 0 and 1, and not beyond."""
    groups, centre, others = len(places), _logit(np.array(place), n), _logit(places, n)
    error = np.sqrt((groups - 1) / groups * squares_of(others))
    reach = stdtrit(groups - 1, 0.5 + level / 2) * error
    return float(expit(centre - reach)), float(expit(centre + reach))


def _ends(one: Interval) -> tuple[float, float]:
    return one.low, one.high


def in_unit_range(values: Values) -> Floats:
    """The values, if there are any and all are in [0, 1]; otherwise raises `ValueError`."""
    seen = np.asarray(values, dtype=np.float64)
    if seen.ndim != 1 or not len(seen) or not ((seen >= 0) & (seen <= 1)).all():
        raise ValueError(
            "The values must be at least one number in [0, 1], in one row: 0 or 1, or how far off of a range."
        )
    return seen


def wilson(mean: float, n: int, size: float, method: str, level: float = LEVEL) -> Interval:
    """Wilson's interval around a ``mean`` in [0, 1] of n labels that tell as much as ``size`` of 0 and 1."""
    z = float(ndtri(0.5 + level / 2))
    centre = (mean + z**2 / (2 * size)) / (1 + z**2 / size)
    reach = float(z / (1 + z**2 / size) * np.sqrt(mean * (1 - mean) / size + z**2 / (4 * size**2)))
    # Rounded, an end may lie a hair within the mean.
    return Interval(mean, max(0.0, min(centre - reach, mean)), min(1.0, max(centre + reach, mean)), n, method)


def share_left(n: int, pool: int | None) -> float:
    """By how much less a mean varies that is taken from ``n`` of a ``pool`` of tasks, none of them twice."""
    return 1.0 if pool is None else max(pool - n, 1) / max(pool - 1, 1)


def _logit(share: Floats, n: int) -> Floats:
    inside = np.clip(share, 0.5 / (n + 1), 1 - 0.5 / (n + 1))
    return np.asarray(logit(inside))
