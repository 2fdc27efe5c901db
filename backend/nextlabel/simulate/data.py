"""Labeled data: texts or rows of numbers, and the label of each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nextlabel.errors import ConfigurationError
from nextlabel.features.text import content_hash, count_features
from nextlabel.labeling.ranking import Features, Floats

_FEW = 8  # rows, of which more than half may be of a class of their own by chance


@dataclass(frozen=True)
class LabeledData:
    """Items with known labels: either ``texts`` or ``numbers`` (n × d), and n ``labels``.

    ``test`` is a held-out set of the same kind where one belongs to the data; otherwise a part is split off by each
    run. ``left_out`` counts rows of the source that had no label; ``label`` and ``inputs`` are the columns that were
    taken. Raises `ConfigurationError` for what nothing can be learned from: fewer than two rows, one class, as many
    classes as rows, lengths that differ, NaN.
    """

    name: str
    labels: tuple[str, ...]
    texts: tuple[str, ...] | None = None
    numbers: Floats | None = None
    test: LabeledData | None = None
    licence: str = ""
    left_out: int = 0
    label: str = ""
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rows = self.texts if self.texts is not None else self.numbers
        if rows is None or (self.texts is not None and self.numbers is not None):
            raise ConfigurationError(f"{self.name}: give either texts or numbers.")
        if len(rows) != len(self.labels):
            raise ConfigurationError(f"{self.name}: {len(rows)} rows but {len(self.labels)} labels.")
        if self.numbers is not None:
            _check_numbers(self.name, self.numbers)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Every label there is, those of the test set included, sorted."""
        return tuple(sorted({*self.labels, *(self.test.labels if self.test else ())}))

    def features(self) -> Features:
        """n × d: hashed counts of the texts, or the numbers as they are."""
        return self.numbers if self.numbers is not None else count_features(self.texts or ())

    def targets(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """n positions of the labels in ``classes``."""
        position = {label: n for n, label in enumerate(classes)}
        return np.array([position[label] for label in self.labels], dtype=np.int64)

    def digest(self) -> str:
        """Twelve hex digits that change with any text, number or label, the test set's included."""
        seen = hashlib.sha256(repr(self.labels).encode("utf-8", "surrogatepass"))
        for text in self.texts or ():
            seen.update(content_hash(text))
        if self.numbers is not None:
            seen.update(np.ascontiguousarray(self.numbers, dtype=np.float64).tobytes())
        if self.test is not None:
            seen.update(self.test.digest().encode())
        return seen.hexdigest()[:12]

    def check_learnable(self) -> None:
        """Raises `ConfigurationError` where there is nothing to learn: fewer than two rows or classes."""
        if len(self) < 2:
            raise ConfigurationError(f"{self.name}: {len(self)} labeled rows are too few to learn from.")
        if len(set(self.labels)) < 2:
            raise ConfigurationError(
                f"{self.name}: every row has the label {self.labels[0]!r}, so there is nothing to learn. "
                "Is that the label column?"
            )
        if len(self) >= _FEW and 2 * len(set(self.labels)) > len(self):
            raise ConfigurationError(
                f"{self.name}: {len(set(self.labels))} classes in {len(self)} rows are no classes to learn"
                f"{f': is {self.label!r} the label column? Name it with --label' if self.label else ''}."
            )
        if self.test is not None and (self.test.texts is None) != (self.texts is None):
            raise ConfigurationError(f"{self.name}: texts on one side and numbers on the other of the test split.")
        if self.test is not None and self.numbers is not None and self.test.numbers is not None:
            here, there = self.numbers.shape[1], self.test.numbers.shape[1]
            if here != there:
                raise ConfigurationError(f"{self.name}: {here} features here but {there} in the test set.")


def of_arrays(rows: object, labels: object, name: str = "data") -> LabeledData:
    """From what a notebook holds: a list of texts or an n × d array, and n labels of any kind."""
    named = tuple(str(label) for label in np.asarray(labels).tolist())
    if isinstance(rows, Sequence) and rows and all(isinstance(row, str) for row in rows):
        return LabeledData(name, named, texts=tuple(rows))
    numbers = np.asarray(rows)
    if numbers.dtype.kind in "US" and numbers.ndim == 1:
        return LabeledData(name, named, texts=tuple(map(str, numbers)))
    if numbers.dtype.kind not in "fiub" or numbers.ndim < 2:
        raise ConfigurationError(f"{name}: rows must be a list of texts or an n × d array of numbers.")
    return LabeledData(name, named, numbers=numbers.reshape(len(numbers), -1).astype(np.float64))


def _check_numbers(name: str, numbers: Floats) -> None:
    if numbers.ndim != 2 or numbers.shape[1] == 0:
        raise ConfigurationError(f"{name}: numbers must be n × d with d ≥ 1, not of shape {numbers.shape}.")
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        row, column = bad[0].tolist()
        raise ConfigurationError(f"{name}: row {row + 1}, feature {column + 1} is NaN or infinite: fill it first.")
