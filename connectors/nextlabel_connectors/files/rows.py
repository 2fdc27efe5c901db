"""Tasks as rows of a file: JSON lines, a JSON array, CSV, TSV or Parquet, read one by one and never all at once."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TextIO

import orjson

from nextlabel.errors import ToolRejected, ToolUnavailable
from nextlabel.labeling import TaskId
from nextlabel_connectors.files.ids import short_id
from nextlabel_connectors.files.lines import LONGEST_LINE, Line, LineFile, Mark, mark_whole, still_holds

SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
"""Formats of a file of tasks."""

_SAMPLE = 200
_DEEPEST = 250
_BATCH = 1_000
_CHUNK = 1 << 16
_DECODER = json.JSONDecoder()
# A line that cannot be read may still begin with its id.
_ID_AT_THE_START = re.compile(rb'\{\s*"id"\s*:\s*("(?:[^"\\]|\\.){1,200}"|-?\d{1,30})\s*[,}]')

Data = dict[str, Any]


class Row(NamedTuple):
    """A task: its line or its place in the file (from 1), its id and its fields."""

    number: int
    id: TaskId
    data: Data


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A line that holds no task, known by its id where it still shows one, otherwise by its number."""

    number: int
    id: TaskId
    reason: str


class Identify(Protocol):
    """How tasks are known: by an id of their own, or by what they hold."""

    def id_of(self, data: Data) -> TaskId:
        """Raises `ValueError` where there is an id that cannot be one."""


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A file of tasks. Where two rows have one id, the later one counts."""

    path: Path

    @property
    def is_lines(self) -> bool:
        """Whether rows can be appended to it: then those before a mark need not be read again."""
        return self.path.suffix == ".jsonl"

    def sample(self) -> list[Data]:
        """The fields of the first rows."""
        with TaskReader(self) as reader:
            return list(islice((data for _, data, _ in reader.data() if isinstance(data, dict)), _SAMPLE))

    def holds(self, mark: Mark) -> bool:
        """Whether all that was read up to the mark still stands there, and nothing else where rows are not appended."""
        return still_holds(self.path, mark) and (self.is_lines or self.path.stat().st_size == mark.offset)

    def has_grown(self, mark: Mark) -> bool:
        return self.path.stat().st_size > mark.offset


class TaskReader:
    """Reads the rows of a file of tasks, from a mark on where that is possible.

    ``mark`` is behind the last row that was read; None before the end of a file that is not read in lines.
    """

    def __init__(self, file: TaskFile, since: Mark | None = None) -> None:
        self._path = file.path
        self._lines = LineFile(file.path, since) if file.is_lines else None
        self._whole = None if file.is_lines else mark_whole(file.path)
        self._ended = False

    def __enter__(self) -> TaskReader:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lines is not None:
            self._lines.__exit__()

    def mark(self) -> Mark | None:
        if self._lines is not None:
            return self._lines.mark()
        return self._whole if self._ended else None

    def rows(self, identify: Identify) -> Iterator[Row | BrokenRow]:
        for number, data, raw in self.data():
            yield _row(number, data, raw, self._path, identify)
        self._ended = True

    def data(self) -> Iterator[tuple[int, Data | str, bytes]]:
        """Each row by its number: its fields, or what is wrong with it; and how it begins, where it is a line."""
        if self._lines is not None:
            for line in self._lines:
                yield line.number, _of_line(line), line.raw
            return
        readers = {".json": _of_array, ".parquet": _of_parquet}
        for number, data in enumerate(readers.get(self._path.suffix, _of_table)(self._path), 1):
            yield number, data, b""


def _row(number: int, data: Data | str, raw: bytes, path: Path, identify: Identify) -> Row | BrokenRow:
    if isinstance(data, dict):
        try:
            return Row(number, identify.id_of(data), data)
        except ValueError as error:
            data = f"cannot be a task: {error}"
    shown = _ID_AT_THE_START.match(raw)
    known = short_id(orjson.loads(shown[1])) if shown else line_id(number, path)
    return BrokenRow(number, known, f"Line {number} of {path.name} {data}.")


def _of_line(line: Line) -> Data | str:
    return f"has more than {LONGEST_LINE:,} bytes" if line.too_long else _parsed(line.raw)


def _parsed(raw: bytes | str) -> Data | str:
    """The fields in a piece of JSON, or what is wrong with it."""
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return f"is no JSON ({error})"
    if not isinstance(found, dict):
        return "is no JSON object"
    return found if _can_be_written(raw, found) else f"is nested more than {_DEEPEST} times"


def _can_be_written(raw: bytes | str, found: Data) -> bool:
    """JSON is read that is nested more deeply than it can be written again."""
    opening: Any = ("[", "{") if isinstance(raw, str) else (b"[", b"{")
    if sum(map(raw.count, opening)) <= _DEEPEST:
        return True
    try:
        return bool(orjson.dumps(found))
    except TypeError:
        return False


def line_id(number: int, path: Path) -> TaskId:
    """What a line is known by that does not show which task it is about."""
    return short_id(f"line {number} of {path.name}")


def _of_array(path: Path) -> Iterator[Data | str]:
    """The parts of a JSON array, one after the other."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        pieces = _Pieces(file)
        if pieces.next_character(" \t\r\n") != "[":
            raise ToolRejected(f"{path.name} is no JSON array of tasks: write one, or one task a line as .jsonl.")
        pieces.at += 1
        while (character := pieces.next_character(" \t\r\n,")) != "]":
            try:
                yield _parsed(pieces.value())
            except (json.JSONDecodeError, RecursionError) as error:
                raise ToolUnavailable(
                    f"{path.name} is cut off or is no JSON near {character or 'its end'!r}: write it anew, best under "
                    "another name, and then rename it."
                ) from error


class _Pieces:
    """A text that is read in pieces; ``at`` is where in the present piece reading stands."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self.at = file, "", 0

    def next_character(self, passed_over: str) -> str:
        """The next one that is none of these, which stays to be read; "" at the end."""
        while True:
            while self.at < len(self._text) and self._text[self.at] in passed_over:
                self.at += 1
            if self.at < len(self._text) or not self._more():
                return self._text[self.at : self.at + 1]

    def value(self) -> str:
        """The JSON of the next value. Raises `json.JSONDecodeError` where there is none."""
        while True:
            try:
                _, end = _DECODER.raw_decode(self._text, self.at)
            except json.JSONDecodeError:
                if len(self._text) - self.at > LONGEST_LINE or not self._more():
                    raise
                continue
            if end < len(self._text) or not self._more():  # at the end of a piece a number may go on
                found, self.at = self._text[self.at : end], end
                return found

    def _more(self) -> bool:
        piece = self._file.read(max(_CHUNK, len(self._text)))
        self._text, self.at = self._text[self.at :] + piece, 0
        return bool(piece)


def _of_table(path: Path) -> Iterator[Data | str]:
    csv.field_size_limit(LONGEST_LINE)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file, _readable(path, csv.Error):
        for row in csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","):
            yield {name: value for name, value in row.items() if isinstance(name, str) and value is not None}


def _of_parquet(path: Path) -> Iterator[Data | str]:
    try:
        from pyarrow import ArrowException  # noqa: PLC0415 - an optional package
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415
    except ImportError as error:
        raise ToolRejected(f"{path.name} needs a package more: pip install 'nextlabel[parquet]'.") from error
    with _readable(path, ArrowException), ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH):
            for row in batch.to_pylist():
                yield orjson.loads(orjson.dumps(row, default=str))


@contextmanager
def _readable(path: Path, *errors: type[Exception]) -> Iterator[None]:
    try:
        yield
    except errors as error:
        raise ToolUnavailable(f"{path.name} cannot be read ({error}): write it anew.") from error
