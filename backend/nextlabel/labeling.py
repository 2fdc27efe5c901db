"""The words that all labeling tools share: tasks, annotations, predictions and what is to be labeled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NewType

ProjectId = NewType("ProjectId", str)
"""A labeling project, as the tool names it."""
TaskId = NewType("TaskId", str)
AnnotationId = NewType("AnnotationId", str)
ModelVersion = NewType("ModelVersion", str)
"""A trained model's name, e.g. ``0007``."""
QueueVersion = NewType("QueueVersion", str)
"""An order of the queue, named after the model that made it: ``0007``, then ``0007.2`` for a refill."""
Cursor = NewType("Cursor", str)
"""How far a connector has read; opaque to everyone but that connector."""

TargetKind = Literal["choice", "rating"]
"""One of several labels; one of several numbers, in their order."""


@dataclass(frozen=True, slots=True)
class Task:
    """An item to label: the tool's id and whatever fields the team imported."""

    id: TaskId
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to be learned about each task: a control tag of the labeling config.

    ``inputs`` are the task fields it is about, in the order they are shown; ``labels`` the values that an
    annotator can choose.
    """

    name: str
    kind: TargetKind
    inputs: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """What a project labels: the targets that can be learned, and by name what is left out and why."""

    targets: tuple[Target, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Twelve hex digits that change whenever a target changes."""
        return hashlib.sha256(repr(self.targets).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a person submitted for a task.

    ``labels`` maps a target's name to the chosen value; it is empty when the annotation was skipped or says
    nothing of any target. ``updated_at`` is ISO 8601 in UTC, so that text order is time order.
    """

    id: AnnotationId
    labels: Mapping[str, str]
    updated_at: str
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """What a model says of one target of one task; ``confidence`` in [0, 1] is the label's probability."""

    target: str
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of a task.

    ``uncertainty`` and ``utility`` are in [0, 1]; higher is less sure, and sooner to be labeled.
    ``guesses`` is empty where the model has nothing to say of this task.
    """

    task: TaskId
    version: QueueVersion
    guesses: tuple[Guess, ...]
    uncertainty: float
    utility: float


def label_in_force(annotations: tuple[Annotation, ...], target: str) -> str | None:
    """The label that counts for a target: of the annotations that were not skipped, the last one's.

    Ties in time go to the higher id, which is the later one in every tool we know.
    """
    said = [a for a in annotations if not a.skipped and target in a.labels]
    if not said:
        return None
    return max(said, key=lambda a: (a.updated_at, len(a.id), a.id)).labels[target]
