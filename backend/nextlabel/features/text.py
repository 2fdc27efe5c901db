"""Text → sparse counts of words, word pairs and character n-grams, by hashing.

Hashing needs no vocabulary, so features can be cached for good and a model stays small. All characters of a block of
texts are hashed together in numpy: on short texts that is eight times faster than scikit-learn's `HashingVectorizer`
with the same n-grams, which is what keeps `/predict` quick.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import overload

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nextlabel.features.markup import content_of
from nextlabel.features.matrices import matrix_of, stacked
from nextlabel.features.words import LETTER, PICTURE, SIGN, Codes, Positions, Words, codes_of, words_of
from nextlabel.labeling import read_field

SIGNATURE = "text-3"
"""Changes whenever the same text would give other features, so that no cache outlives its meaning."""

_WORDS = 2**17  # columns for words and word pairs; as many again follow for character n-grams
COLUMNS = 2 * _WORDS
_MAX_READ = 2_000_000  # characters of a task, of which `_MAX_CHARACTERS` are counted once markup is gone
_MAX_CHARACTERS = 100_000
_MAX_WORD = 40  # a longer "word" is a hash or a base64 blob: its n-grams would drown the text's
_BLOCK = 40_000  # characters hashed together, 200 bytes each: in larger blocks more time goes into getting the memory
_COLUMN_BITS = COLUMNS.bit_length() - 1
_ROWS = 2 ** (32 - _COLUMN_BITS) - 1  # of a block: a row and a column are one number of 32 bits, never `_NO_KEY`
_NO_KEY = np.uint32(2**32 - 1)
_SHORT = 512  # keys: so many numpy sorts at once, without taking them apart, on some processors 20 times as quick

_HASH = hashlib.blake2b(digest_size=16)

Keys = NDArray[np.uint32]
"""Columns, with rows above them or without."""

_BASE = 0x9E3779B97F4A7C15  # odd, hence invertible modulo 2**64
_INVERSE = pow(_BASE, -1, 2**64)


def read_text(data: Mapping[str, object], inputs: Sequence[str]) -> str:
    """The text of a task: what its input fields hold of text and numbers, joined by line breaks.

    Of the turns of a dialogue every text counts, who said it too, and so do named values.
    """
    if len(inputs) == 1 and isinstance(text := data.get(inputs[0]), str):  # as it mostly is: a tenth of the time
        return text[:_MAX_READ]
    parts = chain.from_iterable(_texts(read_field(data, name)) for name in inputs)
    return "\n".join(parts)[:_MAX_READ]


def _texts(value: object) -> Iterator[str]:
    for turn in value if isinstance(value, list) else [value]:
        stated = turn.values() if isinstance(turn, dict) else [turn]
        yield from (str(one) for one in stated if isinstance(one, str | int | float))


def content_hash(text: str) -> bytes:
    """16 bytes that stand for the text in caches."""
    found = _HASH.copy()  # half of the time that a new one takes
    found.update(text.encode("utf-8", "surrogatepass"))
    return found.digest()


class KnownTexts(Sequence[str]):
    """Texts of which the hashes are known; each is read when it is asked for."""

    def __init__(self, hashes: Sequence[bytes], read: Callable[[int], str]) -> None:
        self.hashes, self._read = hashes, read

    def __len__(self) -> int:
        return len(self.hashes)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...

    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            return [self._read(one) for one in range(*place.indices(len(self)))]
        return self._read(range(len(self))[place])


def hashes_of(texts: Sequence[str]) -> Sequence[bytes]:
    """The `content_hash` of each."""
    return texts.hashes if isinstance(texts, KnownTexts) else [content_hash(text) for text in texts]


def count_features(texts: Sequence[str]) -> csr_matrix:
    """n × `COLUMNS` float32 counts: words, pairs of neighbouring words, character 3- to 5-grams within words.

    Words are those of `words_of`, in lower case. In alphabets without spaces n-grams are taken of runs of letters. What
    is markup (`content_of`) is not counted.
    """
    blocks = [_count_block(block) for block in _blocks(texts)]
    return stacked(blocks) if blocks else no_rows()


def no_rows(n: int = 0) -> csr_matrix:
    """n rows without any feature."""
    empty = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int32), np.zeros(n + 1, dtype=np.int32)
    return csr_matrix(empty, shape=(n, COLUMNS))


def _blocks(texts: Sequence[str]) -> Iterator[list[str]]:
    block: list[str] = []
    characters = 0
    for text in texts:
        content = content_of(text)[:_MAX_CHARACTERS]
        if block and (characters + len(content) > _BLOCK or len(block) == _ROWS):
            yield block
            block, characters = [], 0
        block.append(content.lower())
        characters += len(content) + 1
    if block:
        yield block


def _count_block(lowered: list[str]) -> csr_matrix:
    codes = codes_of("\n".join([*lowered, ""]))
    words = words_of(codes)
    if not len(words.starts):
        return no_rows(len(lowered))
    text_ends = np.cumsum(np.fromiter(map(len, lowered), dtype=np.int64, count=len(lowered)) + 1)
    rows = np.searchsorted(text_ends, words.starts, side="right").astype(np.uint32) << np.uint32(_COLUMN_BITS)
    own = _word_columns(codes, words.starts, _bare_ends(words))
    neighbours = rows[1:] == rows[:-1]
    keys = [rows | own, rows[1:][neighbours] | _pair_columns(own)[neighbours]]
    first, sizes = _runs(words)
    first, sizes = first[sizes > 1], sizes[sizes > 1]
    keys += _gram_keys(codes, words.starts[first], sizes, rows[first])
    return _counts(_sorted(keys, len(lowered)), len(lowered))


def _bare_ends(words: Words) -> Positions:
    """Where words end, of signs and emoji without what colours them: only their n-grams tell that."""
    bare = (words.kinds == SIGN) | (words.kinds == PICTURE)
    return np.where(bare, words.starts + 1, words.ends)


def _runs(words: Words) -> tuple[Positions, Positions]:
    """What n-grams are taken of: with which word each run starts, and how many characters of it count.

    A run is a word, or letters of an alphabet without spaces that follow one another.
    """
    letter = words.kinds == LETTER
    if not letter.any():
        return np.arange(len(words.starts)), np.minimum(words.ends - words.starts, _MAX_WORD)
    begins = np.ones(len(letter), dtype=np.bool_)
    begins[1:] = ~(letter[1:] & letter[:-1] & (words.starts[1:] == words.ends[:-1]))
    first = np.flatnonzero(begins)
    sizes = words.ends[np.append(first[1:], len(begins)) - 1] - words.starts[first]
    return first, np.where(letter[first], sizes, np.minimum(sizes, _MAX_WORD))


def _sorted(parts: Sequence[Keys], n: int) -> Keys:
    """The keys of n rows in order; in each part the rows are."""
    if sum(map(len, parts)) <= _SHORT:
        return np.sort(np.concatenate(parts))
    of_rows = np.arange(n + 1, dtype=np.uint32) << np.uint32(_COLUMN_BITS)
    sizes = [np.diff(np.searchsorted(part, of_rows)) for part in parts]
    width = int(np.sum(sizes, axis=0).max())
    if width > _SHORT:
        return np.sort(np.concatenate(parts))
    table = np.full((n, width), _NO_KEY)
    ends = np.arange(n) * width
    for part, size in zip(parts, sizes, strict=True):
        ends += size
        table.ravel()[np.repeat(ends - np.cumsum(size), size) + np.arange(len(part))] = part
    table.sort(axis=1)
    return np.asarray(table[table != _NO_KEY])


def _counts(keys: Keys, n: int) -> csr_matrix:
    """How often each key, a row and a column, occurs; they are in order. Without doubles, that is CSR: several times
    faster than COO → CSR."""
    new = np.ones(len(keys) + 1, dtype=np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=new[1:-1])
    starts = np.flatnonzero(new)
    unique = keys[starts[:-1]]
    indptr = np.append(np.searchsorted(unique, np.arange(n, dtype=np.uint32) << np.uint32(_COLUMN_BITS)), len(unique))
    # `&` is `%` by a power of two, at a tenth of the time.
    columns = (unique & np.uint32(COLUMNS - 1)).view(np.int32)
    return matrix_of(np.diff(starts).astype(np.float32), columns, indptr.astype(np.int32), COLUMNS)


def _word_columns(codes: Codes, starts: Positions, ends: Positions) -> Keys:
    """Each word's own column: a polynomial hash, taken from prefix sums whatever the words' lengths."""
    up, down = (powers[: len(codes)] for powers in _powers(1 << max(12, len(codes).bit_length())))
    terms = (codes.astype(np.uint64) + np.uint64(1)) * up
    prefix = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(terms, dtype=np.uint64)))
    return _mixed((prefix[ends] - prefix[starts]) * down[starts])


@lru_cache(maxsize=2)
def _powers(size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Powers of the base and of its inverse, modulo 2**64."""
    up, down = np.full(size, _BASE, dtype=np.uint64), np.full(size, _INVERSE, dtype=np.uint64)
    up[0] = down[0] = 1
    return np.multiply.accumulate(up), np.multiply.accumulate(down)


def _pair_columns(words: Keys) -> Keys:
    mixed = (words[:-1] * np.uint32(2654435761)) ^ (words[1:] * np.uint32(40503) + np.uint32(0x9E3779B9))
    mixed ^= mixed >> np.uint32(15)
    return np.asarray(mixed & np.uint32(_WORDS - 1))


def _gram_keys(codes: Codes, starts: Positions, sizes: Positions, rows: Keys) -> Iterator[Keys]:
    """Keys of character 3-, 4- and 5-grams of words with a space before and behind; ``rows`` are the words' own."""
    width = sizes + 2
    words = np.repeat(np.arange(len(sizes), dtype=np.int32), width)
    ends = np.cumsum(width)
    begins = ends - width
    padded = codes[np.minimum(np.arange(len(words)) + np.repeat(starts - 1 - begins, width), len(codes) - 1)]
    padded = padded.astype(np.uint64)
    padded[begins] = padded[ends - 1] = ord(" ")
    owners = np.repeat(rows, width) | np.uint32(_WORDS)
    hashed = padded.copy()
    for n in (2, 3, 4, 5):
        if len(hashed) < 2:
            return
        hashed = hashed[:-1] * np.uint64(_BASE) + padded[n - 1 :]
        if n > 2:
            whole = np.flatnonzero(words[n - 1 :] == words[: len(hashed)])  # by place: half of the time by a mask
            yield _mixed(hashed[whole] + np.uint64(n)) | owners[whole]


def _mixed(hashed: NDArray[np.uint64]) -> Keys:
    """Hashes (taken over) into [0, `_WORDS`), by MurmurHash3's finalizer."""
    hashed ^= hashed >> np.uint64(33)
    hashed *= np.uint64(0xFF51AFD7ED558CCD)
    hashed ^= hashed >> np.uint64(33)
    return (hashed & np.uint64(_WORDS - 1)).astype(np.uint32)
