"""Named arrays in files of a folder, the last of each name."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path

import numpy as np

from nextlabel.features.source import NamedArrays

log = logging.getLogger("nextlabel.features.arrays")


class ArrayFiles:
    """Fulfils `features.source.Arrays`. A file is written whole or not at all; the folder may go at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> NamedArrays | None:
        """None where there is no such file, or it is damaged."""
        try:
            with np.load(self._path(name), allow_pickle=False) as arrays:
                return {each: arrays[each] for each in arrays.files}
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever the file holds: what is lost costs a little time
            log.info("%s cannot be read (%s).", self._path(name), type(error).__name__)
            return None

    def keep(self, name: str, arrays: NamedArrays) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, made = tempfile.mkstemp(suffix=".tmp", dir=self._folder)
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            Path(made).rename(self._path(name))
        except OSError as error:
            log.warning("%s: arrays cannot be kept, which costs time (%s).", self._folder, error)

    def _path(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:16]}.npz"
