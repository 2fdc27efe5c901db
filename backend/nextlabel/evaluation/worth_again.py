"""Whether a task that has a label is worth another one more than a new task is worth its first: ActiveLab.

Of a task with labels counts how sure it is by these, by who gave them and by what a model predicts that has not seen
them; of a new one how sure the model is. Both are drawn towards what is known of nothing, a task with fewer labels more
(Goh & Mueller, 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from nextlabel.evaluation.consensus import crowdlab, votes_of
from nextlabel.evaluation.reliability import Ratings
from nextlabel.labeling.ranking import Floats

_TEMPERATURES = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0, 3.0, 5.0, 8.0)
_BETWEEN = 4  # temperatures that are tried to each side of the best of these
_LEAST = 1e-30  # of a chance, before its logarithm


class Scores(NamedTuple):
    """In [0, 1] for each task, lower where another label is worth more: of those ``labeled``, and of those that are
    ``new``."""

    labeled: Floats
    new: Floats


def activelab(ratings: Ratings, predicted: Floats, new: Floats, fewest_shared: int = 1) -> Scores:
    """From labels of all of n tasks, what a model predicts of them that has not seen them (n × k), and what it predicts
    of m tasks without a label (m × k). The values of ``ratings`` are columns, and its people 0, 1, …

    Where fewer tasks than ``fewest_shared`` have several labels, each person counts as much as the model: how often
    they are right is known of nobody. On one or two tasks it seems to be, and a model that is wrong there counts for
    nothing. Raises `ValueError` for no labels.
    """
    if not len(ratings.tasks):
        raise ValueError("There are no labels.")
    n, classes = predicted.shape
    if (np.bincount(ratings.tasks) > 1).sum() < fewest_shared:
        votes = np.zeros(predicted.shape)
        np.add.at(votes, (ratings.tasks, ratings.values.astype(np.intp)), 1)
        sure: Floats = np.where(votes == votes.max(axis=1, keepdims=True), predicted, -1.0).max(axis=1)
        weights: Floats = np.ones(int(ratings.people.max()) + 1)
        model = 1.0
    else:
        temperature = _temperature(ratings, predicted)
        predicted, new = _tempered(predicted, temperature), _tempered(new, temperature)
        crowd = crowdlab(ratings, predicted)
        sure, weights, model = crowd.chances[np.arange(n), crowd.labels], crowd.weights, crowd.model
    usual, nothing = float(weights.mean()), 1 / classes
    whole = np.bincount(ratings.tasks, weights=weights[ratings.people], minlength=n) + model
    labeled = (sure * whole + nothing * usual) / (whole + usual)
    return Scores(labeled, (new.max(axis=1) * model + nothing * usual) / (model + usual))


def _temperature(ratings: Ratings, predicted: Floats) -> float:
    """By which the logarithms of chances are divided, so that they are as like people's labels as they can be.

    cleanlab 2.9.0 counts the labels of a task that has not all classes as those of the first ones, whichever they are
    (its table of labels is of floats): its temperature is nearly always too high, and ours is as it is without that.
    """
    votes = votes_of(ratings)
    shares = np.bincount(votes.of) / np.bincount(ratings.tasks)[votes.tasks]
    columns = votes.classes.astype(np.intp)

    def loss(temperature: float) -> float:
        chances = _tempered(predicted, temperature)[votes.tasks, columns]
        return float(-(shares * np.log(np.maximum(chances, _LEAST))).sum())

    near = _best(_TEMPERATURES, loss)
    at = _TEMPERATURES.index(near)
    lower = np.linspace(_TEMPERATURES[max(at - 1, 0)], near, _BETWEEN, endpoint=False)
    higher = np.linspace(near, _TEMPERATURES[min(at + 1, len(_TEMPERATURES) - 1)], _BETWEEN + 1)
    return _best([near, *lower.tolist(), *higher.tolist()], loss)


def _best(some: Sequence[float], loss: Callable[[float], float]) -> float:
    return min(some, key=loss)


def _tempered(chances: Floats, temperature: float) -> Floats:
    logs = np.log(np.maximum(chances, _LEAST)) / temperature
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def worth_more(scores: Scores, every: int) -> list[int]:
    """Those of the labeled tasks, the best first, that are to stand at every so manieth place among the new ones: each
    is worth more than the new task that would stand there."""
    order, new = np.argsort(scores.labeled, kind="stable"), np.sort(scores.new)
    before = np.searchsorted(new, scores.labeled[order], side="right")
    n = len(new) // (every - 1)
    places = (every - 1) * np.arange(1, n + 1)
    too_early = np.flatnonzero(before[:n] > places[: len(before)])
    return [int(row) for row in order[: too_early[0] if len(too_early) else n]]
