"""Numeric and categorical fields, and tables of them, as one row of numbers for each task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np

from nextlabel.features.source import Source
from nextlabel.features.spaces import Curved, Space
from nextlabel.labeling import Input, Task, number_in, read_field
from nextlabel.labeling.ranking import Features, Floats

_NUMERIC = 0.8  # of the values of a field: below that, its numbers are names
_ROUNDING = 1e-9
MOST_CATEGORIES = 30  # of a field; the rarer ones share "other", which has no column
MOST_FIELDS = 500
LARGEST = 1e100  # what is larger is no number that anybody measured, and its square would be too large for a float
_MISSING = ("", "nan")  # as CSV files and data frames have it
FURTHEST = 5.0  # standard deviations: one slip of the pen must not drown all other fields


class TabularEncoder:
    """Numbers standardised, categories as one column each; a value that is missing stands at the mean.

    Fields, means and categories are those of the tasks it was made of; what it does not know is left out.
    """

    kind = "tabular"

    def __init__(
        self,
        inputs: Sequence[Input],
        numbers: Mapping[str, tuple[float, float]],
        categories: Mapping[str, Sequence[str]],
    ) -> None:
        self._inputs = tuple(inputs)
        self._numbers = dict(numbers)
        self._categories = {name: tuple(values) for name, values in categories.items()}
        columns = [("n", name, "") for name in self._numbers]
        columns += [("c", name, value) for name, values in self._categories.items() for value in values]
        self._place = {column: place for place, column in enumerate(columns)}

    @classmethod
    def of(cls, inputs: Sequence[Input], tasks: Sequence[Task]) -> TabularEncoder:
        values: dict[str, list[object]] = {}
        for task in tasks:
            for name, value in cells(task.data, inputs):
                if name in values or len(values) < MOST_FIELDS:
                    values.setdefault(name, []).append(value)
        numbers, categories = {}, {}
        for name, given in values.items():
            known = numbers_of(given)
            if known is not None:
                numbers[name] = float(np.mean(known)), float(np.std(known)) or 1.0
            else:
                counted = Counter(str(value) for value in given)
                categories[name] = sorted(value for value, _ in counted.most_common(MOST_CATEGORIES))
        return cls(inputs, numbers, categories)

    def encode(self, tasks: Sequence[Task], source: Source) -> Floats:
        rows = np.zeros((len(tasks), max(len(self._place), 1)), dtype=np.float32)
        for row, task in zip(rows, tasks, strict=True):
            for name, value in cells(task.data, self._inputs):
                if name in self._numbers:
                    number, (mean, spread) = _number(value), self._numbers[name]
                    if number is not None:
                        row[self._place["n", name, ""]] = np.clip((number - mean) / spread, -FURTHEST, FURTHEST)
                elif (place := self._place.get(("c", name, str(value)))) is not None:
                    row[place] = 1.0
        return rows

    def space(self, pool: Features) -> Space:
        return Curved.of(np.asarray(pool))

    def state(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "inputs": [[one.field, one.kind] for one in self._inputs],
            "numbers": {name: list(pair) for name, pair in self._numbers.items()},
            "categories": {name: list(values) for name, values in self._categories.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> TabularEncoder:
        inputs = [Input(*pair) for pair in cast("list[list[str]]", state["inputs"])]  # type: ignore[arg-type]
        numbers = {
            name: (mean, spread) for name, (mean, spread) in cast("dict[str, list[float]]", state["numbers"]).items()
        }
        return cls(inputs, numbers, cast("dict[str, list[str]]", state["categories"]))


def numbers_of(values: Sequence[object]) -> list[float] | None:
    """The numbers among the values of a field; None where too many are none: then all of them are names."""
    known, others = list[float](), (1 - _NUMERIC) * len(values) + _ROUNDING
    for value in values:
        number = _number(value)
        if number is not None:
            known.append(number)
        elif (others := others - 1) < 0:  # of a hundred thousand texts most need no look
            return None
    return known


def is_number(value: object) -> bool:
    return _number(value) is not None


def cells(data: Mapping[str, object], inputs: Sequence[Input]) -> Iterator[tuple[str, object]]:
    """The values that a task has, by name: those of a table under the field's name and their own."""
    for one in inputs:
        value = read_field(data, one.field)
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for name, cell in inner:
            if isinstance(cell, str | int | float) and str(cell).strip().lower() not in _MISSING:
                yield f"{one.field}.{name}" if name else one.field, cell


def _number(value: object) -> float | None:
    """A number, also one written as text: CSV files that Label Studio imports know no other."""
    number = number_in(value)
    return None if number is None or abs(number) >= LARGEST else number
