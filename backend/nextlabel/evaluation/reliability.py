"""How far people agree who labeled the same tasks, beyond what chance alone would give.

Each label is a row: the task, the person, and a value. Tasks of which only one person has a label say nothing, and
count for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextlabel.evaluation.intervals import Interval, jackknife
from nextlabel.labeling.ranking import Floats

Scale = Literal["nominal", "ordinal", "interval"]
"""Whether values are names, places in an order, or numbers."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """n labels: which task each is of (0, 1, …), who gave it, and its value; of names any number for each."""

    tasks: NDArray[np.intp]
    people: NDArray[np.intp]
    values: Floats

    def is_shared(self) -> NDArray[np.bool_]:
        """Of each label whether others are of the same task."""
        return np.asarray(np.bincount(self.tasks, minlength=1)[self.tasks] > 1)

    def shared(self) -> Ratings:
        """Those of tasks that several people labeled; these tasks are numbered 0, 1, … again."""
        return self._of(self.is_shared())

    def of_tasks(self, tasks: NDArray[np.intp]) -> Ratings:
        """Those of some tasks."""
        return self._of(np.isin(self.tasks, tasks))

    def _of(self, rows: NDArray[np.bool_]) -> Ratings:
        tasks = np.unique(self.tasks[rows], return_inverse=True)[1]
        return Ratings(tasks, self.people[rows], self.values[rows])


def krippendorff(ratings: Ratings, scale: Scale = "nominal") -> float:
    """Krippendorff's α (2011): 1 where all agree, 0 where they agree as chance would, below where they agree less.

    Anybody may have labeled any tasks. Where there is only one value, or no task of two labels, it is not a number.
    """
    some = ratings.shared()
    if scale == "nominal":
        observed, expected = _of_names(some)
    else:
        values = _places(some.values) if scale == "ordinal" else some.values
        observed, expected = _of_numbers(some.tasks, values)
    return 1 - observed / expected if expected else float("nan")


def krippendorff_interval(ratings: Ratings, scale: Scale = "nominal") -> Interval:
    """The same with an interval: tasks are left out by turns. Raises `ValueError` for fewer than two shared tasks."""
    some = ratings.shared()
    n = int(some.tasks.max(initial=-1)) + 1
    order = np.random.default_rng(0).permutation(n)  # a jackknife takes them in groups

    def alpha(rows: NDArray[np.intp]) -> float:
        found = krippendorff(some.of_tasks(order[rows]), scale)
        return 1.0 if np.isnan(found) else found

    return jackknife(alpha, n, lowest=-1.0)


def gwet(ratings: Ratings) -> float:
    """Gwet's AC1 (2008) of names, of any number of people: unlike α it stays high where nearly all labels are the same.

    Not a number where no task has two labels.
    """
    classes = np.unique(ratings.values, return_inverse=True)[1]
    tasks, labels = np.unique(ratings.tasks, return_inverse=True)[1], np.bincount(ratings.tasks)
    labels = labels[labels > 0]
    pairs, counts = np.unique(np.stack([tasks, classes]), axis=1, return_counts=True)
    shared = labels > 1
    if not shared.any():
        return float("nan")
    together = np.bincount(pairs[0], weights=counts * (counts - 1), minlength=len(labels))
    agreed = float((together[shared] / (labels * (labels - 1))[shared]).mean())
    share = np.bincount(pairs[1], weights=counts / labels[pairs[0]]) / len(labels)
    if len(share) < 2:
        return 1.0
    by_chance = float((share * (1 - share)).sum()) / (len(share) - 1)
    return (agreed - by_chance) / (1 - by_chance)


def cohen(one: Floats, other: Floats, scale: Scale = "nominal") -> float:
    """Cohen's κ (1960) of two people's labels of the same n tasks: 1 where all agree, 0 where they agree as chance
    would. Places and numbers are weighed by the square of how far they are apart (1968).

    Not a number where both gave one and the same label to everything.
    """
    if scale == "nominal":
        classes = np.union1d(one, other)
        shares = [(given[:, None] == classes).mean(axis=0) for given in (one, other)]
        apart, expected = float((one != other).mean()), 1 - float((shares[0] * shares[1]).sum())
    else:
        apart = float(((one - other) ** 2).mean())
        expected = float(one.var() + other.var() + (one.mean() - other.mean()) ** 2)
    return 1 - apart / expected if expected > 0 else float("nan")


def _of_names(some: Ratings) -> tuple[float, float]:
    """How many pairs of labels differ, of the same task and of any: as shares."""
    classes, n = np.unique(some.values, return_inverse=True)[1], len(some.values)
    if not n:
        return 0.0, 0.0
    labels = np.bincount(some.tasks)
    pairs, counts = np.unique(np.stack([some.tasks, classes]), axis=1, return_counts=True)
    alike = np.bincount(pairs[0], weights=counts**2, minlength=len(labels))
    observed = float(((labels**2 - alike) / (labels - 1)).sum()) / n
    return observed, float(n**2 - (np.bincount(classes) ** 2).sum()) / (n * (n - 1))


def _of_numbers(tasks: NDArray[np.intp], values: Floats) -> tuple[float, float]:
    """The mean square of the difference of two labels, of the same task and of any."""
    n = len(values)
    if not n:
        return 0.0, 0.0
    labels, centred = np.bincount(tasks), values - values.mean()
    squares = np.bincount(tasks, weights=centred**2) - np.bincount(tasks, weights=centred) ** 2 / labels
    observed = float((2 * labels * squares / (labels - 1)).sum()) / n
    return observed, 2 * float((centred**2).sum()) / (n - 1)


def _places(values: Floats) -> Floats:
    """Of each value how many are below it and half of how many are like it."""
    classes, counts = np.unique(values, return_inverse=True, return_counts=True)[1:]
    return (np.cumsum(counts) - counts / 2)[classes]
