"""Text → words with their places, and what a tagger sees of each word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from nextlabel.features.words import codes_of, words_of

_REPEATED = re.compile(r"(.)\1+")
_MAX_WORD = 40  # what is read of a longer "word", which is a hash or a base64 blob
_LONGEST_AFFIX = 4
_LONGEST_SHAPE = 12
_CACHED_WORDS = 50_000

Place = tuple[int, int]
"""Where a word starts and ends (exclusive), in characters."""


def tokenize(text: str) -> list[Place]:
    """The words of a text (`words_of`)."""
    words = words_of(codes_of(text))
    return list(zip(words.starts.tolist(), words.ends.tolist(), strict=True))


def token_features(text: str, places: Sequence[Place]) -> list[list[bytes]]:
    """What is known of each word, as names: its letters, affixes and shape, its neighbours', and how lines are set.

    One neighbour on each side, as few labels cannot bear more names: two made nothing better on 2,394 tweets.
    """
    words = [_word(text[start : min(end, start + _MAX_WORD)]) for start, end in places]
    neighbours = zip(words, [_NO_WORD, *words], [*words[1:], _NO_WORD], strict=False)  # as many as there are words
    features = [[*word.own, *left.as_left, *right.as_right] for word, left, right in neighbours]
    last_end = 0
    for names, (start, end) in zip(features, places, strict=True):
        gap = text[last_end:start] if last_end else "\n"  # a text starts with a line
        if not gap:
            names.append(b"joined")
        elif "\n" in gap or "\r" in gap:
            names.append(b"new line")
        last_end = end
    return features


class _Word(NamedTuple):
    """The names of a word's features, by itself and as the neighbour of another."""

    own: tuple[bytes, ...]
    as_left: tuple[bytes, ...]
    as_right: tuple[bytes, ...]


_NO_WORD = _Word((), (b"first",), (b"last",))


@lru_cache(_CACHED_WORDS)
def _word(word: str) -> _Word:
    lowered = word.lower()
    shape = "".join(map(_kind, word))
    short = _REPEATED.sub(r"\1", shape)
    names = [f"word={lowered}", f"as written={word}", f"shape={shape[:_LONGEST_SHAPE]}", f"short shape={short}"]
    for n in range(1, min(_LONGEST_AFFIX + 1, len(lowered))):
        names += [f"prefix={lowered[:n]}", f"suffix={lowered[-n:]}"]
    if "0" in shape:
        names.append("digits" if short == "0" else "some digits")
    return _Word(
        (b"any", *map(_named, names)),
        (_named(f"left={lowered}"), _named(f"left shape={short}")),
        (_named(f"right={lowered}"), _named(f"right shape={short}")),
    )


def _kind(character: str) -> str:
    if character.isupper():
        return "X"
    if character.isalpha():
        return "x"
    return "0" if character.isdigit() else character


def _named(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")  # half a pair may stand in a text that came through JSON
