"""Words of a text in any script: no letter is taken from its marks, and English is as it always was."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.features.tokens import tokenize

LATIN = "".join(chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x250)) if code != 0xAD)  # no soft hyphen


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in tokenize(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's 5km_x!", ["It", "'", "s", "5km_x", "!"]),
        ("a\tb\r\nc\u00a0d\u2028e\u200bf", ["a", "b", "c", "d", "e", "f"]),
        ("Zo\u0308e, co\u00adop", ["Zo\u0308e", ",", "co\u00adop"]),  # an accent of its own, a soft hyphen
        ("हिन्दी में", ["हिन्दी", "में"]),  # vowel signs are characters of their own
        ("বাংলা ভাষা", ["বাংলা", "ভাষা"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("كَتَبَ الوَلَدُ", ["كَتَبَ", "الوَلَدُ"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),  # a joiner within a Persian word
        ("東京tower", ["東", "京", "tower"]),  # no spaces between words
        ("ＡＢ語、カタのＣＤ", ["ＡＢ", "語", "、", "カ", "タ", "の", "ＣＤ"]),
        ("สวัสดีที่น้ำ", ["ส", "วั", "ส", "ดี", "ที่", "น้ำ"]),
        ("မြန်မာ", ["မြ", "န်", "မာ"]),
        ("서울에서", ["서", "울", "에", "서"]),  # an ending joined to a name
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8", ["\u1112\u1161\u11ab", "\u1100\u116e\u11a8"]),  # the same taken apart
        ("ok👍🏽ok ❤\ufe0f", ["ok", "👍🏽", "ok", "❤\ufe0f"]),
        ("👩‍👩‍👧🇩🇪🇫🇷🇬", ["👩‍👩‍👧", "🇩🇪", "🇫🇷", "🇬"]),
        ("\u0301a \u0301\u0301b\u0301", ["\u0301", "a", "\u0301", "\u0301", "b\u0301"]),  # accents on nothing
        ("", []),
        (" \n\t", []),
    ],
)
def test_a_word_is_a_run_of_letters_and_digits_or_one_letter_where_no_spaces_are_written_or_a_sign(
    text: str, expected: list[str]
) -> None:
    assert words(text) == expected


@given(st.text(LATIN))
def test_in_latin_script_words_are_runs_of_letters_and_digits_and_signs_stand_alone(text: str) -> None:
    assert words(text) == re.findall(r"\w+|[^\w\s]", text)


@given(st.text())
def test_words_are_in_order_and_leave_out_nothing_but_space(text: str) -> None:
    places = tokenize(text)
    assert all(start < end for start, end in places)
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    assert "".join(words(text)) == "".join(c for c in text if not c.isspace() and c != "\u200b")


many_scripts = st.text(
    st.sampled_from("aé1_ .'\u0301हिन्दीকৰাשָׁكَتَที่น้ำကြောខ្មែរ東のカー서울\u1112\u1161\u11ab👩👍🏽\u200d\ufe0f🇩🇪\u200c")
    | st.characters()
)


@given(many_scripts)
def test_no_word_begins_or_ends_within_what_a_reader_takes_for_one_character(text: str) -> None:
    """As an independent reading of Unicode's rules has it; marks on a space, and what precedes its base, aside."""
    seen = regex.finditer(r"\X", text)
    inside = {n for one in seen for n in range(one.start() + 1, one.end()) if not text[n - 1].isspace()}
    inside -= {n for n in inside if regex.match(r"[\p{GCB=Prepend}\p{GCB=L}]", text[n - 1])}
    assert not inside & {place for word in tokenize(text) for place in word}


@given(many_scripts, many_scripts)
def test_a_text_has_the_same_words_whatever_stands_on_the_next_line(text: str, other: str) -> None:
    assert words(f"{text}\n{other}") == words(text) + words(other)
