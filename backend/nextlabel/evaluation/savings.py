"""Labels saved: how many labels chosen by the strategy are worth as much as so many random ones, on audit tasks.

Audit tasks are a random sample, so that models fitted on audit labels alone show what random labels are worth: how
right they are about those audit tasks that they have not seen. How right the versions that served were about the same
tasks is known too, so that the two are compared task by task. Beyond that, both are compared on other tasks by what the
latest version predicts of these, and by how much that misleads is told by the audit tasks (prediction-powered
inference: Angelopoulos et al., 2023). Nothing is claimed beyond as many random labels as there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import ndtri

from nextlabel.evaluation.intervals import LEVEL
from nextlabel.labeling import Label, counted
from nextlabel.labeling.ranking import Floats

FEWEST, MOST = 30, 1_000
"""Audit labels, from which on models are fitted on them alone, and of which at most."""
GROWN = 1.25
"""By how much audit labels must have grown before models are fitted on them again."""
MOST_OTHERS = 1_000
"""Tasks beside audit tasks on which models are compared."""
_FOLDS, _HALVES, _TIMES = 10, 2, 8
_LEAST_SPREAD = 0.006  # of accuracies by the labels that models were fitted on, as one standard deviation
_NARROW = 0.30
_NARROW_GAIN = 0.075  # of accuracy, to each side
# That of a normal error. With 0.8 of it, which seven runs of four sets had borne out, 88 % of 723 intervals held the
# truth in 137 runs of seven sets of `benchmarks.stopping`; with it 94 % of 338 do.
_REACH = float(ndtri(0.5 + LEVEL / 2))

Rows = NDArray[np.intp]
Predict = Callable[[Rows, Rows, Rows], tuple[Sequence[Label], Sequence[Label]]]
"""Rows of audit tasks to be fitted on, others of these, and rows of other tasks → what is predicted of both."""
Same = Callable[[Sequence[Label], Sequence[Label]], Floats]
"""How far each prediction is the same as another, or the truth, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Alone:
    """Models of ``labels`` audit labels each: what they predict of ``audits``, which they have not seen, and of
    ``others``, and how much their accuracy varies (``variance``) by which labels these are."""

    labels: int
    audits: Sequence[Label]
    others: Sequence[Label]
    variance: float


@dataclass(frozen=True, slots=True)
class Ahead:
    """How much more right a version was than models of audit labels alone: about audit tasks, by the ``truth`` and by
    what the latest version ``predicted`` of these, and about ``others`` by what it predicted of them."""

    truth: Floats
    predicted: Floats
    others: Floats

    def mean(self) -> tuple[float, float]:
        """With its variance."""
        misled = self.truth - self.predicted
        plain = self.truth.mean(), (self.truth.var() + 1 / (len(self.truth) + 2)) / len(self.truth)
        if len(self.others) < FEWEST:
            return float(plain[0]), float(plain[1])
        spread = (misled.var() + 1 / (len(misled) + 2)) / len(misled) + self.others.var() / len(self.others)
        return float(self.others.mean() + misled.mean()), float(spread)


@dataclass(frozen=True, slots=True)
class Saved:
    """``random`` labels are worth as much as ``chosen`` ones, which are ``low`` to ``high`` (None: not reached yet).

    ``audits`` is how many audit labels this stands on, ``needed`` about how many it takes (0: nobody can tell);
    ``labels`` are all there are.
    """

    random: int
    chosen: int | None
    low: int
    high: int | None
    audits: int
    labels: int
    needed: int = 0

    @property
    def is_shown(self) -> bool:
        """Whether the interval is narrow enough to be shown."""
        return self.high is not None and (self.high - self.low) / 2 <= _NARROW * self.random

    def in_words(self, audits: int) -> str:
        """For a person who has given so many audit labels by now."""
        if not self.is_shown or self.high is None or self.chosen is None:
            if not self.needed:
                return f"too early to tell: versions are not ahead of {self.random} random labels on audit tasks yet"
            return _too_early(self.needed, self.audits, audits)
        saved, least, most = (self.random - k for k in (self.chosen, self.high, self.low))
        worth = f"{self.random} random labels are worth as much as {self.chosen} chosen ones"
        beyond = (
            f"; the {self.labels} labels there are have saved at least as many" if self.labels > self.chosen else ""
        )
        return f"{saved} labels saved ({least} to {most}): {worth}{beyond}"


@dataclass(frozen=True, slots=True)
class Gain:
    """By how much a version of ``labels`` labels is more accurate than models of as many random ones, with an interval.

    ``audits`` is how many audit labels this stands on, ``needed`` about how many it takes; ``now`` are all the labels
    there are.
    """

    labels: int
    value: float
    low: float
    high: float
    audits: int
    needed: int
    now: int

    @property
    def is_shown(self) -> bool:
        """Whether the interval is narrow enough to be shown."""
        return (self.high - self.low) / 2 <= _NARROW_GAIN

    def in_words(self, audits: int) -> str:
        """For a person who has given so many audit labels by now."""
        if not self.is_shown:
            return _too_early(self.needed, self.audits, audits)
        value, low, high = (f"{round(100 * one, 1) + 0.0:+.1f}" for one in (self.value, self.low, self.high))
        beyond = f"; what {self.now} random labels are worth is not known" if self.now > self.labels else ""
        return (
            f"{value} points of accuracy ({low} to {high}): {self.labels} chosen labels against as many random ones, "
            f"on {counted(self.audits, 'audit label')}{beyond}"
        )


def _too_early(needed: int, before: int, audits: int) -> str:
    """``audits`` labels are there by now; models were fitted when there were ``before``, and are once these have grown
    enough."""
    more = max(needed, ceil(before * GROWN)) - audits
    wait = (
        f"it takes about {counted(more, 'more audit label')}" if more > 0 else "it is looked into with the next labels"
    )
    return f"too early to tell: {wait}"


def alone(predict: Predict, same: Same, latest: Sequence[Label], audits: int, seed: int) -> Alone:
    """Fit models on parts of the audit labels: each audit task is asked of one that has seen nine tenths, without it.

    ``latest`` is what the latest version predicts of each other task. How much accuracies vary is taken from models of
    halves of the labels, which share none, by what it predicts. Their variance falls with the labels squared: so it did
    from 51 to 92 labels on spambase, and faster on digits and reuters-r8.
    """
    rng = np.random.default_rng(seed)
    order, everyone = rng.permutation(audits), np.arange(len(latest))
    of_audits, of_others = dict[int, Label](), dict[int, Label]()
    for n in range(_FOLDS):
        held, asked = np.sort(order[n::_FOLDS]), everyone[n::_FOLDS]
        first, second = predict(np.sort(np.setdiff1d(order, held)), held, asked)
        of_audits |= zip(held.tolist(), first, strict=True)
        of_others |= zip(asked.tolist(), second, strict=True)
    labels = audits - ceil(audits / _FOLDS)
    found = []
    for _ in range(_TIMES if len(latest) >= FEWEST else 0):
        parts = rng.permutation(audits)
        means = [
            same(predict(np.sort(parts[n::_HALVES]), parts[:0], everyone)[1], latest).mean() for n in range(_HALVES)
        ]
        found.append(float(np.var(means, ddof=1)))
    half = float(np.mean(found)) if found else 1 / audits
    variance = max(half * (audits / _HALVES / labels) ** 2, _LEAST_SPREAD**2)
    others = [of_others[n] for n in range(len(latest))]
    return Alone(labels, [of_audits[n] for n in range(audits)], others, variance)


def saved(labels: Sequence[int], ahead: Sequence[Ahead | None], random: int, variance: float, now: int) -> Saved:
    """From versions that served, with so many ``labels``, how far each was ahead of models of so many ``random`` labels
    (None: nobody knows); ``now`` is how many labels there are.

    An end of the interval is where the versions cease to be surely worse, and where they begin to be surely better,
    both held to rise with the labels.
    """
    known = _curve(labels, ahead, variance)
    if known is None:
        return Saved(random, None, 0, None, 0, now)
    counts, rising, spread, audits = known
    reach = _REACH * spread
    chosen, low, high = (_reached(counts, rising + side * reach) for side in (0, 1, -1))
    if low == counts[0]:  # or even before the first version that was checked
        low = 0
    found = Saved(random, chosen, low or 0, high, audits, now)
    return replace(found, needed=_needed(found, float(rising[-1]), float(reach[-1])))


def gain(labels: Sequence[int], ahead: Sequence[Ahead | None], random: int, variance: float, now: int) -> Gain | None:
    """Of versions that served, as for `saved`; None where none had as few labels as there are ``random`` ones, for what
    more random labels are worth nobody knows."""
    known = _curve(labels, ahead, variance)
    if known is None or not known[0][0] <= random <= known[0][-1]:
        return None
    counts, rising, spread, audits = known
    value, wide = (float(np.interp(random, counts, some)) for some in (rising, _REACH * spread))
    needed = ceil(audits * max(1.0, (wide / _NARROW_GAIN) ** 2))
    return Gain(random, value, value - wide, value + wide, audits, needed, now)


def _curve(
    labels: Sequence[int], ahead: Sequence[Ahead | None], variance: float
) -> tuple[Floats, Floats, Floats, int] | None:
    """The labels of versions, how far each is ahead, held to rise with them, with what standard error, and on how many
    audits."""
    known = sorted(
        ((n, one) for n, one in zip(labels, ahead, strict=True) if one is not None and len(one.truth)),
        key=lambda pair: pair[0],
    )
    if not known:
        return None
    means, variances = (np.array(some) for some in zip(*(one.mean() for _, one in known), strict=True))
    counts, rising = np.array([n for n, _ in known], dtype=np.float64), isotonic_regression(means).x
    return counts, rising, np.sqrt(variances + variance), len(known[-1][1].truth)


def _reached(counts: Floats, ahead: Floats) -> int | None:
    """The labels from which on it is 0 or more, between two versions on a straight line; None where it never is."""
    over = np.flatnonzero(np.maximum.accumulate(ahead) >= 0)
    if not len(over):
        return None
    n = int(over[0])
    if n == 0:
        return round(float(counts[0]))
    part = -ahead[n - 1] / (ahead[n] - ahead[n - 1]) if ahead[n] > ahead[n - 1] else 1.0
    return round(float(counts[n - 1] + np.clip(part, 0, 1) * (counts[n] - counts[n - 1])))


def _needed(found: Saved, ahead: float, reach: float) -> int:
    """About how many audit labels make the interval narrow enough; 0 where the versions are not ahead at all.

    Of the share of the random labels that it is wide it loses about as much as there are more of them; where it has no
    end yet, the last version must first be ahead by more than its error, which falls with their square root.
    """
    if found.high is not None:
        return ceil(found.audits * max(1.0, (found.high - found.low) / 2 / (_NARROW * max(found.random, 1))))
    return ceil(found.audits * max((reach / ahead) ** 2, GROWN)) if ahead > 0 else 0
