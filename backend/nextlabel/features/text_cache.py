"""Counts of a project's texts, kept on disk by content, so that no text is counted twice however many there are."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from nextlabel.features.matrices import matrix_of
from nextlabel.features.segments import Segments, Words
from nextlabel.features.text import COLUMNS, SIGNATURE, content_hash, count_features, no_rows
from nextlabel.ranking import Floats

log = logging.getLogger("nextlabel.features")

_LOT = 4_000_000  # characters counted before they are kept: what a killed worker loses at most, 50,000 short texts
_FULL = 8_000_000  # words: a segment of so many is not merged again
_MAX_SMALL = 12  # segments that are not full
_HELD = 2**28  # bytes of counts that are held in memory; more stand in a file that is mapped

Keys = NDArray[np.uint64]
Places = NDArray[np.intp]


class TextFeatureCache:
    """Features of texts, looked up by content hash.

    What is new is appended as segment files, each written whole or not at all, so any number of processes may use one
    folder: at worst a text is counted twice. Each row has a sum: one that is damaged is counted again. The folder may
    be deleted at any time, and where it cannot be written texts are simply counted each time.
    """

    def __init__(self, folder: Path) -> None:
        self._segments = Segments(folder / SIGNATURE, _fits)

    def features(self, texts: Sequence[str]) -> csr_matrix:
        """n × `COLUMNS` counts, row by row those of the texts. Large ones are not in memory but mapped: they are
        read from disk again when memory runs short."""
        if not texts:
            return no_rows()
        keys = np.frombuffer(b"".join(map(content_hash, texts)), dtype=np.uint64).reshape(-1, 2)
        first, which = _distinct(keys)
        found = self._find(keys[first])
        missing = np.sort(first[found.segment < 0])
        if len(missing):
            self._count(keys, texts, missing)
            found = self._find(keys[first])
        lost = np.flatnonzero(found.segment < 0)
        if len(lost):  # the folder is gone, or cannot be written
            some = first[lost]
            found.take(
                _Segment(_words(keys[some], count_features([texts[n] for n in some]))), lost, np.arange(len(lost))
            )
        return found.rows(which, self._segments.folder)

    def _find(self, wanted: Keys) -> _Found:
        """Where the rows of these keys are; they must be sorted and distinct."""
        found, firsts = _Found.none(len(wanted)), np.ascontiguousarray(wanted[:, 0])
        for _, words in self._segments:
            segment = _Segment(words)
            place = np.minimum(np.searchsorted(firsts, segment.keys[:, 0]), len(wanted) - 1)
            here = (wanted[place] == segment.keys).all(axis=1)
            if here.any():
                rows = np.flatnonzero(here & segment.intact())
                found.take(segment, place[rows], rows)
        return found

    def _count(self, keys: Keys, texts: Sequence[str], missing: Places) -> None:
        try:
            for lot in _lots(texts, missing):
                self._segments.add(_words(keys[lot], count_features([texts[n] for n in lot])))
            self._merge()
        except OSError as error:
            log.warning("%s: counts of texts cannot be kept, which costs time (%s).", self._segments.folder, error)

    def _merge(self) -> None:
        small = [(path, _Segment(words)) for path, words in self._segments if len(words) < _FULL]
        if len(small) > _MAX_SMALL:
            whole = [np.flatnonzero(segment.intact()) for _, segment in small]
            keys = np.concatenate([one.keys[rows] for (_, one), rows in zip(small, whole, strict=True)])
            counts = vstack([one.counts[rows] for (_, one), rows in zip(small, whole, strict=True)], format="csr")
            self._segments.add(_words(keys, counts))
            self._segments.remove(path for path, _ in small)


def _distinct(keys: Keys) -> tuple[Places, Places]:
    """The places of the distinct keys, in the keys' order; and for each key which of them it is."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    new = np.concatenate(([True], (keys[order[1:]] != keys[order[:-1]]).any(axis=1)))
    which = np.empty(len(keys), dtype=np.intp)
    which[order] = np.cumsum(new) - 1
    return order[new], which


def _lots(texts: Sequence[str], places: Places) -> Iterator[Places]:
    """The places in runs of about `_LOT` characters."""
    characters = np.cumsum([len(texts[n]) for n in places])
    cuts = np.flatnonzero(np.diff(characters // _LOT)) + 1
    return iter(np.split(places, cuts))


# --- one segment: numbers of rows and of counts; keys, ends and sums of the rows; columns, counts ------------------


def _words(keys: Keys, counts: csr_matrix) -> Words:
    columns, values = counts.indices.astype(np.uint32), counts.data.astype(np.float32).view(np.uint32)
    ends = counts.indptr[1:].astype(np.uint32)
    sums = _sums(keys, ends, columns, values)
    head = np.array([len(keys), len(columns)], dtype=np.uint32)
    return np.concatenate([head, np.ascontiguousarray(keys).view(np.uint32).ravel(), ends, sums, columns, values])


def _sums(keys: Keys, ends: Words, columns: Words, values: Words) -> Words:
    """A sum over each key and row, modulo 2**32: no single damaged word leaves it as it was."""
    totals = np.zeros(len(columns) + 1, dtype=np.uint32)
    np.cumsum(columns + values, dtype=np.uint32, out=totals[1:])
    starts = np.concatenate((np.zeros(1, dtype=np.uint32), ends[:-1]))
    of_keys = np.ascontiguousarray(keys).view(np.uint32).reshape(-1, 4).sum(axis=1, dtype=np.uint32)
    return np.asarray(of_keys + ends + totals[ends] - totals[starts])


def _fits(words: Words) -> bool:
    rows, counts = (int(one) for one in words[:2]) if len(words) > 1 else (0, 0)
    if not rows or len(words) != 2 + 6 * rows + 2 * counts:
        return False
    ends = words[2 + 4 * rows : 2 + 5 * rows]
    return bool(ends[-1] == counts and (ends[1:] >= ends[:-1]).all())


class _Segment:
    """The rows of one file, mapped."""

    def __init__(self, words: Words) -> None:
        """``words`` must fit."""
        words = np.asarray(words)
        rows = int(words[0])
        self.keys: Keys = words[2 : 2 + 4 * rows].view(np.uint64).reshape(-1, 2)
        self._ends, self._sums = np.split(words[2 + 4 * rows : 2 + 6 * rows], 2)
        self._columns, self._values = np.split(words[2 + 6 * rows :], 2)
        starts = np.concatenate(([0], self._ends)).astype(np.int32)
        self.counts = matrix_of(self._values.view(np.float32), self._columns.view(np.int32), starts, COLUMNS)
        self.sizes = np.diff(starts)

    def intact(self) -> NDArray[np.bool_]:
        """Of each row whether it is as it was written."""
        if self._columns.max(initial=0) >= COLUMNS:
            return np.zeros(len(self.keys), dtype=np.bool_)
        return np.asarray(_sums(self.keys, self._ends, self._columns, self._values) == self._sums)


# --- rows of several segments --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """For each key in which segment its row is, and which row it is there; −1 in none."""

    segment: Places
    row: Places
    segments: list[_Segment] = field(default_factory=list)

    @classmethod
    def none(cls, n: int) -> _Found:
        return cls(np.full(n, -1, dtype=np.intp), np.zeros(n, dtype=np.intp))

    def take(self, segment: _Segment, keys: Places, rows: Places) -> None:
        self.segment[keys], self.row[keys] = len(self.segments), rows
        self.segments.append(segment)

    def rows(self, which: Places, folder: Path) -> csr_matrix:
        """A row for each of ``which``, the places of keys."""
        segment, row = self.segment[which], self.row[which]
        sizes = np.empty(len(which), dtype=np.int64)
        for n, one in enumerate(self.segments):
            mine = segment == n
            sizes[mine] = one.sizes[row[mine]]
        indptr = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(sizes)))
        columns, counts = _room(int(indptr[-1]), folder)
        for n, one in enumerate(self.segments):
            mine = np.flatnonzero(segment == n)
            taken = one.counts[row[mine]]
            for start, stop in _runs(mine):
                there = slice(indptr[mine[start]], indptr[mine[stop - 1] + 1])
                here = slice(taken.indptr[start], taken.indptr[stop])
                columns[there], counts[there] = taken.indices[here], taken.data[here]
        return csr_matrix((counts, columns, indptr), shape=(len(which), COLUMNS))


def _runs(places: Places) -> Iterator[tuple[int, int]]:
    """Where neighbouring places start and stop."""
    cuts = (np.flatnonzero(np.diff(places) != 1) + 1).tolist()
    return zip([0, *cuts], [*cuts, len(places)], strict=True) if len(places) else iter(())


def _room(n: int, folder: Path) -> tuple[NDArray[np.int32], Floats]:
    """For n columns and n counts: in memory, or in a file that is gone once nobody uses it any more."""
    if 8 * n > _HELD and hasattr(os, "posix_fallocate"):
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                os.posix_fallocate(file.fileno(), 0, 8 * n)  # a full disk would end the process later on
                columns = np.memmap(file, dtype=np.int32, mode="r+", shape=(n,))
                counts = np.memmap(file, dtype=np.float32, mode="r+", offset=4 * n, shape=(n,))
            return np.asarray(columns), np.asarray(counts)
        except OSError as error:
            log.warning("%s: no room for counts of texts, they are held in memory (%s).", folder, error)
    return np.empty(n, dtype=np.int32), np.empty(n, dtype=np.float32)
