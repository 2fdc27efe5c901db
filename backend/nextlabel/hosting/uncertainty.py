"""How unsure a team's model is of each task, from the scores that it gives.

A score is taken for a confidence, as in label-studio-ml's own examples: the probability that the prediction is right.
Regions may have one each, the prediction one for all; what regions say of the task is a choice, because it depends on
what costs the team most (Brust, Käding & Denzler, 2019, *Active Learning for Deep Object Detection*, compare several).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nextlabel.errors import SettingsError
from nextlabel.labeling import number_in
from nextlabel.options import REGION_SCORES

UNKNOWN = 0.5
"""Of a task on which the model has given no score at all: neither first nor last in the queue. Nothing is known of it,
and a model that finds nothing in many tasks would fill the whole window with them if that counted as unsure."""


class Scored(Protocol):
    """A prediction with a score of its own (None: it has none), and scores of regions."""

    @property
    def score(self) -> float | None: ...

    @property
    def region_scores(self) -> Sequence[float]: ...


def _count(confidences: Sequence[float]) -> float:
    wrong = sum(1 - confidence for confidence in confidences)
    return wrong / (1 + wrong)


_OF_REGIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": lambda confidences: 1 - sum(confidences) / len(confidences),
    "min": lambda confidences: 1 - min(confidences),
    "max": lambda confidences: 1 - max(confidences),
    "product": lambda confidences: 1 - prod(confidences),
    "count": _count,
}


def uncertainties(predictions: Sequence[Scored], way: str = "score", unknown: float = UNKNOWN) -> NDArray[np.float64]:
    """One number in [0, 1] for each prediction, higher is less sure.

    ``way`` is what counts:

    - ``score``: the prediction's own score, and where it has none the mean of its regions';
    - ``mean``: the regions' mean confidence, whatever their number;
    - ``min``: the least sure region decides, so that one doubtful box brings up a task of many;
    - ``max``: the surest region decides, so that only tasks without any sure one come up;
    - ``product``: how likely any region at all is wrong, if they are wrong independently: many regions come up;
    - ``count``: how many regions are likely wrong, w, as w / (1 + w): tasks with most to correct come up.

    But for ``score``, the prediction's own score counts where no region has one. Scores above 1 count as 1, below 0 as
    0; without any, or where all are NaN or no numbers, the task has ``unknown``. Raises `SettingsError` for another
    way.
    """
    if way not in REGION_SCORES:
        raise SettingsError(f"Unknown way to read region scores '{way}': known are {', '.join(REGION_SCORES)}.")
    found = [_uncertainty(prediction, way) for prediction in predictions]
    return np.array([unknown if one is None else min(max(one, 0.0), 1.0) for one in found], dtype=np.float64)


def _uncertainty(prediction: Scored, way: str) -> float | None:
    own = _confidence(prediction.score)
    regions = [one for one in map(_confidence, prediction.region_scores) if one is not None]
    if regions and (way != "score" or own is None):
        return _OF_REGIONS["mean" if way == "score" else way](regions)
    return None if own is None else 1 - own


def _confidence(raw: object) -> float | None:
    value = number_in(raw)
    return None if value is None else min(max(value, 0.0), 1.0)
