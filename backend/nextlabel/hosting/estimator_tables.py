"""Tasks as a pandas DataFrame, with the same columns whatever single tasks lack."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from statistics import median, mode
from typing import Any, Self

Row = Mapping[str, float | str | None]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of the tasks that were learned from: of each, what stands in for a missing value.

    That is the median of a column of numbers, and the commonest text of any other.
    """

    usual: Mapping[str, float | str]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Self:
        """A column is of numbers if every value of it is one; where none has a value, too."""
        names = dict.fromkeys(name for row in rows for name in row)
        return cls({name: _usual([row[name] for row in rows if row.get(name) is not None]) for name in names})

    def frame(self, rows: Sequence[Row], *, filled: bool) -> Any:
        """A DataFrame; what is missing has its usual value, or else is NaN or an empty text.

        Raises ModuleNotFoundError where there is no pandas.
        """
        pandas = importlib.import_module("pandas")
        columns = {name: [_value(row.get(name), usual, filled) for row in rows] for name, usual in self.usual.items()}
        return pandas.DataFrame(columns, index=range(len(rows)))

    def has_gaps(self, rows: Sequence[Row]) -> bool:
        """Whether any value is missing."""
        return any(row.get(name) is None for row in rows for name in self.usual)


def _usual(values: list[Any]) -> float | str:
    if all(isinstance(value, float) for value in values):
        return float(median(values)) if values else 0.0
    return mode(map(str, values))


def _value(value: float | str | None, usual: float | str, filled: bool) -> float | str:
    if isinstance(usual, str):
        return str(value) if value is not None else usual if filled else ""
    return value if isinstance(value, float) else usual if filled else nan
