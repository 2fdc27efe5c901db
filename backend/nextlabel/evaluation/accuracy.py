"""The accuracy, measured on audit tasks alone, as it is kept with a version and as people read it.

An accuracy is the mean of how right each prediction is: 1 or 0 for a class, and in between for several labels, numbers
and spans (`TargetPredictions.correctness`). Audit tasks are drawn at random, so that it holds for all tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nextlabel.evaluation.always_valid import mean_of_answers
from nextlabel.evaluation.intervals import Interval, mean_interval
from nextlabel.labeling.ranking import Floats

FEWEST = 10
"""Audit labels of a target, before which there is no figure."""
_METHOD = "out of fold on audit tasks; 95 % for this number of labels"
_VALUE, _LOW, _HIGH, _LABELS = _NAMES = ("audit_accuracy", "audit_low", "audit_high", "audit_labels")


def figures_of(target: str, correctness: Floats, *, pool: int) -> dict[str, float]:
    """The figures to keep with a version (`of_version` reads them), from how right it is about each audit label, out of
    fold. ``pool`` is the number of tasks."""
    found = correctness[np.isfinite(correctness)]
    if len(found) < FEWEST:
        return {}
    interval = mean_interval(found, pool=max(pool, len(found)))
    figures = (interval.value, interval.low, interval.high, float(interval.n))
    return {f"{target}.{name}": figure for name, figure in zip(_NAMES, figures, strict=True)}


def of_version(metrics: Mapping[str, float]) -> dict[str, Interval]:
    """By target, the accuracy of a version where it was measured."""
    found: dict[str, Interval] = {}
    for name, value in metrics.items():
        target, _, last = name.rpartition(".")
        if last == _VALUE:
            low, high, labels = (metrics[f"{target}.{other}"] for other in (_LOW, _HIGH, _LABELS))
            found[target] = Interval(value, low, high, round(labels), _METHOD)
    return found


def of_answers(correctness: Sequence[float], *, whole: bool) -> Interval | None:
    """Of the answers that were given before each audit label came, in that order; None while there are too few.

    ``whole`` is whether each can only be 0 or 1.
    """
    return mean_of_answers(np.clip(correctness, 0, 1), whole=whole) if len(correctness) >= FEWEST else None


def in_words(value: float, low: float, high: float) -> str:
    """An accuracy with its interval, for a person."""
    return f"{value:.1%} ({low:.1%} to {high:.1%})"


def others(metrics: Mapping[str, float]) -> dict[str, float]:
    """The figures that are taken from all labels."""
    last = {name: name.rpartition(".")[2] for name in metrics}
    return {
        name: figure
        for name, figure in metrics.items()
        if last[name] not in _NAMES and not last[name].startswith("check_")
    }
