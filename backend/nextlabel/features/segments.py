"""Files of 32-bit words in a folder: each written whole or not at all, and mapped when it is read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

_LISTINGS = 5  # of the folder, when files vanish while it is read: somebody else is merging


class Segments:
    """The segments of one folder. Any number of processes may read, add and remove; the folder may vanish."""

    def __init__(self, folder: Path, fits: Callable[[Words], bool]) -> None:
        """``fits`` tells whether these words can be a segment at all: a file may be damaged."""
        self.folder, self._fits = folder, fits

    def __iter__(self) -> Iterator[tuple[Path, Words]]:
        """Every segment that can be read, each once; looks again where some vanish meanwhile, merged by another."""
        seen: set[Path] = set()
        for _ in range(_LISTINGS):
            listed = [path for path in sorted(self.folder.glob("*.npy")) if path not in seen]
            vanished = False
            for path in listed:
                try:
                    words = np.load(path, mmap_mode="r", allow_pickle=False)
                except FileNotFoundError:
                    vanished = True
                    continue
                except (OSError, ValueError, EOFError, SystemError):
                    # Damaged: its rows are computed again. A SystemError is CPython's own, before 3.11.8, where threads
                    # read the header of such a file at the same time (its issue 106905).
                    words = np.empty(0, dtype=np.uint32)
                seen.add(path)
                if words.dtype == np.uint32 and words.ndim == 1 and len(words) and self._fits(words):
                    yield path, words
            if not vanished:
                return

    def add(self, words: Words) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".tmp", dir=self.folder)
        with os.fdopen(handle, "wb") as file:
            np.save(file, words)
        Path(name).rename(Path(name).with_suffix(".npy"))

    @staticmethod
    def remove(paths: Iterable[Path]) -> None:
        for path in paths:
            with suppress(OSError):  # gone already, or still mapped by somebody on a system that minds
                path.unlink()
