"""What a query strategy is given to choose from, whatever the targets are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlabel.estimators.learners import LinearLearner
from nextlabel.features.metadata import is_blank
from nextlabel.features.spaces import Space
from nextlabel.labeling import Label, Span, Target, Task
from nextlabel.opinions import Opinions
from nextlabel.predictions import overall_probabilities
from nextlabel.ranking import CandidatePool, Features, Floats


@dataclass(frozen=True, slots=True)
class Examples:
    """What is labeled of one target, row by row: tasks, labels, and the tasks' features."""

    target: Target
    tasks: Sequence[Task]
    labels: Sequence[Label]
    features: Features


def nothing_to_read(target: Target, tasks: Sequence[Task], features: Features) -> NDArray[np.bool_]:
    """Of each task whether there is nothing in it that the target could be about: its fields are empty, hold markup
    and nothing else, or the address of a picture that cannot be had now."""
    fields = [one.field for one in target.inputs]
    blank = np.array([is_blank(task.data, fields) for task in tasks], dtype=np.bool_)
    if isinstance(features, np.ndarray) and any(one.kind == "image" for one in target.inputs):
        blank |= ~features.any(axis=1)
    return blank


def blank_last(blank: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All rows, those with nothing to read last; and of them those to choose from: all, where all are blank."""
    order = np.argsort(blank, kind="stable")
    return order, order if blank.all() else order[: len(order) - int(blank.sum())]


def candidate_pool(
    tasks: Sequence[Task],
    features: Features,
    opinions: Mapping[str, Opinions],
    examples: Examples,
    space: Callable[[], Space],
    seed: int,
) -> CandidatePool:
    """The open tasks with their features, what the model says of them, and what is labeled of the leading target.

    A single choice by itself is handed over as it is, with a learner for further models, in ``space``. Anything else
    becomes classes of which the margin says how unsure the model is, and labels that only tell like from unlike.
    """
    alone = len(opinions) == 1 and examples.target.kind == "choice"
    codes, k = classes_of(examples.target, examples.labels)
    if not alone:
        return unlike_pool(tasks, features, opinions, (codes, k), examples.features, seed)
    return CandidatePool(
        [task.id for task in tasks],
        overall_probabilities(opinions),
        features,
        labeled_features=examples.features,
        labels=codes,
        learner=LinearLearner(space(), len(examples.target.labels)),
        seed=seed,
    )


def unlike_pool(
    tasks: Sequence[Task],
    features: Features | None,
    opinions: Mapping[str, Opinions],
    labels: tuple[NDArray[np.intp], int],
    labeled_features: Features | None,
    seed: int,
) -> CandidatePool:
    """Open tasks of which only the margin says how unsure the model is; ``labels`` are codes that tell like from
    unlike, and how many there may be."""
    codes, k = labels
    return CandidatePool(
        [task.id for task in tasks],
        _widened(overall_probabilities(opinions), k),
        features,
        labeled_features=labeled_features,
        labels=codes,
        seed=seed,
    )


def classes_of(target: Target, labels: Sequence[Label]) -> tuple[NDArray[np.intp], int]:
    """A class for each label, and how many there may be: of several labels or spans the rarest one, so that new kinds
    stand out; of numbers the lower and the upper half."""
    match target.kind:
        case "number":
            numbers = np.array([label for label in labels if isinstance(label, float)])
            return (numbers > np.median(numbers) if len(numbers) else numbers).astype(np.intp), 2
        case "choice":
            names = [[str(label)] for label in labels]
        case "choices" | "spans":
            names = [[str(one.label if isinstance(one, Span) else one) for one in _tuple(label)] for label in labels]
    codes, k = rarest_of(names, target.labels)
    return codes, k - (target.kind == "choice")


def rarest_of(names: Sequence[Sequence[str]], known: Sequence[str]) -> tuple[NDArray[np.intp], int]:
    """The rarest of each row's names as its place among those known, one more for a row without any; and how many
    places there are."""
    place = {name: column for column, name in enumerate(known)}
    counts = Counter(name for given in names for name in given)
    none = len(place)  # nothing was given at all, which is a kind too
    codes = [min((counts[name], place[name]) for name in given)[1] if given else none for given in names]
    return np.array(codes, dtype=np.intp), none + 1


def _tuple(label: Label) -> tuple[object, ...]:
    return label if isinstance(label, tuple) else ()


def _widened(probabilities: Floats, k: int) -> Floats:
    """With columns of zeros up to k, for strategies that look a label up in its column; no margin changes."""
    missing = max(0, k - probabilities.shape[1])
    return np.pad(probabilities, ((0, 0), (0, missing)))
