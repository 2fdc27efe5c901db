"""The text that spans are counted in: one text of pieces, each of which stands somewhere in what a tool shows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_ONE_UNIT = "\uffff"  # the last character that UTF-16 writes as one code unit


class Place(NamedTuple):
    """``offset`` UTF-16 code units into a piece, which is how JavaScript counts."""

    piece: int
    offset: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A text, and where its pieces start and end (exclusive) in it: in order, with line breaks or nothing between.

    ``wide`` are the characters that are two code units in UTF-16.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]
    wide: Sequence[int]

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, str]]) -> Passage:
        """Of pieces, each with what stands before it."""
        starts: list[int] = []
        ends: list[int] = []
        parts: list[str] = []
        length = 0
        for between, piece in pieces:
            parts += (between, piece)
            starts.append(length + len(between))
            length = starts[-1] + len(piece)
            ends.append(length)
        text = "".join(parts)
        has_wide = max(text, default="") > _ONE_UNIT
        return cls(text, starts, ends, [at for at, one in enumerate(text) if one > _ONE_UNIT] if has_wide else [])

    def place(self, at: int, *, is_end: bool) -> Place | None:
        """Where the character ``at`` starts, or with ``is_end`` where the one before it ends; None between pieces."""
        row = (bisect_left(self.starts, at) if is_end else bisect_right(self.starts, at)) - 1
        if row < 0 or at > self.ends[row] or (at == self.ends[row] and not is_end):
            return None
        return Place(row, self._units(at) - self._units(self.starts[row]))

    def position(self, place: Place) -> int | None:
        """The inverse of `place`; None where there is no such place, or it is in the middle of a character."""
        if not (0 <= place.piece < len(self.starts)) or place.offset < 0:
            return None
        start, end = self.starts[place.piece], self.ends[place.piece]
        units = self._units(start) + place.offset
        at = bisect_left(range(end), units, lo=start, key=self._units)
        return at if self._units(at) == units else None

    def _units(self, at: int) -> int:
        """How many UTF-16 code units stand before a character."""
        return at + bisect_left(self.wide, at)
