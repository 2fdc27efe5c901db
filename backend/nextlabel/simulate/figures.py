"""From curves to figures: area under the curve, labels to reach a score, labels saved against random order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nextlabel.simulate.runs import Curve

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over seeds and its standard error (None with one seed)."""

    value: float
    error: float | None

    def __str__(self) -> str:
        return self.with_digits(4)

    def with_digits(self, n: int) -> str:
        """The mean, and ± its error where there is one, to n decimals."""
        return f"{self.value:.{n}f}" + (f" ± {self.error:.{n}f}" if self.error is not None else "")


@dataclass(frozen=True, slots=True)
class Reach:
    """Labels until a score was reached: the mean over seeds, and in how many of ``seeds`` it was.

    Where it was not reached the last number of labels was counted, so ``labels`` is then a lower bound.
    """

    share: float
    labels: Mean
    reached: int
    seeds: int

    def __str__(self) -> str:
        if not self.reached:
            return "not reached"
        if self.reached < self.seeds:
            return f"≥ {self.labels.value:.0f} ({self.reached} of {self.seeds})"
        return self.labels.with_digits(0)


@dataclass(frozen=True, slots=True)
class Savings:
    """The share of random order's labels that was not needed, with a 95 % bootstrap interval over ``seeds``.

    ``at_least``: random order did not get there in every seed within the budget, so more was saved than can be said.
    """

    share: float
    saved: float
    low: float
    high: float
    at_least: bool
    seeds: int

    def __str__(self) -> str:
        interval = f" ({self.low:.0%} to {self.high:.0%})" if self.seeds > 1 else ""
        return f"{'≥ ' if self.at_least else ''}{self.saved:.0%}{interval}"


def mean_of(values: Sequence[float]) -> Mean:
    """Mean and standard error. Raises ValueError without values."""
    if not values:
        raise ValueError("there is no mean of nothing")
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return Mean(float(np.mean(values)), error)


def area(curve: Curve) -> float:
    """The mean height of the curve: its area by the trapezoid rule over the labels it spans (AUBC)."""
    if len(curve.labels) < 2:
        return curve.scores[0]
    return float(np.trapezoid(curve.scores, curve.labels) / (curve.labels[-1] - curve.labels[0]))


def labels_to(curve: Curve, score: float) -> int | None:
    """The first number of labels with at least that score; None where it was never reached."""
    return next((n for n, got in zip(curve.labels, curve.scores, strict=True) if got >= score), None)


def reach(curves: Sequence[Curve], full: dict[int, float], share: float) -> Reach:
    """Labels to that share of the full-data score of each curve's own seed. Every seed must have one."""
    needed = [labels_to(curve, share * full[curve.seed]) for curve in curves]
    counted = [curve.labels[-1] if n is None else n for n, curve in zip(needed, curves, strict=True)]
    return Reach(share, mean_of(counted), sum(n is not None for n in needed), len(needed))


def savings(curves: Sequence[Curve], baseline: Sequence[Curve], full: dict[int, float], share: float) -> Savings | None:
    """1 − labels needed ÷ labels that the baseline needs, to that share of the full-data score, over common seeds.

    None where a seed is without a score to reach, or the strategy did not reach it in every seed.
    """
    others = {curve.seed: curve for curve in baseline}
    pairs = [(curve, others[curve.seed]) for curve in curves if curve.seed in others and curve.seed in full]
    ours = [labels_to(curve, share * full[curve.seed]) for curve, _ in pairs]
    theirs = [labels_to(other, share * full[other.seed]) for _, other in pairs]
    spent = [n for n in ours if n is not None]
    if not pairs or len(spent) < len(pairs):
        return None
    compared = [other.labels[-1] if n is None else n for n, (_, other) in zip(theirs, pairs, strict=True)]
    low, high = _interval(np.array(spent), np.array(compared))
    return Savings(share, 1 - sum(spent) / sum(compared), low, high, at_least=None in theirs, seeds=len(pairs))


def _interval(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of the savings over seeds drawn again with replacement."""
    drawn = np.random.default_rng(0).integers(len(ours), size=(_RESAMPLES, len(ours)))
    saved = 1 - ours[drawn].sum(axis=1) / theirs[drawn].sum(axis=1)
    low, high = np.quantile(saved, [0.025, 0.975]).tolist()
    return float(low), float(high)
