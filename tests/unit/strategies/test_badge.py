"""BADGE without its embeddings equals BADGE with them."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool
from nextlabel.strategies.badge import Badge, Gradients, seeding


def embedded(p: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    residuals = p - np.eye(p.shape[1])[p.argmax(axis=1)]
    return np.asarray((residuals[:, :, None] * x[:, None, :]).reshape(len(p), -1))


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_distances_from_the_factors_are_those_of_the_embeddings(seed: int, k: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    p, x = rng.dirichlet(np.ones(k), n), rng.normal(size=(n, 6))
    gradients, full = Gradients(p, x), embedded(p, x)
    np.testing.assert_allclose(gradients.norms, (full**2).sum(axis=1), rtol=1e-4, atol=1e-6)
    to = np.arange(min(n, 4))
    np.testing.assert_allclose(
        gradients.squared_distances(slice(None), to), cdist(full, full[to], "sqeuclidean"), rtol=1e-4, atol=1e-5
    )


def pool_of(p: NDArray[np.float64], x: NDArray[np.float64], seed: int = 0) -> CandidatePool:
    return CandidatePool([TaskId(str(n)) for n in range(len(p))], p, x, seed=seed)


def test_the_longest_gradient_comes_first() -> None:
    rng = np.random.default_rng(0)
    p, x = rng.dirichlet(np.ones(3), 50), rng.normal(size=(50, 6))
    longest = int((embedded(p, x) ** 2).sum(axis=1).argmax())
    assert {Badge().rank(pool_of(p, x, seed), 1).task_ids() for seed in range(3)} == {(str(longest),)}


def test_each_pick_is_drawn_by_its_squared_distance_to_the_picked_ones() -> None:
    rng = np.random.default_rng(1)
    p, x = rng.dirichlet(np.ones(3), 7), rng.normal(size=(7, 3))
    gradients, full = Gradients(p, x), embedded(p, x)
    picks = [tuple(seeding(gradients, 3, np.random.default_rng(seed))) for seed in range(4000)]
    square = cdist(full, full, "sqeuclidean")
    first = picks[0][0]
    expected = square[first] / square[first].sum()
    seconds = Counter(pick[1] for pick in picks)
    second = seconds.most_common(1)[0][0]
    np.testing.assert_allclose([seconds[row] / 4000 for row in range(7)], expected, atol=0.03)
    both = np.minimum(square[first], square[second])
    thirds = Counter(pick[2] for pick in picks if pick[1] == second)  # drawn by outdated distances
    np.testing.assert_allclose([thirds[r] / seconds[second] for r in range(7)], both / both.sum(), atol=0.06)


@given(st.integers(0, 10_000), st.integers(1, 10))
@settings(max_examples=25, deadline=None)
def test_a_copy_is_never_asked_for_before_all_that_differ(seed: int, distinct: int) -> None:
    rng = np.random.default_rng(seed)
    p, x = rng.dirichlet(np.ones(3), distinct), rng.normal(size=(distinct, 8))
    rows = rng.permutation(np.arange(3 * distinct) % distinct)
    first = Badge().rank(pool_of(p[rows], x[rows], seed), distinct).task_ids()
    assert len({int(rows[int(task)]) for task in first}) == distinct


def test_seeds_give_different_batches() -> None:
    rng = np.random.default_rng(0)
    p, x = rng.dirichlet(np.ones(3), 100), rng.normal(size=(100, 6))
    assert len({Badge().rank(pool_of(p, x, seed), 10).task_ids() for seed in range(5)}) == 5
