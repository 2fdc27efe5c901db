"""A project's model: for each target an encoder that makes features of tasks, and an estimator that has learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from nextlabel.estimators.prior import Prior
from nextlabel.features.encoders import Encoder, TextEncoder
from nextlabel.features.source import Source
from nextlabel.labeling import LabelSchema, Task, TaskId
from nextlabel.labeling.ranking import Features
from nextlabel.measures.target_predictions import TargetPredictions


class Estimator(Protocol):
    """A fitted model of one target; it never changes afterwards.

    ``informative`` is false while it says nothing about which task to ask for.
    """

    @property
    def informative(self) -> bool: ...

    def predict(self, tasks: Sequence[Task], features: Features) -> TargetPredictions:
        """n predictions from the tasks or their encoded features, row by row; a missing field never breaks a batch."""

    def state(self) -> dict[str, object]:
        """Plain values and arrays from which it can be restored; no code."""


@runtime_checkable
class SlowModel(Protocol):
    """Says of each task by itself what it has to say, and takes long for each."""

    def start(self) -> None:
        """Whatever takes long before the first answer; it may be called again."""

    def plain_answers(self, tasks: Sequence[Task]) -> Sequence[object]:
        """A plain value of each task, such as JSON holds, from which `from_plain_answers` makes the predictions."""

    def from_plain_answers(self, predicted: Sequence[object]) -> TargetPredictions:
        """The predictions for n tasks, in whatever process each was asked about."""


class Model(Protocol):
    """All that is known of a project, whatever made it; it never changes afterwards.

    ``informative`` is false while it says nothing about which task to ask for.
    """

    @property
    def informative(self) -> bool: ...

    def predict(
        self, tasks: Sequence[Task], source: Source, context: Mapping[str, object] | None = None
    ) -> Mapping[str, TargetPredictions]:
        """n predictions for n tasks, by target. ``context`` is what an annotator has just drawn, as the tool has it."""

    def state(self) -> dict[str, object]:
        """Plain values and arrays from which it can be restored; no code."""

    @property
    def files(self) -> Path | None:
        """A folder that belongs to it, beside its state."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of one target."""

    encoder: Encoder
    estimator: Estimator

    def predict(self, tasks: Sequence[Task], source: Source) -> TargetPredictions:
        return self.estimator.predict(tasks, self.encoder.encode(tasks, source))


Misses = Mapping[str, Mapping[TaskId, float]]
"""By target and task, what an answer cost, in [0, 1]."""


class ProjectModel:
    """All that is known of a project's targets."""

    kind = "project/2"
    """Changes whenever the same task would give other features. Models of another kind are not read, but made again
    from their labels: fed what they were not fitted on they would be wrong without a word."""

    def __init__(self, targets: Mapping[str, Learned], misses: Misses | None = None) -> None:
        """``misses`` is how far off it was, out of fold, about each audit label that it was trained on."""
        self.targets = dict(targets)
        self.misses = {name: dict(of_tasks) for name, of_tasks in (misses or {}).items()}

    @classmethod
    def untrained(cls, schema: LabelSchema) -> ProjectModel:
        """Before the first label: says the same of every task."""
        nothing = {target.name: Learned(TextEncoder(()), Prior(target.labels)) for target in schema.targets}
        return cls(nothing or {"": Learned(TextEncoder(()), Prior())})

    @property
    def informative(self) -> bool:
        """Whether any target has been learned so far as to tell tasks apart."""
        return any(learned.estimator.informative for learned in self.targets.values())

    files: Path | None = None

    def predict(
        self, tasks: Sequence[Task], source: Source, context: Mapping[str, object] | None = None
    ) -> dict[str, TargetPredictions]:
        """n predictions for n tasks, by target; nothing that an annotator draws changes them."""
        return {name: learned.predict(tasks, source) for name, learned in self.speaking.items()}

    @property
    def speaking(self) -> Mapping[str, Learned]:
        """The targets that are informative; all of them while none is."""
        known = {name: learned for name, learned in self.targets.items() if learned.estimator.informative}
        return known or self.targets

    def state(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "targets": {
                name: {"encoder": learned.encoder.state(), "estimator": learned.estimator.state()}
                for name, learned in self.targets.items()
            },
            "misses": {
                name: {"tasks": list(of_tasks), "misses": np.array(list(of_tasks.values()), dtype=np.float64)}
                for name, of_tasks in self.misses.items()
            },
        }
