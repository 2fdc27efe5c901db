"""The accuracy of a version, as it is kept with it and read again: which way it was measured is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.evaluation import accuracy
from nextlabel.evaluation.intervals import Interval
from nextlabel.labeling.ranking import Floats


def judged(labels: int, *, knows: float, seed: int = 0, unlabeled: int = 2_000) -> tuple[Floats, accuracy.Confidence]:
    """Whether a version was right, in four of five tasks, and how sure it was: it ``knows`` that of this share."""
    rng = np.random.default_rng(seed)
    right = rng.random(labels + unlabeled) < 0.8
    sure = np.where(rng.random(len(right)) < knows, right, 0.8).astype(np.float64)
    return right[:labels].astype(np.float64), accuracy.Confidence(sure[:labels], sure[labels:])


def measured(right: Floats, sure: accuracy.Confidence | None) -> Interval:
    return accuracy.of_version(accuracy.figures_of("q", right, pool=100_000, sure=sure))["q"]


def test_from_50_labels_on_tasks_without_a_label_make_the_accuracy_surer_and_that_is_told() -> None:
    right, sure = judged(50, knows=0.7)
    plain, powered = measured(right, None), measured(right, sure)
    assert powered.high - powered.low < 0.9 * (plain.high - plain.low)
    assert "by how sure it is of 2,000 without a label (PPI++)" in powered.method
    assert "PPI" not in plain.method
    fewer = right[:-1], accuracy.Confidence(sure.labeled[:-1], sure.unlabeled)
    assert measured(*fewer) == measured(fewer[0], None)


@given(st.integers(50, 300), st.floats(0, 1), st.integers(1, 500), st.integers(0, 1_000))
def test_they_never_make_it_less_sure(labels: int, knows: float, unlabeled: int, seed: int) -> None:
    right, sure = judged(labels, knows=knows, seed=seed, unlabeled=unlabeled)
    plain, found = measured(right, None), measured(right, sure)
    assert found == plain or found.high - found.low < plain.high - plain.low


@pytest.mark.parametrize("knows", [0.0, 0.3, 0.8])
def test_the_interval_of_whichever_is_narrower_covers(knows: float) -> None:
    inside = []
    for seed in range(1_000):
        found = measured(*judged(60, knows=knows, seed=seed))
        inside.append(found.low <= 0.8 <= found.high)
    assert np.mean(inside) >= 0.93


def audits(**known: float | None) -> accuracy.Audits:
    usual = {"tasks": 60, "labeled": 40, "skipped": 0, "labeled_before": 0, "share": 0.1, "drawn": 0.1, "pool": 600}
    return accuracy.Audits(**(usual | known))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "note"),
    [
        ({"tasks": 0, "labeled": 0, "share": 0.0}, "not measured: there are no audit tasks (audit_share=0)"),
        ({"tasks": 0, "labeled": 0, "pool": 0, "drawn": None}, "not measured: there are no tasks"),
        ({"tasks": 0, "labeled": 0, "drawn": None}, "not measured yet: the next round draws the audit tasks"),
        ({"tasks": 0, "labeled": 0}, "not measured: there are no audit tasks, for none of the open tasks was drawn"),
        ({"labeled": 9}, "not measured yet: 9 of 10 audit tasks labeled"),
        ({"labeled": 12}, "the version in service was not measured: that takes 10 audit labels of one target"),
    ],
)
def test_why_there_is_no_accuracy_is_told_first(known: dict[str, float | None], note: str) -> None:
    assert next(audits(**known).notes({})).startswith(note)


def test_skipped_audit_tasks_are_a_range_from_all_wrong_to_all_right() -> None:
    found = {"q": Interval(0.9, 0.77, 0.96, 40, "")}
    (note,) = audits(skipped=10).notes(found)
    assert note == "10 audit tasks skipped, with which it would be 72.0% to 92.0%: all of them wrong, or all right"
    _, note = audits(skipped=10).notes(found, targets=("q", "other"))
    assert "it would be q: 72.0% to 92.0%: " in note


def test_a_control_without_a_figure_is_named_where_others_have_one() -> None:
    (note,) = audits().notes({"q": Interval(0.9, 0.77, 0.96, 40, "")}, targets=("q", "other"))
    assert note == "other: not measured yet, fewer than 10 audit labels"


def test_a_reserve_that_is_spent_and_a_small_project_are_told() -> None:
    found = {"q": Interval(0.9, 0.77, 0.96, 60, "")}
    assert list(audits(labeled=60, pool=200).notes(found)) == [
        "all 60 audit tasks are labeled: more come only with new tasks",
        "with fewer than 300 tasks it stays vague",
    ]


def test_a_version_of_an_earlier_release_has_its_accuracy_too() -> None:
    figures = accuracy.figures_of("q", judged(60, knows=0)[0], pool=1_000)
    del figures["q.audit_unlabeled"]
    assert accuracy.of_version(figures)["q"].n == 60


def test_figures_of_audit_tasks_are_none_of_all_labels() -> None:
    assert accuracy.others(accuracy.figures_of("q", *judged(60, knows=0)[:1], pool=100) | {"q.log_loss": 0.5}) == {
        "q.log_loss": 0.5
    }
