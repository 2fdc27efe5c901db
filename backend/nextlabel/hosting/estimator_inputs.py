"""What annotators see of a task, as a text or as fields: what an estimator is given to learn from."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from nextlabel.hosting.label_interface import Tag

Cell = float | str | None
Task = Mapping[str, Any]

_FIELD = re.compile(r"\$(\w+)")
_UNDEFINED = "$undefined$"  # the field of texts that were imported before there was a labeling config
_ELEMENT = re.compile(r"<[^>]*>")
_SHOWS_TEXT = ("text", "hypertext", "paragraphs", "table")
_NAME_WORDS = 3
_LARGEST = 1e30  # more is infinite to estimators that compute with 32 bits, and they refuse a whole batch for it


@dataclass(frozen=True, slots=True)
class Shown:
    """What annotators see of a task in the objects that a control is about."""

    objects: tuple[Tag, ...]

    def text(self, task: Task) -> str:
        """The text shown, a line for each field; empty where there is none."""
        return "\n".join(line for tag, value in self._values(task) if (line := _text(tag, value)))

    def cells(self, task: Task) -> dict[str, Cell]:
        """The fields that are numbers or texts, of the table shown or else of the task; None for one without value."""
        tables = [value for _, value in self._values(task) if isinstance(value, dict)]
        fields: Mapping[str, object] = tables[0] if tables else task.get("data") or {}
        return {str(name): _cell(value) for name, value in fields.items() if _is_cell(value)}

    def fields(self, task: Task) -> dict[str, float | str]:
        """The cells that have a value."""
        return {name: value for name, value in self.cells(task).items() if value is not None}

    def are_numbers(self, tasks: Sequence[Task]) -> bool:
        """Whether most fields of these tasks are numbers, and what is shown is no more than a name beside them."""
        cells = [value for task in tasks for value in self.fields(task).values()]
        numbers = sum(isinstance(value, float) for value in cells)
        sentences = sum(len(self.text(task).split()) > _NAME_WORDS for task in tasks if not self._is_table(task))
        return 2 * numbers > len(cells) and 2 * sentences <= len(tasks)

    def has_text(self) -> bool:
        """Whether texts stand in the tasks, rather than a picture or the address of a file."""
        here = all((tag.value_type or "text").lower() in ("text", "json") for tag in self.objects)
        return here and any(tag.tag.lower() in _SHOWS_TEXT for tag in self.objects)

    def _is_table(self, task: Task) -> bool:
        return any(isinstance(value, dict) for _, value in self._values(task))

    def _values(self, task: Task) -> list[tuple[Tag, object]]:
        data = task.get("data") or {}
        undefined = data.get(_UNDEFINED)
        return [(tag, data.get(name, undefined)) for tag in self.objects for name in _FIELD.findall(tag.value)]


def _text(tag: Tag, value: object) -> str:
    match value:
        case None | bool():
            return ""
        case str():
            return html.unescape(_ELEMENT.sub(" ", value)) if tag.tag.lower() == "hypertext" else value
        case int() | float():
            return str(value)
        case Mapping():
            return "\n".join(_lines(tag, value.values()))
        case list():
            return "\n".join(_lines(tag, value))
    return ""


def _lines(tag: Tag, values: Iterable[object]) -> list[str]:
    return [line for value in values if (line := _text(tag, value))]


def _is_cell(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, str):
        return value
    try:
        return max(-_LARGEST, min(float(value), _LARGEST)) if isfinite(value) else None
    except OverflowError:
        return None
