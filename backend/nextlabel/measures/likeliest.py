"""What a model hesitates between, of single tasks, and how many tasks of each class it expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nextlabel.measures.target_predictions import ChoicePredictions, ChoicesPredictions, TargetPredictions

Answers = tuple[tuple[str, float], ...]
"""Answers with their chances: the two likeliest of classes, the most doubtful of several labels."""


def in_doubt(predicted: TargetPredictions) -> list[Answers]:
    """Of n tasks; nothing where answers have no names."""
    match predicted:
        case ChoicePredictions(classes, probabilities):
            best = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
            rows = zip(best.tolist(), np.take_along_axis(probabilities, best, axis=1).tolist(), strict=True)
            return [tuple((classes[n], p) for n, p in zip(*row, strict=True)) for row in rows]
        case ChoicesPredictions(labels, chances) if len(labels):
            nearest = np.abs(chances - 0.5).argmin(axis=1).tolist()
            return [((labels[n], float(row[n])),) for n, row in zip(nearest, chances, strict=True)]
        case _:
            return [()] * len(predicted)


def expected(predicted: TargetPredictions, most: int) -> Mapping[str, float]:
    """How many of n tasks are of each class, on the average, the ``most`` common first; nothing without classes."""
    match predicted:
        case ChoicePredictions(names, p) | ChoicesPredictions(names, p):
            return largest(dict(zip(names, p.sum(axis=0).tolist(), strict=True)), most)
        case _:
            return {}


def largest(counts: Mapping[str, float], most: int) -> dict[str, float]:
    """The ``most`` common classes, the most common first."""
    names: Sequence[str] = sorted(counts, key=lambda name: -counts[name])[:most]
    return {name: round(counts[name], 2) for name in names}
