"""The expected gradient length is that of a logistic model's own gradient, label by label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.errors import SettingsError
from nextlabel.strategies.model_change import ModelChange, expected_residual, input_lengths
from unit.strategies.pools import blobs, sparse, without


@given(st.integers(1, 5), st.integers(0, 200), st.booleans())
def test_the_closed_form_is_the_mean_length_of_the_gradients(k: int, seed: int, intercept: bool) -> None:
    rng = np.random.default_rng(seed)
    p, x = rng.dirichlet(np.ones(k), 4), rng.normal(size=(4, 3))
    with_one = np.hstack([x, np.ones((4, 1))]) if intercept else x
    slowly = [
        sum(p_y * np.linalg.norm(np.outer(row - one_hot, inputs)) for p_y, one_hot in zip(row, np.eye(k), strict=True))
        for row, inputs in zip(p, with_one, strict=True)
    ]
    np.testing.assert_allclose(expected_residual(p) * input_lengths(x, intercept=intercept), slowly, atol=1e-12)


@given(st.integers(1, 6), st.integers(0, 200))
def test_inputs_of_one_length_have_utilities_in_the_unit_interval(k: int, seed: int) -> None:
    utilities = ModelChange().utilities(np.random.default_rng(seed).dirichlet(np.full(k, 0.3), 9))
    assert ((utilities >= 0) & (utilities <= 1)).all()
    assert ModelChange().utilities(np.full((1, k), 1 / k))[0] == pytest.approx(float(k > 1))


def test_of_two_equally_unsure_tasks_the_longer_input_comes_first() -> None:
    pool = replace(blobs(2), probabilities=np.full((2, 3), 1 / 3), features=np.array([[1.0, 0], [3, 0]]))
    assert ModelChange().rank(pool, 2).task_ids() == (pool.tasks[1], pool.tasks[0])


def test_sparse_features_give_the_same_order_as_dense() -> None:
    assert ModelChange().rank(sparse(blobs(20)), 20).task_ids() == ModelChange().rank(blobs(20), 20).task_ids()


def test_without_features_it_says_so_and_nan_is_refused() -> None:
    with pytest.raises(SettingsError, match="'model_change' needs features"):
        ModelChange().rank(without(blobs(4), "features"), 2)
    with pytest.raises(ValueError, match="features hold NaN"):
        ModelChange().rank(replace(blobs(4), features=np.full((4, 4), np.nan)), 2)
    with pytest.raises(ValueError, match="probabilities hold NaN"):
        ModelChange().rank(replace(blobs(4), probabilities=np.full((4, 3), np.nan)), 2)
