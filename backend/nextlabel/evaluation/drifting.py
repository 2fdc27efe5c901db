"""Whether somebody's labels have become worse: watched label by label, with a known rate of false alarms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlog1py, xlogy

from nextlabel.labeling.ranking import Floats

DRIFT_FROM = 50
"""From how many labels that can be compared with those of others a fall is looked for."""
LABELS_PER_FALSE_ALARM = 20_000.0
"""On the average, of somebody who stays as good as ever: one in 20 gets one within 1,000 labels."""
_BEGIN = 30  # labels that only show how good somebody is
_ODDS = 5.0  # a fall makes those of a right label so much lower: from .95 to .79, from .90 to .64
_QUALITIES = np.linspace(0.05, 0.99, 48)
_RARELY_RIGHT = 0.02  # of the density of those who always are: of people who are hardly ever right
_MOST = 5_000  # labels, the latest


@dataclass(frozen=True, slots=True)
class Fall:
    """Labels from number ``since`` on (from 0) are right less often, ``after`` instead of ``before``; that was sure at
    number ``noticed``."""

    since: int
    noticed: int
    before: float
    after: float


def latest_fall(right: NDArray[np.bool_]) -> Fall | None:
    """The latest of somebody's falls, from whether each label was right, in the order in which they were given.

    The sum of the likelihood ratios of a fall at each label so far against none (Shiryaev, 1963; Roberts, 1966), where
    Page's CUSUM (1954) takes the largest. Unlike that one it raises one false alarm in a known number of labels
    (Pollak, 1985), however good somebody is, though how good is not known beforehand: qualities are averaged over.
    """
    first, found = max(0, len(right) - _MOST), None
    while (one := _first_fall(right[first:])) is not None:
        since, noticed = one
        found = Fall(
            first + since,
            first + noticed,
            float(right[first : first + since].mean()),
            float(right[first + since :].mean()),
        )
        first += since
    return found


def _first_fall(right: NDArray[np.bool_]) -> tuple[int, int] | None:
    """Where it begins and where it is noticed."""
    if len(right) <= _BEGIN:
        return None
    as_ever, fallen = _likelihoods(right, _QUALITIES), _likelihoods(right, _lowered(_QUALITIES))
    usual = _QUALITIES**8 + _RARELY_RIGHT  # most people are right most of the time
    prior = np.log(usual / usual.sum())[:, None]
    fell_before = np.logaddexp.accumulate((as_ever - fallen)[:, _BEGIN:-1], axis=1)
    ratios = np.logaddexp.reduce(prior + fallen[:, _BEGIN + 1 :] + fell_before, axis=0)
    ratios -= np.logaddexp.reduce(prior + as_ever[:, _BEGIN + 1 :], axis=0)
    alarms = np.flatnonzero(ratios > np.log(LABELS_PER_FALSE_ALARM))
    if not len(alarms):
        return None
    last = _BEGIN + 1 + int(alarms[0])  # so many labels were given by then
    begun = np.logaddexp.reduce(prior + fallen[:, [last]] + (as_ever - fallen)[:, _BEGIN:last], axis=0)
    return _BEGIN + int(begun.argmax()), last - 1


def _likelihoods(right: NDArray[np.bool_], qualities: Floats) -> Floats:
    """Log likelihoods of the first 0, 1, … labels: qualities × (n + 1)."""
    seen = np.arange(len(right) + 1)
    hits = np.concatenate([[0], np.cumsum(right)])
    return np.asarray(xlogy(hits, qualities[:, None]) + xlog1py(seen - hits, -qualities[:, None]))


def _lowered(qualities: Floats) -> Floats:
    odds = qualities / (1 - qualities) / _ODDS
    return np.asarray(odds / (1 + odds))
