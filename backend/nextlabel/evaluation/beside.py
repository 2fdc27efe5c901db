"""What is measured on audit tasks beside the accuracy: of each class, and F1 or correlation.

Figures are kept with a version by name (`figures_of`), and read from there (`by_class`, `for_one_look`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from heapq import nlargest
from itertools import chain
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nextlabel.evaluation.accuracy import FEWEST, PREFIX
from nextlabel.evaluation.intervals import Interval, jackknife, mean_interval
from nextlabel.labeling import KINDS, Label, Target, quoted
from nextlabel.measures.target_predictions import NumberPredictions, SpanPredictions, TargetPredictions

_FEWEST_FOR_ONE_LOOK = 50  # audit labels: a jackknife of fewer does not cover
MOST_KEPT = 100
"""Classes of which figures are kept with a version: those with the most audit labels."""
_MOST_NAMED = 5  # classes in a sentence
_OF_CLASS, _RIGHT, _CLASSES = PREFIX + "class ", PREFIX + "right ", PREFIX + "classes"
_LOW, _HIGH = " low", " high"

Figure = Callable[[NDArray[np.intp]], float]


@dataclass(frozen=True, slots=True)
class ByClass:
    """For each class with 10 audit labels how often it was found; ``too_few`` has how many labels others have, of
    ``classes`` in all."""

    found: Mapping[str, Interval]
    too_few: Mapping[str, int]
    classes: int

    @property
    def sentence(self) -> str:
        """For a person, of the classes without a figure; "" where there are none."""
        untold = self.classes - len(self.found)
        named = [f"{quoted(name)} ({n})" for name, n in list(self.too_few.items())[:_MOST_NAMED]]
        more = f" and {untold - len(named)} more" if untold > len(named) else ""
        return f"too few audit labels of {', '.join(named)}{more}" if untold else ""


def figures_of(target: Target, predicted: TargetPredictions, truth: Sequence[Label]) -> dict[str, float]:
    """The figures to keep with a version, from what models that had not seen them predict for n audit labels."""
    if len(truth) < FEWEST:
        return {}
    figures = _of_classes(target, predicted, truth) if target.kind in ("choice", "choices") else {}
    if len(truth) >= _FEWEST_FOR_ONE_LOOK:
        figures |= _for_one_look(target, predicted, truth)
    return {f"{target.name}.{name}": figure for name, figure in figures.items()}


def by_class(metrics: Mapping[str, float]) -> dict[str, ByClass]:
    """By target, of a version: of the tasks that are labeled with a class, how many it gave that class, out of fold.

    The classes with the fewest labels come last.
    """
    found: dict[str, ByClass] = {}
    for name, classes in metrics.items():
        target, _, last = name.rpartition(".")
        if last == _CLASSES:
            counts = {key: round(metrics[f"{target}.{_OF_CLASS}{key}"]) for key in _keys(target, metrics)}
            measured = {
                unquote(key): mean_interval(np.arange(n) < round(metrics[f"{target}.{_RIGHT}{key}"]))
                for key, n in counts.items()
                if n >= FEWEST
            }
            too_few = {unquote(key): n for key, n in counts.items() if n < FEWEST}
            found[target] = ByClass(measured, too_few, round(classes))
    return found


def counts_by_class(metrics: Mapping[str, float]) -> dict[str, dict[str, tuple[int, int]]]:
    """By target and class, of a version: how many audit labels of the class it found, out of fold, and how many there
    are; of the 100 classes with the most."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for name in metrics:
        target, _, last = name.rpartition(".")
        if last == _CLASSES:
            before = {key: (f"{target}.{_RIGHT}{key}", f"{target}.{_OF_CLASS}{key}") for key in _keys(target, metrics)}
            found[target] = {
                unquote(key): (round(metrics[right]), round(metrics[labels])) for key, (right, labels) in before.items()
            }
    return found


def for_one_look(metrics: Mapping[str, float]) -> dict[str, dict[str, Interval]]:
    """By target, the figures of a version that are no means: F1 or correlation."""
    found: dict[str, dict[str, Interval]] = {}
    for name in metrics:
        target, _, last = name.rpartition(".")
        if last.startswith(PREFIX) and last.endswith(_LOW):
            whole = name.removesuffix(_LOW)
            low, high, labels = metrics[name], metrics[whole + _HIGH], round(metrics[f"{target}.{PREFIX}labels"])
            method = "out of fold on audit tasks; jackknife, not for repeated looks"
            found.setdefault(target, {})[last.removeprefix(PREFIX).removesuffix(_LOW)] = Interval(
                metrics[whole], low, high, labels, method
            )
    return found


def values_of(metrics: Mapping[str, float]) -> dict[str, Any]:
    """All of it as plain values."""
    return {
        "accuracy_by_class": {
            target: {"classes": {name: asdict(share) for name, share in one.found.items()}, "untold": one.sentence}
            for target, one in by_class(metrics).items()
        },
        "figures_for_one_look": {
            target: {name: asdict(figure) for name, figure in figures.items()}
            for target, figures in for_one_look(metrics).items()
        },
    }


def _keys(target: str, metrics: Mapping[str, float]) -> list[str]:
    before = f"{target}.{_OF_CLASS}"
    return [name.removeprefix(before) for name in metrics if name.startswith(before)]


def _of_classes(target: Target, predicted: TargetPredictions, truth: Sequence[Label]) -> dict[str, float]:
    """How many audit labels each class has, and of how many of them it was predicted."""
    pairs = list(zip(_names(target, truth), _names(target, _guessed(target, predicted)), strict=True))
    labels = Counter(name for true, _ in pairs for name in true)
    right = Counter(name for true, given in pairs for name in true & given)
    classes = dict.fromkeys([*target.labels, *labels])
    kept = nlargest(MOST_KEPT, classes, key=lambda name: labels[name])
    counts = {kind + _key(name): float(n[name]) for name in kept for kind, n in ((_OF_CLASS, labels), (_RIGHT, right))}
    return {_CLASSES: float(len(classes))} | counts


def _for_one_look(target: Target, predicted: TargetPredictions, truth: Sequence[Label]) -> dict[str, float]:
    name, lowest, figure = _figure(target, predicted, truth)
    if figure is None:
        return {}
    found = jackknife(figure, len(truth), lowest=lowest)
    key = PREFIX + name
    return {key: found.value, key + _LOW: found.low, key + _HIGH: found.high}


def _figure(target: Target, predicted: TargetPredictions, truth: Sequence[Label]) -> tuple[str, float, Figure | None]:
    """The name of a figure that suits the kind of target, its lowest value, and what it is of some rows."""
    if isinstance(predicted, NumberPredictions):
        return "correlation", -1.0, lambda rows: _correlation(predicted, truth, rows)
    if isinstance(predicted, SpanPredictions):
        marked = [frozenset(label) for label in truth if isinstance(label, tuple)]
        return "f1", 0.0, _f1(*_counts([set(spans) for spans in predicted.spans], marked, whole=True))
    if target.kind in ("choice", "choices"):
        given = _names(target, _guessed(target, predicted))
        return "macro_f1", 0.0, _f1(*_counts(given, _names(target, truth), whole=False))
    return "", 0.0, None


def _correlation(predicted: NumberPredictions, truth: Sequence[Label], rows: NDArray[np.intp]) -> float:
    return predicted.of(rows).metrics([truth[row] for row in rows.tolist()])["correlation"]


def _f1(right: csr_matrix, both: csr_matrix) -> Figure | None:
    """The mean over columns of F1, of those with anything to find or found; None where there is none."""
    if not both.nnz:
        return None

    def figure(rows: NDArray[np.intp]) -> float:
        of_columns, found = (np.asarray(one[rows].sum(axis=0)).ravel() for one in (both, right))
        known = of_columns > 0
        return float((2 * found[known] / of_columns[known]).mean()) if known.any() else 0.0

    return figure


def _counts(
    given: Sequence[Collection[object]], true: Sequence[Collection[object]], *, whole: bool
) -> tuple[csr_matrix, csr_matrix]:
    """Two of n × columns: what is in both, and what is in either, added up. Each name has a column, or all together
    have one (``whole``)."""
    columns: dict[object, int] = {"": 0} if whole else {name: n for n, name in enumerate({*chain(*given, *true)})}
    shape = len(true), max(len(columns), 1)

    def matrix(rows: Sequence[Collection[object]]) -> csr_matrix:
        places = [(row, columns["" if whole else name]) for row, names in enumerate(rows) for name in names]
        row, column = np.array(places, dtype=np.intp).reshape(-1, 2).T
        return csr_matrix((np.ones(len(places), dtype=np.float32), (row, column)), shape=shape)

    shared = [set(one) & set(other) for one, other in zip(given, true, strict=True)]
    return matrix(shared), csr_matrix(matrix(given) + matrix(true))


def _guessed(target: Target, predicted: TargetPredictions) -> list[Label]:
    return [guess.label for guess in predicted.guesses(target.name)]


def _names(target: Target, labels: Sequence[Label]) -> list[frozenset[str]]:
    names = KINDS[target.kind].names
    return [frozenset(names(label)) if names else frozenset() for label in labels]


def _key(name: str) -> str:
    """The name of a class as a part of a figure's name, which has no dots and no end of its own."""
    return quote(name, safe="").replace(".", "%2E")
