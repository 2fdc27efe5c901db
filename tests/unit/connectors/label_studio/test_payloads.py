"""Label Studio's JSON to nextlabel's values and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextlabel.errors import PayloadError
from nextlabel.labeling import Guess, Label, Prediction, QueueVersion, Result, Span, TaskId
from nextlabel_connectors.label_studio.label_config import parse_label_config
from nextlabel_connectors.label_studio.payloads import (
    answer_score,
    confidence_of,
    is_window_score,
    read_annotation,
    read_labels,
    read_task_seen,
    utc,
    window_score,
    window_scores,
)
from nextlabel_connectors.label_studio.writing import Writer
from written import write_answer, write_result, write_window_item

CONFIG = parse_label_config(
    '<View><Text name="text" value="$text"/>'
    '<Choices name="kind" toName="text"><Choice value="spam"/><Choice value="ham"/></Choices>'
    '<Choices name="tone" toName="text"><Choice value="warm"/><Choice value="cold"/></Choices></View>'
)
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
VERSION = QueueVersion("0007")
STAMP = "2026-11-22T06:42:46.784535Z"

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
number = st.floats() | st.floats(0, 1)


def prediction(confidence: float = 0.8, uncertainty: float = 0.2, utility: float = 0.3, **labels: Label) -> Prediction:
    return saying(labels, confidence)._replace(uncertainty=uncertainty, utility=utility)


def saying(labels: Mapping[str, Label], confidence: float = 0.8) -> Prediction:
    guesses = tuple(Guess(target, label, confidence) for target, label in labels.items())
    return Prediction(TaskId("5"), VERSION, guesses, 0.2, 0.3)


def item(name: str, *labels: str) -> dict[str, object]:
    return {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": list(labels)}}


def annotation(**fields: object) -> dict[str, object]:
    return {"id": 3, "result": [item("kind", "ham")], "was_cancelled": False, "updated_at": STAMP, **fields}


def test_an_annotation_says_which_label_was_chosen() -> None:
    read = read_annotation(annotation(), CONFIG)
    assert (read.id, read.labels, read.updated_at, read.skipped) == ("3", {"kind": "ham"}, STAMP, False)


@pytest.mark.parametrize(
    ("received", "seconds"),
    [(12.5, 12.5), (3, 3.0), *((one, None) for one in (0, -1.0, None, "9", True, float("nan"), 10**400, 1e9))],
)
def test_how_long_an_annotation_took_is_read_where_it_can_be(received: object, seconds: float | None) -> None:
    assert read_annotation(annotation(lead_time=received), CONFIG).seconds == seconds
    assert read_annotation(annotation(), CONFIG).seconds is None


def test_a_skipped_task_has_no_label() -> None:
    read = read_annotation(annotation(was_cancelled=True), CONFIG)
    assert read.skipped
    assert read.labels == {}


@pytest.mark.parametrize(
    "result",
    [
        [item("other", "ham")],
        [item("kind", "spam", "ham")],
        [item("kind")],
        [{**item("kind", "ham"), "type": "labels"}],
        [{"id": "x"}, None, 4, {"type": "choices", "value": {"choices": "ham"}}],
    ],
)
def test_a_result_about_anything_else_says_nothing(result: list[object]) -> None:
    assert read_labels(result, CONFIG) == {}


@relaxed
@given(st.sampled_from(["spam", "ham"]), st.sampled_from(["warm", "cold"]))
def test_what_is_predicted_is_read_back_when_an_annotator_submits_it_unchanged(kind: str, tone: str) -> None:
    assert read_labels(write_result(prediction(kind=kind, tone=tone), CONFIG), CONFIG) == {"kind": kind, "tone": tone}


def test_a_label_that_the_config_no_longer_has_is_told_so_that_it_can_be_counted() -> None:
    stated = read_labels([item("kind", "no longer a choice")], CONFIG)
    assert stated == {"kind": "no longer a choice"}
    assert CONFIG.schema.targets[0].read(stated["kind"]) is None


EVERY = parse_label_config(
    '<View><Text name="text" value="$text"/><Text name="other" value="$other"/>'
    '<Rating name="stars" toName="text" maxRating="4"/>'
    '<Number name="age" toName="text" min="0"/>'
    '<Choices name="tags" toName="text" choice="multiple"><Choice value="a" alias="A"/><Choice value="b"/></Choices>'
    '<Choices name="must" toName="text" choice="multiple" required="true"><Choice value="a"/>'
    '<Choice value="b"/></Choices>'
    '<View visibleWhen="choice-selected"><Choices name="some" toName="text" choice="multiple"><Choice value="a"/>'
    '<Choice value="b"/></Choices></View>'
    '<Taxonomy name="tree" toName="text"><Choice value="a"><Choice value="b" alias="B"/></Choice></Taxonomy>'
    '<Taxonomy name="leaf" toName="text" maxUsages="1"><Choice value="a"><Choice value="b"/></Choice></Taxonomy>'
    '<Pairwise name="better" toName="text,other"/>'
    '<Labels name="who" toName="text"><Label value="Person" alias="PER"/><Label value="ORG"/></Labels></View>'
)
SAID: dict[str, list[Label]] = {
    "stars": [3.0, 1.0, 9.0],
    "age": [7.5, -1.0],
    "tags": [("a", "b"), ("b",)],
    "tree": [("a > b",), ("a",)],
    "better": ["left", "right"],
    "who": [(Span(0, 2, "Person"), Span(3, 5, "ORG")), (Span(0, 2, "gone"),)],
    "gone": ["warm"],
}
SILENT: dict[str, Label] = {"tags": (), "tree": (), "who": ()}


def stated(name: str, type_: str, **value: object) -> dict[str, object]:
    return {"from_name": name, "to_name": "text", "type": type_, "value": value}


@pytest.mark.parametrize(
    ("name", "label", "type_", "values"),
    [
        ("stars", 3.0, "rating", [{"rating": 3}]),
        ("age", 3.5, "number", [{"number": 3.5}]),
        ("tags", ("A", "b"), "choices", [{"choices": ["A", "b"]}]),
        ("tree", ("a", "a > B"), "taxonomy", [{"taxonomy": [["a"], ["a", "B"]]}]),
        ("leaf", "a > b", "taxonomy", [{"taxonomy": [["a", "b"]]}]),
        ("better", "right", "pairwise", [{"selected": "right"}]),
        (
            "who",
            (Span(0, 3, "PER"), Span(0, 3, "ORG")),
            "labels",
            [{"start": 0, "end": 3, "labels": ["PER"]}, {"start": 0, "end": 3, "labels": ["ORG"]}],
        ),
        ("tags", (), "choices", []),
        ("tree", (), "taxonomy", []),
        ("who", (), "labels", []),
    ],
)
def test_every_kind_is_written_as_label_studio_writes_it_and_read_back(
    name: str, label: Label, type_: str, values: list[dict[str, object]]
) -> None:
    written = write_result(Prediction(TaskId("5"), VERSION, (Guess(name, label, 0.8),), 0.2, 0.3), EVERY)
    assert [item["value"] for item in written] == values
    assert all(item.items() >= {"from_name": name, "to_name": "text", "type": type_}.items() for item in written)
    assert read_labels(written, EVERY) == SILENT | {name: label}


def test_stars_are_written_as_a_whole_number_because_the_import_takes_no_other() -> None:
    (written,) = write_result(prediction(stars=3.0), EVERY)
    assert isinstance(cast(dict[str, object], written["value"])["rating"], int)


@pytest.mark.parametrize(
    "item",
    [
        *(stated("stars", "rating", rating=stars) for stars in (0, 2.5, True, "2", None, float("nan"), -1, 10**400)),
        *(stated("age", "number", number=number) for number in ("3", None, True, float("inf"))),
        stated("age", "rating", number=3),
        stated("tags", "choices", choices=[["a", "b"]]),
        stated("tags", "choices", choices="A"),
        stated("tags", "choices"),
        stated("tags", "taxonomy", choices=["A"]),
        stated("tree", "taxonomy", taxonomy=["a"]),
        stated("tree", "taxonomy", taxonomy=[[]]),
        stated("leaf", "taxonomy", taxonomy=[["a"], ["a", "b"]]),
        stated("better", "pairwise", selected="none"),
        *(
            stated("who", "labels", start=s, end=e, labels=["ORG"])
            for s, e in ((3, 3), (4, 3), (-1, 2), (0, 1.5), (0, True))
        ),
        stated(
            "who", "labels", start="/p[1]/text()[1]", end="/p[1]/text()[1]", startOffset=1, endOffset=2, labels=["ORG"]
        ),
        stated("who", "labels", start=0, end=3),
        stated("who", "hypertextlabels", start=0, end=3, labels=["ORG"]),
    ],
)
def test_what_is_no_label_of_its_control_says_nothing_rather_than_that_there_is_none(item: dict[str, object]) -> None:
    assert str(item["from_name"]) not in read_labels([item], EVERY)


def test_a_region_with_several_labels_is_several_spans() -> None:
    regions = [
        stated("who", "labels", start=4, end=9, text="Jones", labels=["PER", "ORG"]),
        stated("who", "labels", start="0", end=3.0, labels=["gone"]),
        stated("who", "labels", start=1, end=2, labels=[]),
    ]
    label = read_labels(regions, EVERY)["who"]
    assert label == (Span(4, 9, "PER"), Span(4, 9, "ORG"), Span(0, 3, "gone"))


def test_half_a_label_is_none() -> None:
    good, bad = (
        stated("who", "labels", start=0, end=3, labels=["ORG"]),
        stated("who", "labels", start=5, labels=["ORG"]),
    )
    assert "who" not in read_labels([good, bad], EVERY)


def test_who_submits_without_a_choice_or_region_says_there_is_none_unless_that_was_not_asked_of_everyone() -> None:
    assert read_labels([], EVERY) == SILENT


def test_each_region_has_its_own_confidence_and_an_id_that_stays() -> None:
    spans = (Span(0, 3, "PER"), Span(4, 9, "ORG"))
    guess = Prediction(TaskId("5"), VERSION, (Guess("who", spans, 0.3, (0.9, 0.4)),), 0.2, 0.3)
    written = write_result(guess, EVERY)
    assert [(item["score"], item["confidence"]) for item in written] == [(0.9, 0.9), (0.4, 0.4)]
    assert len({item["id"] for item in written}) == 2
    assert written == write_result(guess, EVERY)
    assert write_answer(guess, EVERY, VERSION)["confidence"] == 0.3


def test_where_nothing_is_predicted_about_several_objects_there_is_a_blank_item_that_says_nothing() -> None:
    texts = '<Text name="a" value="$a"/><Text name="b" value="$b"/>'
    choices = '<Choices name="it" toName="a,b"><Choice value="x"/><Choice value="y"/></Choices>'
    config = parse_label_config(f'<View>{texts}{choices}<Rating name="stars" toName="b,a"/></View>')
    one = Prediction(TaskId("1"), QueueVersion("1"), (Guess("it", "y", 0.9),), 0.1, 0.1)
    blank = {"from_name": "it", "to_name": "a", "type": "choices", "value": {"choices": []}}
    stars = {"from_name": "stars", "to_name": "b", "type": "rating", "value": {"rating": 0}}
    assert write_result(None, config) == [blank, stars]
    assert [item["value"] for item in write_result(one, config)] == [{"choices": ["y"]}, {"rating": 0}]
    assert read_labels(write_result(None, config), config) == {}
    assert read_labels(write_result(one, config), config) == {"it": "y"}


def test_a_result_item_carries_what_people_see_confidence_and_uncertainty() -> None:
    assert write_result(prediction(kind="spam"), CONFIG) == [
        item("kind", "spam") | {"score": 0.8, "confidence": 0.8, "uncertainty": 0.2}
    ]


def test_a_label_that_the_config_does_not_have_is_not_sent_because_the_whole_item_would_be_dropped() -> None:
    assert [item["from_name"] for item in write_result(prediction(kind="spam", tone="tepid"), CONFIG)] == ["kind"]
    assert write_result(prediction(tone="tepid", gone="warm"), CONFIG) == []
    assert "confidence" not in write_answer(prediction(tone="tepid"), CONFIG, VERSION)
    assert write_result(prediction(stars=7.0, who=(Span(0, 2, "gone"),), better="none"), EVERY) == []


guessed = st.builds(lambda confidence: prediction(confidence, kind="spam"), number)
withheld = st.builds(lambda uncertainty: prediction(uncertainty=uncertainty), number)
anything_shown = st.none() | guessed | withheld


ASKING = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="a" toName="text"><Choice value="x"/><Choice value="y" alias="Y"/></Choices>'
    '<Taxonomy name="t" toName="text"><Choice value="p"><Choice value="q"/></Choice><Choice value="r"/></Taxonomy>'
    "{}</View>"
)


def asked_beside(tags: str, **labels: Label) -> set[str]:
    """Which controls are answered of those for which there is a guess."""
    config = parse_label_config(ASKING.format(tags))
    assert config.schema.left_out == {}
    return {str(one["from_name"]) for one in write_result(saying(labels), config)}


def asking(name: str, when: str = "", inner: str = "") -> str:
    inside = '<Choice value="1"/><Choice value="2"/>'
    return f'<View {when}><Choices name="{name}" toName="text" {inner}>{inside}</Choices></View>'


TAG_A, TAG_B = (f'visibleWhen="choice-selected" whenTagName="{name}"' for name in "ab")


@pytest.mark.parametrize(
    ("tags", "a", "shown"),
    [
        (asking("b", inner=f'{TAG_A} whenChoiceValue="x"'), "x", "ab"),
        (asking("b", inner=f'{TAG_A} whenChoiceValue="x"'), "Y", "a"),
        (asking("b", f'{TAG_A} whenChoiceValue="x"'.lower()), "Y", "a"),
        (asking("b", f'{TAG_A} whenChoiceValue="z,y"'), "Y", "ab"),
        (asking("b", f'{TAG_A} whenChoiceValue="Y"'), "Y", "ab"),
        (asking("b", f'{TAG_A} whenChoiceValue="x"', f'{TAG_A} whenChoiceValue="Y"'), "x", "a"),
        (asking("b", TAG_A), "x", "ab"),
        (asking("b", TAG_A.replace("selected", "unselected")), "x", "a"),
        (asking("b", TAG_A.replace("selected", "unselected") + ' whenChoiceValue="x"'), "Y", "ab"),
        (asking("b", TAG_A.replace('"a"', '"nobody"')), "x", "a"),
        (asking("b", 'visibleWhen="choice-selected" whenChoiceValue="z"'), "x", "ab"),
        (asking("b", 'visibleWhen="choice-unselected"'), "x", "a"),
        (asking("b", 'whenChoiceValue="Y"'), "Y", "ab"),
        (asking("b", 'whenChoiceValue="y"'), "Y", "a"),
        (asking("b", 'visibleWhen="no-region-selected"'), "x", "ab"),
        (asking("b", f'{TAG_A} whenChoiceValue="x"') + asking("c", TAG_B), "x", "abc"),
        (asking("b", f'{TAG_A} whenChoiceValue="x"') + asking("c", f'{TAG_B} whenChoiceValue="1"'), "Y", "a"),
        (asking("b", f'{TAG_A} whenChoiceValue="x"') + asking("c", TAG_B.replace("selected", "unselected")), "Y", "ac"),
        (f'<View {TAG_A} whenChoiceValue="x"><View>{asking("b")}</View></View>', "Y", "a"),
        (asking("b", TAG_B.replace('"b"', '"c"')) + asking("c", TAG_B), "x", "a"),
        (f'<Rating name="b" toName="text" {TAG_A} whenChoiceValue="x"/>', "Y", "ab"),
        (f'<View {TAG_A} whenChoiceValue="x"><Rating name="b" toName="text"/></View>', "Y", "a"),
    ],
)
def test_what_the_editor_does_not_ask_beside_the_other_guesses_is_not_answered(tags: str, a: str, shown: str) -> None:
    rated = 3.0 if "<Rating" in tags else "1"
    assert asked_beside(tags, a=a, b=rated, c="1") == set(shown)


@pytest.mark.parametrize(("value", "shown"), [("q", {"t", "b"}), ("r", {"t"}), ("p", {"t"})])
def test_of_nested_choices_the_innermost_shows_another_control(value: str, shown: set[str]) -> None:
    tags = asking("b", f'visibleWhen="choice-selected" whenTagName="t" whenChoiceValue="{value}"')
    assert asked_beside(tags, t=("p > q",), b="1") == shown


def test_what_a_result_says_of_a_control_takes_the_place_of_our_own_guess() -> None:
    box = {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": {"x": 1}}
    ours = saying({"kind": "ham", "tone": "warm"})
    theirs = Guess("", Result((box, box, item("kind", "spam"))), 0.9)
    result = write_result(ours._replace(guesses=(theirs, *ours.guesses)), CONFIG)
    assert result[:3] == [box, box, item("kind", "spam")]
    assert [(one["from_name"], one["value"]) for one in result[3:]] == [("tone", {"choices": ["warm"]})]


def test_the_confidence_is_that_of_what_is_shown() -> None:
    config = parse_label_config(ASKING.format(asking("b", f'{TAG_A} whenChoiceValue="x"')))
    stated = Prediction(TaskId("5"), VERSION, (Guess("a", "Y", 0.9), Guess("b", "1", 0.6)), 0.4, 0.3)
    answer = write_answer(stated, config, VERSION)
    assert (answer["confidence"], answer["score"]) == (0.9, 0.9)


def test_however_many_controls_hang_on_one_another_it_is_found_out_soon() -> None:
    tags = "".join(asking(f"c{n + 1}", f'visibleWhen="choice-selected" whenTagName="c{n}"') for n in range(900))
    config = parse_label_config(ASKING.format(tags.replace('whenTagName="c0"', 'whenTagName="a"')))
    labels = {f"c{n}": "1" for n in range(1, 901)}
    assert len(write_result(saying({"a": "x", **labels}), config)) >= 50


@pytest.mark.parametrize(
    ("received", "counts"),
    [
        ({"ground_truth": True, "updated_by": 1}, True),
        ({"ground_truth": True, "updated_by": None}, False),
        ({"ground_truth": True}, False),
        ({"ground_truth": False, "updated_by": 1}, False),
        ({"updated_by": 1}, False),
    ],
)
def test_only_a_person_marks_what_is_true(received: dict[str, object], counts: bool) -> None:
    assert read_annotation(annotation(**received), CONFIG).ground_truth is counts


@relaxed
@given(
    st.lists(
        st.builds(saying, st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in SAID.items()}), number),
        max_size=8,
    )
)
def test_what_is_written_of_one_task_does_not_depend_on_those_before_it(window: list[Prediction]) -> None:
    writer = Writer(EVERY)
    assert [writer.answer(one, VERSION) for one in window] == [write_answer(one, EVERY, VERSION) for one in window]


@relaxed
@given(st.lists(anything_shown, max_size=60) | st.builds(lambda one, n: [one] * n, guessed, st.integers(1, 10_000)))
def test_the_scores_of_a_window_rise_and_stay_in_the_lower_half_and_are_stored_as_they_are(
    window: list[Prediction | None],
) -> None:
    scores = window_scores(window)
    assert all(one < next_one for one, next_one in pairwise(scores))
    assert all(0 <= score < 0.5 for score in scores)
    assert len(scores) == len(window)
    assert json.loads(json.dumps(scores)) == scores
    assert all(map(is_window_score, scores))


@relaxed
@given(st.lists(anything_shown, min_size=1, max_size=60), anything_shown)
def test_whatever_is_not_in_the_window_comes_after_it_and_within_what_label_studio_takes(
    window: list[Prediction | None], other: Prediction | None
) -> None:
    score = write_answer(other, CONFIG, VERSION)["score"]
    assert isinstance(score, float)
    assert max(window_scores(window)) < 0.5 <= score <= 1
    assert not is_window_score(score)


@pytest.mark.parametrize(
    ("confidences", "read"),
    [
        ([0.12, 0.2, 0.31, 0.31], ["12.00", "20.00", "31.00", "31.00"]),
        ([0.2, 0.5, 0.51, 0.97], ["20.00", "50.00", "50.00", "50.00"]),
        ([0.4, 0.2, 0.45], ["30.00", "30.00", "45.00"]),
        ([0.55] * 200, ["50.00"] * 200),
        ([], []),
    ],
)
def test_a_score_in_the_window_reads_as_the_models_confidence_as_far_as_the_order_allows(
    confidences: list[float], read: list[str]
) -> None:
    """As percentages, with as many decimals as Label Studio shows."""
    scores = window_scores([prediction(confidence, kind="spam") for confidence in confidences])
    assert [f"{100 * score:.2f}" for score in scores] == read


@relaxed
@given(st.floats(0, 1), st.floats(0, 1))
def test_outside_the_window_a_score_is_the_confidence_from_the_half_on_and_never_falls_with_it(
    one: float, other: float
) -> None:
    assert answer_score(one) == pytest.approx(max(one, 0.5), abs=1e-8)
    assert (answer_score(one) <= answer_score(other)) or one > other


def test_of_several_guesses_the_least_sure_counts_and_of_none_what_the_model_is_unsure_of() -> None:
    both = Prediction(TaskId("5"), VERSION, (Guess("kind", "spam", 0.9), Guess("tone", "warm", 0.3)), 0.05, 0.3)
    assert confidence_of(both) == 0.3
    assert confidence_of(prediction(uncertainty=0.4)) == 0.6


@relaxed
@given(st.integers(1, 10_000), st.data())
def test_the_scores_of_earlier_releases_are_known_exactly(size: int, data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, size - 1))
    assert window_score(rank, size) == 0.5 * rank / size


@relaxed
@given(number, number, number)
def test_every_number_in_an_answer_is_between_0_and_1(confidence: float, uncertainty: float, utility: float) -> None:
    answer = write_answer(prediction(confidence, uncertainty, utility, kind="spam"), CONFIG, VERSION)
    for key in ("score", "confidence", "uncertainty"):
        value = answer[key]
        assert isinstance(value, float)
        assert 0 <= value <= 1


def test_a_task_of_which_nothing_can_be_said_still_has_a_score_and_comes_last() -> None:
    assert write_answer(None, CONFIG, VERSION) == {"result": [], "score": 1.0, "model_version": "0007"}


def test_a_window_item_names_task_score_and_version() -> None:
    assert write_window_item(TaskId("5"), 0.25, None, CONFIG, VERSION) == {
        "task": 5,
        "result": [],
        "score": 0.25,
        "model_version": "0007",
    }


def test_a_task_is_seen_with_all_its_annotations_and_label_studios_own_word_that_it_is_done() -> None:
    seen, unreadable = read_task_seen(
        {"id": 5, "data": {"text": "hi"}, "is_labeled": True, "annotations": [annotation(), annotation(id=4)]}, CONFIG
    )
    assert (seen.task.id, seen.task.data, seen.closed) == ("5", {"text": "hi"}, True)
    assert [stated.id for stated in seen.annotations] == ["3", "4"]
    assert not unreadable


@relaxed
@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_text_order_of_times_is_time_order(one: datetime, other: datetime) -> None:
    assert (utc(one.isoformat()) < utc(other.isoformat())) == (one < other)


@pytest.mark.parametrize(
    ("given_", "read"),
    [
        ("2026-11-22T06:42:46Z", "2026-11-22T06:42:46.000000Z"),
        ("2026-11-22T08:42:46.5+02:00", "2026-11-22T06:42:46.500000Z"),
        ("2026-11-22T06:42:46", "2026-11-22T06:42:46.000000Z"),
    ],
)
def test_times_of_every_kind_become_utc_with_six_decimals(given_: str, read: str) -> None:
    assert utc(given_) == read


@relaxed
@given(anything)
def test_garbage_in_the_place_of_a_task_is_a_payload_error(garbage: object) -> None:
    with pytest.raises(PayloadError):
        read_task_seen(garbage, CONFIG)
    with pytest.raises(PayloadError):
        read_annotation(garbage, CONFIG)


@relaxed
@given(st.lists(anything))
def test_garbage_in_a_result_says_nothing(result: list[object]) -> None:
    assert read_labels(result, CONFIG) == {}
