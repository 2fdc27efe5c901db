"""Information density is exactly the published product, without the pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.metrics.pairwise import cosine_similarity

from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool
from nextlabel.measures import uncertainty
from nextlabel.strategies.density import InformationDensity, mean_similarity
from nextlabel.strategies.uncertainty import Margin


def pool_of(n: int, seed: int, *, sparse: bool) -> CandidatePool:
    rng = np.random.default_rng(seed)
    features = rng.poisson(0.5, size=(n, 6)).astype(np.float32)
    p = rng.dirichlet(np.ones(3), n)
    return CandidatePool([TaskId(str(row)) for row in range(n)], p, csr_matrix(features) if sparse else features)


@given(st.integers(0, 10_000), st.integers(1, 40), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_mean_similarity_is_that_of_all_pairs(seed: int, n: int, sparse: bool) -> None:
    pool = pool_of(n, seed, sparse=sparse)
    np.testing.assert_allclose(
        mean_similarity(pool, "density"), cosine_similarity(pool.features).mean(axis=1), atol=1e-6
    )


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_tasks_are_ranked_by_uncertainty_times_density(beta: float) -> None:
    pool = pool_of(60, 0, sparse=True)
    product = uncertainty.entropy(pool.probabilities) * cosine_similarity(pool.features).mean(axis=1) ** beta
    ranked = InformationDensity("entropy", beta).rank(pool, 60).tasks
    np.testing.assert_allclose([task.utility for task in ranked], np.sort(product)[::-1], atol=1e-6)


def test_with_beta_zero_it_is_the_measure_alone() -> None:
    pool = pool_of(60, 0, sparse=False)
    assert InformationDensity("margin", 0).rank(pool, 60).task_ids() == Margin().rank(pool, 60).task_ids()


def test_of_two_equally_unsure_tasks_the_lonely_one_waits() -> None:
    features = np.array([[1.0, 0.0]] * 4 + [[0.0, 1.0]])
    pool = CandidatePool([TaskId(str(n)) for n in range(5)], np.full((5, 2), 0.5), features)
    assert InformationDensity().rank(pool, 5).task_ids()[-1] == "4"
