"""The accuracy, measured on audit tasks alone, as it is kept with a version and as people read it.

An accuracy is the mean of how right each prediction is: 1 or 0 for a class, and in between for several labels, numbers
and spans (`TargetPredictions.correctness`). Audit tasks are drawn at random, so that it holds for all tasks. That of a
class gets surer by audit tasks without a label, from how sure of itself a model is there that has not seen them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nextlabel.evaluation import prediction_powered
from nextlabel.evaluation.always_valid import mean_of_answers
from nextlabel.evaluation.intervals import Interval, mean_interval
from nextlabel.labeling.ranking import Floats

FEWEST = 10
"""Audit labels of a target, before which there is no figure."""
POWERED_FROM = 50
"""Audit labels of a target, from which on audit tasks without a label count too."""
MOST_UNLABELED = 2_000
"""Of these that count."""
_METHOD = "out of fold on audit tasks{}; 95 % for this number of labels"
_BY_OTHERS = ", and by how sure it is of {:,} without a label (PPI++)"
PREFIX = "audit_"
"""Of the name of each figure that is measured on audit tasks."""
_VALUE, _LOW, _HIGH, _LABELS = (PREFIX + name for name in ("accuracy", "low", "high", "labels"))
_UNLABELED = PREFIX + "unlabeled"


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure of itself a model is that has not seen the task: about n audit labels, and m audit tasks without one."""

    labeled: Floats
    unlabeled: Floats


def figures_of(target: str, correctness: Floats, *, pool: int, sure: Confidence | None = None) -> dict[str, float]:
    """The figures to keep with a version (`of_version` reads them), from how right it is about each of n audit labels,
    out of fold. ``pool`` is the number of tasks, ``sure`` how right the version takes itself to be."""
    known = np.isfinite(correctness)
    found = correctness[known]
    if len(found) < FEWEST:
        return {}
    interval, unlabeled = mean_interval(found, pool=max(pool, len(found))), 0
    if sure is not None and len(found) >= POWERED_FROM and len(sure.unlabeled):
        labeled, others = (np.clip(one, 0, 1) for one in (sure.labeled[known], sure.unlabeled))  # rounded, it may be 1+
        powered = prediction_powered.mean_interval(found, labeled, others, pool=max(pool, len(found)))
        if powered.high - powered.low < interval.high - interval.low:
            interval, unlabeled = powered, len(others)
    figures = {_VALUE: interval.value, _LOW: interval.low, _HIGH: interval.high}
    figures |= {_LABELS: float(interval.n), _UNLABELED: float(unlabeled)}
    return {f"{target}.{name}": figure for name, figure in figures.items()}


def of_version(metrics: Mapping[str, float]) -> dict[str, Interval]:
    """By target, the accuracy of a version where it was measured."""
    found: dict[str, Interval] = {}
    for name, value in metrics.items():
        target, _, last = name.rpartition(".")
        if last == _VALUE:
            low, high, labels = (metrics[f"{target}.{other}"] for other in (_LOW, _HIGH, _LABELS))
            unlabeled = round(metrics.get(f"{target}.{_UNLABELED}", 0))
            method = _METHOD.format(_BY_OTHERS.format(unlabeled) if unlabeled else "")
            found[target] = Interval(value, low, high, round(labels), method)
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
    return {name: figure for name, figure in metrics.items() if not last[name].startswith((PREFIX, "check_"))}
