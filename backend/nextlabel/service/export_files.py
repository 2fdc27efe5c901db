"""Predictions as files: JSON for Label Studio, CSV, JSON lines and Parquet, each written page by page."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import TextIOWrapper
from typing import IO, Any, Literal

import orjson

from nextlabel.errors import ConfigurationError
from nextlabel.labeling import Guess, Label, Result
from nextlabel.service.exporting import Cell, Pool, Predicted

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "jsonl", "parquet")

Targets = Mapping[str, Cell]
Row = dict[str, object]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets compute begins with one of these (OWASP, CSV injection), unless it is a number."""
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")


def write(pool: Pool, file: IO[bytes], format: Format, *, data: bool) -> Iterator[int]:  # noqa: A002 - its name
    """Write the predictions of a pool, with each task's ``data`` where that is wanted; yields how many tasks were
    written with each page.

    A row has ``task``, ``labeled`` (by a person), ``uncertainty``, and of each target ``TARGET.label`` and
    ``TARGET.confidence``; JSON lines have these by target under ``predictions``. Raises `ConfigurationError` where
    pyarrow is missing.
    """
    return _WRITERS[format](pool, file, data)


def write_tasks(pages: Iterable[Sequence[Mapping[str, object]]], file: IO[bytes]) -> Iterator[int]:
    """Write one JSON list of objects; yields how many with each page."""
    before = b"[\n"
    for page in pages:
        for one in page:
            file.write(before + _json(one))
            before = b",\n"
        yield len(page)
    file.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def _write_csv(pool: Pool, file: IO[bytes], data: bool) -> Iterator[int]:
    text = TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    try:
        columns = _columns(pool.targets, data=data)
        to = csv.DictWriter(text, columns)
        to.writerow({name: _csv_cell(name) for name in columns})
        for page in pool.pages:
            rows = (_row(one, pool.targets, data) for one in page)
            to.writerows({name: _csv_cell(value) for name, value in row.items()} for row in rows)
            yield len(page)
    finally:
        text.detach()


def _csv_cell(value: object) -> object:
    """Lists as JSON, truth as JSON has it, and no text that a spreadsheet would compute."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) and not _NUMBER.fullmatch(value) else value
    return _json(value).decode() if isinstance(value, list | bool) else value


def _json(value: object) -> bytes:
    """In one line, also of what orjson refuses: half a surrogate pair, and numbers beyond 64 bits."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value).encode()


def _write_lines(pool: Pool, file: IO[bytes], data: bool) -> Iterator[int]:
    for page in pool.pages:
        for one in page:
            guesses = {
                guess.target: {"label": _plain(guess.label), "confidence": _confidence(guess)}
                for guess in one.prediction.guesses
            }
            row: Row = {"task": one.task.id, "labeled": one.labeled, "uncertainty": one.prediction.uncertainty}
            row |= {"predictions": guesses} | ({"data": one.task.data} if data else {})
            file.write(_json(row) + b"\n")
        yield len(page)


def _write_parquet(pool: Pool, file: IO[bytes], data: bool) -> Iterator[int]:
    arrow, parquet = _arrow()
    types = {"text": arrow.string(), "number": arrow.float64(), "texts": arrow.list_(arrow.string())}
    fields = [("task", arrow.string()), ("labeled", arrow.bool_()), ("uncertainty", arrow.float64())]
    for target, cell in pool.targets.items():
        fields += [(f"{target}.label", types.get(cell, arrow.string())), (f"{target}.confidence", arrow.float64())]
    schema = arrow.schema([*fields, *([("data", arrow.string())] if data else [])])
    with parquet.ParquetWriter(file, schema) as to:
        for page in pool.pages:
            rows = [_row(one, pool.targets, data) for one in page]
            whole = [{name: _unicode(value) for name, value in row.items()} for row in rows]
            to.write_table(arrow.Table.from_pylist(whole, schema=schema))
            yield len(page)


def _unicode(value: object) -> object:
    """Half a surrogate pair as it is escaped, because Parquet's text cannot hold it."""
    if isinstance(value, list):
        return [_unicode(one) for one in value]
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError('Parquet needs pyarrow: pip install "nextlabel[parquet]".') from error
    return pyarrow, parquet


def _columns(targets: Targets, *, data: bool) -> list[str]:
    of_targets = [f"{target}.{part}" for target in targets for part in ("label", "confidence")]
    return ["task", "labeled", "uncertainty", *of_targets, *(["data"] if data else [])]


def _row(one: Predicted, targets: Targets, data: bool) -> Row:
    row: Row = dict.fromkeys(_columns(targets, data=data))
    row |= {"task": one.task.id, "labeled": one.labeled, "uncertainty": one.prediction.uncertainty}
    for guess in one.prediction.guesses:
        if (cell := targets.get(guess.target)) is not None:
            label = _plain(guess.label)
            row[f"{guess.target}.label"] = _json(label).decode() if cell == "json" else label
            row[f"{guess.target}.confidence"] = _confidence(guess)
    return row | ({"data": _json(one.task.data).decode()} if data else {})


def _confidence(guess: Guess) -> float | None:
    return guess.confidence if guess.scored else None


def _plain(label: Label) -> object:
    """As JSON has it: tuples as lists."""
    if isinstance(label, Result):
        return [dict(one) for one in label.items]
    return [_listed(one) for one in label] if isinstance(label, tuple) else label


def _listed(part: object) -> object:
    return list(part) if isinstance(part, tuple) else part


_WRITERS: Mapping[Format, Callable[[Pool, IO[bytes], bool], Iterator[int]]] = {
    "csv": _write_csv,
    "jsonl": _write_lines,
    "parquet": _write_parquet,
}
