"""Text → counts: each text by itself, whatever is in it."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.features.text import COLUMNS, content_hash, count_features, read_text

texts = st.lists(
    st.text(max_size=40) | st.sampled_from(["win a prize", "win win win", "👍🏽 ok 日本語", ""]), max_size=8
)


@given(texts)
def test_the_rows_of_many_texts_are_those_of_each_text_alone(many: list[str]) -> None:
    together = count_features(many)
    assert together.shape == (len(many), COLUMNS)
    for row, text in enumerate(many):
        alone = count_features([text])
        assert together[row].indices.tolist() == alone.indices.tolist()
        assert together[row].data.tolist() == alone.data.tolist()


@given(texts)
def test_the_matrix_is_well_formed(many: list[str]) -> None:
    counts = count_features(many)
    counts.check_format(full_check=True)
    assert counts.has_canonical_format
    assert counts.dtype == np.float32
    assert (counts.data >= 1).all()


def test_a_text_without_words_has_no_features() -> None:
    assert [count_features([text]).nnz for text in ("", "   \n\t")] == [0, 0]


def test_a_word_said_three_times_counts_three_times() -> None:
    once, thrice = count_features(["prize"]), count_features(["prize prize prize"])
    assert set(once.data) == {1}
    assert thrice[0, once.indices].toarray().tolist() == [[3] * once.nnz]


def test_case_does_not_matter_and_the_order_of_words_does() -> None:
    plain, upper, turned = (
        count_features([text]).toarray() for text in ("dog bites man", "DOG bites Man", "man bites dog")
    )
    assert (plain == upper).all()
    assert not (plain == turned).all()


def test_pairs_of_words_never_span_two_texts() -> None:
    assert count_features(["win prize", "now here"]).nnz == sum(
        count_features([t]).nnz for t in ("win prize", "now here")
    )


def same(one: str, other: str) -> bool:
    first, second = count_features([one]), count_features([other])
    return (first.indices.tolist(), first.data.tolist()) == (second.indices.tolist(), second.data.tolist())


def test_english_and_its_neighbours_are_counted_as_they_always_were() -> None:
    counts = count_features(
        [
            "Dear friend, it's 3.50 € for 2 m² of snake_case!",
            "Ünïcödé ça va, naïve Straße",
            "http://a.org/?a=1 – “now”…",
        ]
    )
    kept = hashlib.sha256(b"".join(part.tobytes() for part in (counts.indptr, counts.indices, counts.data)))
    assert kept.hexdigest()[:16] == "54beb4e12d0b5c27"


def test_han_kana_and_hangul_are_counted_with_their_characters_apart() -> None:
    for text in ("味道很好,下次再来", "すごくおいしかった", "맛있어요"):
        assert same(text, " ".join(text))
        assert not same(text, " ".join(sorted(text)))


def test_in_alphabets_without_spaces_runs_of_letters_tell_more_than_each_letter() -> None:
    whole, apart = count_features(["สวัสดี"]), count_features(["ส วั ส ดี"])
    assert whole.nnz > apart.nnz
    assert set(apart.indices[apart.indices < COLUMNS // 2]) == set(whole.indices[whole.indices < COLUMNS // 2])
    assert count_features(["กข" * 30]).nnz < count_features(["กข" * 30 + "คงจฉช"]).nnz  # whatever its length


def test_a_mark_is_counted_with_its_letter() -> None:
    for word in ("हिन्दी", "كَتَبَ", "e\u0301te\u0301"):
        assert (count_features([word]).indices < COLUMNS // 2).sum() == 1, word
    assert set(count_features(["❤"]).indices) < set(count_features(["❤\ufe0f"]).indices)  # a heart, and a red one


@pytest.mark.parametrize("text", ["👩‍👩‍👧", "👍🏽", "!?…", "日本語テキスト", "\ud800 broken", "e\u0301 combining"])
def test_emoji_punctuation_and_any_script_have_features(text: str) -> None:
    assert count_features([text]).nnz > 0
    assert len(content_hash(text)) == 16


def test_a_very_long_word_counts_no_more_than_forty_characters_of_itself() -> None:
    short, long = count_features(["x" * 41]), count_features(["x" * 50_000])
    assert long.nnz <= short.nnz
    assert count_features(["ab" * 20]).sum() == count_features(["ab" * 20 + "cd" * 10_000]).sum()


def test_the_text_of_a_task_is_its_inputs_in_their_order() -> None:
    data = {"body": "see you", "subject": "lunch", "number": 4, "named": {"x": "a", "y": {}}, "nothing": None}
    assert read_text(data, ("subject", "number", "named", "nothing", "absent", "body")) == "lunch\n4\na\nsee you"
    assert read_text(data, ()) == ""


def test_the_text_of_a_dialogue_is_what_was_said_and_by_whom() -> None:
    turns = [{"author": "Ann", "text": "see you", "at": {"minute": 4}}, {"author": "Bo", "text": None}, "bye"]
    assert read_text({"turns": turns}, ("turns",)) == "Ann\nsee you\nBo\nbye"


def test_a_very_long_text_is_cut() -> None:
    assert len(read_text({"text": "word " * 1_000_000}, ("text",))) == 2_000_000
    assert same("word " * 100_000, "word " * 20_000)


def test_markup_is_not_counted_and_what_stands_before_the_text_does_not_push_it_out() -> None:
    picture = f'<p><img alt="" src="data:image/png;base64,{"iVBORw0KGgo" * 20_000}"></p>'
    style = f"<style>{'.wide { margin: 0 }' * 9_000}</style><script>{'if (a < b) call();' * 9_000}</script>"
    for before in ("<br>", picture, style, "<!-- no news -->"):
        assert same(f"{before}<div class='x'>good <b>news</b></div>for <i>you</i>", "good news for you"), before[:20]
