"""Advice to stop comes where predictions are stable and something else agrees, and says why where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.evaluation.forecast import Forecast
from nextlabel.evaluation.intervals import Interval
from nextlabel.evaluation.stopping import (
    RATIO,
    RECALL,
    Advice,
    Checked,
    Criterion,
    Wanted,
    advice,
    compared_to,
    is_due,
    is_of_use,
    rare_classes,
    stabilising,
    stop_set,
)
from nextlabel.labeling import TaskId

LITTLE, MUCH = Forecast(0.001, 0.0, 0.003), Forecast(0.01, 0.0, 0.02)


def history(alike: Sequence[float], error: Sequence[float], times: float = 1.07) -> list[Checked]:
    """Versions of 100 labels and more, each of so many times the labels of the one before."""
    labels = [round(100 * times**n) for n in range(len(alike))]
    return [
        Checked(n, round(n / RATIO), {"label": same}, {"label": 1 - same}, {"label": wrong})
        for n, same, wrong in zip(labels, alike, error, strict=True)
    ]


STABLE, FALLING, STEADY = [0.9, 0.95, 0.97, 0.985, 0.99], [0.5, 0.4, 0.3, 0.2, 0.1], [0.1, 0.1, 0.1, 0.099, 0.1]


def given_advice(
    alike: Sequence[float] = STABLE,
    error: Sequence[float] = FALLING,
    *,
    forecast: Forecast = MUCH,
    audits: int = 30,
    rare: Mapping[str, Mapping[str, int]] | None = None,
    low: float = 0.8,
    wanted: Wanted = Wanted(),  # noqa: B008
    recall: bool | str | None = "none is wanted",
) -> Advice:
    accuracy = {"label": Interval(0.9, low, 0.95, audits, "")}
    known = {"label": forecast}
    return advice(
        history(alike, error),
        wanted=wanted,
        labels=150,
        audits=audits,
        rare=rare or {},
        accuracy=accuracy,
        forecasts=known,
        recall=None if isinstance(recall, str) else Criterion(RECALL, recall, 0.7, "the recall of 'fraud' is so"),
    )


@pytest.mark.parametrize(
    ("more", "stop"),
    [
        ({}, False),
        ({"forecast": LITTLE}, True),
        ({"error": STEADY}, True),
        ({"wanted": Wanted(accuracy=0.9), "low": 0.91}, True),
        ({"wanted": Wanted(accuracy=0.9), "low": 0.89}, False),
        ({"forecast": LITTLE, "wanted": Wanted(worth=0.2)}, False),
        ({"forecast": LITTLE, "error": STEADY, "alike": [0.99, 0.99, 0.99, 0.99, 0.97]}, False),
        ({"forecast": LITTLE, "error": STEADY, "alike": [0.9, 0.9, 0.9, 0.9, 0.99]}, False),
        ({"forecast": LITTLE, "audits": 29}, None),
        ({"forecast": LITTLE, "rare": {"label": {"phishing": 2}}}, None),
    ],
)
def test_stable_predictions_and_one_other_criterion_make_the_advice(more: dict[str, object], stop: bool | None) -> None:
    found = given_advice(**more)  # type: ignore[arg-type]
    assert found.stop is stop, found.sentence


@pytest.mark.parametrize(("times", "stable"), [(1.07, False), (1.2, True)])
def test_a_check_that_is_far_from_the_one_before_counts_as_two(times: float, stable: bool) -> None:
    """Rounds of many labels would else have to go on for longer."""
    assert stabilising(history([0.9, 0.95, 0.97, 0.99], STEADY[1:], times)).holds is stable
    assert stabilising(history([0.9, 0.95, 0.985, 0.97], STEADY[1:], times)).holds is False
    first, second = history([0.9, 0.99], STEADY[:2], times)
    assert stabilising([Checked(first.labels), second]).holds is False, "nothing was compared before"


def test_what_is_lacking_or_speaks_against_it_is_named() -> None:
    assert "fewer than 5 labels of 'a' (0), 'b' (4)" in given_advice(rare={"label": {"b": 4, "a": 0}}).sentence
    assert "12 of 30 audit tasks" in given_advice(audits=12).sentence
    assert "+1.0 points (+0.0 to +2.0), perhaps more than 0.5" in given_advice(error=STEADY).sentence
    assert "κ 0.970" in given_advice(alike=[0.97] * 5).sentence
    many = given_advice(rare={"label": {str(n): 1 for n in range(1000)}}).sentence
    assert "and 995 more" in many


@pytest.mark.parametrize(("holds", "stop"), [(True, True), (False, False), (None, False)])
def test_a_recall_that_is_wanted_agrees_once_it_is_reached_and_is_named_until_then(
    holds: bool | None, stop: bool
) -> None:
    assert given_advice(recall=holds).stop is stop
    assert given_advice(recall=holds, alike=[0.9] * 5).stop is False, "it is no reason to stop by itself"
    for error in (STEADY, FALLING):
        found = given_advice(recall=holds, error=error)
        assert ("'fraud' is so" in found.sentence.partition("but")[2]) is (holds is not True), found.sentence
    assert len(found.criteria) == 5
    assert len(given_advice().criteria) == 4, "it is not there where nobody asked for it"


def test_a_budget_that_is_spent_is_named_whatever_the_advice() -> None:
    for more in ({}, {"audits": 3}, {"error": STEADY}):
        found = given_advice(wanted=Wanted(budget=150), **more)
        assert found.spent
        assert found.sentence.startswith("The budget of 150 labels is spent (150).")
    assert "50 labels of the budget are left" in given_advice(wanted=Wanted(budget=200)).sentence


def test_of_several_targets_each_is_named_and_none_that_is_not_known_agrees() -> None:
    both = [
        replace(
            one,
            **{
                name: {"topic": value, "mood": value}
                for name, value in (  # type: ignore[arg-type]
                    ("alike", one.alike["label"]),
                    ("error", one.error["label"]),
                )
            },
        )
        for one in history(STABLE, STEADY)
    ]

    def found(known: Sequence[str], **more: Any) -> Advice:
        accuracy = {name: Interval(0.9, 0.85, 0.95, 40, "") for name in known}
        usual: dict[str, Any] = {
            "audits": 40,
            "rare": {},
            "labels": 150,
            "several": True,
            "wanted": Wanted(accuracy=0.8),
        }
        return advice(both, accuracy=accuracy, forecasts=dict.fromkeys(known, LITTLE), **usual | more)

    all_known = found(["topic", "mood"])
    assert [one.holds for one in all_known.criteria] == [True] * 4
    assert all(any(name in one.sentence for name in ("topic", "mood")) for one in all_known.criteria)
    gain, reached = (found(["topic"]).criteria[n] for n in (1, 3))
    assert (gain.holds, reached.holds) == (None, None)
    assert all("of mood" in one.sentence for one in (gain, reached)), (gain, reached)
    rare = found(["topic"], rare={"topic": {"other": 1}, "mood": {"other": 0}}).sentence
    assert "'other' of mood (0), 'other' of topic (1)" in rare


def test_where_there_can_be_no_advice_a_budget_that_is_spent_is_named_too() -> None:
    nothing: dict[str, Any] = {"audits": 0, "rare": {}, "accuracy": {}, "forecasts": {}}
    found = advice([], wanted=Wanted(budget=150), labels=150, why_none="No advice: it is your own model.", **nothing)
    assert (found.stop, found.spent) == (None, True)
    assert found.sentence == "The budget of 150 labels is spent (150). No advice: it is your own model."
    left = advice([], wanted=Wanted(budget=151), labels=150, **nothing)
    assert left.sentence.endswith("1 label of the budget is left.")


@given(st.lists(st.integers(1, 40), min_size=1, max_size=200))
def test_versions_are_checked_a_twentieth_apart_and_compared_to_one_of_two_thirds_of_the_labels(
    rounds: list[int],
) -> None:
    checked: list[int] = []
    kept: list[int] = []
    labels = 0
    for size in rounds:
        labels += size
        if not is_due(labels, checked[-1] if checked else None):
            continue
        place = compared_to(labels, checked)
        assert (place is None) == all(n * RATIO > labels for n in checked)
        if place is not None:
            away = [max(labels / n, RATIO**2 * n / labels) for n in checked if n * 1.25 <= labels]  # times 1.5, or less
            assert labels / checked[place] >= 1.25, "closer ones always predict the same"
            assert max(labels / checked[place], RATIO**2 * checked[place] / labels) == min(away)
            assert checked[place] in kept, "what it predicted is there still"
        checked.append(labels)
        old = [n for n in [*kept, labels] if not is_of_use(n, labels)]
        kept = [n for n in [*kept, labels] if is_of_use(n, labels) or n == max(old)]
    assert all(later >= 1.05 * earlier for earlier, later in pairwise(checked))
    assert len(kept) <= 12


def test_the_stop_set_is_a_sample_that_new_tasks_hardly_change() -> None:
    tasks = [TaskId(str(n)) for n in range(5000)]
    found = stop_set(tasks)
    assert len(set(found)) == 2000
    assert found == stop_set(reversed(tasks))
    assert abs(sum(int(task) < 2500 for task in found) - 1000) < 100
    assert len(stop_set(tasks[:50])) == 50


def test_classes_with_fewer_than_five_labels_are_rare() -> None:
    assert rare_classes({"ham": 5, "spam": 4, "phishing": 0}) == {"spam": 4, "phishing": 0}


def test_what_holds_other_classes_and_is_never_chosen_itself_is_a_heading() -> None:
    counts = {"Animals": 0, "Animals/Cats": 7, "Animals/Dogs": 2, "Plants": 3, "Plants/Trees": 9, "Stones": 0}
    assert rare_classes(counts, "/") == {"Animals/Dogs": 2, "Plants": 3, "Stones": 0}
