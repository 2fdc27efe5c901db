"""How much accuracy the next labels bring, with an interval: a power law through the accuracy of earlier versions.

The error after n labels is taken to be in proportion to n to the power of −b (Cortes et al., 1993; Rosenfeld et al.,
2020). How good earlier versions were is taken from the same audit tasks, task by task, so that their difference is
known far better than each of them. A gain cannot be larger than the share of predictions that change, which is known
from the stop set; its part that no curve explains is taken to be in proportion to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from scipy.special import ndtri

from nextlabel.labeling.ranking import Floats

AHEAD = 100
"""Labels."""
FEWEST = 30
"""Audit labels, of which all versions must have been asked."""
LEVEL = 0.80
_RATIOS = (1.5, 2.25, 3.4)  # times fewer labels: versions closer to one another tell the same
_POWERS, _ERRORS = np.linspace(0.02, 2.0, 67), 81
_USUAL = 0.25  # power, on average, before anything is seen: an exponential density
# Of the share of predictions that change, as one standard deviation of the gain. Both were chosen with the first seed
# of four of the sets of `benchmarks.stopping`.
_UNEXPLAINED = 0.45
_NODES = ndtri((np.arange(9) + 0.5) / 9)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The gain in accuracy by the next 100 labels, and from where to where it is with a chance of 80 %."""

    value: float
    low: float
    high: float


def forecast(labels: Sequence[int], right: Floats, changed: float, ahead: int = AHEAD) -> Forecast | None:
    """From versions × audit tasks how right each version was about each, oldest first; NaN where nobody knows.

    ``labels`` are those of the versions, ``changed`` is the share of predictions that have changed while labels grew
    half as many again. None where too little is known.
    """
    now, n = right[-1], labels[-1]
    known = np.isfinite(now)
    m = int(known.sum())
    if m < FEWEST:
        return None
    errors, powers, weights = _posterior(labels, right, known, changed)
    gains = errors * (1 - (n / (n + ahead)) ** powers)
    noise = _UNEXPLAINED * changed * log(1 + ahead / n) / log(1.5)
    values = (gains[..., None] + noise * _NODES).ravel()
    chances = np.repeat(weights.ravel() / len(_NODES), len(_NODES))
    order = np.argsort(values)
    values, reached = values[order], np.cumsum(chances[order])
    low, middle, high = (float(values[np.searchsorted(reached, q)]) for q in (0.5 - LEVEL / 2, 0.5, 0.5 + LEVEL / 2))
    return Forecast(middle, low, high)


def _posterior(
    labels: Sequence[int], right: Floats, known: np.ndarray, changed: float
) -> tuple[Floats, Floats, Floats]:
    """A grid of errors × powers, and how likely each is."""
    now, n, m = right[-1], labels[-1], int(known.sum())
    wrong = float((1 - now[known]).sum())
    error = np.linspace(0.0, 1.0, 4 * _ERRORS + 1)[1:-1]
    low, high = _likely(error, wrong, m)
    errors, powers = np.meshgrid(np.linspace(low, high, _ERRORS), _POWERS, indexing="ij")
    weight = (wrong - 0.5) * np.log(errors) + (m - wrong - 0.5) * np.log1p(-errors)
    weight -= powers / _USUAL
    for place in _earlier(labels):
        both = known & np.isfinite(right[place])
        if both.sum() >= FEWEST:
            apart = now[both] - right[place][both]
            ratio = n / labels[place]
            spread = (float(apart.var()) + 1 / (both.sum() + 2)) / both.sum() + (
                _UNEXPLAINED * changed * log(ratio) / log(1.5)
            ) ** 2
            weight -= (float(apart.mean()) - errors * (ratio**powers - 1)) ** 2 / (2 * spread)
    weight = np.exp(weight - weight.max())
    return errors, powers, weight / weight.sum()


def _likely(error: Floats, wrong: float, m: int) -> tuple[float, float]:
    """The ends of the errors that are worth a look."""
    density = (wrong - 0.5) * np.log(error) + (m - wrong - 0.5) * np.log1p(-error)
    worth = error[density > density.max() - 12]
    return max(float(worth[0]) / 2, 1e-4), min(float(worth[-1]) * 1.2 + 0.01, 0.999)


def _earlier(labels: Sequence[int]) -> list[int]:
    """The places of versions with about so many times fewer labels than the last."""
    found = []
    for ratio in _RATIOS:
        fewer = [place for place, n in enumerate(labels) if n * ratio <= labels[-1]]
        if fewer:
            found.append(max(fewer, key=lambda place: labels[place]))
    return list(dict.fromkeys(found))
