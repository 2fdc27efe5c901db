"""What a version predicts of the stop set and of audit tasks, each by models that had not seen its label."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nextlabel.estimators.by_kind import Fitted
from nextlabel.estimators.fitting import fit
from nextlabel.evaluation.savings import MOST, MOST_OTHERS, Predict, Rows
from nextlabel.features.matrices import rows_of
from nextlabel.features.spaces import Space
from nextlabel.labeling import KINDS, Label, Target, Task, TaskId
from nextlabel.labeling.ranking import Features, Floats
from nextlabel.learning.pools import Examples
from nextlabel.learning.workbench import Compared
from nextlabel.measures.target_predictions import TargetPredictions

MOST_WAITING = 300
"""Audit tasks without a label that are predicted: the next ones to be served."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is labeled of a target, and what was learned of that; ``audits`` are the labeled audit tasks."""

    target: Target
    examples: Examples
    fitted: Fitted
    space: Space
    seed: int
    audits: Collection[TaskId]

    @property
    def held_out(self) -> TargetPredictions | None:
        """Of each labeled row, by a model that had not seen it."""
        return self.fitted.out_of_fold


def compared(
    known: Known,
    asked: Sequence[Task],
    of_stop_set: TargetPredictions,
    waiting: Sequence[Task],
    of_waiting: TargetPredictions,
    features: Callable[[Sequence[Task]], Features],
) -> Compared:
    """From what a version predicts of a stop set and of audit tasks that wait for a label; ``features`` are those of
    tasks of the stop set."""
    tasks, labels = known.examples.tasks, known.examples.labels
    rows = [row for row, task in enumerate(tasks) if task.id in known.audits][:MOST]
    predicted = _labels(known, asked, of_stop_set)
    others = asked[:MOST_OTHERS]
    unseen = {task.id: predicted[task.id] for task in others} | _labels(known, waiting, of_waiting)
    if known.held_out is not None:
        among = {task.id for task in others}
        held = [row for row, task in enumerate(tasks) if task.id in among]
        for some in (held, rows):
            unseen |= _labels(known, [tasks[row] for row in some], known.held_out.of(some))
    slow = KINDS[known.target.kind].slow
    return Compared(
        known.target,
        predicted,
        float(1 - _confidence(known, asked, of_stop_set).mean()) if asked else 1.0,
        unseen,
        [task.id for task in others],
        {tasks[row].id: labels[row] for row in rows},
        None if slow else _alone(known, np.array(rows, dtype=np.intp), others, features),
    )


def _labels(known: Known, tasks: Sequence[Task], predicted: TargetPredictions) -> dict[TaskId, Label]:
    guesses = predicted.guesses(known.target.name)
    return {task.id: guess.label for task, guess in zip(tasks, guesses, strict=True)}


def _confidence(known: Known, asked: Sequence[Task], predicted: TargetPredictions) -> Floats:
    """In each prediction, as of a model that had not seen the task: whoever has seen it is surer than it may be."""
    found = predicted.confidence.copy()
    if known.held_out is not None:
        sure = known.held_out.confidence
        row = {task.id: n for n, task in enumerate(known.examples.tasks)}
        for place, task in enumerate(asked):
            if task.id in row:
                found[place] = sure[row[task.id]]
    return found


def _alone(
    known: Known, audits: Rows, others: Sequence[Task], features: Callable[[Sequence[Task]], Features]
) -> Predict:
    examples, target = known.examples, known.target

    def predict(train: Rows, held: Rows, asked: Rows) -> tuple[list[Label], list[Label]]:
        seen, unseen = audits[train], audits[held]
        tasks, labels = [examples.tasks[row] for row in seen], [examples.labels[row] for row in seen]
        of_seen = rows_of(examples.features, seen)
        model = fit(target, tasks, of_seen, labels, known.space, known.seed, judged=False).model
        elsewhere = [others[row] for row in asked]
        pairs = (
            ([examples.tasks[row] for row in unseen], rows_of(examples.features, unseen)),
            (
                elsewhere,
                features(elsewhere),
            ),
        )
        first, second = (
            [one.label for one in model.predict(some, them).guesses(target.name)] if some else []
            for some, them in pairs
        )
        return first, second

    return predict


def counts_of(target: Target, labels: Mapping[TaskId, Mapping[str, Label]]) -> dict[str, int]:
    """How many labels each class of a target has, those of the labeling config that have none too; of labels that are
    no names nothing."""
    names = KINDS[target.kind].names
    if names is None or KINDS[target.kind].of_items:
        return {}
    counts = dict.fromkeys(target.labels, 0)
    for given in labels.values():
        if target.name in given:
            for name in set(names(given[target.name])):
                counts[name] = counts.get(name, 0) + 1
    return counts
