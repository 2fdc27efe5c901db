"""How labels stand in Label Studio's results: as its editor writes them, and as its import takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite
from typing import cast

from nextlabel.labeling import Label, Span
from nextlabel_connectors.label_studio.dates import Moments

PATH_SEPARATOR = " > "
SIDES = ("left", "right")

Value = Mapping[str, object]
Data = Mapping[str, object]
"""What a task holds, by field."""
_LARGEST_OFFSET = 2**53  # beyond it JavaScript no longer counts


@dataclass(frozen=True, slots=True)
class Form:
    """The shape of a control's result items.

    ``blank`` is the ``value`` of an item in which nothing is chosen yet, where Label Studio takes one.

    ``read`` says what the ``value`` of one item of this ``type`` ("": of any) holds, whether or not the config still
    has it (None: no label of this control); ``together`` makes one label of those of several items. ``write`` gives the
    values of a label that the config has. Where both depend on what the task holds, ``for_task`` makes the form of one.
    """

    type: str
    read: Callable[[Value], Label | None]
    write: Callable[[Label], list[dict[str, object]]]
    together: Callable[[Sequence[Label]], Label] = lambda labels: labels[-1]
    blank: Value | None = None
    for_task: Callable[[Data], Form] | None = None

    def of(self, data: Data) -> Form:
        """The same for a task."""
        return self if self.for_task is None else self.for_task(data)


def choice_form() -> Form:
    def read(value: Value) -> Label | None:
        return _only(texts_in(value.get("choices")))

    return Form("choices", read, lambda label: [{"choices": [label]}], blank={"choices": []})


def choices_form() -> Form:
    return Form("choices", lambda value: texts_in(value.get("choices")), _write_choices, blank={"choices": []})


def nested_form(*, single: bool) -> Form:
    """Choices within choices, by the paths to what is chosen. Nothing is written.

    The editor also writes the path to a choice all of whose inner ones are chosen. Where only one may be chosen, that
    is how it writes a choice with others in it: as the path to it and those to all of them.
    """

    def read(value: Value) -> Label | None:
        stated = value.get("choices")
        steps = [[one] if isinstance(one, str) else one for one in stated] if isinstance(stated, list) else None
        chosen = _paths(steps)
        return _around_all(chosen) if single else chosen

    return Form("choices", read, lambda label: [])


def _around_all(paths: Sequence[str] | None) -> str | None:
    """The path that all others go on from."""
    outermost = min(paths or [""], key=len)
    is_around = all(f"{path}{PATH_SEPARATOR}".startswith(f"{outermost}{PATH_SEPARATOR}") for path in paths or ())
    return outermost if outermost and is_around else None


def taxonomy_form(paths: Mapping[str, tuple[str, ...]], *, single: bool) -> Form:
    """``paths`` gives the path of each label that the config has; of any other it is told from the label."""

    def read(value: Value) -> Label | None:
        chosen = _paths(value.get("taxonomy"))
        return _only(chosen) if single else chosen

    def write(label: Label) -> list[dict[str, object]]:
        labels = [label] if single else list(cast(tuple[str, ...], label))
        written = [list(paths.get(one, one.split(PATH_SEPARATOR))) for one in cast(list[str], labels)]
        return [{"taxonomy": written}] if written else []

    return Form("taxonomy", read, write)


def rating_form() -> Form:
    return Form("rating", _rated, lambda label: [{"rating": round(cast(float, label))}], blank={"rating": 0})


def number_form() -> Form:
    return Form("number", lambda value: finite_number(value.get("number")), lambda label: [{"number": label}])


def datetime_form(moments: Moments) -> Form:
    return Form(
        "datetime",
        lambda value: moments.number(value.get("datetime")),
        lambda label: [{"datetime": moments.text(cast(float, label))}],
    )


def pairwise_form() -> Form:
    return Form("pairwise", _selected, lambda label: [{"selected": label}])


def spans_form() -> Form:
    return Form("labels", _spans, _write_spans, all_spans)


def all_spans(labels: Sequence[Label]) -> Label:
    return tuple(chain.from_iterable(cast(Sequence[tuple[Span, ...]], labels)))


def texts_in(stated: object) -> tuple[str, ...] | None:
    if isinstance(stated, list) and all(isinstance(one, str) for one in stated):
        return tuple(stated)
    return None


def _paths(stated: object) -> tuple[str, ...] | None:
    if not isinstance(stated, list):
        return None
    paths = [texts_in(path) for path in stated]
    return tuple(PATH_SEPARATOR.join(path) for path in paths if path) if all(paths) else None


def _only(stated: tuple[str, ...] | None) -> str | None:
    return stated[0] if stated is not None and len(stated) == 1 else None


def finite_number(stated: object) -> float | None:
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        return None
    try:
        number = float(stated)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def _rated(value: Value) -> float | None:
    """Stars are whole; the editor's hotkey can take them all away again, which is written as 0."""
    stars = finite_number(value.get("rating"))
    return stars if stars is not None and stars >= 1 and stars.is_integer() else None


def _selected(value: Value) -> str | None:
    side = value.get("selected")
    return side if isinstance(side, str) and side in SIDES else None


def _write_choices(label: Label) -> list[dict[str, object]]:
    labels = list(cast(tuple[str, ...], label))
    return [{"choices": labels}] if labels else []


def _spans(value: Value) -> tuple[Span, ...] | None:
    start, end, labels = offset_in(value.get("start")), offset_in(value.get("end")), labels_under("labels", value)
    if start is None or end is None or labels is None or start >= end:
        return None
    return tuple(Span(start, end, label) for label in labels)


def labels_under(key: str, value: Value) -> tuple[str, ...] | None:
    return texts_in(value.get(key))


def offset_in(stated: object) -> int | None:
    """Characters, as Python counts them: the editor counts code points, and a line break as one."""
    offset = finite_number(int(stated) if isinstance(stated, str) and _is_count(stated) else stated)
    return int(offset) if offset is not None and offset.is_integer() and 0 <= offset < _LARGEST_OFFSET else None


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 16


def _write_spans(label: Label) -> list[dict[str, object]]:
    return [{"start": start, "end": end, "labels": [name]} for start, end, name in cast(tuple[Span, ...], label)]
