"""Files of labeled data → records, each with the line or place it came from for what is said about it."""

from __future__ import annotations

import csv
import gzip
import importlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from nextlabel.errors import ConfigurationError
from nextlabel.labeling import TargetKind
from nextlabel.simulate.label_studio import (
    Record,
    Table,
    is_export,
    not_simulated,
    of_annotations,
    of_tasks,
    refuse_other_formats,
)

KNOWN = ".csv, .tsv, .jsonl, .ndjson, .json (Label Studio's JSON, JSON_MIN, CSV and TSV among them), .parquet"
# Other formats that Label Studio exports, by how their files end.
_NOT_SIMULATED = {
    ".zip": "COCO, YOLO, Pascal VOC, ASR_MANIFEST and brush",
    ".conll": "CONLL2003",
    ".xml": "Pascal VOC",
    ".txt": "YOLO",
    ".npy": "brush",
    ".png": "brush",
    ".dclx": "DocLang",
}


def read_table(path: Path, label: str | None = None, kind: TargetKind | None = None) -> Table:
    """Every row of a file, of a Label Studio export every task; ``.gz`` is unpacked. ``label`` is the column of the
    label, and ``kind`` what it holds, where these are known.

    Raises `ConfigurationError` naming the file, and the line where there is one.
    """
    records, ending = _read(path)
    if ending == ".json" and any("annotations" in one.fields for one in records):
        return of_tasks(path, [one.fields for one in records], kind)
    if is_export(name for one in records[:1] for name in one.fields):
        return of_annotations(records, label, kind, in_order=ending == ".json")
    return Table(records)


def _read(path: Path) -> tuple[list[Record], str]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    kind = suffixes[-1] if suffixes else ""
    if not path.is_file():
        raise ConfigurationError(f"There is no file {path}.")
    if kind == ".parquet":
        return _read_parquet(path), kind
    if kind in _NOT_SIMULATED:
        raise not_simulated(path, _NOT_SIMULATED[kind])
    readers = {".csv": _read_csv, ".tsv": _read_csv, ".jsonl": _read_jsonl, ".ndjson": _read_jsonl, ".json": _read_json}
    if kind not in readers:
        raise ConfigurationError(f"{path}: what '{kind or 'no suffix'}' holds is not known; known are {KNOWN}.")
    text = _read_text(path)
    if not text.strip():
        raise ConfigurationError(f"{path} is empty.")
    refuse_other_formats(path, text)
    records = readers[kind](path, text)
    if not records:
        raise ConfigurationError(f"{path} has no rows.")
    return records, kind


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
    return [Record(f"object {number}", item) for number, item in enumerate(items, 1)]


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
