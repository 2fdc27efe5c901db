"""What a model says of tasks without a label makes a mean surer where it knows how sure to be, and never wrong."""

from __future__ import annotations

import numpy as np
import pytest

from nextlabel.evaluation import intervals, prediction_powered
from nextlabel.labeling.ranking import Floats

RNG = np.random.default_rng(9)


def drawn(n: int, a: float, b: float, power: float) -> tuple[Floats, Floats]:
    """Whether a model was right, and how sure it was: with a power above 1 it is too sure of itself."""
    sure = RNG.beta(a, b, n)
    return (RNG.random(n) < sure**power).astype(np.float64), sure


@pytest.mark.parametrize("n", [50, 100, 200])
@pytest.mark.parametrize(("a", "b", "power"), [(6, 0.3, 1), (3, 0.5, 2), (2, 0.7, 1)])
def test_it_covers_and_is_narrower_whether_or_not_the_model_is_calibrated(
    n: int, a: float, b: float, power: float
) -> None:
    truth = float(drawn(500_000, a, b, power)[0].mean())
    inside, widths = [], []
    for _ in range(600):
        right, sure = drawn(n, a, b, power)
        plain = intervals.mean_interval(right)
        powered = prediction_powered.mean_interval(right, sure, drawn(1500, a, b, power)[1])
        inside.append(powered.low <= truth <= powered.high)
        widths.append(((powered.high - powered.low), (plain.high - plain.low)))
    assert np.mean(inside) >= 0.93
    ours, theirs = np.mean(widths, axis=0)
    assert ours < theirs


def test_a_model_that_knows_nothing_of_itself_changes_next_to_nothing() -> None:
    right = (RNG.random(200) < 0.8).astype(np.float64)
    plain = intervals.mean_interval(right)
    powered = prediction_powered.mean_interval(right, np.full(200, 0.9), np.full(50, 0.4))
    assert (powered.value, powered.low, powered.high) == pytest.approx((plain.value, plain.low, plain.high))
    noise = prediction_powered.mean_interval(right, RNG.random(200), RNG.random(2000))
    assert noise.high - noise.low == pytest.approx(plain.high - plain.low, rel=0.08)


def test_the_more_unlabeled_tasks_there_are_the_narrower() -> None:
    right, sure = drawn(200, 2, 0.7, 1)
    others = RNG.beta(2, 0.7, 4000)
    few, many = (prediction_powered.mean_interval(right, sure, one) for one in (others[:50], others))
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(("labels", "sure"), [(4, 4), (10, 9)])
def test_too_few_labels_or_confidences_are_refused(labels: int, sure: int) -> None:
    with pytest.raises(ValueError, match="as many of both, and at least 5"):
        prediction_powered.mean_interval(np.ones(labels), np.ones(sure), np.ones(3))
