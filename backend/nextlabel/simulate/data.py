"""Labeled data: texts, rows of numbers or records of any fields, and the label of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nextlabel.errors import ConfigurationError
from nextlabel.features.text import content_hash
from nextlabel.labeling import KINDS, Input, Label, Target, TargetKind, Task, TaskId
from nextlabel.labeling.ranking import Floats
from nextlabel.simulate.labels import kind_of

_FEW = 8  # rows, of which more than half may be of a class of their own by chance


@dataclass(frozen=True)
class LabeledData:
    """Items with known labels: either ``texts``, ``numbers`` (n × d) or ``records``, and n ``labels`` of that ``kind``.

    ``read`` are the fields of records that the label is about, first the one with the items that it orders. ``test`` is
    a held-out set of the same kind where one belongs to the data; otherwise a part is split off by each run.
    ``left_out`` counts rows of the source that had no label; ``label`` and ``inputs`` are the columns that were taken.
    Raises `ConfigurationError` for lengths that differ and NaN.
    """

    name: str
    labels: tuple[Label, ...]
    texts: tuple[str, ...] | None = None
    numbers: Floats | None = None
    records: tuple[Mapping[str, object], ...] | None = None
    read: tuple[Input, ...] = ()
    kind: TargetKind = "choice"
    test: LabeledData | None = None
    licence: str = ""
    left_out: int = 0
    label: str = ""
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = [rows for rows in (self.texts, self.numbers, self.records) if rows is not None]
        if len(given) != 1:
            raise ConfigurationError(f"{self.name}: give either texts, numbers or records.")
        if len(given[0]) != len(self.labels):
            raise ConfigurationError(f"{self.name}: {len(given[0])} rows but {len(self.labels)} labels.")
        if self.numbers is not None:
            _check_numbers(self.name, self.numbers)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Every label there is, those of the test set included, sorted."""
        names = KINDS[self.kind].names
        if names is None:
            return ()
        labels = [*self.labels, *(self.test.labels if self.test else ())]
        return tuple(sorted({name for label in set(labels) for name in names(label)}))

    @cached_property
    def target(self) -> Target:
        """What is to be learned."""
        options = self._fields[0].field if KINDS[self.kind].of_items and self._fields else ""
        return Target(self.label or "label", self.kind, self._fields, self.classes, options=options)

    @property
    def _fields(self) -> tuple[Input, ...]:
        if self.texts is not None:
            return (Input("text"),)
        return (Input("row", "table"),) if self.numbers is not None else self.read

    @property
    def rows(self) -> str:
        """What its rows are, in words."""
        if self.records is not None:
            return "pictures" if any(one.kind == "image" for one in self.read) else "rows of words and numbers"
        return "texts" if self.texts is not None else "rows of numbers"

    @property
    def learned(self) -> str:
        """What is learned of them, in words."""
        return KINDS[self.kind].counted.format(len(self.classes))

    def tasks(self) -> list[Task]:
        """As a labeling tool would hold them."""
        if self.texts is not None:
            data: list[Mapping[str, object]] = [{"text": text} for text in self.texts]
        elif self.numbers is not None:
            data = [{"row": {str(n): number for n, number in enumerate(row)}} for row in self.numbers.tolist()]
        else:
            data = list(self.records or ())
        return [Task(TaskId(str(n)), one) for n, one in enumerate(data)]

    def part(self, rows: NDArray[np.integer]) -> LabeledData:
        """These rows, as a set of their own."""
        places = rows.tolist()
        return replace(
            self,
            labels=tuple(self.labels[n] for n in places),
            texts=None if self.texts is None else tuple(self.texts[n] for n in places),
            numbers=None if self.numbers is None else self.numbers[rows],
            records=None if self.records is None else tuple(self.records[n] for n in places),
            test=None,
        )

    def digest(self) -> str:
        """Twelve hex digits that change with any text, number or label, the test set's included."""
        seen = hashlib.sha256(repr(self.labels).encode("utf-8", "surrogatepass"))
        for text in self.texts or ():
            seen.update(content_hash(text))
        if self.numbers is not None:
            seen.update(np.ascontiguousarray(self.numbers, dtype=np.float64).tobytes())
        for record in self.records or ():
            seen.update(content_hash(repr(record)))
        if self.test is not None:
            seen.update(self.test.digest().encode())
        return seen.hexdigest()[:12]

    def check_learnable(self) -> None:
        """Raises `ConfigurationError` where there is nothing to learn: fewer than two rows or labels."""
        if len(self) < 2:
            raise ConfigurationError(f"{self.name}: {len(self)} labeled rows are too few to learn from.")
        if len(set(self.labels)) < 2:
            raise ConfigurationError(
                f"{self.name}: every row has the label {self.labels[0]!r}, so there is nothing to learn. "
                "Is that the label column?"
            )
        if self.kind == "choice" and len(self) >= _FEW and 2 * len(set(self.labels)) > len(self):
            raise ConfigurationError(
                f"{self.name}: {len(set(self.labels))} classes in {len(self)} rows are no classes to learn"
                f"{f': is {self.label!r} the label column? Name it with --label' if self.label else ''}."
            )
        if KINDS[self.kind].of_text and [one.kind for one in self._fields] != ["text"]:
            raise ConfigurationError(f"{self.name}: spans are pieces of a text: name the column with --text.")
        if KINDS[self.kind].of_items and not any(map(self.target.offered, self.tasks())):
            raise ConfigurationError(
                f"{self.name}: labels order the items of each row, and no column holds items: lists of objects with an "
                "'id' and a 'title', 'body' or 'html'."
            )
        if self.test is not None:
            self._check_test(self.test)

    def _check_test(self, test: LabeledData) -> None:
        if test.kind != self.kind or [one.field for one in test._fields] != [one.field for one in self._fields]:
            here, there = (f"{part.rows} with {part.learned}" for part in (replace(self, test=None), test))
            raise ConfigurationError(f"{self.name}: the test set is of another kind, {there} instead of {here}.")
        if self.numbers is not None and test.numbers is not None:
            columns, others = self.numbers.shape[1], test.numbers.shape[1]
            if columns != others:
                raise ConfigurationError(f"{self.name}: {columns} features here but {others} in the test set.")


def of_arrays(rows: object, labels: object, name: str = "data") -> LabeledData:
    """From what a notebook holds: a list of texts or an n × d array, and n labels of any kind."""
    many = isinstance(labels, Sequence) and any(isinstance(one, list | tuple) for one in labels)
    values = list(labels) if many and isinstance(labels, Sequence) else np.asarray(labels).tolist()
    kind = kind_of(values)
    read = [KINDS[kind].read_cell(value) for value in values]
    if None in read:
        raise ConfigurationError(f"{name}: {values[read.index(None)]!r:.60} is no label.")
    named = tuple(label for label in read if label is not None)
    if isinstance(rows, Sequence) and rows and all(isinstance(row, str) for row in rows):
        return LabeledData(name, named, texts=tuple(rows), kind=kind)
    numbers = np.asarray(rows)
    if numbers.dtype.kind in "US" and numbers.ndim == 1:
        return LabeledData(name, named, texts=tuple(map(str, numbers)), kind=kind)
    if numbers.dtype.kind not in "fiub" or numbers.ndim < 2:
        raise ConfigurationError(f"{name}: rows must be a list of texts or an n × d array of numbers.")
    return LabeledData(name, named, numbers=numbers.reshape(len(numbers), -1).astype(np.float64), kind=kind)


def _check_numbers(name: str, numbers: Floats) -> None:
    if numbers.ndim != 2 or numbers.shape[1] == 0:
        raise ConfigurationError(f"{name}: numbers must be n × d with d ≥ 1, not of shape {numbers.shape}.")
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        row, column = bad[0].tolist()
        raise ConfigurationError(f"{name}: row {row + 1}, feature {column + 1} is NaN or infinite: fill it first.")
