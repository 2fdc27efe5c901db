"""The kinds of target: what a label of each is, where it can be read from, and what a project of that kind has.

A new kind begins here. CONTRIBUTING names the other files that it touches.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal, NamedTuple

from nextlabel.labeling.needs import Needs
from nextlabel.labeling.scales import Scale
from nextlabel.labeling.wording import number_in

LONGEST_LABEL = 1_000
"""Characters of a label."""

TargetKind = Literal["choice", "choices", "number", "spans", "ranking"]
"""One of several labels · any number of them · a number · labeled pieces of a text · an order of the task's items."""


class Span(NamedTuple):
    """A labeled piece of a text: characters ``start`` to ``end`` (exclusive), counted from 0."""

    start: int
    end: int
    label: str


class Placed(NamedTuple):
    """An item that a task offers, and the bucket that it was put in: "" where there are none, or it was left out."""

    bucket: str
    item: str


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that a team's own model says of a task, as Label Studio writes results."""

    items: tuple[Mapping[str, object], ...]


Label = str | float | tuple[str, ...] | tuple[Span, ...] | tuple[Placed, ...] | Result
"""The label of a target: of a ``choice`` one of the target's, of ``choices`` several in the order of the target's, of a
``number`` the number, of ``spans`` the spans in the order of the text, of a ``ranking`` the items from the first to the
last, bucket by bucket in the order of the target's. A `Result` is of all controls at once."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What other rooms ask of a kind of target."""

    words: str
    """What a target of the kind is, for messages."""
    counted: str
    """The same with how many labels there are."""
    in_file: str
    """What a cell of a file with labels must be."""
    read: Callable[[object, Sequence[str] | None, Scale | None], Label | None]
    """A label as it was stored, and the target's labels (None: any) and scale → the label; None where it is none."""
    read_cell: Callable[[object], Label | None]
    """What a cell of any file holds → a label of the kind; None where it is none."""
    metrics: tuple[str, ...]
    """The figures of `TargetPredictions.metrics` that it can be measured by, the usual one first; higher is better."""
    gives: frozenset[Needs] = frozenset()
    """What query strategies get where a project has one target, and it is of the kind."""
    names: Callable[[Label], Sequence[str]] | None = None
    """The names of a label that make two labels alike; None where labels are numbers."""
    slow: bool = False
    """Whether asking a model about every open task takes too long, so that only some are asked about."""
    of_text: bool = False
    """Whether labels are pieces of a text, so that tasks must hold one."""
    of_items: bool = False
    """Whether labels order the items that each task offers, so that a target must have ``options``; its own labels are
    buckets for them, "" for items that are left out of the order."""


# --- labels as they are stored, or have been through JSON, which knows lists only -------------------------------------


def _is_one_of(label: str, labels: Collection[str] | None) -> bool:
    return 0 < len(label) <= LONGEST_LABEL if labels is None else label in labels


def _choice(stated: object, labels: Sequence[str] | None, scale: Scale | None) -> str | None:
    return stated if isinstance(stated, str) and _is_one_of(stated, labels) else None


def _number(stated: object, labels: Sequence[str] | None, scale: Scale | None) -> float | None:
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not isfinite(stated):
        return None
    low, high = (scale.low, scale.high) if scale else (None, None)
    inside = (low is None or stated >= low) and (high is None or stated <= high)
    return float(stated) if inside else None


def _choices(stated: object, labels: Sequence[str] | None, scale: Scale | None) -> tuple[str, ...] | None:
    if not isinstance(stated, list | tuple) or not all(isinstance(one, str) for one in stated):
        return None
    chosen = set(stated)
    if labels is None:
        return tuple(sorted(chosen)) if all(_is_one_of(one, None) for one in chosen) else None
    return tuple(label for label in labels if label in chosen) if chosen <= set(labels) else None


def _spans(stated: object, labels: Sequence[str] | None, scale: Scale | None) -> tuple[Span, ...] | None:
    if not isinstance(stated, list | tuple):
        return None
    spans = [_span(one) for one in stated]
    known = [span for span in spans if span is not None and _is_one_of(span.label, labels)]
    return tuple(sorted(set(known))) if len(known) == len(spans) else None


def _span(stated: object) -> Span | None:
    match stated:
        case [int(start), int(end), str(label)] if 0 <= start < end:
            return Span(start, end, label)
        case _:
            return None


def _ranking(stated: object, labels: Sequence[str] | None, scale: Scale | None) -> tuple[Placed, ...] | None:
    """Each item once; an item by itself is in no bucket."""
    if not isinstance(stated, list | tuple):
        return None
    buckets = tuple(labels or ("",))
    placed = [one for one in map(_placed, stated) if one is not None and (labels is None or one.bucket in buckets)]
    if len({one.item for one in placed}) < len(stated):
        return None
    return tuple(placed if labels is None else sorted(placed, key=lambda one: buckets.index(one.bucket)))


def _placed(stated: object) -> Placed | None:
    match stated:
        case str(item) if 0 < len(item) <= LONGEST_LABEL:
            return Placed("", item)
        case [str(bucket), str(item)] if 0 < len(item) <= LONGEST_LABEL:
            return Placed(bucket, item)
        case _:
            return None


# --- labels in cells of files, as a tool or a team wrote them ---------------------------------------------------------


def parsed(cell: object) -> object:
    """A list or object that stands in a cell as JSON; anything else as it is."""
    if not isinstance(cell, str) or not cell.lstrip().startswith(("[", "{")):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def choice_in(cell: object) -> str | None:
    """The label, where a cell holds a single one."""
    one = parsed(cell)
    return (str(one).strip() or None) if isinstance(one, str | int | float) else None


def _choices_in(cell: object) -> tuple[str, ...] | None:
    """Any number of labels, as a list or as Label Studio has them."""
    many = parsed(cell)
    if isinstance(many, dict):
        many = many.get("choices")
    if isinstance(many, list | tuple):
        return tuple(sorted(set(many))) if all(isinstance(one, str) for one in many) else None
    one = choice_in(many)
    return (one,) if one else None


def _only_choice_in(cell: object) -> str | None:
    """A single choice, also as a list of one."""
    many = _choices_in(cell)
    return many[0] if many and len(many) == 1 else None


def _number_in_cell(cell: object) -> float | None:
    """A number, or the rating or number that Label Studio writes."""
    match parsed(cell):
        case [{"rating": one}] | [{"number": one}]:
            return number_in(one)
        case other:
            return number_in(other)


def _spans_in(cell: object) -> tuple[Span, ...] | None:
    """Spans as ``[start, end, label]``, or as Label Studio has them."""
    items = parsed(cell)
    if not isinstance(items, list | tuple):
        return None
    spans = [span for item in items for span in _spans_of_item(item)]
    return None if None in spans else tuple(sorted({span for span in spans if span is not None}))


def _spans_of_item(item: object) -> list[Span | None]:
    match item:
        case {"start": int(start), "end": int(end), "labels": [*labels]} if 0 <= start < end:
            return [Span(start, end, label) if isinstance(label, str) else None for label in labels]
        case _:
            return [_span(item)]


def _ranking_in(cell: object) -> tuple[Placed, ...] | None:
    """Items in their order, or as Label Studio has them: a list for each bucket, or a single one without buckets."""
    match parsed(cell):
        case [{"ranker": dict(lists)}] | {"ranker": dict(lists)}:
            placed = [(_bucket_in(name, lists), one) for name, some in lists.items() if _is_list(some) for one in some]
            return _ranking(placed, None, None) if all(map(_is_list, lists.values())) else None
        case items:
            return _ranking(items, None, None)


def _bucket_in(name: str, lists: Mapping[str, object]) -> str:
    return "" if name == "_" or len(lists) == 1 else name


def _is_list(value: object) -> bool:
    return isinstance(value, list)


# --- the kinds --------------------------------------------------------------------------------------------------------


def _parts(label: Label) -> tuple[object, ...]:
    return label if isinstance(label, tuple) else ()


KINDS: Mapping[TargetKind, Kind] = {
    "choice": Kind(
        words="a single choice",
        counted="{} classes",
        in_file="a single label",
        read=_choice,
        read_cell=_only_choice_in,
        metrics=("accuracy", "macro_f1"),
        gives=frozenset({Needs.CLASSES, Needs.LEARNER, Needs.CLASSIFIER}),
        names=lambda label: [str(label)],
    ),
    "choices": Kind(
        words="several labels at once",
        counted="any number of {} labels",
        in_file="a list of labels",
        read=_choices,
        read_cell=_choices_in,
        metrics=("micro_f1", "all_right", "macro_f1"),
        gives=frozenset({Needs.CLASSES, Needs.LABEL_CHANCES, Needs.LEARNER}),
        names=lambda label: [str(one) for one in _parts(label)],
    ),
    "number": Kind(
        words="a number",
        counted="a number each",
        in_file="a number",
        read=_number,
        read_cell=_number_in_cell,
        metrics=("correlation",),
        gives=frozenset({Needs.NUMBERS, Needs.LEARNER}),
    ),
    "spans": Kind(
        words="spans of a text",
        counted="spans of {} labels",
        in_file="spans",
        read=_spans,
        read_cell=_spans_in,
        metrics=("f1",),
        names=lambda label: [one.label for one in _parts(label) if isinstance(one, Span)],
        slow=True,
        of_text=True,
    ),
    "ranking": Kind(
        words="an order of items",
        counted="an order of each row's items",
        in_file="a list of the items' ids, the first one first",
        read=_ranking,
        read_cell=_ranking_in,
        metrics=("kendall_tau",),
        names=lambda label: sorted({one.bucket for one in _parts(label) if isinstance(one, Placed)}),
        of_items=True,
    ),
}
