"""Where what a command makes goes: a file, or the standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from nextlabel.errors import SettingsError


@contextmanager
def written(output: str | None) -> Iterator[IO[bytes]]:
    """A file that takes the place of the one before once it is whole, the standard output, or a pipe or device."""
    if output is None or output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(output).absolute()
    if not path.parent.is_dir():
        raise SettingsError(f"There is no folder {path.parent} to write into: make it first.")
    if path.is_dir():
        raise SettingsError(f"{path} is a folder: name a file in it.")
    if path.exists() and not path.is_file():  # a pipe or a device, in the place of which no file may come
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()  # of a link, what it leads to
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
