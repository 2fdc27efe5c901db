"""Label Studio's JSON to nextlabel's values and back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextlabel.errors import PayloadError
from nextlabel.labeling import Guess, Prediction, QueueVersion, TaskId
from nextlabel_connectors.label_studio.label_config import parse_label_config
from nextlabel_connectors.label_studio.payloads import (
    answer_score,
    read_annotation,
    read_labels,
    read_task_seen,
    utc,
    window_score,
    write_answer,
    write_result,
    write_window_item,
)

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


def prediction(confidence: float = 0.8, uncertainty: float = 0.2, utility: float = 0.3, **labels: str) -> Prediction:
    guesses = tuple(Guess(target, label, confidence) for target, label in labels.items())
    return Prediction(TaskId("5"), VERSION, guesses, uncertainty, utility)


def item(name: str, *labels: str) -> dict[str, object]:
    return {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": list(labels)}}


def annotation(**fields: object) -> dict[str, object]:
    return {"id": 3, "result": [item("kind", "ham")], "was_cancelled": False, "updated_at": STAMP, **fields}


def test_an_annotation_says_which_label_was_chosen() -> None:
    read = read_annotation(annotation(), CONFIG)
    assert (read.id, read.labels, read.updated_at, read.skipped) == ("3", {"kind": "ham"}, STAMP, False)


def test_a_skipped_task_has_no_label() -> None:
    read = read_annotation(annotation(was_cancelled=True), CONFIG)
    assert read.skipped
    assert read.labels == {}


@pytest.mark.parametrize(
    "result",
    [
        [item("other", "ham")],
        [item("kind", "no longer a choice")],
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


STARS = parse_label_config(
    '<View><Text name="text" value="$text"/><Rating name="stars" toName="text" maxRating="4"/></View>'
)


def rating(stars: object) -> dict[str, object]:
    return {"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": stars}}


@pytest.mark.parametrize("stars", [1, 2, 3, 4])
def test_a_rating_is_written_as_label_studio_writes_it_and_read_back(stars: int) -> None:
    (written,) = write_result(prediction(stars=str(stars)), STARS)
    assert written.items() >= rating(stars).items()
    assert read_labels([written], STARS) == read_labels([rating(float(stars))], STARS) == {"stars": str(stars)}


@pytest.mark.parametrize("stars", [0, 5, 2.5, True, "2", None, float("nan"), float("inf"), -1])
def test_a_rating_that_cannot_be_given_says_nothing(stars: object) -> None:
    assert read_labels([rating(stars)], STARS) == {}


def test_a_result_item_carries_what_people_see_confidence_and_uncertainty() -> None:
    assert write_result(prediction(kind="spam"), CONFIG) == [
        item("kind", "spam") | {"score": 0.8, "confidence": 0.8, "uncertainty": 0.2}
    ]


def test_a_label_that_the_config_does_not_have_is_not_sent_because_the_whole_item_would_be_dropped() -> None:
    assert write_result(prediction(kind="spam", tone="tepid"), CONFIG) == []


@relaxed
@given(st.integers(1, 10_000), st.data())
def test_in_the_window_a_better_rank_has_a_lower_score(size: int, data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, size - 1))
    assert 0 <= window_score(rank, size) < 0.5
    assert window_score(rank, size) < window_score(rank + 1, size)


@relaxed
@given(number)
def test_whatever_is_not_in_the_window_comes_after_it_and_within_what_label_studio_takes(utility: float) -> None:
    assert 0.5 <= answer_score(utility) <= 1


@relaxed
@given(st.floats(0, 1), st.floats(0, 1))
def test_outside_the_window_a_higher_utility_never_comes_later(one: float, other: float) -> None:
    assert (answer_score(one) <= answer_score(other)) == (one >= other) or answer_score(one) == answer_score(other)


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
    seen = read_task_seen(
        {"id": 5, "data": {"text": "hi"}, "is_labeled": True, "annotations": [annotation(), annotation(id=4)]}, CONFIG
    )
    assert (seen.task.id, seen.task.data, seen.closed) == ("5", {"text": "hi"}, True)
    assert [said.id for said in seen.annotations] == ["3", "4"]


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
@given(
    st.lists(
        anything
        | st.fixed_dictionaries(
            {
                "type": st.sampled_from(["choices", "rating"]),
                "from_name": anything | st.sampled_from(["kind", "stars"]),
                "value": anything | st.fixed_dictionaries({"rating": st.floats() | anything}),
            }
        )
    )
)
def test_garbage_in_a_result_says_nothing(result: list[object]) -> None:
    assert read_labels(result, CONFIG) == {}
    assert read_labels(result, STARS).get("stars") in (None, "1", "2", "3", "4")
