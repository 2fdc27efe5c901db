"""Lines of a file that others may be appending to, and a mark of how far it was read.

A mark holds a digest of everything before it. So a file that was truncated, replaced or edited before the mark is
always noticed, and one that only grew is read on from there.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

LONGEST_LINE = 10_000_000
"""Bytes of a line that are read; of a longer one only its beginning, to name it."""

_CHUNK = 1 << 20
_BEGINNING = 1_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Within this time a file may be written again without a new time of change.
_FRESH_NANOSECONDS = 2_000_000_000


class Mark(NamedTuple):
    """How far a file was read: bytes, lines, and the digest of those bytes.

    ``stamp`` is what the file system knew of the file then: while it says the same, nothing has changed. "" where the
    file had changed so recently that this cannot be relied on.
    """

    offset: int
    lines: int
    digest: str
    stamp: str


class Line(NamedTuple):
    """A line by its number (from 1), without its end. Of one that is ``too_long`` it is the beginning."""

    number: int
    raw: bytes
    too_long: bool = False


class LineFile:
    """Reads a file line by line, from a mark on. A file that is missing is an empty one.

    A last line without its end is read only where it is a whole JSON object, which no part of one can be: otherwise
    somebody is still writing it, and it is left for the next time.
    """

    def __init__(self, path: Path, since: Mark | None = None) -> None:
        self._file, self._stamp = _open(path)
        self._hash, self._offset, self._lines = hashlib.blake2b(digest_size=16), 0, 0
        if since is not None:
            self._pass_over(since)

    def __enter__(self) -> LineFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def mark(self) -> Mark:
        return Mark(self._offset, self._lines, self._hash.hexdigest(), self._stamp)

    def __iter__(self) -> Iterator[Line]:
        while raw := self._file.readline(LONGEST_LINE + 1):
            if not raw.endswith(b"\n") and len(raw) > LONGEST_LINE:
                if not self._pass_over_line(raw):
                    return
                yield Line(self._lines, raw[:_BEGINNING], too_long=True)
                continue
            if not raw.endswith(b"\n") and not _is_whole(raw):
                return
            self._count(raw)
            self._lines += 1
            text = raw.removeprefix(_BYTE_ORDER_MARK).strip() if self._lines == 1 else raw.strip()
            if text:
                yield Line(self._lines, text)

    def _count(self, raw: bytes) -> None:
        self._hash.update(raw)
        self._offset += len(raw)

    def _pass_over_line(self, raw: bytes) -> bool:
        """Go to the end of a line that is too long; False where it has none yet."""
        before = self._hash.copy(), self._offset
        while raw:
            self._count(raw)
            if raw.endswith(b"\n"):
                self._lines += 1
                return True
            raw = self._file.readline(_CHUNK)
        self._hash, self._offset = before
        return False

    def _pass_over(self, since: Mark) -> None:
        while self._offset < since.offset:
            raw = self._file.read(min(_CHUNK, since.offset - self._offset))
            if not raw:
                break
            self._count(raw)
        self._lines = since.lines


def still_holds(path: Path, mark: Mark) -> bool:
    """Whether a file still begins with everything that was read of it up to the mark."""
    if mark.stamp and mark.stamp == stamp_of(path):
        return True
    with LineFile(path, mark) as file:
        return file.mark()[:3] == mark[:3]


def mark_whole(path: Path) -> Mark:
    """The mark behind the last byte of a file that is not read in lines."""
    with LineFile(path, Mark(1 << 62, 0, "", "")) as file:
        return file.mark()


def stamp_of(path: Path) -> str:
    """What the file system knows of a file: changes with its content, and with the time of a change."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ""
    return _stamp(found)


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


def _open(path: Path) -> tuple[BinaryIO, str]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return BytesIO(), ""
    found = os.fstat(file.fileno())
    fresh = time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) < _FRESH_NANOSECONDS
    return file, "" if fresh else _stamp(found)


def _is_whole(raw: bytes) -> bool:
    try:
        return isinstance(orjson.loads(raw.removeprefix(_BYTE_ORDER_MARK)), dict)
    except orjson.JSONDecodeError:
        return False
