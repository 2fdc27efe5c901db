"""Where a fit begins: at what the last fit of the same target came to, so that a few more labels take a few steps.

Only ever a beginning: the optimum is the same, and a model of some rows begins where a model of these rows ended, never
at one that has seen others (`Start.of`). The models of folds are fitted anew once a tenth of the labels is new to them;
until then what they predict is as honest as it was, and nobody waits for them (`Start.is_recent`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nextlabel.features.source import Arrays, NamedArrays
from nextlabel.labeling.ranking import Floats

_MOST_NUMBERS = 8_000_000  # of all models together, 4 bytes each
_FEW = 0.1  # of the labels

Fitting = tuple[Floats, Floats, NDArray[np.integer]]
"""A model's weights (names × its classes), its intercepts, and which classes it knows."""


@dataclass(frozen=True, slots=True)
class Start:
    """Linear models of one target: that of all rows, or one for each fold.

    ``names`` (n) are those of the numbers that they weigh; ``classes`` are positions among the target's. Both are
    sorted. ``weights`` is models × n × classes, ``intercepts`` models × classes. They were fitted when ``tasks`` (m),
    sorted, had these ``labels`` (m positions among the target's).
    """

    names: NDArray[np.str_]
    classes: NDArray[np.intp]
    weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    tasks: NDArray[np.str_]
    labels: NDArray[np.intp]

    def of(self, model: int, names: NDArray[np.str_], classes: NDArray[np.integer]) -> tuple[Floats, Floats] | None:
        """Weights (names × classes) and intercepts to begin with, 0 where nothing is known; None without such a
        model."""
        if model >= len(self.weights):
            return None
        row, known_row = _places(self.names, names)
        column, known_column = _places(self.classes, classes)
        weights = self.weights[model][np.ix_(row, column)] * np.outer(known_row, known_column)
        return weights.astype(np.float64), (self.intercepts[model][column] * known_column).astype(np.float64)

    def is_recent(self, tasks: NDArray[np.str_], labels: NDArray[np.integer]) -> bool:
        """Whether no label is gone since, and less than a tenth of them has come or changed."""
        place, known = _places(self.tasks, tasks)
        same = known & (self.labels[place] == labels)
        return int(known.sum()) == len(self.tasks) and len(tasks) - int(same.sum()) < _FEW * len(tasks)

    def arrays(self) -> NamedArrays:
        return {
            "names": self.names,
            "classes": self.classes,
            "weights": self.weights,
            "intercepts": self.intercepts,
            "tasks": self.tasks,
            "labels": self.labels,
        }

    @classmethod
    def from_arrays(cls, arrays: NamedArrays | None) -> Start | None:
        """None where these are no start."""
        try:
            start = cls(**cast("dict[str, NDArray[np.str_]]", dict(arrays or {})))  # type: ignore[arg-type]
        except TypeError:
            return None
        fits = start.weights.shape == (len(start.intercepts), len(start.names), len(start.classes))
        return start if fits and start.weights.size and len(start.tasks) == len(start.labels) > 0 else None

    @classmethod
    def made(
        cls,
        names: NDArray[np.str_],
        classes: NDArray[np.intp],
        models: Sequence[Fitting],
        tasks: NDArray[np.str_],
        labels: NDArray[np.intp],
    ) -> Start | None:
        """``classes`` must be sorted, and hold those of every model; None where it is too large to be kept."""
        if len(models) * len(names) * len(classes) > _MOST_NUMBERS:
            return None
        order = np.argsort(names)
        weights = np.zeros((len(models), len(names), len(classes)), dtype=np.float32)
        intercepts = np.zeros((len(models), len(classes)), dtype=np.float32)
        for n, (mine, intercept, known) in enumerate(models):
            column = np.searchsorted(classes, known)
            weights[n][:, column], intercepts[n][column] = mine[order], intercept
        by_name = np.argsort(tasks)
        return cls(names[order], classes, weights, intercepts, tasks[by_name], labels[by_name])


class LastFit:
    """The last fit of a target, of which ``tasks`` (n) are labeled now.

    ``folds_kept`` is whether the models of its folds were left as they are.
    """

    folds_kept = False

    def __init__(
        self, tasks: Sequence[str] | NDArray[np.str_], fits: Arrays, name: str, *, folds_anew: bool = False
    ) -> None:
        """``name`` stands for all that must be the same for it to mean anything: the target, its classes, its
        features. With ``folds_anew`` the models of folds are fitted however few labels are new to them."""
        self.tasks, self._fits, self._name = np.array(tasks, dtype=np.str_), fits, name
        self.folds_anew = folds_anew

    @cached_property
    def start(self) -> Start | None:
        """Of the model of all rows. Read when it is asked for: most fits are over sooner."""
        return Start.from_arrays(self._fits.get(self._name))

    @cached_property
    def folds(self) -> LastFit:
        """The same of the models of its folds."""
        return LastFit(self.tasks, self._fits, f"{self._name}, out of fold")

    def keep(
        self,
        names: NDArray[np.str_],
        classes: NDArray[np.integer],
        models: Sequence[Fitting],
        labels: NDArray[np.integer],
    ) -> None:
        """``labels`` (n) are those of the tasks."""
        if made := Start.made(names, classes.astype(np.intp), models, self.tasks, labels.astype(np.intp)):
            self._fits.keep(self._name, made.arrays())


def _places(known: NDArray[Any], wanted: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Where each of the wanted stands among the known, which are sorted, and whether it does."""
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return places, known[places] == wanted
