"""Two versions on the same labels: whether the newer one stays, by paired losses on labels that neither had seen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from nextlabel.labeling.ranking import Floats

LEAST_LABELS = 10
AGAINST_ANCHOR, AGAINST_BEFORE = 5.0, 20.0
AHEAD = 0.5  # of a win, that the newer version starts with: equal ones stay
_AHEAD_AT_FIRST, _SETTLED = 1.5, 100  # wins more, fewer with each label until there are so many
_USUAL_SPREAD, _USUAL_WORTH = 0.1, 10.0  # of squared differences, before any was seen, and how many it counts for
_CAREFUL, _LARGEST = 0.45 / 200, 0.5  # chosen by simulation: equal versions are stopped in 3 % within 200 labels
_BOLD, _BOLD_SHARE = 0.6, 0.08
_LEAST_DOUBT = 1 / 800  # that is left to a model which is sure
_FOLDS_SHARE = 1 + 5 * 0.25  # five folds, each tested on a quarter of what it was trained on


class Outcome(Enum):
    """What becomes of the newer version."""

    TOO_EARLY = "serves on until there are enough labels to judge it by"
    STAYS = "stays"
    NOT_BETTER = "gives way: it lost more than it won"
    STOPPED = "stopped at once: it is worse beyond doubt"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be done, and the figures it follows from.

    ``ahead`` is how much smaller the newer version's losses were in all, in whole wins; ``worse`` is the largest
    e-value so far of its being worse: if it is not, 20 is reached with a chance of at most 1 in 20.
    """

    outcome: Outcome
    n: int
    ahead: float
    worse: float


def judge(newer: Floats, other: Floats, *, stop_at: float) -> Judgement:
    """Hold n losses of the newer version, in [0, 1], to the other's on the same tasks, in the order they came.

    ``stop_at`` is the e-value at which it is stopped: `AGAINST_ANCHOR` or `AGAINST_BEFORE`. Raises `ValueError` for
    losses outside [0, 1] or of different numbers.
    """
    worse_by = _differences(newer, other)
    n, ahead = len(worse_by), -float(worse_by.sum())
    worse = float(e_values(worse_by).max(initial=1.0))
    if worse >= stop_at:
        return Judgement(Outcome.STOPPED, n, ahead, worse)
    if n < LEAST_LABELS:
        return Judgement(Outcome.TOO_EARLY, n, ahead, worse)
    return Judgement(Outcome.STAYS if ahead + head_start(n) >= 0 else Outcome.NOT_BETTER, n, ahead, worse)


def head_start(n: int) -> float:
    """Wins that the newer version has ahead of n labels: it has learned more, and few labels speak against it by
    chance nearly as often as not."""
    return AHEAD + _AHEAD_AT_FIRST * max(0.0, 1 - n / _SETTLED)


def e_values(worse_by: Floats) -> Floats:
    """After each of n differences in [-1, 1], the e-value of their mean being above 0 (Waudby-Smith & Ramdas, 2024).

    It is the wealth of gamblers who bet a part of it on each next difference to be positive: if none is expected to be,
    it is 20 or more at any time with a chance of at most 1 in 20. Most of it is bet with care, by the spread of the
    differences before, so that versions which are alike are hardly ever stopped; a little is bet boldly, so that what
    is broken is stopped within ten or twenty labels. Works along the last axis.
    """
    before = np.cumsum(worse_by**2, axis=-1) - worse_by**2
    counts = np.arange(worse_by.shape[-1])
    spread = (before + _USUAL_SPREAD * _USUAL_WORTH) / (counts + _USUAL_WORTH)
    careful = np.minimum(_LARGEST, np.sqrt(_CAREFUL / spread))
    return (1 - _BOLD_SHARE) * _wealth(careful * worse_by) + _BOLD_SHARE * _wealth(_BOLD * worse_by)


def held_out_t(newer: Floats, other: Floats) -> float:
    """How far the newer version is behind, in standard errors, by n losses in [0, 1] of both on the same tasks, which
    may be tasks that both were trained on if all losses are out of fold.

    Losses out of fold depend on how the folds fell and on labels that folds share: they vary more than n labels that
    no version has seen, by 1 + folds × tested ÷ trained (Nadeau & Bengio, 2003). 0 for fewer than 2 labels.
    """
    worse_by = _differences(newer, other)
    if len(worse_by) < 2 or not worse_by.any():
        return 0.0
    error = np.sqrt(_FOLDS_SHARE * worse_by.var(ddof=1) / len(worse_by))
    return float(worse_by.mean() / error) if error else float(np.sign(worse_by[0]) * np.inf)


def overconfidence(sure: Floats, right: Floats) -> float:
    """By how many standard errors a model was less often ``right`` (1, 0, or a share of several answers that may go
    together) than it was ``sure`` to be, by n tasks: Spiegelhalter's z (1986), in which what was surer counts more."""
    p = np.clip(sure, _LEAST_DOUBT, 1 - _LEAST_DOUBT)
    weights = 2 * p - 1
    error = np.sqrt((weights**2 * p * (1 - p)).sum())
    return float((weights * (p - right)).sum() / error) if error else 0.0


def _wealth(gains: Floats) -> Floats:
    return np.asarray(np.exp(np.cumsum(np.log1p(gains), axis=-1)))


def squared_miss(log_losses: Floats) -> Floats:
    """n losses in [0, 1] from n log losses: the square of what the chance of the truth lacks to 1.

    Of two classes it is Brier's score (1950). Of a number, whose log loss may fall below 0, take |error| ÷ range.
    """
    return np.asarray((1 - np.exp(-np.maximum(log_losses, 0))) ** 2)


def _differences(newer: Floats, other: Floats) -> Floats:
    first, second = (np.asarray(losses, dtype=np.float64) for losses in (newer, other))
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"{first.shape} and {second.shape} losses: it takes one row each, of the same tasks.")
    if not all(((one >= 0) & (one <= 1)).all() for one in (first, second)):
        raise ValueError("Losses to be compared must be in [0, 1]: see `squared_miss`.")
    return first - second
