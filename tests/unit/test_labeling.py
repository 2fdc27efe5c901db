"""Which labels count, which of them still fit, and when two schemas are the same."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from math import isfinite

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextlabel.labeling import (
    KINDS,
    Annotation,
    AnnotationId,
    Input,
    Label,
    LabelSchema,
    Placed,
    Result,
    Scale,
    Span,
    Target,
    Task,
    TaskId,
    labels_in_force,
    read_field,
)

MORNING, NOON = "2025-01-01T09:00:00.000000Z", "2025-01-01T12:00:00.000000Z"
TEXT = (Input("text"),)
TARGET = Target("kind", "choice", TEXT, ("ham", "spam"))
SEVERAL = Target("topics", "choices", TEXT, ("b", "a", "c", "d"))
RATED = Target("stars", "number", TEXT, scale=Scale(-2, 5))
MARKED = Target("names", "spans", TEXT, ("person", "place"))
ORDERED = Target("order", "ranking", TEXT, options="items")
SORTED_OUT = replace(ORDERED, labels=("", "best", "worst"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", "plain"),
        ("data.text", "inside"),
        ("items[0].text", "first"),
        ("items[1]", None),
        ("items[00].text", None),
        ("items.0.text", "first"),
        ("a.b", "as it stands"),
        ("a[0]", None),
        ("data", {"text": "inside"}),
        ("text.more", None),
        ("body", None),
        (".", None),
        ("items[" + "9" * 5000 + "]", None),
    ],
)
def test_a_name_leads_into_other_fields_where_no_field_is_called_just_so(name: str, value: object) -> None:
    data = {"text": "plain", "data": {"text": "inside"}, "items": [{"text": "first"}], "a.b": "as it stands", "a": {}}
    assert read_field(data, name) == value


def stated(number: int, label: str | None, at: str = NOON, *, skipped: bool = False) -> Annotation:
    return Annotation(AnnotationId(str(number)), {"kind": label} if label else {}, at, skipped)


def in_force(*annotations: Annotation) -> object:
    return labels_in_force(annotations).get("kind")


def test_the_last_label_wins_whatever_order_they_are_told_in() -> None:
    early, late = stated(2, "ham", MORNING), stated(1, "spam", NOON)
    assert {in_force(*them) for them in ((early, late), (late, early))} == {"spam"}


def test_a_tie_in_time_goes_to_the_higher_id_by_number() -> None:
    assert in_force(stated(10, "spam"), stated(9, "ham")) == "spam"


def test_a_skipped_annotation_says_nothing_even_where_it_holds_a_label() -> None:
    assert in_force(stated(1, "ham", MORNING), stated(2, "spam", skipped=True)) == "ham"
    assert labels_in_force((stated(2, "spam", skipped=True),)) == {}


def test_an_annotation_that_says_nothing_of_the_target_leaves_the_earlier_label_in_force() -> None:
    assert in_force(stated(1, "ham", MORNING), stated(2, None)) == "ham"
    assert "another target" not in labels_in_force((stated(1, "ham"),))
    assert labels_in_force(()) == {}


def test_what_a_person_marked_as_the_truth_outranks_what_comes_later() -> None:
    marked, later = replace(stated(1, "spam", MORNING), ground_truth=True), stated(2, "ham")
    assert in_force(later, marked) == "spam"
    assert in_force(replace(marked, skipped=True), later) == "ham"
    assert in_force(replace(marked, labels={"other": "x"}), later) == "ham", "it says nothing of this target"
    assert in_force(replace(later, ground_truth=True), marked) == "ham", "of two the later one"


def test_each_target_has_the_last_word_that_was_said_of_it() -> None:
    both = Annotation(AnnotationId("1"), {"kind": "ham", "stars": 2}, MORNING)
    later = Annotation(AnnotationId("2"), {"stars": 5, "topics": ["a"]}, NOON)
    assert labels_in_force((later, both)) == {"kind": "ham", "stars": 5, "topics": ["a"]}


some_annotations = st.lists(
    st.builds(stated, st.integers(1, 30), st.sampled_from(["ham", "spam", None]), st.sampled_from([MORNING, NOON])),
    max_size=6,
    unique_by=lambda it: it.id,
)


@given(them=some_annotations, data=st.data())
def test_the_label_in_force_does_not_depend_on_the_order_of_telling(
    them: list[Annotation], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(them))
    assert labels_in_force(tuple(shuffled)) == labels_in_force(tuple(them))


# --- what still fits ---------------------------------------------------------------------------------------


def _span(start: int, length: int, label: str) -> Span:
    return Span(start, start + length, label)


of_any_kind = st.one_of(
    st.tuples(st.just(TARGET), st.sampled_from(TARGET.labels)),
    st.tuples(st.just(RATED), st.floats(-2, 5)),
    st.tuples(st.just(SEVERAL), st.sets(st.sampled_from(SEVERAL.labels)).map(lambda it: _in_order(SEVERAL, it))),
    st.tuples(
        st.just(MARKED),
        st.sets(st.builds(_span, st.integers(0, 50), st.integers(1, 9), st.sampled_from(MARKED.labels))).map(
            lambda it: tuple(sorted(it))
        ),
    ),
    st.tuples(st.just(ORDERED), st.permutations("abc").map(lambda it: tuple(Placed("", one) for one in it))),
    st.tuples(
        st.just(SORTED_OUT),
        st.tuples(st.permutations("abcd"), st.tuples(*[st.integers(0, 2)] * 4)).map(
            lambda it: tuple(Placed(SORTED_OUT.labels[n], one) for n, one in sorted(zip(it[1], it[0], strict=True)))
        ),
    ),
)


def _in_order(target: Target, chosen: set[str]) -> tuple[str, ...]:
    return tuple(label for label in target.labels if label in chosen)


@given(of_any_kind)
def test_a_label_of_any_kind_is_read_back_from_what_json_made_of_it(pair: tuple[Target, Label]) -> None:
    target, label = pair
    again = target.read(json.loads(json.dumps(label)))
    assert again == label
    assert type(again) is type(label)


@given(chosen=st.permutations(SEVERAL.labels), spans=st.permutations([_span(9, 2, "person"), _span(1, 3, "place")]))
def test_the_order_in_which_something_was_chosen_or_marked_makes_no_other_label(
    chosen: list[str], spans: list[Span]
) -> None:
    assert SEVERAL.read(chosen) == SEVERAL.labels
    assert MARKED.read([*spans, spans[0]]) == (Span(1, 4, "place"), Span(9, 11, "person"))


@given(of_any_kind)
def test_a_label_of_which_any_part_was_removed_is_none(pair: tuple[Target, Label]) -> None:
    target, label = pair
    if isinstance(label, float):
        shrunk = replace(target, scale=Scale(10, 20))
        assert shrunk.read(label) is None
        return
    assert not isinstance(label, Result)
    for gone in set(KINDS[target.kind].names(label)) if target is not ORDERED else ():  # type: ignore[misc]
        assert replace(target, labels=tuple(it for it in target.labels if it != gone)).read(label) is None


@pytest.mark.parametrize(
    ("target", "stored"),
    [
        (TARGET, None),
        (TARGET, ["ham"]),
        (TARGET, "eggs"),
        (SEVERAL, "a"),
        (SEVERAL, ["a", 1]),
        (RATED, "3"),
        (RATED, True),
        (RATED, float("nan")),
        (RATED, float("inf")),
        (RATED, 5.5),
        (MARKED, [[3, 3, "person"]]),
        (MARKED, [[-1, 3, "person"]]),
        (MARKED, [[0, 3]]),
        (MARKED, [[0.5, 3, "person"]]),
        (MARKED, {"start": 0}),
        (ORDERED, "a"),
        (ORDERED, ["a", "a"]),
        (ORDERED, ["a", 1]),
        (ORDERED, [""]),
        (ORDERED, [["best", "a"]]),
        (SORTED_OUT, [["gone", "a"], ["best", "b"]]),
        (SORTED_OUT, [["best", "a"], ["worst", "a"]]),
        (SORTED_OUT, {"best": ["a"]}),
    ],
    ids=str,
)
def test_what_is_no_label_of_the_target_is_none(target: Target, stored: object) -> None:
    assert target.read(stored) is None


def test_buckets_are_told_one_after_another_each_in_its_order() -> None:
    stated = [["worst", "a"], ["best", "c"], "d", ["best", "b"]]
    assert SORTED_OUT.read(stated) == (
        Placed("", "d"),
        Placed("best", "c"),
        Placed("best", "b"),
        Placed("worst", "a"),
    )


@pytest.mark.parametrize(
    ("items", "offered"),
    [
        ([{"id": "b", "title": "B", "body": "body"}, {"id": 7}, {"id": 2.0, "html": "<i>c</i>"}], {"b", "7", "2"}),
        ([{"id": "b"}, {"id": "a"}, {"id": "b"}], {"a", "b"}),
        ([{"id": "b"}, {"title": "no id"}], set()),
        ([{"id": "b"}, "text"], set()),
        ([{"id": True}], set()),
        ([{"id": 0.5}], set()),
        ([{"id": ""}], set()),
        ([{"id": "x" * 1_001}], set()),
        ([{"id": 2**53}], set()),
        ([{"id": n} for n in range(1_001)], set()),
        ([], set()),
        ("text", set()),
    ],
)
def test_items_are_known_by_their_ids_all_of_them_or_none(items: object, offered: set[str]) -> None:
    found = ORDERED.offered(Task(TaskId("1"), {"items": items}))
    assert set(found) == offered
    assert found.get("b") in (None, "", "B\nbody")


def test_items_come_in_the_order_in_which_the_editor_shows_them() -> None:
    """What Chromium made of it: `Object.keys(Object.fromEntries(ids.map(id => [id, 1])))`."""
    ids = ["b", 10, "4294967295", "2", "a", "02", -1, 4294967294, "0"]
    found = ORDERED.offered(Task(TaskId("1"), {"items": [{"id": one} for one in ids]}))
    assert list(found) == ["0", "2", "10", "4294967294", "b", "4294967295", "a", "02", "-1"]


def test_nothing_chosen_and_nothing_marked_are_labels_too() -> None:
    assert SEVERAL.read([]) == ()
    assert MARKED.read([]) == ()


decimals = st.decimals(-1000, 1000, places=3).map(float)
steps_of = st.decimals("0.001", 500, places=3).map(float)


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    low, high = draw(st.none() | decimals), draw(st.none() | decimals)
    if low is not None and high is not None and low > high:
        low, high = high, low
    return Scale(low, high, draw(st.none() | steps_of))


@given(scale=scales(), number=st.floats(-1e9, 1e9))
@example(scale=Scale(0.0, 1.0, 0.1), number=0.3)
@example(scale=Scale(0.0, 10.0, 3.0), number=10.0)
@example(scale=Scale(None, 10.0, 3.0), number=-8.1)
def test_the_nearest_number_is_one_that_the_control_can_hold_and_none_that_it_can_hold_is_nearer(
    scale: Scale, number: float
) -> None:
    nearest = scale.nearest(number)
    written, low, high = (None if one is None else Decimal(str(one)) for one in (nearest, scale.low, scale.high))
    assert written is not None

    def can_be_held(one: Decimal) -> bool:
        inside = (low is None or one >= low) and (high is None or one <= high)
        return inside and (not scale.step or (one - (low or 0)) % Decimal(str(scale.step)) == 0)

    assert can_be_held(written)
    if not scale.step:
        assert nearest == np.clip(number, scale.low, scale.high)
        return
    for beside in (written - Decimal(str(scale.step)), written + Decimal(str(scale.step))):
        assert not can_be_held(beside) or abs(beside - Decimal(number)) >= abs(written - Decimal(number))


@given(scale=scales(), number=st.floats(allow_nan=False))
def test_however_far_off_a_number_is_there_is_a_nearest_one(scale: Scale, number: float) -> None:
    nearest = scale.nearest(number)
    assert isfinite(nearest)
    assert (scale.low is None or nearest >= scale.low) and (scale.high is None or nearest <= scale.high)


# --- schemas -----------------------------------------------------------------------------------------------


def test_a_schemas_digest_changes_with_each_part_of_a_target() -> None:
    targets = (
        TARGET,
        replace(TARGET, name="class"),
        replace(TARGET, kind="choices"),
        replace(TARGET, inputs=(Input("text"), Input("subject"))),
        replace(TARGET, inputs=(Input("text", "image"),)),
        replace(TARGET, labels=("ham", "spam", "phishing")),
        replace(TARGET, labels=("spam", "ham")),
        replace(TARGET, scale=Scale(1, 5)),
        replace(TARGET, compared=True),
    )
    assert len({LabelSchema((target,)).digest for target in targets}) == len(targets)


def test_a_schemas_digest_does_not_change_with_what_is_left_out() -> None:
    assert LabelSchema((TARGET,), {"boxes": "not supported yet"}).digest == LabelSchema((TARGET,)).digest
