"""Accuracy of the answers so far: an interval that holds at every number of labels at once, however often one looks.

Each audit label tells whether the version that was then in service had been right. The figure is the running mean of
that; the truth it is held to is the running mean of how likely each answer was right, for the versions change. The
textbook's beta-binomial mixture presupposes that this chance stays the same; the two here do not, and are no wider.
Tasks are drawn from a finite pool, none twice. That only makes sums spread less, and no use is made of it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from nextlabel.evaluation.intervals import LEVEL, Interval, Values, in_unit_range
from nextlabel.labeling.ranking import Floats

_HALVINGS = 40

# By how much the log odds are raised, weighed by a normal curve of standard deviation 0.8.
_RAISES = np.linspace(-2.8, 2.8, 56)
_RAISE_WEIGHTS = -((_RAISES / 0.8) ** 2) / 2 - logsumexp(-((_RAISES / 0.8) ** 2) / 2)
# What is bet on a deviation, on either side; each has the same weight.
_BETS = np.geomspace(0.03, 0.95, 24)
_COSTS = -np.log1p(-_BETS) - _BETS


def mean_of_answers(values: Values, *, whole: bool, level: float = LEVEL) -> Interval:
    """For the mean of how good each answer was, in the order in which the audit labels came: values in [0, 1].

    At every number of labels at once, the truth is inside with a chance of ``level`` or more. ``whole`` tells that
    values can only be 0 or 1; it must not depend on what they are. Raises `ValueError` for no values, and for those
    outside.
    """
    sums, counts, spread = _so_far(values, whole=whole)
    low, high = _bounds(sums[-1:], counts[-1:], None if spread is None else spread[-1:], level)
    method = "always valid (mixture)" if whole else "always valid (mixture, by spread)"
    mean = float(np.mean(values))
    return Interval(mean, min(float(low[0]), mean), max(float(high[0]), mean), len(counts), method)


def sequence(values: Values, *, whole: bool, level: float = LEVEL) -> tuple[Floats, Floats]:
    """n lower and n upper bounds, those after each value; as for `mean_of_answers`."""
    return _bounds(*_so_far(values, whole=whole), level)


def _so_far(values: Values, *, whole: bool) -> tuple[Floats, Floats, Floats | None]:
    """After each of n values their sum, their number and, unless they are whole, their spread."""
    seen = in_unit_range(values)
    if whole and not np.isin(seen, (0, 1)).all():
        raise ValueError("Some values are neither 0 nor 1: pass whole=False.")
    return np.cumsum(seen), np.arange(1.0, len(seen) + 1), None if whole else spread_so_far(seen)


def _bounds(sums: Floats, counts: Floats, spread: Floats | None, level: float) -> tuple[Floats, Floats]:
    """The ends of the means against which the evidence is less than 1 ÷ (1 − level); it is convex in the mean."""

    def is_believable(means: Floats) -> Floats:
        return np.asarray(log_evidence(sums, counts, means, spread) < -np.log(1 - level))

    inside = sums / counts
    return _end(is_believable, inside, np.zeros(len(sums))), _end(is_believable, inside, np.ones(len(sums)))


def log_evidence(sums: Floats, counts: Floats, means: Floats, spread: Floats | None = None) -> Floats:
    """How strongly ``sums`` of so many values speak against these ``means``, element by element.

    It is the logarithm of what is 20 or more at any time with a chance of at most 1 in 20, if the means are true.

    For each raise r of the log odds, exp(r·sum − Σ log(1 + mean·(e^r − 1))) does not grow on average, and the logarithm
    is concave, so that the mean of changing means can stand for them (Howard et al., 2021, section 3.1 on Bernoulli
    sums). With the ``spread`` (see `spread_so_far`) half of the weight is on bets that gain from values which vary
    little (theorem 4 there). All are mixed with fixed weights.
    """
    raised = _RAISES * sums[..., None] - counts[..., None] * np.log1p(means[..., None] * np.expm1(_RAISES))
    evidence = logsumexp(raised + _RAISE_WEIGHTS, axis=-1)
    if spread is None:
        return np.asarray(evidence)
    deviations, costs = (sums - counts * means)[..., None], _COSTS * spread[..., None]
    both = np.concatenate([_BETS * deviations - costs, -_BETS * deviations - costs], axis=-1)
    return np.asarray(np.logaddexp(evidence, logsumexp(both, axis=-1) - np.log(2 * len(_BETS))) - np.log(2))


def spread_so_far(values: Floats) -> Floats:
    """After each of n values, the sum of squares of how far each was from the mean of those before it."""
    foretold = (0.5 + np.cumsum(values) - values) / np.arange(1.0, len(values) + 1)
    return np.cumsum((values - foretold) ** 2)


def _end(is_believable: Callable[[Floats], Floats], inside: Floats, outside: Floats) -> Floats:
    """Where n means cease to be believable, between those that are and an end of the range; all n at once."""
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        believable = is_believable(middle)
        inside, outside = np.where(believable, middle, inside), np.where(believable, outside, middle)
    return outside
