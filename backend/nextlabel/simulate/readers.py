"""Files of labeled data → records, each with the line or place it came from for what is said about it."""

from __future__ import annotations

import csv
import gzip
import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from nextlabel.errors import ConfigurationError
from nextlabel.labeling import Annotation, AnnotationId, labels_in_force

KNOWN = ".csv, .tsv, .jsonl, .ndjson, .json (a Label Studio export, or a list of objects), .parquet"
ANNOTATED = "annotated"
"""The field in which a Label Studio export's chosen label is put."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row's fields, and where it stands in the file: "line 7", "task 12"."""

    place: str
    fields: Mapping[str, object]


def read_records(path: Path) -> list[Record]:
    """Every row of a file, by its suffix; ``.gz`` is unpacked.

    Raises `ConfigurationError` naming the file, and the line where there is one.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    kind = suffixes[-1] if suffixes else ""
    if not path.is_file():
        raise ConfigurationError(f"There is no file {path}.")
    if kind == ".parquet":
        return _read_parquet(path)
    readers = {".csv": _read_csv, ".tsv": _read_csv, ".jsonl": _read_jsonl, ".ndjson": _read_jsonl, ".json": _read_json}
    if kind not in readers:
        raise ConfigurationError(f"{path}: what '{kind or 'no suffix'}' holds is not known; known are {KNOWN}.")
    text = _read_text(path)
    if not text.strip():
        raise ConfigurationError(f"{path} is empty.")
    records = readers[kind](path, text)
    if not records:
        raise ConfigurationError(f"{path} has no rows.")
    return records


def _read_text(path: Path) -> str:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}, line {line}: not UTF-8. Save the file as UTF-8.") from error


def _read_csv(path: Path, text: str) -> list[Record]:
    with _large_fields():
        rows = csv.reader(StringIO(text, newline=""), delimiter=_delimiter(path, text), strict=True)
        try:
            header = next(rows)
            _check_header(path, header)
            records = []
            for row in rows:
                if row and len(row) != len(header):
                    raise ConfigurationError(
                        f"{path}, line {rows.line_num}: {len(row)} fields, but the header names {len(header)} columns."
                    )
                if row:
                    records.append(Record(f"line {rows.line_num}", dict(zip(header, row, strict=True))))
        except csv.Error as error:
            raise ConfigurationError(f"{path}, line {rows.line_num}: {error}.") from error
    return records


def _delimiter(path: Path, text: str) -> str:
    """The separator that the header has most of; a tab for .tsv."""
    if ".tsv" in [suffix.lower() for suffix in path.suffixes]:
        return "\t"
    header = text.split("\n", 1)[0]
    return max(",;\t|", key=header.count)


def _check_header(path: Path, header: Sequence[str]) -> None:
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"{path}: two columns are named '{twice}'.")


@contextmanager
def _large_fields() -> Iterator[None]:
    """Fields of any length: a long e-mail is more than csv's 128 KiB."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _read_jsonl(path: Path, text: str) -> list[Record]:
    records = []
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: U+2028 may stand within a JSON text
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except ValueError as error:
            raise ConfigurationError(f"{path}, line {number}: no JSON ({error}).") from error
        if not isinstance(fields, dict):
            raise ConfigurationError(f"{path}, line {number}: must be an object with fields, not {line[:40]!r}.")
        records.append(Record(f"line {number}", fields))
    return records


def _read_json(path: Path, text: str) -> list[Record]:
    try:
        items = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{path}: no JSON ({error}).") from error
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ConfigurationError(f"{path}: must be a list of tasks or of objects.")
    if any("annotations" in item for item in items):
        return _annotated(path, items)
    return [Record(f"object {number}", item) for number, item in enumerate(items, 1)]


def _annotated(path: Path, tasks: Sequence[Mapping[str, Any]]) -> list[Record]:
    """Tasks of a Label Studio export with the label in force of the first choice control that anyone used."""
    try:
        spoken = [[_annotation(said) for said in task.get("annotations") or ()] for task in tasks]
        controls = [name for annotations in spoken for said in annotations for name in said.labels]
        if not controls:
            raise ConfigurationError(f"{path}: no task has an annotation with a single choice, so there are no labels.")
        return [
            Record(
                f"task {task.get('id', number)}",
                {**task.get("data", {}), ANNOTATED: labels_in_force(tuple(annotations)).get(controls[0])},
            )
            for number, (task, annotations) in enumerate(zip(tasks, spoken, strict=True), 1)
        ]
    except (AttributeError, TypeError, KeyError) as error:
        raise ConfigurationError(f"{path}: this is no Label Studio export ({error}).") from error


def _annotation(said: Mapping[str, Any]) -> Annotation:
    chosen = {
        str(part["from_name"]): str(part["value"]["choices"][0])
        for part in said.get("result") or ()
        if part.get("type") == "choices" and len(part["value"].get("choices", ())) == 1
    }
    at = str(said.get("updated_at") or said.get("created_at") or "")
    return Annotation(AnnotationId(str(said.get("id", ""))), chosen, at, bool(said.get("was_cancelled")))


def _read_parquet(path: Path) -> list[Record]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ConfigurationError(f"To read {path.name}, install pyarrow: pip install pyarrow.") from error
    try:
        rows = parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise ConfigurationError(f"{path} is no Parquet file: {error}.") from error
    if not rows:
        raise ConfigurationError(f"{path} has no rows.")
    return [Record(f"row {number}", row) for number, row in enumerate(rows, 1)]
