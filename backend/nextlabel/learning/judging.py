"""What a new version is judged by: its losses beside those of earlier versions, on labels that each had not seen.

A task counts once, with the mean of its losses, however many targets it has: who misreads a task is wrong about all of
them, and as so many labels that were independent of each other such a chance would count several times.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np

from nextlabel.estimators.by_kind import Fitted
from nextlabel.estimators.project import Misses, ProjectModel
from nextlabel.evaluation.paired import squared_miss
from nextlabel.evaluation.promotion import HeldOut, Rival
from nextlabel.labeling import Label, Target, TaskId
from nextlabel.labeling.ranking import Floats
from nextlabel.learning.pools import Examples
from nextlabel.learning.workbench import Champion
from nextlabel.measures.target_predictions import TargetPredictions

Unseen = tuple[Target, Examples, list[int], TargetPredictions]
"""Of a target what is labeled, which rows of that a version was not trained on, and what it predicts for these rows."""
Known = Mapping[tuple[str, TaskId], float]
"""What a version's answers to labeled audit tasks cost, by target and task, where it had not seen the label."""


def rivals(
    unseen: Iterable[Unseen],
    fitted: Mapping[str, Fitted],
    among: Collection[TaskId],
    losses_of: Callable[[Target, TargetPredictions, Sequence[Label]], Floats],
) -> Rival:
    """On the labels of some tasks that the rival has not seen; the candidate's are out of fold."""
    tasks = list[TaskId]()
    losses: list[tuple[Floats, Floats]] = [(np.empty(0), np.empty(0))]
    for target, examples, fresh, predicted in unseen:
        out_of_fold = fitted[target.name].out_of_fold
        places = [place for place, row in enumerate(fresh) if examples.tasks[row].id in among]
        truth = [examples.labels[fresh[place]] for place in places]
        if out_of_fold is not None:
            candidate = out_of_fold.of([fresh[place] for place in places])
            losses.append((losses_of(target, candidate, truth), losses_of(target, predicted.of(places), truth)))
            tasks += [examples.tasks[fresh[place]].id for place in places]
    return Rival(*(_by_task(tasks, np.concatenate(one)) for one in zip(*losses, strict=True)))


def known_misses(version: Champion, unseen: Iterable[Unseen], audits: Collection[TaskId]) -> Known:
    """Of an earlier version: as it was out of fold, or as it answers now where it was not trained on that label."""
    kept = version.model.misses if isinstance(version.model, ProjectModel) else {}
    found = _flat(kept)
    for target, examples, rows, predicted in unseen:
        places = [place for place, row in enumerate(rows) if examples.tasks[row].id in audits]
        fresh = [rows[place] for place in places]
        misses = misses_of(target, predicted.of(places), [examples.labels[row] for row in fresh])
        found |= {(target.name, examples.tasks[row].id): miss for row, miss in zip(fresh, misses.tolist(), strict=True)}
    return found


def new_answers(version: Champion, unseen: Iterable[Unseen], audits: Collection[TaskId]) -> tuple[Floats, Floats]:
    """Of each task with single choices that the version has not seen, but audits: how sure it was of them, and which
    share of them was right."""
    sure: list[Floats] = [np.empty(0)]
    right: list[Floats] = [np.empty(0)]
    tasks = list[TaskId]()
    known = version.trained_on.keys() | set(audits)
    for target, examples, rows, predicted in unseen:
        if target.kind == "choice":
            places = [place for place, row in enumerate(rows) if examples.tasks[row].id not in known]
            sure.append(predicted.of(places).confidence)
            right.append(predicted.of(places).correctness([examples.labels[rows[place]] for place in places]))
            tasks += [examples.tasks[rows[place]].id for place in places]
    return _by_task(tasks, np.concatenate(sure)), _by_task(tasks, np.concatenate(right))


def held_out(candidate: Misses, anchor: Known, in_service: Known, new: tuple[Floats, Floats]) -> HeldOut:
    """On the audit labels about which something is known of all three versions; ``new`` is from `new_answers`."""
    own = _flat(candidate)
    shared = [one for one in own if one in anchor and one in in_service]
    first, second, third = (np.array([of[one] for one in shared], dtype=np.float64) for of in (own, anchor, in_service))
    tasks = [task for _, task in shared]
    return HeldOut(_by_task(tasks, first), _by_task(tasks, second), _by_task(tasks, third), *new)


def misses_of(target: Target, predicted: TargetPredictions, truth: Sequence[Label]) -> Floats:
    """n losses in [0, 1]: by the chances of labels where there are some, else by how far off the answer is."""
    if target.kind in ("choice", "choices"):
        return squared_miss(predicted.losses(truth))
    return 1 - predicted.correctness(truth)


def _by_task(tasks: Sequence[TaskId], losses: Floats) -> Floats:
    """The mean of each task's losses, in the order in which tasks are first named."""
    row = {task: n for n, task in enumerate(dict.fromkeys(tasks))}
    rows = np.array([row[task] for task in tasks], dtype=np.intp)
    return np.asarray(np.bincount(rows, losses, len(row)) / np.bincount(rows, minlength=len(row)))


def _flat(misses: Misses) -> dict[tuple[str, TaskId], float]:
    return {(name, task): miss for name, of_tasks in misses.items() for task, miss in of_tasks.items()}
