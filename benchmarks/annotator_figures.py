"""What is said of annotators, held to simulated people whose truth is known: `make bench-quality` has these figures.

Three people label each task, right 95 times in 100 unless stated. Seconds, on one core.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nextlabel.evaluation.consensus import one_coin
from nextlabel.evaluation.given import Given
from nextlabel.evaluation.people import standings
from nextlabel.evaluation.reliability import Ratings, krippendorff, krippendorff_interval
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import Floats

_PEOPLE, _CLASSES, _RIGHT, _FALLEN = 3, 3, 0.95, 0.75
_STABLE, _FALLS_AT, _WATCHED = 1_000, 300, 100  # labels; after how many somebody falls, and how many more are watched


def figures(quick: bool) -> dict[str, float]:
    """``alpha_coverage``: how often the jackknife interval of α on 50 tasks holds the α of very many. ``drift_found``:
    how many falls from .95 to .75 are noticed within 100 shared labels. ``drift_false``: how many people who stay as
    good are flagged within 1,000 shared labels. ``quality_coverage``: how often the interval of a quality holds it, 100
    tasks."""
    runs, draw = 100 if quick else 500, np.random.default_rng(0)
    stable = [len(_fallen(draw, _STABLE, fall=None)) / _PEOPLE for _ in range(runs // 2)]
    return {
        "alpha_coverage": _alpha_coverage(draw, 4 * runs),
        "quality_coverage": _quality_coverage(draw, 2 * runs),
        "drift_found": float(np.mean([_is_found(draw) for _ in range(runs)])),
        "drift_false": float(np.mean(stable)),
    }


def labels(draw: np.random.Generator, right: Floats) -> Ratings:
    """Of tasks × people, each right with that chance, or any other class."""
    tasks = len(right)
    truth = draw.integers(0, _CLASSES, (tasks, 1))
    wrong = (truth + draw.integers(1, _CLASSES, right.shape)) % _CLASSES
    given = np.where(draw.random(right.shape) < right, truth, wrong)
    rows, columns = np.indices(right.shape).reshape(2, -1)
    return Ratings(rows, columns, given.reshape(-1).astype(np.float64))


def _alpha_coverage(draw: np.random.Generator, runs: int) -> float:
    held = []
    for right in (0.95, 0.8, 0.65):
        alpha = krippendorff(labels(draw, np.full((200_000, _PEOPLE), right)))
        found = [krippendorff_interval(labels(draw, np.full((50, _PEOPLE), right))) for _ in range(runs // 3)]
        held += [one.low <= alpha <= one.high for one in found]
    return float(np.mean(held))


def _quality_coverage(draw: np.random.Generator, runs: int) -> float:
    truth, held = np.array([0.95, 0.9, 0.8]), []
    for _ in range(runs):
        coin = one_coin(labels(draw, np.tile(truth, (100, 1))))
        found = [coin.quality_interval(n) for n in range(_PEOPLE)]
        held += [one.low <= right <= one.high for one, right in zip(found, truth, strict=True)]
    return float(np.mean(held))


def _is_found(draw: np.random.Generator) -> bool:
    """Whether the person who fell is flagged, within so many labels of tasks that all three labeled."""
    return "0" in _fallen(draw, _FALLS_AT + _WATCHED, fall=_FALLS_AT)


def _fallen(draw: np.random.Generator, tasks: int, fall: int | None) -> Sequence[str]:
    """Who is flagged, as the report has it."""
    right = np.full((tasks, _PEOPLE), _RIGHT)
    if fall is not None:
        right[fall:, 0] = _FALLEN
    ratings = labels(draw, right)
    given = Given(ratings, "nominal", [TaskId(str(n)) for n in range(tasks)], [str(n) for n in range(_PEOPLE)])
    found = standings(given, [f"{task:06}" for task in ratings.tasks.tolist()])
    return [name for name, one in found.items() if one.drift is not None and one.drift.since is not None]


if __name__ == "__main__":
    import json
    import sys

    print(json.dumps(figures(quick="--quick" in sys.argv)))
