"""What a tagger is told of each word of a text."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from nextlabel.features.tokens import token_features, tokenize


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
