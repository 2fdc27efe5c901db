"""Honest figures, and a gate that only turns down what is clearly worse."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from nextlabel.evaluation.metrics import out_of_fold_metrics
from nextlabel.evaluation.promotion import judge, log_losses

RNG = np.random.default_rng(0)
LOSSES = RNG.exponential(0.4, 60)


def test_a_clearly_worse_model_is_turned_down_with_the_figures() -> None:
    verdict = judge(LOSSES + 0.5 + RNG.normal(0, 0.2, 60), LOSSES)
    assert not verdict.promoted
    assert "clearly worse" in verdict.reason
    assert "60 new labels" in verdict.reason


def test_a_better_model_is_promoted() -> None:
    verdict = judge(LOSSES * 0.5, LOSSES)
    assert (verdict.promoted, verdict.reason.partition(":")[0]) == (True, "better")


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
    assert f"only {n} new labels" in judge(LOSSES[:n] + 5, LOSSES[:n]).reason


def test_ten_fresh_labels_are_enough_to_judge_by() -> None:
    assert not judge(LOSSES[:10] + 5, LOSSES[:10]).promoted


def test_a_label_that_was_held_impossible_costs_much_and_not_infinitely_much() -> None:
    losses = log_losses(np.array([[1.0, 0.0], [0.25, 0.75]]), [1, 1])
    assert losses.tolist() == pytest.approx([-np.log(1e-6), -np.log(0.75)])
    assert log_losses(np.empty((0, 2)), []).shape == (0,)


def test_the_figures_are_those_of_scikit_learn() -> None:
    p, truth = RNG.dirichlet([1, 1, 1], 50), RNG.integers(0, 3, 50).tolist()
    metrics = out_of_fold_metrics(p, truth)
    accuracy = float(np.mean(p.argmax(axis=1) == truth))
    assert metrics["labels"] == 50
    assert metrics["accuracy"] == pytest.approx(accuracy)
    assert metrics["accuracy_standard_error"] == pytest.approx((accuracy * (1 - accuracy) / 50) ** 0.5)
    assert metrics["log_loss"] == pytest.approx(log_loss(truth, p, labels=[0, 1, 2]), abs=1e-4)
    assert 0 < metrics["macro_f1"] < 1


def test_a_perfect_model_gets_perfect_figures() -> None:
    metrics = out_of_fold_metrics(np.eye(3), [0, 1, 2])
    assert (metrics["accuracy"], metrics["macro_f1"], metrics["accuracy_standard_error"]) == (1, 1, 0)
