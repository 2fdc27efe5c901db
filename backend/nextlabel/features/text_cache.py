"""Counts of a project's texts, kept on disk by content, so that no text is counted twice however many there are."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nextlabel.features.matrices import matrix_of, stacked
from nextlabel.features.segments import Segments, Words
from nextlabel.features.text import COLUMNS, SIGNATURE, count_features, hashes_of, no_rows
from nextlabel.labeling.ranking import Floats

log = logging.getLogger("nextlabel.features")

_LOT = 4_000_000  # characters counted before they are kept: what a killed worker loses at most, 50,000 short texts
_FULL = 8_000_000  # words: a segment of so many is not merged again
_MAX_SMALL = 12  # segments that are not full
_FEW = 4  # from one in so many of a segment's rows on, all of them are looked at
_WORTH_FINDING = 30  # texts
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
        self._segments = Segments(folder / SIGNATURE, _segment_of)

    def features(self, texts: Sequence[str]) -> csr_matrix:
        """n × `COLUMNS` counts, row by row those of the texts. Large ones are not in memory but mapped: they are
        read from disk again when memory runs short."""
        return self._features(texts, keep=True)

    def features_at_once(self, texts: Sequence[str]) -> csr_matrix:
        """The same for a request, which does not wait for a disk: what is new is not kept, and a few texts are counted
        sooner than they are found."""
        return count_features(texts) if len(texts) < _WORTH_FINDING else self._features(texts, keep=False)

    def _features(self, texts: Sequence[str], *, keep: bool) -> csr_matrix:
        if not texts:
            return no_rows()
        keys = np.frombuffer(b"".join(hashes_of(texts)), dtype=np.uint64).reshape(-1, 2)
        first, which = _distinct(keys)
        found = self._find(keys[first])
        missing = np.sort(first[found.segment < 0])
        if keep and len(missing):
            self._count(keys, texts, missing)
            found = self._find(keys[first])
        lost = np.flatnonzero(found.segment < 0)
        if len(lost) == len(texts):
            return count_features(texts)
        if len(lost):  # nothing is to be kept, the folder is gone, or cannot be written
            lost = lost[np.argsort(first[lost])]  # neighbours are copied together
            some = first[lost].tolist()
            found.take(
                _Segment(_words(keys[some], count_features([texts[n] for n in some]))), lost, np.arange(len(lost))
            )
        return found.rows(which, self._segments.folder)

    def _find(self, wanted: Keys) -> _Found:
        """Where the rows of these keys are; they must be sorted and distinct."""
        found, firsts = _Found.none(len(wanted)), np.ascontiguousarray(wanted[:, 0])
        for _, segment in self._segments:
            places, rows = segment.find(wanted, firsts)
            if len(places):
                found.take(segment, places, rows)
        return found

    def _count(self, keys: Keys, texts: Sequence[str], missing: Places) -> None:
        try:
            for lot in _lots(texts, missing):
                self._segments.add(_words(keys[lot], count_features([texts[n] for n in lot])))
            self._merge()
        except OSError as error:
            log.warning("%s: counts of texts cannot be kept, which costs time (%s).", self._segments.folder, error)

    def _merge(self) -> None:
        small = [(path, segment) for path, segment in self._segments if segment.size < _FULL]
        if len(small) > _MAX_SMALL:
            whole = [segment.intact(np.arange(len(segment.keys))) for _, segment in small]
            keys = np.concatenate([one.keys[rows] for (_, one), rows in zip(small, whole, strict=True)])
            counts = stacked([one.counts[rows] for (_, one), rows in zip(small, whole, strict=True)])
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
    sums = _sums(keys, ends, counts.indptr, columns, values)
    head = np.array([len(keys), len(columns)], dtype=np.uint32)
    return np.concatenate([head, np.ascontiguousarray(keys).view(np.uint32).ravel(), ends, sums, columns, values])


def _sums(keys: Keys, ends: Words, starts: NDArray[np.integer], columns: Words, values: Words) -> Words:
    """A sum over each key and row, modulo 2**32: no single damaged word leaves it as it was. ``ends`` are where rows
    end in their segment, ``starts`` where they do in these columns and values, one more than there are rows."""
    totals = np.zeros(len(columns) + 1, dtype=np.uint32)
    np.cumsum(columns + values, dtype=np.uint32, out=totals[1:])
    of_keys = np.ascontiguousarray(keys).view(np.uint32).reshape(-1, 4).sum(axis=1, dtype=np.uint32)
    return np.asarray(of_keys + ends + totals[starts[1:]] - totals[starts[:-1]])


def _segment_of(words: Words) -> _Segment | None:
    """None where the file holds something else."""
    rows, counts = (int(one) for one in words[:2]) if len(words) > 1 else (0, 0)
    if not rows or len(words) != 2 + 6 * rows + 2 * counts:
        return None
    ends = words[2 + 4 * rows : 2 + 5 * rows]
    return _Segment(words) if ends[-1] == counts and (ends[1:] >= ends[:-1]).all() else None


class _Segment:
    """The rows of one file, mapped."""

    def __init__(self, words: Words) -> None:
        """``words`` must fit."""
        words = np.asarray(words)
        rows, self.size = int(words[0]), len(words)
        self.keys: Keys = words[2 : 2 + 4 * rows].view(np.uint64).reshape(-1, 2)
        self._ends, self._sums = np.split(words[2 + 4 * rows : 2 + 6 * rows], 2)
        self._columns, self._values = np.split(words[2 + 6 * rows :], 2)
        self.starts = np.concatenate(([0], self._ends)).astype(np.int32)
        self.counts = matrix_of(self._values.view(np.float32), self._columns.view(np.int32), self.starts, COLUMNS)

    def find(self, wanted: Keys, firsts: NDArray[np.uint64]) -> tuple[Places, Places]:
        """Which of these keys, sorted and distinct, are here with a row as it was written; and which rows those are.
        ``firsts`` are the first halves of the keys."""
        if len(wanted) * _FEW < len(self.keys):
            known, order = self._by_key
            rows = order[np.minimum(np.searchsorted(known, firsts), len(order) - 1)]
            places = np.arange(len(wanted))
        else:
            rows = np.arange(len(self.keys))
            places = np.minimum(np.searchsorted(firsts, self.keys[:, 0]), len(wanted) - 1)
        here = (self.keys[rows] == wanted[places]).all(axis=1)
        places, rows = places[here], rows[here]
        if not len(rows):  # of new texts: reading no rows at all takes a tenth of what counting a hundred does
            return places, rows
        return places[whole := self.intact(rows)], rows[whole]

    @cached_property
    def _by_key(self) -> tuple[NDArray[np.uint64], Places]:
        """The first halves of the keys in their order, and the row of each."""
        order = np.argsort(self.keys[:, 0])
        return self.keys[order, 0], order

    def intact(self, rows: Places) -> NDArray[np.bool_]:
        """Of each of these rows whether it is as it was written."""
        if 2 * len(rows) > len(self.keys):
            sums = _sums(self.keys, self._ends, self.starts, self._columns, self._values)
            whole = (sums == self._sums)[rows]
            fits = self._columns.max(initial=0) < COLUMNS
        else:
            taken = self.counts[rows]
            columns, values = taken.indices.view(np.uint32), taken.data.view(np.uint32)
            whole = _sums(self.keys[rows], self._ends[rows], taken.indptr, columns, values) == self._sums[rows]
            fits = columns.max(initial=0) < COLUMNS
        return np.asarray(whole & fits)


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
        begin, end = np.empty(len(which), dtype=np.int64), np.empty(len(which), dtype=np.int64)
        for n, one in enumerate(self.segments):
            mine = segment == n
            begin[mine], end[mine] = one.starts[row[mine]], one.starts[row[mine] + 1]
        indptr = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(end - begin)))
        columns, counts = _room(int(indptr[-1]), folder)
        # Rows that follow one another in their segment too are copied together.
        first = np.flatnonzero(np.concatenate(([True], (np.diff(segment) != 0) | (np.diff(row) != 1))))
        last = np.append(first[1:], len(which)) - 1
        edges = (segment[first], begin[first], end[last], indptr[first], indptr[last + 1])
        for n, start, stop, into, upto in zip(*(edge.tolist() for edge in edges), strict=True):
            columns[into:upto] = self.segments[n].counts.indices[start:stop]
            counts[into:upto] = self.segments[n].counts.data[start:stop]
        return csr_matrix((counts, columns, indptr), shape=(len(which), COLUMNS))


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
