"""What a model says of tasks, whatever the kind of target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.labeling import Input, Label, Placed, Scale, Span, Target
from nextlabel.measures.ranking_predictions import RankingPredictions
from nextlabel.measures.target_predictions import (
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    SpanPredictions,
    TargetPredictions,
    as_two_classes,
)
from nextlabel.measures.uncertainty import margin

TEXT, LABELS = (Input("text"),), ("a", "b", "c")
SPANS = [(Span(0, 3, "a"),), (), (Span(1, 2, "b"), Span(4, 6, "c"))]

Said = tuple[Target, TargetPredictions, list[Label], list[Label]]
KINDS: list[Said] = [
    (
        Target("choice", "choice", TEXT, LABELS),
        ChoicePredictions(LABELS, np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.0, 0.0, 1.0]])),
        ["a", "a", "c"],
        ["c", "c", "a"],
    ),
    (
        Target("choices", "choices", TEXT, LABELS),
        ChoicesPredictions(LABELS, np.array([[0.9, 0.1, 0.8], [0.55, 0.5, 0.4], [0.0, 0.0, 0.0]]), threshold=0.45),
        [("a", "c"), ("a", "b"), ()],
        [("b",), ("c",), LABELS],
    ),
    (
        Target("number", "number", TEXT, scale=Scale(1, 5, 1)),
        NumberPredictions(np.array([1.2, 3.1, 9.0]), np.array([0.2, 1.5, 0.1]), 1.0, Scale(1, 5, 1)),
        [1.0, 3.0, 5.0],
        [5.0, 1.0, 1.0],
    ),
    (
        Target("spans", "spans", TEXT, LABELS),
        SpanPredictions(SPANS, [(0.9,), (), (0.5, 0.4)], np.array([0.1, 0.02, 0.6])),
        list(SPANS),
        [(Span(0, 3, "b"),), (Span(0, 1, "a"),), ()],
    ),
    (
        Target("ranking", "ranking", TEXT, ("", "best"), options="items"),
        RankingPredictions(
            [("a", "b", "c"), ("d", "e"), ("f",)],
            [np.array([1.0, 2.0, 0.0]), np.array([0.0, 3.0]), np.zeros(1)],
            ("", "best"),
            [np.array([[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]]), np.array([[0.1, 0.9]] * 2), np.array([[0.7, 0.3]])],
        ),
        [
            (Placed("", "c"), Placed("best", "b"), Placed("best", "a")),
            (Placed("best", "e"), Placed("best", "d")),
            (Placed("", "f"),),
        ],
        [
            (Placed("", "c"), Placed("best", "a"), Placed("best", "b")),
            (Placed("", "d"), Placed("", "e")),
            (Placed("best", "f"),),
        ],
    ),
]
every_kind = pytest.mark.parametrize(
    ("target", "predicted", "right", "wrong"), KINDS, ids=lambda it: getattr(it, "kind", "")
)


@every_kind
def test_a_guess_is_a_label_that_the_target_can_have(
    target: Target, predicted: TargetPredictions, right: list[Label], wrong: list[Label]
) -> None:
    guesses = predicted.guesses("name")
    assert [guess.label for guess in guesses] == right
    assert [target.read(guess.label) for guess in guesses] == right
    assert [guess.confidence for guess in guesses] == predicted.confidence.tolist()
    parted = [guess for guess in guesses if isinstance(guess.label, tuple) and target.kind != "ranking"]
    assert all(len(guess.parts) == len(guess.label) for guess in parted)  # type: ignore[arg-type]


@every_kind
def test_a_right_answer_costs_less_than_a_wrong_one(
    target: Target, predicted: TargetPredictions, right: list[Label], wrong: list[Label]
) -> None:
    assert (predicted.losses(right) < predicted.losses(wrong)).all()
    assert np.isfinite(predicted.losses(wrong)).all()


@every_kind
def test_how_right_an_answer_is_lies_between_0_and_1_which_is_for_the_right_one(
    target: Target, predicted: TargetPredictions, right: list[Label], wrong: list[Label]
) -> None:
    best, worst = predicted.correctness(right), predicted.correctness(wrong)
    assert ((worst >= 0) & (worst < best) & (best == 1)).all()


@every_kind
def test_its_probabilities_sum_to_one_and_order_tasks_as_its_uncertainty_does(
    target: Target, predicted: TargetPredictions, right: list[Label], wrong: list[Label]
) -> None:
    np.testing.assert_allclose(predicted.probabilities.sum(axis=1), 1)
    assert np.argsort(margin(predicted.probabilities)).tolist() == np.argsort(predicted.uncertainty).tolist()
    for figure in (predicted.confidence, predicted.uncertainty):
        assert ((figure >= 0) & (figure <= 1)).all()


@every_kind
def test_some_rows_in_another_order_are_the_same_predictions(
    target: Target, predicted: TargetPredictions, right: list[Label], wrong: list[Label]
) -> None:
    some = predicted.of([2, 0])
    assert some.guesses("t") == [predicted.guesses("t")[2], predicted.guesses("t")[0]]
    np.testing.assert_array_equal(some.uncertainty, predicted.uncertainty[[2, 0]])
    assert len(predicted.of([])) == len(predicted.of([]).guesses("t")) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_two_classes_have_the_uncertainty_that_they_stand_for_as_their_margin(uncertainty: list[float]) -> None:
    np.testing.assert_allclose(margin(as_two_classes(np.array(uncertainty))), uncertainty, atol=1e-9)


@given(st.floats(0.02, 1), st.integers(0, 999))
def test_a_label_that_is_seldom_in_doubt_counts_in_the_order_as_much_as_any_other(rarer: float, seed: int) -> None:
    doubts = np.random.default_rng(seed).uniform(0.1, 1, (30, 2))
    by_label = [ChoicesPredictions(("a", "b"), doubts * (1, by) / 2).uncertainty_by_label for by in (1, rarer)]
    np.testing.assert_allclose(by_label[0], by_label[1])
    assert ((by_label[0] >= 0) & (by_label[0] < 1)).all()
    assert len(ChoicesPredictions(("a", "b"), np.empty((0, 2))).uncertainty_by_label) == 0


def test_of_several_labels_the_confidence_is_in_what_is_said_of_them_be_it_that_they_are_given_or_not() -> None:
    predicted = ChoicesPredictions(LABELS, np.array([[0.9, 0.3, 0.1], [0.3, 0.3, 0.3]]), threshold=0.2)
    assert [guess.label for guess in predicted.guesses("t")] == [("a", "b"), LABELS]
    assert predicted.confidence == pytest.approx([(0.9 + 0.3 + 0.9) / 3, 0.3])
    assert [guess.parts for guess in predicted.guesses("t")] == [(0.9, 0.3), (0.3, 0.3, 0.3)]


@pytest.mark.parametrize("step", [None, 1.0, 0.5])
def test_a_number_is_surer_the_less_it_may_be_off_and_the_coarser_the_steps(step: float | None) -> None:
    predicted = NumberPredictions(np.full(3, 3.0), np.array([0.1, 0.5, 5.0]), 1.0, Scale(1, 5, step))
    assert predicted.confidence.tolist() == sorted(predicted.confidence, reverse=True)
    assert predicted.uncertainty.tolist() == sorted(predicted.uncertainty)
    within = (step or 1.0) / 2
    drawn = np.random.default_rng(0).normal(3, 0.5, 20_000)
    assert predicted.confidence[1] == pytest.approx(np.mean(abs(drawn - 3) < within), abs=0.02)
