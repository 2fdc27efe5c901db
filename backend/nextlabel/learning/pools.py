"""What a query strategy is given to choose from, whatever the targets are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nextlabel.estimators.by_kind import BY_KIND
from nextlabel.features.metadata import is_blank
from nextlabel.features.spaces import Space
from nextlabel.labeling import KINDS, OPENED, Input, Label, Target, Task, read_field
from nextlabel.labeling.ranking import CandidatePool, Features, Floats
from nextlabel.learning.predictions import overall_probabilities
from nextlabel.learning.weights import NO_WEIGHTS, Weights, counting
from nextlabel.measures.target_predictions import ChoicesPredictions, TargetPredictions, as_two_classes

_TIMED, _MOST_TIMED = 5, 500  # labels of which the tool tells how long they took, from which anything is made
_MUCH = 64  # different words and n-grams in a text: what has so many holds something
_READ = ("text", "dialogue", "table")


@dataclass(frozen=True, slots=True)
class Examples:
    """What is labeled of one target, row by row: tasks, labels, and the tasks' features."""

    target: Target
    tasks: Sequence[Task]
    labels: Sequence[Label]
    features: Features


def nothing_to_read(target: Target, tasks: Sequence[Task], features: Features) -> NDArray[np.bool_]:
    """Of each task whether there is nothing in it that the target could be about: its fields are empty, hold markup
    and nothing else, or the address of a file that cannot be had now and nothing beside it."""
    blank = np.zeros(len(tasks), dtype=np.bool_)
    doubtful = ~blank if isinstance(features, np.ndarray) else np.diff(features.indptr) < _MUCH
    for row in np.flatnonzero(doubtful).tolist():
        blank[row] = is_blank(tasks[row].data, target.inputs)
    if any(one.kind in OPENED for one in target.inputs):
        blank |= ~(features.any(axis=1) if isinstance(features, np.ndarray) else np.diff(features.indptr) > 0)
    return blank


def blank_last(blank: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All rows, those with nothing to read last; and of them those to choose from: all, where all are blank."""
    order = np.argsort(blank, kind="stable")
    return order, order if blank.all() else order[: len(order) - int(blank.sum())]


def candidate_pool(
    tasks: Sequence[Task],
    features: Features,
    target_predictions: Mapping[str, TargetPredictions],
    examples: Examples,
    space: Callable[[], Space],
    seed: int,
    costs: Floats | None = None,
    weights: Weights = NO_WEIGHTS,
) -> CandidatePool:
    """The open tasks with their features, what the model says of them, and what is labeled of the leading target.

    A single choice that counts alone is handed over as it is, with a learner for further models, in ``space``. Anything
    else becomes classes of which the margin says how unsure the model is, and labels that only tell like from unlike;
    beside them several labels or a number by themselves are handed over as what they are.
    """
    target, labels = examples.target, examples.labels
    codes = classes_of(target, labels)
    pool = unlike_pool(tasks, features, target_predictions, codes, examples.features, seed, costs, weights)
    counted = counting(target_predictions, weights)
    if len(counted) != 1 or target.options:
        return pool
    (predicted,) = counted.values()
    return BY_KIND[target.kind].offer(pool, predicted, labels, space)


def unlike_pool(
    tasks: Sequence[Task],
    features: Features | None,
    target_predictions: Mapping[str, TargetPredictions],
    labels: tuple[NDArray[np.intp], int],
    labeled_features: Features | None,
    seed: int,
    costs: Floats | None = None,
    weights: Weights = NO_WEIGHTS,
) -> CandidatePool:
    """Open tasks of which only the margin says how unsure the model is; ``labels`` are codes that tell like from
    unlike, and how many there may be."""
    codes, k = labels
    return CandidatePool(
        [task.id for task in tasks],
        _widened(_unsure(target_predictions, weights), k),
        features,
        labeled_features=labeled_features,
        labels=codes,
        costs=costs,
        seed=seed,
        classes=False,
    )


def _unsure(target_predictions: Mapping[str, TargetPredictions], weights: Weights) -> Floats:
    """n × k probabilities. Of several labels alone each one's doubts count alike: nearly all doubt is about common
    labels, and where it counts by its size the rare ones are found late (docs/benchmarks.md)."""
    only = list(counting(target_predictions, weights).values())
    if len(only) == 1 and isinstance(only[0], ChoicesPredictions):
        return as_two_classes(only[0].uncertainty_by_label)
    return overall_probabilities(target_predictions, weights)


def pool_by(pool: CandidatePool, unsure: Floats) -> CandidatePool:
    """The same pool as seen by another model, which is unsure of its n tasks as these numbers say."""
    probabilities = _widened(as_two_classes(unsure), pool.probabilities.shape[1])
    return replace(
        pool, probabilities=probabilities, learner=None, classes=False, chances=None, numbers=None, from_labels=False
    )


def expected_seconds(
    labeled: Sequence[Task], seconds: Sequence[float | None], tasks: Sequence[Task], inputs: Sequence[Input]
) -> Floats | None:
    """n positive numbers: how long a label of each task is expected to take, by how much there is to read in it.

    A line through the logarithms of both that does not mind the few labels during which somebody had lunch (Siegel,
    1982), never far outside what was seen. None until `_TIMED` labels say how long they took.
    """
    timed = [(task, one) for task, one in zip(labeled, seconds, strict=True) if one is not None and one > 0]
    if len(timed) < _TIMED:
        return None
    from scipy.stats import siegelslopes  # noqa: PLC0415 - slow to load: see preload

    timed = timed[-_MOST_TIMED:]
    known = np.log([one for _, one in timed])
    lengths = _lengths([task for task, _ in timed], inputs)
    if np.ptp(lengths) == 0:
        return np.full(len(tasks), np.exp(np.median(known)))
    slope, intercept = siegelslopes(known, lengths)
    low, high = np.quantile(known, [0.05, 0.95])
    return np.asarray(np.exp(np.clip(intercept + slope * _lengths(tasks, inputs), low, high)))


def _lengths(tasks: Sequence[Task], inputs: Sequence[Input]) -> Floats:
    """The logarithm of how many characters there are to read in each task."""
    fields = {one.field for one in inputs if one.kind in _READ}
    return np.log1p([sum(len(str(read_field(task.data, field) or "")) for field in fields) for task in tasks])


def classes_of(target: Target, labels: Sequence[Label]) -> tuple[NDArray[np.intp], int]:
    """A class for each label, and how many there may be: of several labels or spans the rarest one, so that new kinds
    stand out; of numbers the lower and the upper half."""
    names = KINDS[target.kind].names
    if names is None:
        numbers = np.array([label for label in labels if isinstance(label, float)])
        return (numbers > np.median(numbers) if len(numbers) else numbers).astype(np.intp), 2
    given = [names(label) for label in labels]
    known = sorted({name for some in given for name in some}) if target.options else target.labels
    codes, k = rarest_of(given, known)
    return codes, k - (target.kind == "choice")


def rarest_of(names: Sequence[Sequence[str]], known: Sequence[str]) -> tuple[NDArray[np.intp], int]:
    """The rarest of each row's names as its place among those known, one more for a row without any; and how many
    places there are."""
    place = {name: column for column, name in enumerate(known)}
    counts = Counter(name for given in names for name in given)
    none = len(place)  # nothing was given at all, which is a kind too
    codes = [min((counts[name], place[name]) for name in given)[1] if given else none for given in names]
    return np.array(codes, dtype=np.intp), none + 1


def _widened(probabilities: Floats, k: int) -> Floats:
    """With columns of zeros up to k, for strategies that look a label up in its column; no margin changes."""
    missing = max(0, k - probabilities.shape[1])
    return np.pad(probabilities, ((0, 0), (0, missing))) if missing else probabilities
