"""What is believed before there is anything to learn from: nothing, of any task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nextlabel.labeling import Task
from nextlabel.labeling.ranking import Features
from nextlabel.measures.target_predictions import ChoicePredictions

_KNOWN_OR_NOT = ("known", "unknown")  # what stands for the classes of a target that has none


class Prior:
    """The same probabilities for every task: uniform without labels, then Laplace-smoothed class shares.

    It is what serves before a target can be learned; ``informative`` says that its probabilities tell nothing about
    which task to ask for.
    """

    kind = "prior/2"
    informative: bool = False

    def __init__(self, classes: Sequence[str] = (), counts: Sequence[int] | None = None) -> None:
        self._classes = tuple(classes) or _KNOWN_OR_NOT
        self._counts = tuple(counts) if counts else (0,) * len(self._classes)

    def predict(self, tasks: Sequence[Task], features: Features | None = None) -> ChoicePredictions:
        smoothed = np.array(self._counts, dtype=np.float32) + 1
        return ChoicePredictions(self._classes, np.tile(smoothed / smoothed.sum(), (len(tasks), 1)))

    def state(self) -> dict[str, object]:
        return {"kind": self.kind, "classes": list(self._classes), "counts": list(self._counts)}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> Prior:
        classes, counts = state["classes"], state["counts"]
        assert isinstance(classes, list)  # noqa: S101 - written by `state`
        assert isinstance(counts, list)  # noqa: S101
        return cls(classes, counts)
