"""How good the labels of each person are, and how far people agree, on tasks of one target that several labeled.

Nothing is reported of anybody on fewer than `FEWEST_SHARED` tasks, and nobody is compared with themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_high

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import triu

from nextlabel.evaluation.consensus import Others, one_coin
from nextlabel.evaluation.drifting import DRIFT_FROM, latest_fall
from nextlabel.evaluation.given import FEWEST_SHARED, Given, Values
from nextlabel.evaluation.intervals import Interval, mean_interval
from nextlabel.evaluation.reliability import Scale, cohen, gwet, krippendorff_interval
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import Floats

_SURE = 0.8  # how sure the others must be for a label to be held against theirs
_WATCHED = 3  # labels of a task from which on one can be held against the others
_MOST_PAIRS, _MOST_TASKS = 200, 20  # that are named


@dataclass(frozen=True, slots=True)
class Pair:
    """How far two people agree on the ``shared`` tasks that both labeled: Cohen's κ, by squares where labels have an
    order; None where both gave one and the same label to all."""

    one: str
    other: str
    shared: int
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A task on which people differ so that another label would tell most: the ``chance`` that its likeliest label is
    right, of ``labels``."""

    task: TaskId
    chance: float
    labels: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far people agree about a target, on ``shared`` tasks that several of them labeled; ``alpha`` is
    Krippendorff's, ``ac1`` Gwet's, None where labels are no names.

    ``pairs`` have the most shared tasks first, ``unsettled`` are those of all tasks on which people agree least.
    """

    target: str
    shared: int
    scale: Scale
    alpha: Interval
    ac1: float | None
    pairs: Sequence[Pair]
    unsettled: Sequence[Unsettled]


@dataclass(frozen=True, slots=True)
class Drift:
    """Whether somebody's labels became worse, on ``labels`` of tasks that three people or more labeled, where the
    others are sure together.

    ``since`` is when (None: they did not), ``before`` and ``after`` how many of their labels were those of the others.
    ``needed`` is how many such labels more a verdict takes.
    """

    labels: int
    needed: int
    since: str | None = None
    before: float | None = None
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """One person's labels of a target, on ``shared`` tasks. ``with_others`` is how like theirs the labels of others are
    on the average, ``with_consensus`` how often they are what the others say together.

    ``quality`` is how many are right, by a model of all people's labels; None where that cannot be told. With ``low``
    it is surely below that of the others. ``blind`` is how like what the model predicted their labels of audit tasks
    are, whoever else labeled these: it had not seen the label, and nobody the prediction.
    """

    shared: int
    with_others: Interval | None = None
    with_consensus: Interval | None = None
    quality: Interval | None = None
    low: bool = False
    drift: Drift | None = None
    blind: Interval | None = None


def agreement(target: str, given: Given) -> Agreement | None:
    """None on fewer than `FEWEST_SHARED` shared tasks."""
    if given.shared < FEWEST_SHARED:
        return None
    alpha, names = krippendorff_interval(given.ratings, given.scale), given.scale == "nominal"
    ac1 = gwet(given.ratings) if names else None
    unsettled = _unsettled(given) if given.scale != "interval" else []
    return Agreement(target, given.shared, given.scale, alpha, ac1, _pairs(given), unsettled)


def standings(given: Given, at: Sequence[str]) -> Mapping[str, Standing]:
    """By account. ``at`` is when each label of ``given.ratings`` was given, as text that sorts by time."""
    people, shared = given.ratings.people, given.ratings.is_shared()
    found = {name: int((shared & (people == n)).sum()) for n, name in enumerate(given.accounts)}
    alike, together = (
        _with_others(given),
        _together(given, at) if given.scale != "interval" and any(found.values()) else {},
    )
    return {
        name: Standing(n, _interval(alike[name]), *together.get(name, ())) if n >= FEWEST_SHARED else Standing(n)
        for name, n in found.items()
    }


def blind(values: Values, predicted: Mapping[TaskId, object]) -> Mapping[str, Interval]:
    """By account how like its predictions the labels are; of numbers, how near of the range of all. Nothing of whom
    fewer than `FEWEST_SHARED` are known."""
    found = defaultdict[str, list[float]](list)
    numbers = [one for some in values.values() for one in some.values() if isinstance(one, float)]
    width = max(numbers) - min(numbers) if numbers else 0.0
    for task, prediction in predicted.items():
        for account, value in values.get(task, {}).items():
            found[account].append(_likeness(value, prediction, width))
    return {account: mean_interval(np.array(some)) for account, some in found.items() if len(some) >= FEWEST_SHARED}


def _likeness(one: object, other: object, width: float) -> float:
    if isinstance(one, float) and isinstance(other, float):
        return max(0.0, 1 - abs(one - other) / width) if width else float(one == other)
    return float(one == other)


def _pairs(given: Given) -> Sequence[Pair]:
    both = triu(given.shared_by_two(), k=1).tocoo()
    order = np.argsort(-both.data, kind="stable")[:_MOST_PAIRS]
    return [_pair(given, int(both.row[n]), int(both.col[n])) for n in order]


def _pair(given: Given, one: int, other: int) -> Pair:
    ratings = given.ratings
    first, second = (ratings.people == who for who in (one, other))
    tasks, rows, others = np.intersect1d(ratings.tasks[first], ratings.tasks[second], return_indices=True)
    kappa = cohen(ratings.values[first][rows], ratings.values[second][others], given.scale)
    return Pair(given.accounts[one], given.accounts[other], len(tasks), None if np.isnan(kappa) else kappa)


def _unsettled(given: Given) -> Sequence[Unsettled]:
    coin, labels = one_coin(given.ratings), np.bincount(given.ratings.tasks)
    best = coin.best()
    chances = np.where(labels > 1, coin.chances[best], 1.0)
    order = np.argsort(chances, kind="stable")[:_MOST_TASKS].tolist()
    return [Unsettled(given.tasks[n], float(chances[n]), int(labels[n])) for n in order if chances[n] < _SURE]


def _with_others(given: Given) -> Mapping[str, Sequence[float]]:
    """For each task that others labeled too, how like theirs each one's label is on the average, in [0, 1]."""
    ratings, found = given.ratings, {name: list[float]() for name in given.accounts}
    width = np.ptp(ratings.values) if given.scale != "nominal" else 0.0
    order = np.argsort(ratings.tasks, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(ratings.tasks[order])) + 1):
        if len(rows) > 1:
            values = ratings.values[rows]
            apart = np.abs(values[:, None] - values)
            like = 1 - apart / width if width else (apart == 0).astype(np.float64)
            for row, mean in zip(rows, (like.sum(axis=1) - 1) / (len(rows) - 1), strict=True):
                found[given.accounts[ratings.people[row]]].append(float(np.clip(mean, 0, 1)))
    return found


def _interval(values: Sequence[float] | Floats) -> Interval | None:
    return mean_interval(np.asarray(values)) if len(values) >= FEWEST_SHARED else None


_Together = tuple[Interval | None, Interval | None, bool, Drift]


def _together(given: Given, at: Sequence[str]) -> Mapping[str, _Together]:
    """Agreement with the consensus, quality, whether it is low, and drift."""
    coin = one_coin(given.ratings)
    others, watched = coin.others(given.ratings), _is_watched(given)
    known = given.is_known()
    quality = {n: coin.quality_interval(n) for n in np.flatnonzero(known).tolist()}
    return {
        name: (
            _with_consensus(given, others, n),
            quality.get(n),
            n in quality and _is_low(n, quality),
            _drift(given, others, watched & (given.ratings.people == n), at),
        )
        for n, name in enumerate(given.accounts)
    }


def _with_consensus(given: Given, others: Others, person: int) -> Interval | None:
    rows = given.ratings.is_shared() & (given.ratings.people == person) & (others.sure >= _SURE)
    return _interval(others.agrees[rows].astype(np.float64))


def _is_low(person: int, quality: Mapping[int, Interval]) -> bool:
    """Whether the best that it may be is below the worst that of half of the others may be."""
    others = [one.low for n, one in quality.items() if n != person]
    return bool(others) and quality[person].high < median_high(others)


def _is_watched(given: Given) -> NDArray[np.bool_]:
    return np.asarray(np.bincount(given.ratings.tasks)[given.ratings.tasks] >= _WATCHED)


def _drift(given: Given, others: Others, rows: NDArray[np.bool_], at: Sequence[str]) -> Drift:
    own = sorted(np.flatnonzero(rows & (others.sure >= _SURE)).tolist(), key=lambda row: at[row])
    if len(own) < DRIFT_FROM:
        return Drift(len(own), DRIFT_FROM - len(own))
    fall = latest_fall(others.agrees[own])
    if fall is None:
        return Drift(len(own), 0)
    return Drift(len(own), 0, at[own[fall.since]], fall.before, fall.after)
