"""Features of a project's tasks, kept on disk by content, so that nothing is computed twice."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from nextlabel.features.source import EMBED, InPlace, Shards, Told, Work, nobody, slices
from nextlabel.features.text import COLUMNS, SIGNATURE, content_hash, count_features, no_rows
from nextlabel.ranking import Floats

_MAX_SEGMENTS = 12
_FULL_SEGMENT = 50_000  # rows: a segment of so many is not merged again
_BLOCK = 2_000  # rows computed before they are kept: what a killed worker loses at most, twenty seconds of MiniLM
_LISTINGS = 5  # of the folder, when files vanish while it is read: somebody else is merging


class TextFeatureCache:
    """Features of texts, looked up by content hash.

    What is new is appended as one segment file, written whole or not at all, so any number of processes may
    use one folder: at worst a text is counted twice. The folder may be deleted at any time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / SIGNATURE

    def features(self, texts: Sequence[str]) -> csr_matrix:
        """n × `COLUMNS` counts, row by row those of the texts."""
        keys = np.array([content_hash(text) for text in texts], dtype="S16").view("V16")
        known_keys, known = self._read()
        rows = {key.tobytes(): row for row, key in enumerate(known_keys)}
        missing = list({key.tobytes(): i for i, key in enumerate(keys) if key.tobytes() not in rows}.values())
        if missing:
            fresh = count_features([texts[i] for i in missing])
            self._append(keys[missing], fresh)
            rows |= {keys[i].tobytes(): known.shape[0] + n for n, i in enumerate(missing)}
            known = vstack([known, fresh], format="csr")
        return known[[rows[key.tobytes()] for key in keys]]

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob("*.npz")) if self._folder.is_dir() else []

    def _read(self) -> tuple[NDArray[np.void], csr_matrix]:
        segments = self._segments()
        keys: list[NDArray[np.void]] = [np.empty(0, dtype="V16")]
        parts = [no_rows()]
        for path in segments:
            segment = _load(path)
            if segment is not None:
                keys.append(segment[0])
                parts.append(segment[1])
        merged = np.concatenate(keys), vstack(parts, format="csr")
        if len(segments) > _MAX_SEGMENTS:
            self._append(*merged)
            for path in segments:
                path.unlink(missing_ok=True)
        return merged

    def _append(self, keys: NDArray[np.void], counts: csr_matrix) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".tmp", dir=self._folder)
        with os.fdopen(handle, "wb") as file:
            np.savez(file, keys=keys, data=counts.data, indices=counts.indices, indptr=counts.indptr)
        Path(name).rename(Path(name).with_suffix(".npz"))


def _load(path: Path) -> tuple[NDArray[np.void], csr_matrix] | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            shape = (len(file["keys"]), COLUMNS)
            return file["keys"], csr_matrix((file["data"], file["indices"], file["indptr"]), shape=shape)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None  # merged away by another process, or damaged: the texts are simply counted again


_KEY = "S16"  # numpy sorts these quickly; zeros at the end, which it hides, are no loss where all are as long
_HEAD = 5  # 32-bit words that a segment has for each row beside the row: its key and its sum
Words = NDArray[np.uint32]


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
        texts: Sequence[str] | None = None,
        told: Told = nobody,
    ) -> Floats:
        """n × ``width``; ``compute`` is asked for up to `_BLOCK` new keys at a time; with ``texts`` for a shard.

        Each `_BLOCK` rows are on disk before more are begun, so that nothing is lost when it takes minutes and the
        process is killed.
        """
        folder = _VectorFolder(self._folder / f"{signature}-{width}", width)
        wanted = np.array(keys, dtype=_KEY)
        rows, found = folder.find(wanted)
        unknown = np.flatnonzero(~found)
        new, places = np.unique(wanted[unknown], return_index=True)
        missing = unknown[np.sort(places)]

        pieces = self._computed(signature, missing, width, compute, texts)
        folder.keep(wanted, rows, _filled(rows, missing, pieces, told))
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
        texts: Sequence[str] | None,
    ) -> Iterator[tuple[range, Floats]]:
        """The rows of what is missing, piece by piece."""

        def rows_of(piece: range) -> Floats:
            places = missing[piece.start : piece.stop].tolist()
            return np.asarray(compute(places), dtype=np.float32).reshape(len(places), width)

        if texts is None:
            return ((piece, rows_of(piece)) for piece in slices(range(len(missing)), _BLOCK))
        work = Work(EMBED, signature, [texts[place] for place in missing], width)
        return self._shards.rows(work, rows_of)


def _filled(
    rows: Floats, missing: NDArray[np.intp], pieces: Iterator[tuple[range, Floats]], told: Told
) -> Iterator[NDArray[np.intp]]:
    """Puts the pieces in their rows as they come, and says which rows those are."""
    done = 0
    for piece, fresh in pieces:
        block = missing[piece.start : piece.stop]
        rows[block] = fresh
        done += len(block)
        told(done, len(missing))
        yield block


class _VectorFolder:
    """The vectors of one signature.

    A segment is one array of 32-bit words, so that it can be mapped: n sorted keys, n sums, n rows.
    """

    def __init__(self, folder: Path, width: int) -> None:
        self._folder, self._width = folder, width

    def find(self, wanted: NDArray[np.bytes_]) -> tuple[Floats, NDArray[np.bool_]]:
        """The rows of these keys, and which are known; zeros for the others."""
        rows, found = np.zeros((len(wanted), self._width), dtype=np.float32), np.zeros(len(wanted), dtype=np.bool_)
        for _, segment in self._segments():
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
        small = [(path, words) for path, words in self._segments() if len(words) < _FULL_SEGMENT * self._row]
        if len(small) > _MAX_SEGMENTS:
            self._merge(small)

    def _merge(self, segments: Sequence[tuple[Path, Words]]) -> None:
        parts = [self._parts(words) for _, words in segments]
        keys, sums, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        whole = _sums(keys, rows) == sums
        self._write(keys[whole], rows[whole])
        for path, _ in segments:
            with suppress(OSError):  # gone already, or still mapped by somebody on a system that minds
                path.unlink()

    def _write(self, keys: NDArray[np.bytes_], rows: Words) -> None:
        keys, first = np.unique(keys, return_index=True)
        if not len(keys):
            return
        rows = rows[first]
        words = np.concatenate([keys.view(np.uint32), _sums(keys, rows), rows.ravel()])
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".tmp", dir=self._folder)
        with os.fdopen(handle, "wb") as file:
            np.save(file, words)
        Path(name).rename(Path(name).with_suffix(".npy"))

    def _segments(self) -> Iterator[tuple[Path, Words]]:
        """Every segment that can be read, each once; looks again where some vanish meanwhile, merged by another."""
        seen: set[Path] = set()
        for _ in range(_LISTINGS):
            listed = [path for path in sorted(self._folder.glob("*.npy")) if path not in seen]
            vanished = False
            for path in listed:
                try:
                    words = np.load(path, mmap_mode="r", allow_pickle=False)
                except FileNotFoundError:
                    vanished = True
                    continue
                except (OSError, ValueError, EOFError):  # damaged: its rows are computed again
                    words = np.empty(0, dtype=np.uint32)
                seen.add(path)
                if words.dtype == np.uint32 and words.ndim == 1 and len(words) and len(words) % self._row == 0:
                    yield path, words
            if not vanished:
                return

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
