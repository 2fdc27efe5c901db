"""What a cell of a file says → a label of one kind; which kind the labels of a column are, and how it is measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from nextlabel.errors import ConfigurationError
from nextlabel.labeling import Label, Span, TargetKind, number_in

_MOST_NUMBERED = 20  # classes that are numbers with a fraction: more of them are numbers


def parsed(value: object) -> object:
    """A list or object that stands in a cell as JSON; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def choice_of(value: object) -> str | None:
    """The label, where a cell holds a single choice."""
    one = parsed(value)
    return (str(one).strip() or None) if isinstance(one, str | int | float) else None


def choices_of(value: object) -> tuple[str, ...] | None:
    """Any number of labels, as a list or as Label Studio has them."""
    many = parsed(value)
    if isinstance(many, dict):
        many = many.get("choices")
    if isinstance(many, list | tuple):
        return tuple(sorted(set(many))) if all(isinstance(one, str) for one in many) else None
    one = choice_of(many)
    return (one,) if one else None


def _only_choice_of(value: object) -> str | None:
    """A single choice, also as a list of one."""
    many = choices_of(value)
    return many[0] if many and len(many) == 1 else None


def number_of(value: object) -> float | None:
    """A number, or the rating or number that Label Studio writes."""
    match parsed(value):
        case [{"rating": one}] | [{"number": one}]:
            return number_in(one)
        case other:
            return number_in(other)


def spans_of(value: object) -> tuple[Span, ...] | None:
    """Spans as ``[start, end, label]``, or as Label Studio has them."""
    items = parsed(value)
    if not isinstance(items, list | tuple):
        return None
    spans = [span for item in items for span in _spans_in(item)]
    return None if None in spans else tuple(sorted({span for span in spans if span is not None}))


def _spans_in(item: object) -> list[Span | None]:
    match item:
        case [int(start), int(end), str(label)] if 0 <= start < end:
            return [Span(start, end, label)]
        case {"start": int(start), "end": int(end), "labels": [*labels]} if 0 <= start < end:
            return [Span(start, end, label) if isinstance(label, str) else None for label in labels]
        case _:
            return [None]


READERS: Mapping[TargetKind, Callable[[object], Label | None]] = {
    "choice": _only_choice_of,
    "choices": choices_of,
    "number": number_of,
    "spans": spans_of,
}


METRICS: Mapping[TargetKind, tuple[str, ...]] = {
    "choice": ("accuracy", "macro_f1"),
    "choices": ("micro_f1", "all_right"),
    "number": ("correlation",),
    "spans": ("f1",),
}
"""The figures of `metrics_of` that a kind of target can be measured by, the usual one first; higher is better."""


def kind_measured_by(metric: str) -> TargetKind:
    """Raises `ConfigurationError` for what measures none."""
    found = next((kind for kind, metrics in METRICS.items() if metric in metrics), None)
    if found is None:
        known = ", ".join(name for metrics in METRICS.values() for name in metrics)
        raise ConfigurationError(f"metric is {metric!r}: choose from {known}.")
    return found


def kind_of(values: Sequence[object]) -> TargetKind:
    """What the values of a column are: the first kind that can read all of them; single choices where none can.

    Numbers are classes, as they mostly are in files, unless many different ones have a fraction.
    """
    if all(_only_choice_of(value) is not None for value in values):
        numbers = {number_in(value) for value in values}
        fractions = None not in numbers and any(one is not None and one % 1 for one in numbers)
        return "number" if fractions and len(numbers) > _MOST_NUMBERED else "choice"
    kinds: Sequence[TargetKind] = ("choices", "number", "spans")
    return next((kind for kind in kinds if all(READERS[kind](value) is not None for value in values)), "choice")
