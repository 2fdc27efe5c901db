"""Text → sparse counts of words, word pairs and character n-grams, by hashing.

Hashing needs no vocabulary, so features can be cached for good and a model stays small. A word's own features
(itself and its character n-grams) are worked out once and remembered: on ordinary text that is five times
faster than scikit-learn's `HashingVectorizer` with the same n-grams, which is what keeps `/predict` quick.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.utils import murmurhash3_32

SIGNATURE = "text-1"
"""Changes whenever the same text would give other features, so that no cache outlives its meaning."""

_WORDS = 2**17  # columns for words and word pairs; as many again follow for character n-grams
COLUMNS = 2 * _WORDS
_TOKEN = re.compile(r"\w+|[^\w\s]")
_MAX_CHARACTERS = 100_000
_MAX_WORD = 40  # a longer "word" is a hash or a base64 blob: its n-grams would drown the text's


def read_text(data: Mapping[str, object], inputs: Sequence[str]) -> str:
    """The text of a task: its input fields that hold text or numbers, joined by line breaks."""
    parts = (data.get(name) for name in inputs)
    text = "\n".join(str(part) for part in parts if isinstance(part, str | int | float))
    return text[:_MAX_CHARACTERS]


def content_hash(text: str) -> bytes:
    """16 bytes that stand for the text in caches."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def count_features(texts: Sequence[str]) -> csr_matrix:
    """n × `COLUMNS` float32 counts: words, pairs of neighbouring words, character 3- to 5-grams within words."""
    tokens = [_TOKEN.findall(text.lower()) for text in texts]
    sizes = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    per_word = [_word_columns(word) for word in chain.from_iterable(tokens)]
    rows_of_words = np.repeat(np.arange(len(texts)), sizes)
    lengths = np.fromiter(map(len, per_word), dtype=np.int64, count=len(per_word))
    if not per_word:
        return no_rows(len(texts))
    columns = np.concatenate(per_word)
    rows = np.repeat(rows_of_words, lengths)
    first = columns[np.cumsum(lengths) - lengths].astype(np.uint32)  # each word's own column
    pairs = _pair_columns(first)
    neighbours = rows_of_words[1:] == rows_of_words[:-1]
    columns = np.concatenate([columns, pairs[neighbours]])
    rows = np.concatenate([rows, rows_of_words[1:][neighbours]])
    return _counts(rows, columns, len(texts))


def no_rows(n: int = 0) -> csr_matrix:
    """n rows without any feature."""
    empty = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int32), np.zeros(n + 1, dtype=np.int32)
    return csr_matrix(empty, shape=(n, COLUMNS))


def _counts(rows: NDArray[np.int64], columns: NDArray[np.int32], n: int) -> csr_matrix:
    # One sort of row-major keys gives sorted, de-duplicated CSR directly; several times faster than COO → CSR.
    keys = np.sort(rows * COLUMNS + columns)
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    unique = keys[starts]
    counts = np.diff(np.append(starts, len(keys))).astype(np.float32)
    indptr = np.searchsorted(unique, np.arange(n + 1) * COLUMNS).astype(np.int32)
    return csr_matrix((counts, (unique % COLUMNS).astype(np.int32), indptr), shape=(n, COLUMNS))


def _pair_columns(first: NDArray[np.uint32]) -> NDArray[np.int32]:
    mixed = (first[:-1] * np.uint32(2654435761)) ^ (first[1:] * np.uint32(40503) + np.uint32(0x9E3779B9))
    mixed ^= mixed >> np.uint32(15)
    return (mixed % np.uint32(_WORDS)).astype(np.int32)


@lru_cache(maxsize=200_000)
def _word_columns(word: str) -> NDArray[np.int32]:
    """The word's column, then those of its character n-grams (with the word's borders, as in char_wb)."""
    padded = f" {word[:_MAX_WORD]} "
    grams = [padded[i : i + n] for n in (3, 4, 5) for i in range(len(padded) - n + 1)] if len(word) > 1 else []
    own, *hashed = (
        murmurhash3_32(it.encode("utf-8", "surrogatepass"), positive=True) % _WORDS for it in (word, *grams)
    )
    return np.array([own, *(column + _WORDS for column in hashed)], dtype=np.int32)
