"""Honest figures, and a gate that only turns down what is clearly worse."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss, mean_absolute_error, root_mean_squared_error

from nextlabel.evaluation.metrics import metrics_of
from nextlabel.evaluation.promotion import judge
from nextlabel.labeling import Scale, Span
from nextlabel.measures.target_predictions import (
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    SpanPredictions,
)

RNG = np.random.default_rng(0)
LOSSES = RNG.exponential(0.4, 60)
CLASSES = ("ham", "spam", "phishing")


def test_a_clearly_worse_model_is_turned_down_with_the_figures() -> None:
    promotion = judge(LOSSES + 0.5 + RNG.normal(0, 0.2, 60), LOSSES)
    assert not promotion.promoted
    assert "clearly worse" in promotion.reason
    assert "60 new labels" in promotion.reason


def test_a_better_model_is_promoted() -> None:
    promotion = judge(LOSSES * 0.5, LOSSES)
    assert (promotion.promoted, promotion.reason.partition(":")[0]) == (True, "better")


def test_an_equal_model_is_promoted() -> None:
    assert judge(LOSSES, LOSSES).promoted


def test_a_difference_within_the_noise_does_not_turn_a_model_down() -> None:
    worse_by = np.where(np.arange(60) % 2, 1.2, -1.0)  # 0.1 on average, 0.14 its standard error
    assert judge(LOSSES + worse_by, LOSSES).promoted


def test_a_difference_too_small_to_matter_does_not_turn_a_model_down_however_certain() -> None:
    assert judge(LOSSES + 0.005, LOSSES).promoted


@pytest.mark.parametrize("n", [0, 1, 9])
def test_with_too_few_fresh_labels_the_newer_model_wins(n: int) -> None:
    assert judge(LOSSES[:n] + 5, LOSSES[:n]).promoted
    assert f"only {n} new label{'' if n == 1 else 's'} to judge by" in judge(LOSSES[:n] + 5, LOSSES[:n]).reason


def test_ten_fresh_labels_are_enough_to_judge_by() -> None:
    assert not judge(LOSSES[:10] + 5, LOSSES[:10]).promoted


def test_a_label_that_was_held_impossible_costs_much_and_not_infinitely_much() -> None:
    predicted = ChoicePredictions(("ham", "spam"), np.array([[1.0, 0.0], [0.25, 0.75]]))
    assert predicted.losses(["spam", "spam"]).tolist() == pytest.approx([-np.log(1e-6), -np.log(0.75)])
    assert ChoicePredictions(("ham", "spam"), np.empty((0, 2))).losses([]).shape == (0,)


def test_the_figures_of_a_choice_are_those_of_scikit_learn() -> None:
    p, truth = RNG.dirichlet([1, 1, 1], 50), RNG.integers(0, 3, 50).tolist()
    metrics = metrics_of(ChoicePredictions(CLASSES, p), [CLASSES[column] for column in truth])
    accuracy = float(np.mean(p.argmax(axis=1) == truth))
    assert metrics["labels"] == 50
    assert metrics["accuracy"] == pytest.approx(accuracy)
    assert metrics["accuracy_standard_error"] == pytest.approx((accuracy * (1 - accuracy) / 50) ** 0.5, rel=0.05)
    assert metrics["log_loss"] == pytest.approx(log_loss(truth, p, labels=[0, 1, 2]), abs=1e-4)
    assert metrics["macro_f1"] == pytest.approx(f1_score(truth, p.argmax(axis=1), average="macro"))
    assert 0 < metrics["macro_f1"] < 1


def test_a_perfect_model_of_a_choice_gets_perfect_figures_of_which_few_labels_leave_something_open() -> None:
    metrics = metrics_of(ChoicePredictions(CLASSES, np.eye(3)), CLASSES)
    assert (metrics["accuracy"], metrics["macro_f1"]) == (1, 1)
    assert 0.2 < metrics["accuracy_standard_error"] < 0.3


def test_the_figures_of_several_labels_are_those_of_scikit_learn_for_the_labels_that_are_given() -> None:
    chances, true = RNG.random((40, 3)), RNG.random((40, 3)) < 0.4
    truth = [tuple(name for name, yes in zip(CLASSES, row, strict=True) if yes) for row in true]
    predicted = ChoicesPredictions(CLASSES, chances, threshold=0.3)
    metrics = metrics_of(predicted, truth)
    assert metrics["labels"] == 40
    assert metrics["micro_f1"] == pytest.approx(f1_score(true, chances >= 0.3, average="micro"))
    assert metrics["macro_f1"] == pytest.approx(f1_score(true, chances >= 0.3, average="macro"))
    assert metrics["all_right"] == np.mean(
        [guess.label == given for guess, given in zip(predicted.guesses("topics"), truth, strict=True)]
    )
    each = [log_loss(true[:, label], chances[:, label]) for label in range(3)]
    assert metrics["log_loss"] == pytest.approx(sum(map(float, each)) / 3, abs=1e-4)


def test_the_figures_of_a_number_are_those_of_scikit_learn() -> None:
    mean, truth = RNG.normal(size=50), RNG.normal(size=50)
    metrics = metrics_of(NumberPredictions(mean, np.ones(50), 1.0, Scale()), truth.tolist())
    assert metrics["mean_absolute_error"] == pytest.approx(mean_absolute_error(truth, mean))
    assert metrics["root_mean_square_error"] == pytest.approx(root_mean_squared_error(truth, mean))
    assert metrics["correlation"] == pytest.approx(np.corrcoef(truth, mean)[0, 1])


def test_where_all_numbers_are_the_same_nothing_goes_with_them() -> None:
    metrics = metrics_of(NumberPredictions(np.arange(4.0), np.ones(4), 1.0, Scale()), [3.0] * 4)
    assert metrics["correlation"] == 0


def test_spans_are_right_only_as_a_whole() -> None:
    place, person = Span(0, 6, "place"), Span(10, 13, "person")
    predicted = SpanPredictions([(place, person), (Span(0, 4, "place"),), ()], [(0.9, 0.9), (0.5,), ()], np.zeros(3))
    metrics = metrics_of(predicted, [(place,), (Span(0, 5, "place"),), (person,)])
    assert metrics["labels"] == 3
    assert metrics["precision"] == pytest.approx(1 / 3)
    assert metrics["recall"] == pytest.approx(1 / 3)
    assert metrics["f1"] == pytest.approx(1 / 3)
