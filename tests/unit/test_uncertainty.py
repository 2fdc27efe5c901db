"""The measures are in [0, 1], agree with the textbook, and refuse what is not a probability."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import entropy as shannon

from nextlabel.measures import uncertainty
from nextlabel.measures.uncertainty import Floats

Measure = Callable[[Floats], Floats]
MEASURES: tuple[Measure, ...] = (
    uncertainty.least_confidence,
    uncertainty.margin,
    uncertainty.entropy,
    uncertainty.ratio,
)

every_measure = pytest.mark.parametrize("measure", MEASURES, ids=lambda it: it.__name__)


@st.composite
def probabilities(draw: st.DrawFn, fewest: int = 1) -> Floats:
    """n × k probabilities of either width, certain and uniform rows among them."""
    k = draw(st.integers(fewest, 6))
    row = st.lists(st.floats(0, 1), min_size=k, max_size=k).filter(lambda weights: sum(weights) > 1e-6)
    weights = np.array(draw(st.lists(row, min_size=1, max_size=8)), dtype=np.float64)
    p: Floats = weights / weights.sum(axis=1, keepdims=True)
    return p.astype(np.float32) if draw(st.booleans()) else p


@every_measure
@given(p=probabilities())
def test_every_measure_gives_a_number_in_the_unit_interval_for_each_row(measure: Measure, p: Floats) -> None:
    u = measure(p)
    assert u.shape == (len(p),)
    assert ((u >= 0) & (u <= 1)).all()


@every_measure
@given(p=probabilities(), seed=st.integers(0, 100))
def test_the_order_of_the_classes_does_not_matter(measure: Measure, p: Floats, seed: int) -> None:
    shuffled = p[:, np.random.default_rng(seed).permutation(p.shape[1])]
    np.testing.assert_allclose(measure(shuffled), measure(p), atol=1e-5)


@every_measure
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [2, 3, 7, 100])
def test_a_certain_row_is_0_and_a_uniform_row_is_1(measure: Measure, k: int, dtype: type[np.floating]) -> None:
    p = np.vstack([np.eye(k)[k // 2], np.full(k, 1 / k)]).astype(dtype)
    np.testing.assert_allclose(measure(p), [0, 1], atol=1e-5)


@every_measure
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_width_of_the_numbers_is_kept(measure: Measure, dtype: type[np.floating]) -> None:
    assert {measure(np.full((2, k), 1 / k, dtype=dtype)).dtype for k in (1, 2, 3)} == {np.dtype(dtype)}


@every_measure
def test_whole_numbers_are_taken_for_probabilities_too(measure: Measure) -> None:
    certain: NDArray[np.int64] = np.eye(3, dtype=np.int64)
    assert measure(certain).tolist() == [0, 0, 0]  # type: ignore[arg-type]


@every_measure
def test_with_one_class_there_is_nothing_to_be_unsure_of(measure: Measure) -> None:
    assert measure(np.ones((3, 1))).tolist() == [0, 0, 0]


@every_measure
@pytest.mark.parametrize("k", [1, 2, 3])
def test_no_rows_give_no_numbers(measure: Measure, k: int) -> None:
    assert measure(np.empty((0, k))).shape == (0,)


@every_measure
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_a_number_is_refused_by_name(measure: Measure, bad: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        measure(np.array([[0.5, 0.5], [bad, 0.5]]))


@every_measure
@pytest.mark.parametrize("shape", [(3,), (2, 0), (2, 2, 2)])
def test_another_shape_than_rows_by_classes_is_refused_by_name(measure: Measure, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="n × k"):
        measure(np.zeros(shape))


@given(p=probabilities(fewest=2))
def test_the_figures_are_the_textbooks(p: Floats) -> None:
    """Settles (2009), §3.1, row by row and without vectors; each scaled by its value for the uniform row."""
    k = p.shape[1]
    for row, lc, m, h, r in zip(
        p.astype(np.float64), *(measure(p.astype(np.float64)) for measure in MEASURES), strict=True
    ):
        first, second, *_ = sorted(row.tolist(), reverse=True)
        assert lc == pytest.approx((1 - first) / (1 - 1 / k), abs=1e-6)
        assert m == pytest.approx(1 - (first - second), abs=1e-6)
        assert h == pytest.approx(float(shannon(row, base=k)), abs=1e-6)
        assert r == pytest.approx(second / first, abs=1e-6)


@given(p=st.floats(0, 1), q=st.floats(0, 1))
def test_with_two_classes_all_measures_agree_on_who_is_asked_first(p: float, q: float) -> None:
    nearer_to_even = abs(p - 0.5) < abs(q - 0.5) - 1e-4
    for measure in MEASURES:
        first, second = measure(np.array([[p, 1 - p], [q, 1 - q]])).tolist()
        assert (first > second) or not nearer_to_even
