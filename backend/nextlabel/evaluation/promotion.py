"""The promotion gate: a new model serves unless it is clearly worse than the one in service."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nextlabel.labeling.ranking import Floats

_MIN_FRESH = 10


@dataclass(frozen=True, slots=True)
class Promotion:
    """Whether the candidate serves, and why, in words for a person."""

    promoted: bool
    reason: str


def judge(candidate: Floats, in_service: Floats) -> Promotion:
    """Compare losses on *fresh* labels, those that the model in service was not trained on.

    Both predictions are honest there: the one in service never saw the labels, the candidate's are out of fold.
    The candidate is turned down when it is worse by more than two standard errors of the paired difference.
    Newer labels win whenever there is too little evidence either way.
    """
    n = len(candidate)
    if n < _MIN_FRESH:
        return Promotion(True, f"only {n} new labels to judge by, fewer than {_MIN_FRESH}: the newer model serves")
    worse_by = candidate - in_service
    mean, error = float(worse_by.mean()), float(worse_by.std(ddof=1) / np.sqrt(n))
    figures = f"loss {candidate.mean():.3f} against {in_service.mean():.3f} on {n} new labels of the tasks asked"
    if mean > 2 * error and mean > 0.01:
        return Promotion(False, f"clearly worse than the model in service: {figures}")
    return Promotion(True, f"{'better' if mean < 0 else 'no clear difference'}: {figures}")
