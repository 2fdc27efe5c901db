"""Words of a text: each with its place, in any script."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.features.tokens import token_features, tokenize


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in tokenize(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's 5km_x!", ["It", "'", "s", "5km_x", "!"]),
        ("a\tb\r\nc\u00a0d\u2028e", ["a", "b", "c", "d", "e"]),
        ("ok👍🏽ok", ["ok", "👍", "🏽", "ok"]),
        ("Zo\u0308e", ["Zo\u0308e"]),  # o and an accent of its own
        ("हिन्दी में", ["हिन्दी", "में"]),  # vowel signs are characters of their own
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("東京tower", ["東", "京", "tower"]),  # no spaces between words
        ("서울에서", ["서", "울", "에", "서"]),  # an ending joined to a name
        ("", []),
        (" \n\t", []),
    ],
)
def test_a_word_is_a_run_of_letters_and_digits_or_a_single_mark(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text())
def test_words_are_in_order_and_leave_out_nothing_but_space(text: str) -> None:
    places = tokenize(text)
    assert all(start < end for start, end in places)
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    assert "".join(words(text)) == "".join(c for c in text if not c.isspace())


@given(st.text(st.characters(), max_size=30))
def test_any_text_has_features_even_with_half_a_surrogate_pair(text: str) -> None:
    places = tokenize(text)
    assert len(token_features(text, places)) == len(places)


def test_a_word_knows_its_shape_its_neighbours_and_how_it_is_set() -> None:
    text = "Mr. Smith2\nwent"
    mr, dot, smith, went = map(set, token_features(text, tokenize(text)))
    assert {b"word=mr", b"as written=Mr", b"short shape=Xx", b"first", b"right=."} <= mr
    assert {b"joined", b"left shape=Xx"} <= dot
    assert {b"prefix=smit", b"suffix=th2", b"some digits", b"right=went"} <= smith
    assert {b"new line", b"last", b"left=smith2"} <= went
    assert b"new line" in mr
    assert b"joined" not in mr | smith | went
    assert b"new line" not in dot | smith


def test_a_line_break_is_the_same_however_it_is_written() -> None:
    unix, mac, windows = (token_features(text, tokenize(text)) for text in ("a\nb", "a\rb", "a\r\nb"))
    assert unix == mac == windows


def test_of_a_very_long_word_only_the_beginning_is_known() -> None:
    text = "x1" * 10_000
    assert max(map(len, token_features(text, tokenize(text))[0])) < 100


def test_long_words_and_long_texts_take_linear_time() -> None:
    began = time.process_time()
    for text in ("x" * 200_000, "a\u0301" * 100_000, "!" * 50_000, " " * 200_000):
        token_features(text, tokenize(text))
    assert time.process_time() - began < 5
