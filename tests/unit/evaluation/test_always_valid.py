"""An interval that holds at every look, also while the chance of being right changes; Wilson's does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import betaln

from nextlabel.evaluation.always_valid import log_evidence, mean_of_answers, sequence, spread_so_far
from nextlabel.evaluation.intervals import wilson
from nextlabel.labeling.ranking import Floats

RUNS, FIRST, LAST = 400, 20, 500
COUNTS = np.arange(1.0, LAST + 1)


def held_at_every_look(values: Floats, means: Floats, *, whole: bool) -> float:
    """The share of runs × labels in which the running mean of ``means`` was never outside."""
    sums, truth = values.cumsum(axis=1), means.cumsum() / COUNTS
    always = np.ones(len(values), dtype=np.bool_)
    for run, one in enumerate(values):
        spread = None if whole else spread_so_far(one)[FIRST - 1 :]
        evidence = log_evidence(sums[run, FIRST - 1 :], COUNTS[FIRST - 1 :], truth[FIRST - 1 :], spread)
        always[run] = bool((evidence < np.log(20)).all())
    return float(always.mean())


@pytest.mark.parametrize("p", [0.5, 0.7, 0.9, 0.97])
def test_a_share_is_covered_at_every_look_from_20_to_500_labels_and_not_by_wilsons(p: float) -> None:
    values = (np.random.default_rng(1).random((RUNS, LAST)) < p).astype(np.float64)
    assert held_at_every_look(values, np.full(LAST, p), whole=True) >= 0.94
    shares = values.cumsum(axis=1) / COUNTS
    wrong = ((shares - p) ** 2 > 1.96**2 * p * (1 - p) / COUNTS)[:, FIRST - 1 :].any(axis=1)
    assert wrong.mean() > 0.2


@pytest.mark.parametrize("worst", [0.2, 0.6])
def test_the_running_mean_of_versions_that_get_better_is_covered(worst: float) -> None:
    means = 0.98 - (0.98 - worst) * np.exp(-COUNTS / 60)
    values = (np.random.default_rng(2).random((RUNS, LAST)) < means).astype(np.float64)
    assert held_at_every_look(values, means, whole=True) >= 0.94


def test_other_values_are_covered_at_every_look() -> None:
    rng = np.random.default_rng(3)
    off = rng.beta(0.5, 4.5, (RUNS, LAST))
    jaccard = np.where(rng.random((RUNS, LAST)) < 0.6, 1, rng.choice([0, 0.5, 2 / 3], (RUNS, LAST)))
    assert held_at_every_look(off, np.full(LAST, 0.1), whole=False) >= 0.94
    assert held_at_every_look(jaccard, np.full(LAST, 0.6 + 0.4 * 7 / 18), whole=False) >= 0.94


@given(values=arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1)), whole=st.booleans())
def test_the_bounds_are_where_the_evidence_reaches_twenty_and_turn_with_the_values(values: Floats, whole: bool) -> None:
    values = np.round(values) if whole else values
    low, high = sequence(values, whole=whole)
    turned_low, turned_high = sequence(1 - values, whole=whole)
    sums, counts, spread = values.cumsum(), np.arange(1.0, len(values) + 1), None if whole else spread_so_far(values)
    for bound, end in ((low, 0), (high, 1)):
        evidence = log_evidence(sums, counts, bound, spread)
        assert np.all(np.isclose(evidence, np.log(20), atol=1e-4) | np.isclose(bound, end, atol=1e-9))
    assert np.allclose(low, 1 - turned_high)
    assert np.allclose(high, 1 - turned_low)
    assert np.all((low <= sums / counts) & (sums / counts <= high))
    last = mean_of_answers(values, whole=whole)
    assert (last.value, last.low, last.high, last.n) == pytest.approx((values.mean(), low[-1], high[-1], len(values)))


@pytest.mark.parametrize("n", [50, 100, 200, 400])
def test_it_is_narrower_than_the_beta_binomial_mixture_and_wider_than_wilsons(n: int) -> None:
    right = round(0.9 * n)
    means = np.linspace(0.0005, 0.9995, 2000)
    textbook = betaln(right + 1, n - right + 1) - right * np.log(means) - (n - right) * np.log1p(-means) < np.log(20)
    ours = mean_of_answers(np.arange(n) < right, whole=True)
    once = wilson(right / n, n, n, "")
    assert once.high - once.low < ours.high - ours.low < np.ptp(means[textbook]) + 0.001


def test_values_that_hardly_spread_give_a_narrower_interval_than_misses() -> None:
    rng = np.random.default_rng(4)
    off, missed = rng.beta(2, 18, 300), rng.random(300) < 0.1
    by_spread, by_misses = mean_of_answers(off, whole=False), mean_of_answers(missed, whole=True)
    assert by_spread.high - by_spread.low < 0.6 * (by_misses.high - by_misses.low)


def test_what_was_said_to_be_whole_and_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        mean_of_answers(np.array([0.5, 1.0]), whole=True)
    with pytest.raises(ValueError, match="at least one number in"):
        mean_of_answers(np.array([2.0]), whole=False)
