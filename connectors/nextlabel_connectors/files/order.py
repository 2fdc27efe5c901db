"""The order as a file: one open task a line, the next one first, replaced as a whole."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

import orjson

from nextlabel.errors import ToolRejected
from nextlabel.labeling import Prediction, QueueVersion, TaskId
from nextlabel.labeling.ranking import Ranking
from nextlabel_connectors.files.ids import short_id
from nextlabel_connectors.files.profiles import Place, Plain, document_of
from nextlabel_connectors.files.rows import Data, Row, TaskFile, TaskReader

_UNFINISHED_SECONDS = 3_600
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY  # spans are lists


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A line of the order; ``rank`` is None for a task that follows the ranked ones."""

    task: TaskId
    version: str
    rank: int | None


@dataclass(frozen=True, slots=True)
class OrderFile:
    """The order of one file of tasks; ``documents`` is where UBIAI's form of it stands."""

    path: Path
    documents: Path

    def rows(self) -> Iterator[OrderRow]:
        """Its lines; none where there is no such file. Raises `ToolRejected` where it is not nextlabel's."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            for raw in file:
                yield self._row(raw)

    def _row(self, raw: bytes) -> OrderRow:
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            data = orjson.loads(raw)
            ours = data["meta"]["nextlabel"] if "nextlabel" in data.get("meta", {}) else data["nextlabel"]
            return OrderRow(short_id(ours.get("id", data.get("id"))), ours["version"], ours["rank"])
        raise ToolRejected(f"{self.path} was not written by nextlabel: move it away, or give the tasks another name.")

    def is_ours(self) -> bool:
        """Whether it was written by nextlabel, or there is none."""
        try:
            next(self.rows(), None)
        except ToolRejected:
            return False
        return True

    def version(self) -> QueueVersion | None:
        first = next(self.rows(), None)
        return QueueVersion(first.version) if first and first.version else None

    def write(
        self, rows: Iterable[Data], profile: Plain, mode: int, may_switch: Callable[[], None] = lambda: None
    ) -> None:
        """Replace the order: whoever reads it has the old one or the new one, never a part."""
        next(self.rows(), None)  # not over what somebody else wrote
        self._remove_unfinished()
        with _replacing(self.path, mode) as file:
            for row in rows:
                file.write(orjson.dumps(row, default=list, option=_OPTIONS))
            _settle(file)
            may_switch()
        if profile.name == "ubiai":
            self._write_documents(mode)

    def _write_documents(self, mode: int) -> None:
        with _replacing(self.documents, mode) as file, self.path.open("rb") as rows:
            for number, raw in enumerate(rows):
                row = orjson.loads(raw)
                document = document_of(row, row["nextlabel"].get("prediction", {}))
                file.write((b",\n" if number else b"[") + orjson.dumps(document))
            file.write(b"]\n" if file.tell() else b"[]\n")
            _settle(file)

    def remove(self) -> None:
        for path in (self.path, self.documents):
            path.unlink(missing_ok=True)

    def _remove_unfinished(self) -> None:
        """What was left by a process that died while it wrote."""
        for left in self.path.parent.glob(f".{self.path.name}.*.part"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _UNFINISHED_SECONDS:
                    left.unlink()


@contextmanager
def _replacing(path: Path, mode: int) -> Iterator[BinaryIO]:
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False) as file:
        written = Path(file.name)
        try:
            os.fchmod(file.fileno(), mode)
            yield file  # type: ignore[misc]
        except BaseException:
            written.unlink(missing_ok=True)
            raise
    written.replace(path)
    _settle_folder(path.parent)


def _settle(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _settle_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Ordered:
    """Rows of a new order: the window's open tasks in their rank, then all others that are open."""

    tasks: TaskFile
    profile: Plain
    is_closed: Callable[[TaskId], bool]
    version: QueueVersion | None
    window: Sequence[Row]
    utilities: Mapping[TaskId, float]
    predictions: Mapping[TaskId, Prediction]
    again: Mapping[TaskId, int]

    def rows(self) -> Iterator[Data]:
        version = self.version or ""
        ranked = {row.id for row in self.window}
        for rank, row in enumerate(self.window, 1):
            place = Place(version, rank, self.utilities.get(row.id), self.predictions.get(row.id))
            yield self.profile.row(row.id, row.data, place)
        with TaskReader(self.tasks) as reader:
            for found in reader.rows(self.profile):
                if not isinstance(found, Row) or found.id in ranked or self.is_closed(found.id):
                    continue
                if self.again.get(found.id, found.number) == found.number:
                    yield self.profile.row(found.id, found.data, Place(version))


@dataclass(frozen=True, slots=True)
class Known:
    """What a reading of all tasks shows of those of a window: their rows, and which ids there are at all.

    ``again`` are ids that stand there more than once, with the number of the last row, which counts.
    """

    rows: Mapping[TaskId, Row]
    again: Mapping[TaskId, int]


def find_rows(tasks: TaskFile, profile: Plain, window: Ranking) -> Known:
    wanted, seen = set(window.task_ids()), set[TaskId]()
    rows: dict[TaskId, Row] = {}
    again: dict[TaskId, int] = {}
    with TaskReader(tasks) as reader:
        for found in reader.rows(profile):
            if not isinstance(found, Row):
                continue
            if found.id in seen:
                again[found.id] = found.number
            seen.add(found.id)
            if found.id in wanted:
                rows[found.id] = found
    return Known(rows, again)
