"""Vectors of a project's tasks, kept on disk by content, so that nothing is computed twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextlabel.features.segments import Segments, Words
from nextlabel.features.work import EMBED, EmbedProgress, InPlace, Shards, Work, nobody, numbers, slices
from nextlabel.labeling.ranking import Floats

_MAX_SEGMENTS = 12
_FULL_SEGMENT = 50_000  # rows: a segment of so many is not merged again
_BLOCK = 2_000  # rows computed before they are kept: what a killed worker loses at most, twenty seconds of MiniLM
_KEY = "S16"  # numpy sorts these quickly; zeros at the end, which it hides, are no loss where all are as long
_HEAD = 5  # 32-bit words that a segment has for each row beside the row: its key and its sum


class VectorCache:
    """Dense float32 vectors, looked up by signature and 16-byte key; fulfils `features.source.Vectors`.

    What is new is appended as segment files, each written whole or not at all, so any number of processes may use one
    folder: at worst a vector is computed twice. Each row has a sum: one that is damaged is computed again. The folder
    may be deleted at any time.
    """

    def __init__(self, folder: Path, shards: Shards | None = None) -> None:
        """``shards`` computes what is missing of texts; without it this process does, alone."""
        self._folder, self._shards = folder, shards or InPlace()

    def get(
        self,
        signature: str,
        keys: Sequence[bytes],
        width: int,
        compute: Callable[[Sequence[int]], Floats],
        text: Callable[[int], str] | None = None,
        progress: EmbedProgress = nobody,
    ) -> Floats:
        """n × ``width``; ``compute`` is asked for up to `_BLOCK` new keys at a time; with ``text`` for a shard.

        Each `_BLOCK` rows are on disk before more are begun, so that nothing is lost when it takes minutes and the
        process is killed.
        """
        folder = _VectorFolder(self._folder / f"{signature}-{width}", width)
        wanted = np.array(keys, dtype=_KEY)
        rows, found = folder.find(wanted)
        unknown = np.flatnonzero(~found)
        new, places = np.unique(wanted[unknown], return_index=True)
        missing = unknown[np.sort(places)]

        pieces = self._computed(signature, missing, width, compute, text)
        folder.keep(wanted, rows, _filled(rows, missing, pieces, progress))
        if len(unknown) > len(new):
            first = unknown[places]
            rows[unknown] = rows[first[np.searchsorted(new, wanted[unknown])]]
        return rows

    def _computed(
        self,
        signature: str,
        missing: NDArray[np.intp],
        width: int,
        compute: Callable[[Sequence[int]], Floats],
        text: Callable[[int], str] | None,
    ) -> Iterator[tuple[range, Floats]]:
        """The rows of what is missing, piece by piece."""

        def rows_of(piece: range) -> Floats:
            places = missing[piece.start : piece.stop].tolist()
            return np.asarray(compute(places), dtype=np.float32).reshape(len(places), width)

        if text is None:
            return ((piece, rows_of(piece)) for piece in slices(range(len(missing)), _BLOCK))
        work = Work(EMBED, signature, [text(place) for place in missing.tolist()], numbers(width))
        return self._shards.rows(work, rows_of)


def _filled(
    rows: Floats, missing: NDArray[np.intp], pieces: Iterator[tuple[range, Floats]], progress: EmbedProgress
) -> Iterator[NDArray[np.intp]]:
    """Puts the pieces in their rows as they come, and says which rows those are."""
    done = 0
    for piece, fresh in pieces:
        block = missing[piece.start : piece.stop]
        rows[block] = fresh
        done += len(block)
        progress(done, len(missing))
        yield block


class _VectorFolder:
    """The vectors of one signature.

    A segment is one array of 32-bit words, so that it can be mapped: n sorted keys, n sums, n rows.
    """

    def __init__(self, folder: Path, width: int) -> None:
        self._width = width
        self._segments = Segments(folder, lambda words: words if len(words) % self._row == 0 else None)

    def find(self, wanted: NDArray[np.bytes_]) -> tuple[Floats, NDArray[np.bool_]]:
        """The rows of these keys, and which are known; zeros for the others."""
        rows, found = np.zeros((len(wanted), self._width), dtype=np.float32), np.zeros(len(wanted), dtype=np.bool_)
        for _, segment in self._segments:
            missing = np.flatnonzero(~found)
            if not len(missing):
                break
            keys, sums, vectors = self._parts(segment)
            place = np.minimum(np.searchsorted(keys, wanted[missing]), len(keys) - 1)
            here = keys[place] == wanted[missing]
            missing, place = missing[here], place[here]
            taken = np.asarray(vectors[place])
            whole = _sums(wanted[missing], taken) == sums[place]
            rows[missing[whole]], found[missing[whole]] = taken[whole].view(np.float32), True
        return rows, found

    def keep(self, keys: NDArray[np.bytes_], rows: Floats, blocks: Iterator[NDArray[np.intp]]) -> None:
        """Append each block once its rows are there, `_BLOCK` or more at a time; in an error what came before it."""
        fresh: list[NDArray[np.intp]] = []
        try:
            for block in blocks:
                fresh.append(block)
                if sum(map(len, fresh)) >= _BLOCK:
                    self._append(keys, rows, fresh)
        finally:
            self._append(keys, rows, fresh)

    def _append(self, keys: NDArray[np.bytes_], rows: Floats, blocks: list[NDArray[np.intp]]) -> None:
        """Write those rows that are numbers, and empty the list."""
        if not blocks:
            return
        block = np.concatenate(blocks)
        blocks.clear()
        good = block[np.isfinite(rows[block]).all(axis=1)]
        self._write(keys[good], np.ascontiguousarray(rows[good]).view(np.uint32))
        small = [(path, words) for path, words in self._segments if len(words) < _FULL_SEGMENT * self._row]
        if len(small) > _MAX_SEGMENTS:
            self._merge(small)

    def _merge(self, segments: Sequence[tuple[Path, Words]]) -> None:
        parts = [self._parts(words) for _, words in segments]
        keys, sums, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        whole = _sums(keys, rows) == sums
        self._write(keys[whole], rows[whole])
        self._segments.remove(path for path, _ in segments)

    def _write(self, keys: NDArray[np.bytes_], rows: Words) -> None:
        keys, first = np.unique(keys, return_index=True)
        if not len(keys):
            return
        rows = rows[first]
        self._segments.add(np.concatenate([keys.view(np.uint32), _sums(keys, rows), rows.ravel()]))

    @property
    def _row(self) -> int:
        return _HEAD + self._width

    def _parts(self, words: Words) -> tuple[NDArray[np.bytes_], Words, Words]:
        n = len(words) // self._row
        return np.asarray(words[: 4 * n]).view(_KEY), words[4 * n : 5 * n], words[5 * n :].reshape(n, self._width)


def _sums(keys: NDArray[np.bytes_], rows: Words) -> Words:
    """A sum over key and row, modulo 2**32: no single damaged word leaves it as it was."""
    of_keys = np.ascontiguousarray(keys).view(np.uint32).reshape(-1, 4).sum(axis=1, dtype=np.uint32)
    return np.asarray(of_keys + rows.sum(axis=1, dtype=np.uint32))
