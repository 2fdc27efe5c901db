"""The two questions that every fault ends with: was each label learned once, and is the queue the right one?

The labels are read from Label Studio's API with eyes of our own, not with the connector's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import pairwise
from typing import Any

from nextlabel.features.metadata import is_blank
from nextlabel.features.source import Source
from nextlabel.labeling import Input, ProjectId, Task, TaskId, labels_in_force
from nextlabel.measures import uncertainty
from nextlabel.measures.target_predictions import ChoicePredictions
from nextlabel.ports.state import ModelRecord, QueueRecord
from nextlabel.wiring import Parts
from nextlabel_connectors.label_studio.label_config import parse_label_config
from nextlabel_connectors.label_studio.testing import LabelStudioPerson
from nextlabel_connectors.label_studio.testing.people import CONTROL

_SAME = 1e-9  # margins of one model may differ by rounding

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. ``lost`` are labels in the tool that the last training or the label store does not have as they
    are, ``double`` those that either has more often than the tool; ``wrong`` is what is wrong with the queue."""

    in_tool: int
    trained_on: int
    lost: int
    double: int
    wrong: str

    @property
    def right(self) -> bool:
        return not self.lost and not self.double and not self.wrong


def look(owner: LabelStudioPerson, project: int, parts: Parts) -> Verdict:
    """How things stand now. Raises what SQL and Label Studio raise."""
    settings, tasks = owner.project(project), owner.tasks(project)
    name = ProjectId(str(project))
    last, serving, queues = (
        parts.models.latest(name, with_labels=True),
        parts.models.in_service(name),
        parts.orders.announced(name),
    )
    said = _said(tasks, settings["label_config"])
    trained = _trained_on(last)
    stored, annotations = _stored(parts, name)
    in_force = {task: label for task, label in stored.items() if label in _choices(settings["label_config"])}
    lost = {task for task, label in said.items() if trained.get(task) != label or in_force.get(task) != label}
    strange = {task for told in (trained, in_force) for task in told if task not in said}
    return Verdict(
        in_tool=len(said),
        trained_on=len(trained),
        lost=len(lost),
        double=len(strange) + _counted_twice(last, trained) + _too_many(annotations, tasks),
        wrong=_wrong(settings, tasks, serving, queues, parts),
    )


# --- labels ------------------------------------------------------------------------------------------------


def _choices(config: str) -> set[str]:
    return {unescape(value) for value in re.findall(r'<Choice value="([^"]*)"', config)}


def _said(tasks: Sequence[Raw], config: str) -> dict[TaskId, str]:
    """The label in force of each task: of its annotations that were not skipped, the last that chose one there is."""
    known, said = _choices(config), {}
    for task in tasks:
        for annotation in sorted(task["annotations"], key=lambda one: (one["updated_at"], one["id"])):
            label = _chosen(annotation)
            if not annotation["was_cancelled"] and label in known:
                said[_id(task)] = str(label)
    return said


def _chosen(annotation: Raw) -> str | None:
    for region in annotation["result"] or ():
        if isinstance(region, dict) and region.get("from_name") == CONTROL and region.get("type") == "choices":
            match region.get("value"):
                case {"choices": [str(label)]}:
                    return label
    return None


def _trained_on(record: ModelRecord | None) -> dict[TaskId, str]:
    told = {} if record is None else record.trained_on
    return {task: str(labels[CONTROL]) for task, labels in told.items() if CONTROL in labels}


def _stored(parts: Parts, project: ProjectId) -> tuple[dict[TaskId, str], Counter[TaskId]]:
    """The labels in force by the label store, and how many annotations it has of each task."""
    stored, annotations = {}, Counter[TaskId]()
    for task, told in parts.store.annotated(project):
        annotations[task.id] = len(told)
        if (label := labels_in_force(told).get(CONTROL)) is not None:
            stored[task.id] = str(label)
    return stored, annotations


def _counted_twice(last: ModelRecord | None, trained: Mapping[TaskId, str]) -> int:
    """How many more examples the estimator was fitted on than there were labels, where it tells."""
    fitted = None if last is None else last.metrics.get("labels")
    return 0 if fitted is None else abs(round(fitted) - len(trained))


def _too_many(stored: Counter[TaskId], tasks: Sequence[Raw]) -> int:
    told = {_id(task): sum(not one["was_cancelled"] for one in task["annotations"]) for task in tasks}
    return sum(max(0, n - told.get(task, 0)) for task, n in stored.items())


# --- the queue ---------------------------------------------------------------------------------------------


def _wrong(
    settings: Raw, tasks: Sequence[Raw], serving: ModelRecord | None, queues: Sequence[QueueRecord], parts: Parts
) -> str:
    """In what the queue is not the ranking of the version in service; empty where it is."""
    if serving is None or not queues:
        return "there is no model in service, or no order of it"
    if serving.schema_digest != parse_label_config(settings["label_config"]).schema.digest:
        return "the model in service is of another labeling config"
    return _of_queue(queues[0], settings, tasks, serving, parts)


def _of_queue(queue: QueueRecord, settings: Raw, tasks: Sequence[Raw], serving: ModelRecord, parts: Parts) -> str:
    still_open = {_id(task): task for task in tasks if not task["is_labeled"]}
    served = _served(still_open, queue.version)
    if queue.model != serving.version:
        return f"the order is {queue.version}, the model in service {serving.version}"
    if settings["model_version"] != queue.version or settings["sampling"] != "Uncertainty sampling":
        return f"Label Studio serves '{settings['model_version']}' by {settings['sampling']}, not {queue.version}"
    if served != [task for task in queue.window if task in still_open]:
        return f"what Label Studio serves is not the window of {queue.version}"
    if missing := still_open.keys() - set(served):
        return f"{len(missing)} open tasks are not in the order"
    return _by_margin([Task(task, still_open[task]["data"]) for task in served], serving, settings, parts)


def _served(still_open: Mapping[TaskId, Raw], version: str) -> list[TaskId]:
    """The open tasks with a score of this version, as Label Studio orders them: the lowest score first."""
    scores = {
        task: min(shown)
        for task, raw in still_open.items()
        if (shown := [one["score"] for one in raw["predictions"] if one["model_version"] == version])
    }
    return sorted(scores, key=scores.__getitem__)


def _by_margin(served: Sequence[Task], serving: ModelRecord, settings: Raw, parts: Parts) -> str:
    """Whether the tasks stand by what the model in service itself says of them now, the least sure first; behind them
    those in which there is nothing to read."""
    blank = [is_blank(task.data, [Input("text")]) for task in served]
    if blank != sorted(blank):
        return "a task in which there is nothing to read comes before others"
    served = [task for task, nothing in zip(served, blank, strict=True) if not nothing]
    model = parts.models.load(ProjectId(str(settings["id"])), serving.version)
    predicted = model.predict(served, Source())[CONTROL]
    if not model.informative or not isinstance(predicted, ChoicePredictions):
        return "the model in service knows nothing"
    margins = uncertainty.margin(predicted.probabilities).tolist()
    falls = [f"{one:.6f} before {after:.6f}" for one, after in pairwise(margins) if one < after - _SAME]
    return f"the order is not by the margins of {serving.version}: {falls[0]}" if falls else ""


def _id(task: Raw) -> TaskId:
    return TaskId(str(task["id"]))
