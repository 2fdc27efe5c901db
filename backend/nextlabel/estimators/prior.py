"""What is believed before there is anything to learn from: the classes' prior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import csr_matrix

from nextlabel.labeling import Task
from nextlabel.ranking import Floats


class Prior:
    """The same probabilities for every task: uniform without labels, then Laplace-smoothed class shares.

    It is what serves before two classes have been seen; ``informative`` says that its probabilities tell
    nothing about which task to ask for.
    """

    kind = "prior/1"
    informative: bool = False

    def __init__(self, classes: Sequence[str], counts: Sequence[int] | None = None) -> None:
        self._classes = tuple(classes)
        self._counts = tuple(counts) if counts is not None else (0,) * len(self._classes)

    @property
    def classes_(self) -> tuple[str, ...]:
        return self._classes

    @property
    def shares(self) -> Floats:
        smoothed: Floats = np.array(self._counts, dtype=np.float32) + 1
        return np.asarray(smoothed / smoothed.sum())

    def predict_proba(self, tasks: Sequence[Task]) -> Floats:
        return np.tile(self.shares, (len(tasks), 1))

    def predict_proba_features(self, features: csr_matrix) -> Floats:
        return np.tile(self.shares, (features.shape[0], 1))

    def state(self) -> dict[str, object]:
        return {"kind": self.kind, "classes": list(self._classes), "counts": list(self._counts)}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> Prior:
        classes, counts = state["classes"], state["counts"]
        assert isinstance(classes, list)  # noqa: S101 - written by `state`
        assert isinstance(counts, list)  # noqa: S101
        return cls(classes, counts)
