"""Which label counts where several people labeled a task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.evaluation.agreed import agreed_labels
from nextlabel.labeling import Annotation, AnnotationId, TaskId, labels_in_force


def by(who: str | None, label: object, at: int, *, truth: bool = False, skipped: bool = False) -> Annotation:
    labels = {} if skipped else {"kind": label}
    return Annotation(AnnotationId(str(at)), labels, f"2026-01-01T{at:02}", skipped, ground_truth=truth, by=who)


def agreed(*some: Annotation) -> object:
    return agreed_labels({TaskId("1"): some})[TaskId("1")].get("kind")


def test_what_most_people_say_counts_whoever_spoke_last() -> None:
    assert agreed(by("ann", "ham", 1), by("ben", "ham", 2), by("cleo", "spam", 3)) == "ham"


def test_of_as_many_the_latest_counts() -> None:
    assert agreed(by("ann", "ham", 1), by("ben", "spam", 2)) == "spam"
    five = [by(who, label, n) for n, (who, label) in enumerate(zip("abcde", ("x", "y", "x", "y", "z"), strict=True))]
    assert agreed(*five) == "y", "z is later, and of one person only"


def test_each_person_has_one_label_the_latest_they_gave() -> None:
    assert agreed(by("ann", "ham", 1), by("ann", "ham", 2), by("ben", "spam", 3), by("cleo", "spam", 4)) == "spam"
    assert agreed(by("ann", "ham", 1), by("ben", "spam", 2), by("ann", "spam", 3), by("cleo", "ham", 4)) == "spam"
    assert agreed(by(None, "ham", 1), by(None, "ham", 2), by("ben", "spam", 3)) == "spam", "they may be one person"


def test_what_somebody_marked_as_the_truth_counts_whatever_most_say() -> None:
    assert agreed(by("ann", "spam", 1, truth=True), by("ben", "ham", 2), by("cleo", "ham", 3)) == "spam"


def test_who_skipped_says_nothing() -> None:
    assert agreed(by("ann", "ham", 1), by("ben", "spam", 2), by("cleo", "ham", 3, skipped=True)) == "spam"


@pytest.mark.parametrize(("values", "label"), [((1.0, 5.0, 3.0), 3.0), ((1.0, 2.0, 4.0, 5.0), 3.0), ((1.0, 4.0), 2.5)])
def test_a_number_is_the_mean_of_what_people_say(values: Sequence[float], label: float) -> None:
    assert agreed(*(by(f"p{n}", value, n) for n, value in enumerate(values))) == label


def test_a_slip_of_the_keyboard_counts_as_no_farther_off_than_people_are() -> None:
    said = {TaskId(str(n)): (2.0 + n % 3, 3.0 + n % 3, 4.0 + n % 3) for n in range(30)} | {
        TaskId("slip"): (3.0, 4.0, 400.0)
    }
    annotated = {task: [by(f"p{n}", one, n) for n, one in enumerate(some)] for task, some in said.items()}
    found = {task: labels["kind"] for task, labels in agreed_labels(annotated).items()}
    assert found.pop(TaskId("slip")) == pytest.approx((3 + 4 + 6) / 3)
    assert found == {task: pytest.approx(some[1]) for task, some in said.items() if task in found}


def test_of_several_labels_each_is_there_that_most_people_give() -> None:
    assert agreed(by("ann", ["a", "b"], 1), by("ben", ["b", "c"], 2), by("cleo", ["b"], 3)) == ["b"]
    assert agreed(by("ann", ["a", "b"], 1), by("ben", ["b", "c"], 2)) == ["b", "c"], "of half of them as the latest"
    assert agreed(by("ann", ["a"], 1), by("ben", [], 2), by("cleo", [], 3)) == []


def test_of_spans_the_latest_count() -> None:
    first, second = [{"start": 0, "end": 1, "label": "x"}], [{"start": 1, "end": 2, "label": "x"}]
    assert agreed(by("ann", first, 1), by("ben", first, 2), by("cleo", second, 3)) == second


def test_of_two_who_differ_the_one_counts_who_is_right_more_often() -> None:
    """Ann, Ben and Cleo share 40 tasks, of which Ben is wrong in every third."""
    wrong = {"ham": "spam", "spam": "ham"}
    shared = {
        TaskId(str(n)): tuple(
            by(who, wrong[truth] if who == "ben" and n % 3 == 0 else truth, at)
            for at, who in enumerate(("ann", "ben", "cleo"))
        )
        for n in range(40)
        for truth in [("ham", "spam")[n % 2]]
    }
    alone = TaskId("alone")
    assert agreed_labels(shared | {alone: (by("ann", "ham", 1), by("ben", "spam", 2))})[alone] == {"kind": "ham"}
    assert agreed_labels(shared | {alone: (by("ben", "ham", 1), by("cleo", "spam", 2))})[alone] == {"kind": "spam"}
    few = dict(list(shared.items())[:19])
    assert agreed_labels(few | {alone: (by("ann", "ham", 1), by("ben", "spam", 2))})[alone] == {"kind": "spam"}


def test_three_peoples_agreed_label_is_right_more_often_than_the_latest() -> None:
    draw = np.random.default_rng(0)
    tasks = {
        TaskId(str(n)): tuple(
            by(f"p{m}", "right" if draw.random() < 0.9 else f"wrong {draw.integers(2)}", m) for m in range(3)
        )
        for n in range(2000)
    }
    together = np.mean([labels["kind"] == "right" for labels in agreed_labels(tasks).values()])
    latest = np.mean([labels_in_force(some)["kind"] == "right" for some in tasks.values()])
    assert latest == pytest.approx(0.9, abs=0.02)
    assert together > 0.965


some_annotations = st.lists(
    st.builds(by, st.sampled_from(["ann", "ben", None]), st.sampled_from(["ham", "spam"]), st.integers(1, 20)),
    max_size=6,
    unique_by=lambda one: one.id,
)


@given(some=some_annotations, data=st.data())
def test_it_does_not_depend_on_the_order_in_which_they_were_read(some: list[Annotation], data: st.DataObject) -> None:
    assert agreed(*data.draw(st.permutations(some))) == agreed(*some)


@given(some=some_annotations)
def test_of_one_person_it_is_the_latest(some: list[Annotation]) -> None:
    own = tuple(one for one in some if one.by == "ann")
    assert agreed(*own) == labels_in_force(own).get("kind")
