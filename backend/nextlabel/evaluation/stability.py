"""How far two versions predict the same of the same tasks, and how right a prediction is: by the kind of target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from nextlabel.labeling import Label, Placed, Scale, Span, TargetKind
from nextlabel.labeling.ranking import Floats
from nextlabel.measures.span_f1 import span_f1

Codes = NDArray[np.integer]


def kappa(before: Codes, after: Codes) -> float:
    """Cohen's κ (1960) of two versions' classes for the same n tasks, as codes from 0; 0 where both know only one
    class: that says nothing."""
    if not len(before):
        return 0.0
    k = int(max(before.max(), after.max())) + 1
    same = float((before == after).mean())
    by_chance = float(np.bincount(before, minlength=k) @ np.bincount(after, minlength=k)) / len(before) ** 2
    return 0.0 if by_chance >= 1 else (same - by_chance) / (1 - by_chance)


def weighted_kappa(before: Floats, after: Floats) -> float:
    """Of numbers, κ weighted by squared distances, which is Lin's concordance (1989); 0 where both are constant."""
    apart = float(((before - after) ** 2).mean()) if len(before) else 0.0
    by_chance = float(before.var() + after.var() + (before.mean() - after.mean()) ** 2) if len(before) else 0.0
    return 0.0 if by_chance == 0 else 1 - apart / by_chance


def alike(kind: TargetKind, before: Sequence[Label], after: Sequence[Label]) -> float:
    """How far two versions predict the same of the same n tasks, 1 at most.

    κ of a single choice; its mean over the labels that are given of several; weighted κ of numbers; F1 of spans; the
    mean correlation of orders (Kendall, 1938).
    """
    return _ALIKE[kind](before, after)


def changed(kind: TargetKind, before: Sequence[Label], after: Sequence[Label]) -> float:
    """The share in [0, 1] of what was predicted that has changed: by how much the accuracy can differ at most."""
    right = correctness(kind, before, after, spread(after) if kind == "number" else 1.0)
    return float(1 - right.mean()) if len(right) else 0.0


def correctness(kind: TargetKind, predicted: Sequence[Label], truth: Sequence[Label], width: float) -> Floats:
    """n in [0, 1], how right each prediction is: as `TargetPredictions.correctness` has it, from the labels alone.

    ``width`` is the range of a number (`width_of`).
    """
    how = _RIGHT[kind]
    return np.array([how(one, other, width) for one, other in zip(predicted, truth, strict=True)], dtype=np.float64)


def width_of(scale: Scale | None, truth: Sequence[Label]) -> float:
    """Of numbers: both ends of their scale, or else six of the labels' own deviations."""
    if scale is not None and scale.low is not None and scale.high is not None:
        return max(scale.high - scale.low, 1e-9)
    return spread(truth)


def spread(numbers: Sequence[Label]) -> float:
    """Six of their standard deviations."""
    known = [float(one) for one in numbers if isinstance(one, float | int)]
    return max(6 * float(np.std(known)), 1e-9) if known else 1e-9


def _of_classes(before: Sequence[Label], after: Sequence[Label]) -> float:
    names = {name: code for code, name in enumerate(dict.fromkeys(chain(before, after)))}
    first, second = (np.array([names[one] for one in some], dtype=np.intp) for some in (before, after))
    return kappa(first, second)


def _of_several(before: Sequence[Label], after: Sequence[Label]) -> float:
    names = sorted({str(name) for label in chain(before, after) for name in _parts(label)})
    found = [
        kappa(*(np.array([name in _parts(one) for one in some], dtype=np.intp) for some in (before, after)))
        for name in names
    ]
    return float(np.mean(found)) if found else 0.0


def _of_numbers(before: Sequence[Label], after: Sequence[Label]) -> float:
    first, second = (np.array([float(one) for one in some], dtype=np.float64) for some in (before, after))  # type: ignore[arg-type]
    return weighted_kappa(first, second)


def _of_spans(before: Sequence[Label], after: Sequence[Label]) -> float:
    """0 where neither finds any."""
    return span_f1(before, after)[2] if any(before) or any(after) else 0.0  # type: ignore[arg-type]


def _of_orders(before: Sequence[Label], after: Sequence[Label]) -> float:
    found = [2 * _concordant(one, other, 0.0) - 1 for one, other in zip(before, after, strict=True)]
    return float(np.mean(found)) if found else 0.0


def _parts(label: Label) -> tuple[object, ...]:
    return label if isinstance(label, tuple) else ()


def _is_same(one: Label, other: Label, width: float) -> float:
    return float(one == other)


def _jaccard(one: Label, other: Label, width: float) -> float:
    first, second = set(_parts(one)), set(_parts(other))
    return len(first & second) / len(first | second) if first or second else 1.0


def _near(one: Label, other: Label, width: float) -> float:
    return 1 - min(abs(float(one) - float(other)) / width, 1.0)  # type: ignore[arg-type]


def _f1(one: Label, other: Label, width: float) -> float:
    first, second = ({part for part in _parts(label) if isinstance(part, Span)} for label in (one, other))
    return 2 * len(first & second) / (len(first) + len(second)) if first or second else 1.0


def _concordant(one: Label, other: Label, width: float) -> float:
    """The share of pairs of items that are in the same order in both."""
    first, second = ([part for part in _parts(label) if isinstance(part, Placed)] for label in (one, other))
    place = {part.item: n for n, part in enumerate(second)}
    pairs = [(a, b) for a, b in combinations([part.item for part in first if part.item in place], 2)]
    return sum(place[a] < place[b] for a, b in pairs) / len(pairs) if pairs else float(first == second)


_ALIKE: Mapping[TargetKind, Callable[[Sequence[Label], Sequence[Label]], float]] = {
    "choice": _of_classes,
    "choices": _of_several,
    "number": _of_numbers,
    "spans": _of_spans,
    "ranking": _of_orders,
}
_RIGHT: Mapping[TargetKind, Callable[[Label, Label, float], float]] = {
    "choice": _is_same,
    "choices": _jaccard,
    "number": _near,
    "spans": _f1,
    "ranking": _concordant,
}
