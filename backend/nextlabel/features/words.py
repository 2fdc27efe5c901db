"""Where the words of a text are, whatever its script: Unicode's rules for word boundaries (UAX #29), tailored.

Letters, digits and underscores in a row are one word; any other character is a word by itself, so that *It's* is three.
A vowel sign, an accent or a joiner belongs to the character before it, and no emoji or flag is taken apart. In scripts
that put no space between words (a line may break between any two letters: UAX #14) every letter is a word: a run of
them is a whole clause, and a name inside it could never be marked by itself. So it is with Hangul, where endings are
joined to names.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import regex
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
Positions = NDArray[np.int64]
Kinds = NDArray[np.uint8]

# What a character is. From `MARK` on it may be joined to the one before it.
SPACE, WORD, SIGN, SYLLABLE, LETTER, MARK, PICTURE, FLAG = map(np.uint8, range(1, 9))
_JOINER = 0x200D

# Properties that Python's own tables lack: one group for each kind, named after it.
_BY_PROPERTY = regex.compile(
    r"""(?V1x)
    (?P<MARK> [\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}\p{GCB=SpacingMark}\p{GCB=V}\p{GCB=T}] )
    | (?P<FLAG> \p{WB=Regional_Indicator} )
    # Thai, Lao, Burmese, Khmer, Javanese …: alphabets.
    | (?P<LETTER> [\p{L}&&[\p{LB=SA}\p{LB=AK}\p{LB=AS}]] )
    # Han, kana, Hangul, Yi …: a character is worth a few letters. Wide Latin letters are letters all the same.
    | (?P<SYLLABLE> [[\p{L}&&[\p{LB=ID}\p{LB=CJ}\p{LB=H2}\p{LB=H3}\p{LB=JL}\p{Ideographic}]]--\p{Latin}] )
    | (?P<PICTURE> \p{Extended_Pictographic} )
    | (?P<SPACE> \u200B )
    """
)
_KINDS = {"MARK": MARK, "FLAG": FLAG, "LETTER": LETTER, "SYLLABLE": SYLLABLE, "PICTURE": PICTURE, "SPACE": SPACE}


class Words(NamedTuple):
    """Where words start and end (exclusive), and of what kind the first character of each is."""

    starts: Positions
    ends: Positions
    kinds: Kinds


def codes_of(text: str) -> Codes:
    """A number for each character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def words_of(codes: Codes) -> Words:
    kinds = _kinds(codes)
    begins = ~_joined(codes, kinds)
    lasts = np.ones(len(codes), dtype=np.bool_)
    lasts[:-1] = begins[1:]
    word = kinds != SPACE
    starts = np.flatnonzero(begins & word)
    return Words(starts, np.flatnonzero(lasts & word) + 1, kinds[starts])


def _joined(codes: Codes, kinds: Kinds) -> NDArray[np.bool_]:
    """Of each character whether it belongs to the word of the one before it."""
    word = kinds == WORD
    joined = np.zeros(len(codes), dtype=np.bool_)
    joined[1:] = word[1:] & word[:-1]
    if kinds.max(initial=SPACE) >= MARK:
        _join_marks(joined, kinds)
        pictures = np.flatnonzero(kinds[1:] == PICTURE) + 1
        joined[pictures] = codes[pictures - 1] == _JOINER
        flags = np.flatnonzero(kinds == FLAG)
        joined[flags[_places_in_runs(flags) % 2 == 1]] = True  # two of them make a flag
    return joined


def _join_marks(joined: NDArray[np.bool_], kinds: Kinds) -> None:
    """Marks belong to the character before them, and what follows them follows that character."""
    marks = np.flatnonzero(kinds == MARK)
    marks = marks[marks > 0]
    bases = kinds[marks - _places_in_runs(marks) - 1]
    joined[marks] = bases != SPACE
    more = marks + 1 < len(kinds)
    after, bases = marks[more] + 1, bases[more]
    words = kinds[after] == WORD
    joined[after[words]] = bases[words] == WORD


def _places_in_runs(places: Positions) -> Positions:
    """Of each place how many right before it are among the places too."""
    begins = np.ones(len(places), dtype=np.bool_)
    begins[1:] = np.diff(places) != 1
    order = np.arange(len(places))
    return order - np.maximum.accumulate(np.where(begins, order, 0))


def _kinds(codes: Codes) -> Kinds:
    table = _kind_table()
    kinds = table[codes]
    if not kinds.all():
        for code in np.unique(codes[kinds == 0]).tolist():
            table[code] = _kind_of(chr(code))
        kinds = table[codes]
    return kinds


@lru_cache(maxsize=1)
def _kind_table() -> Kinds:
    """Kinds of all characters met so far, 0 for the others; filled by `_kinds`, always with the same values."""
    return np.zeros(0x110000, dtype=np.uint8)


def _kind_of(character: str) -> np.uint8:
    if found := _BY_PROPERTY.fullmatch(character):
        return _KINDS[str(found.lastgroup)]
    if character.isalnum() or character == "_":
        return WORD
    return SPACE if character.isspace() else SIGN
