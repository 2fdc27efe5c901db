"""A version's state must not know where it lies: it is stored, and restored elsewhere, perhaps on another machine."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

FOLDER = "{nextlabel:folder}"
"""Stands for the version's folder in what a model says of itself."""


_READ_BYTES = 64 * 2**20
"""Up to here a file is known by its content, beyond by its size and the time of its last change."""
_SQLITE = b"SQLite format 3\0"


def fingerprints(folder: Path) -> dict[str, str]:
    """What stands for each file's content: the same where a file was only written again."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): _fingerprint(path) for path in files}


def _fingerprint(path: Path) -> str:
    about = path.stat()
    if about.st_size > _READ_BYTES:
        return f"{about.st_size} {about.st_mtime_ns}"
    content = path.read_bytes()
    if content.startswith(_SQLITE):  # such as the cache of label-studio-ml 2.x, which writes down what stands there
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
                content = "\n".join(database.iterdump()).encode()
        except sqlite3.Error:
            pass  # it is no database, or in use: its bytes will do
    return hashlib.sha256(content).hexdigest()


def portable(state: Any, folder: Path) -> Any:
    """The same values, with the folder's path in any of their texts replaced: ``model_file`` is the usual one."""
    path = re.compile(re.escape(str(folder)) + r"(?![\w.-])")
    return _each_text(state, lambda text: path.sub(lambda _: FOLDER, text))


def at_home(state: Any, folder: Path) -> Any:
    """What `portable` made, for the folder where the version lies now."""
    return _each_text(state, lambda text: text.replace(FOLDER, str(folder)))


def _each_text(value: Any, change: Any) -> Any:
    match value:
        case str():
            return change(value)
        case list():
            return [_each_text(one, change) for one in value]
        case dict():
            return {key: _each_text(one, change) for key, one in value.items()}
        case _:
            return value
