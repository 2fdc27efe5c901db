"""What annotators see of a task, as a text or as fields: what an estimator is given to learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from nextlabel.features.markup import content_of
from nextlabel.features.text import read_text
from nextlabel.labeling import Input, read_field

Cell = float | str | None
Data = Mapping[str, Any]
"""A task's fields."""

_TEXTS = ("text", "dialogue", "table")
_NAME_WORDS = 3
_LARGEST = 1e30  # more is infinite to estimators that compute with 32 bits, and they refuse a whole batch for it


@dataclass(frozen=True, slots=True)
class Shown:
    """What annotators see of a task in the inputs that a target is about."""

    inputs: tuple[Input, ...]

    def text(self, data: Data) -> str:
        """The text shown, a line for each field; of a page what a reader sees of it. Empty where there is none."""
        text = read_text(data, [one.field for one in self.inputs])
        return content_of(text) if all(one.kind == "text" for one in self.inputs) else text

    def cells(self, data: Data) -> dict[str, Cell]:
        """The fields that are numbers or texts, of the table shown or else of the task; None for one without value."""
        fields = next(self._tables(data), data)
        return {str(name): _cell(value) for name, value in fields.items() if _is_cell(value)}

    def fields(self, data: Data) -> dict[str, float | str]:
        """The cells that have a value."""
        return {name: value for name, value in self.cells(data).items() if value is not None}

    def are_numbers(self, tasks: Sequence[Data]) -> bool:
        """Whether most fields of these tasks are numbers, and what is shown is no more than a name beside them."""
        cells = [value for data in tasks for value in self.fields(data).values()]
        numbers = sum(isinstance(value, float) for value in cells)
        sentences = sum(
            len(self.text(data).split()) > _NAME_WORDS for data in tasks if next(self._tables(data), None) is None
        )
        return 2 * numbers > len(cells) and 2 * sentences <= len(tasks)

    def has_text(self) -> bool:
        """Whether texts stand in the tasks, rather than the address of a picture or of a recording."""
        return any(one.kind in _TEXTS for one in self.inputs)

    def _tables(self, data: Data) -> Iterator[Data]:
        values = (read_field(data, one.field) for one in self.inputs)
        return (value for value in values if isinstance(value, dict))


def _is_cell(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, str):
        return value
    try:
        return max(-_LARGEST, min(float(value), _LARGEST)) if isfinite(value) else None
    except OverflowError:
        return None
