"""A new task, or this one again: labeled tasks that are worth another label more than the next new ones (ActiveLab).

Only what people chose from a list is weighed. Audit tasks stay out of it: a second label that is asked for where the
model disagrees with the first would make the model look better than it is.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from nextlabel.errors import ArtifactError, SettingsError
from nextlabel.evaluation.given import FEWEST_SHARED, Values, by_target, latest_of
from nextlabel.evaluation.reliability import Ratings
from nextlabel.evaluation.suspects import FEWEST
from nextlabel.evaluation.worth_again import Scores, activelab, worth_more
from nextlabel.labeling import Annotation, LabelSchema, ProjectId, TaskId
from nextlabel.labeling.ranking import Floats
from nextlabel.learning.weights import weight_of
from nextlabel.measures.out_of_fold import OutOfFold
from nextlabel.measures.target_predictions import ChoicePredictions, TargetPredictions
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import LabelStore, ModelRegistry, Reserves

log = logging.getLogger("nextlabel.loop.relabeling")

EVERY = 10
"""One of so many places of a window may be a labeled task. ActiveLab has all those come first whose label the model
contradicts, and of hard tasks there are always more: without a bound few new tasks would be labeled, and to whoever
labeled these tasks the window would be as much shorter. On Wall-robot its free choice is worth a hundredth of the
accuracy beside new tasks alone (docs/benchmarks.md)."""
MOST = 50
"""Of a project at a time. A larger window does not have more: each of them takes the tool two requests in a round."""
MOST_LABELS = 3
"""Of a task, of different people: a third decides between two, and a fourth could undo that."""


def check_relabel(schema: LabelSchema, hosted: str) -> None:
    """Raises `SettingsError` where no labeled task can be weighed against new ones. ``hosted`` is the team's own model,
    "" for nextlabel's."""
    if hosted:
        raise SettingsError(
            f"'relabel' is auto, which goes by what nextlabel's own models predict, and the project is learned by your "
            f"own model '{hosted}': choose off."
        )
    if not any(one.kind == "choice" for one in schema.targets):
        raise SettingsError("'relabel' is auto, which weighs single choices, and no control is one: choose off.")


def worth_again(
    project: ProjectId,
    options: ProjectOptions,
    store: LabelStore,
    registry: ModelRegistry,
    reserves: Reserves,
    new: Mapping[str, TargetPredictions],
) -> Sequence[TaskId]:
    """Labeled tasks that are to come again, the best first. ``new`` is what the model in service predicts of the open
    tasks of the window, by target. None where a project has fewer than two annotators."""
    known = _out_of_fold(project, registry)
    choices = {
        name: (known[name], one)
        for name, one in new.items()
        if name in known and isinstance(one, ChoicePredictions) and weight_of(name, options.weights)
    }
    if not choices:
        return []
    annotated = {task.id: given for task, given in store.annotated(project)}
    latest = latest_of(annotated.items())
    if len({who for some in latest.values() for who in some}) < 2:
        return []
    given = by_target(latest)
    scored = [_scores(kept, given.get(name, {}), one) for name, (kept, one) in choices.items()]
    left_out = reserves.tasks(project, list(latest))
    may_come = {
        task
        for task in latest
        if task not in left_out and _may_come([given.get(name, {}).get(task, {}) for name in choices], annotated[task])
    }
    return _chosen([one for one in scored if one is not None], may_come)


def _out_of_fold(project: ProjectId, registry: ModelRegistry) -> Mapping[str, OutOfFold]:
    try:
        kept = registry.out_of_fold(project)
    except ArtifactError as error:
        log.warning("project %s: no labeled task comes again: %s", project, error)
        return {}
    return kept[1] if kept else {}


def _may_come(labels: Sequence[Mapping[str, object]], annotations: Sequence[Annotation]) -> bool:
    """Whether a task may be labeled once more, given by target what each person chose: it is not settled, by people who
    agree or by a mark of the truth, and all who labeled it are known, so that it is asked of somebody else."""
    people = {one.by for one in annotations}
    settled = len(people) > 1 and all(len(set(some.values())) <= 1 for some in labels)
    marked = any(one.ground_truth for one in annotations)
    return len(people) < MOST_LABELS and all(people) and not (settled or marked)


def _scores(kept: OutOfFold, values: Values, new: ChoicePredictions) -> tuple[Mapping[TaskId, float], Floats] | None:
    """Of the labeled tasks and of the new ones, about one target; None where too few labels are known, or only one can
    be chosen."""
    predicted = kept.predicted
    if not isinstance(predicted, ChoicePredictions) or list(predicted.classes) != list(new.classes):
        return None
    column = {label: n for n, label in enumerate(predicted.classes)}
    people = {who: n for n, who in enumerate(dict.fromkeys(who for given in values.values() for who in given))}
    labels = [
        (row, people[who], column[str(value)])
        for row, task in enumerate(kept.tasks)
        for who, value in values.get(task, {}).items()
        if value in column
    ]
    if len(labels) < FEWEST or len(column) < 2:
        return None
    of_rows, of_people, of_labels = np.array(labels).T
    rows, tasks = np.unique(of_rows, return_inverse=True)
    given = Ratings(tasks, np.unique(of_people, return_inverse=True)[1], of_labels.astype(np.float64))
    scores = activelab(given, predicted.probabilities[rows], new.probabilities, FEWEST_SHARED)
    return {kept.tasks[row]: float(one) for row, one in zip(rows, scores.labeled, strict=True)}, scores.new


def _chosen(scored: Sequence[tuple[Mapping[TaskId, float], Floats]], may_come: Collection[TaskId]) -> Sequence[TaskId]:
    """A task with several targets is worth what the one is that a label would tell most of."""
    lowest = dict[TaskId, float]()
    for labeled, _ in scored:
        lowest |= {task: min(score, lowest.get(task, score)) for task, score in labeled.items() if task in may_come}
    if not lowest:
        return []
    tasks, new = list(lowest), np.min([new for _, new in scored], axis=0)
    rows = worth_more(Scores(np.array([lowest[task] for task in tasks]), new), EVERY)
    return [tasks[row] for row in rows[:MOST]]
