"""An interval holds the truth as often as it says, for shares, other means, classes and figures that are no means."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from nextlabel.evaluation.intervals import Interval, jackknife, mean_interval
from nextlabel.labeling.ranking import Floats

Draw = Callable[[np.random.Generator, int], Floats]
Yes = NDArray[np.bool_]
VALUES = arrays(np.float64, st.integers(1, 80), elements=st.floats(0, 1))


def covered(intervals: list[Interval], truth: float) -> float:
    return float(np.mean([one.low <= truth <= one.high for one in intervals]))


@given(n=st.integers(1, 400), data=st.data())
def test_of_a_share_it_is_wilsons(n: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, n))
    ours = mean_interval(np.arange(n) < right)
    theirs = binomtest(right, n).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert (ours.value, ours.n, ours.method) == (right / n, n, "wilson")


@given(values=VALUES)
def test_it_lies_around_the_mean_in_range_and_turns_with_the_values(values: Floats) -> None:
    one, turned = mean_interval(values), mean_interval(1 - values)
    assert 0 <= one.low <= one.value <= one.high <= 1
    assert (1 - turned.high, 1 - turned.low) == pytest.approx((one.low, one.high))


@given(values=VALUES, more=st.integers(0, 500))
def test_the_more_of_the_pool_is_labeled_the_narrower(values: Floats, more: int) -> None:
    n = len(values)
    widths = [one.high - one.low for one in (mean_interval(values, pool=n + more), mean_interval(values))]
    assert widths[0] <= widths[1] + 1e-12


JACCARD, OFF, RARELY_OFF = (
    lambda rng, n: np.where(rng.random(n) < 0.6, 1, rng.choice([0, 1 / 3, 0.5, 2 / 3], n)),
    lambda rng, n: np.minimum(rng.exponential(0.1, n), 1),
    lambda rng, n: rng.random(n) * np.where(rng.random(n) < 0.9, 0.05, 1),
)


@pytest.mark.parametrize("n", [20, 50, 100, 200])
@pytest.mark.parametrize("draw", [JACCARD, OFF, RARELY_OFF], ids=["jaccard", "off by", "rarely far off"])
def test_the_mean_of_other_values_is_covered_and_more_tightly_than_a_shares(draw: Draw, n: int) -> None:
    rng = np.random.default_rng(5)
    truth = float(draw(rng, 1_000_000).mean())
    intervals = [mean_interval(draw(rng, n)) for _ in range(1500)]
    assert covered(intervals, truth) >= 0.925
    share = mean_interval(np.arange(n) < round(truth * n))
    assert np.mean([one.high - one.low for one in intervals]) < 0.95 * (share.high - share.low)


def test_what_is_drawn_from_a_small_pool_is_covered_by_a_narrower_interval() -> None:
    rng = np.random.default_rng(6)
    pool = (np.arange(150) < 120).astype(np.float64)
    intervals = [mean_interval(rng.permutation(pool)[:100], pool=150) for _ in range(2000)]
    assert covered(intervals, 0.8) == pytest.approx(0.95, abs=0.02)
    assert np.mean([one.high - one.low for one in intervals]) < 0.65 * 2 * 1.96 * (0.8 * 0.2 / 100) ** 0.5


@pytest.mark.parametrize("values", [[], [0.5, 1.1], [np.nan], [[0.5]]])
def test_what_is_no_row_of_values_in_the_unit_range_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match="at least one number in"):
        mean_interval(np.array(values, dtype=np.float64))


@pytest.mark.parametrize("n", [50, 100, 250])
def test_a_jackknife_covers_f1(n: int) -> None:
    rng = np.random.default_rng(7)

    def labels(count: int) -> tuple[Yes, Yes]:
        truth = rng.random(count) < 0.3
        return truth, truth ^ (rng.random(count) < 0.15)

    target, intervals = float(f1_score(*labels(500_000))), []
    for _ in range(150):
        truth, given_ = labels(n)
        intervals.append(jackknife(lambda rows, t=truth, g=given_: _f1(t[rows], g[rows]), n))  # type: ignore[misc]
    assert covered(intervals, target) >= 0.9


def _f1(truth: Yes, guesses: Yes) -> float:
    return float(2 * (truth & guesses).sum() / max(truth.sum() + guesses.sum(), 1))


@pytest.mark.parametrize("rho", [0.3, 0.9])
def test_a_jackknife_covers_a_correlation(rho: float) -> None:
    rng, intervals = np.random.default_rng(8), []
    for _ in range(250):
        first = rng.normal(size=60)
        second = rho * first + (1 - rho**2) ** 0.5 * rng.normal(size=60)
        found = jackknife(lambda rows, a=first, b=second: float(np.corrcoef(a[rows], b[rows])[0, 1]), 60, lowest=-1)  # type: ignore[misc]
        intervals.append(found)
    assert covered(intervals, rho) >= 0.91
    assert all(-1 <= one.low <= one.value <= one.high <= 1 for one in intervals)


def test_where_leaving_out_changes_nothing_a_jackknife_is_no_surer_than_a_share() -> None:
    right, perfect = mean_interval(np.ones(50)), jackknife(lambda rows: 1.0, 50, lowest=-1)
    assert (perfect.value, perfect.high) == (1, 1)
    assert perfect.low == pytest.approx(2 * right.low - 1)


def test_a_jackknife_of_one_label_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 labels"):
        jackknife(lambda rows: 1.0, 1)
