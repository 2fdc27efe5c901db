"""Appending a label so that several people and programs can do it at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import orjson

try:
    import fcntl
except ImportError:  # Windows: the system itself keeps others from writing at the same moment
    fcntl = None  # type: ignore[assignment]


def append_label(path: Path, task: str, label: object = None, *, by: str = "", **more: object) -> None:
    """Append a label of one task to a file of labels. ``more`` are other fields of the line, such as ``skipped``.

    The line is whole on the disk when this returns. It begins anew where somebody died in the middle of theirs.
    """
    line: Mapping[str, object] = {"id": task, "by": by, "at": datetime.now(UTC).isoformat(), "label": label} | more
    content = orjson.dumps({name: value for name, value in line.items() if value not in (None, "")}) + b"\n"
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, b"\n" + content if torn else content)
        os.fsync(handle)
    finally:
        os.close(handle)
