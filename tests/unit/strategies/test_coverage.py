"""Batches that cover the pool keep the bounds that mathematics gives them, on pools small enough to try all sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.strategies import coverage, geometry
from nextlabel.strategies.coverage import Determinantal, FacilityLocation, KCenter, Likeness, Typical, Volume
from nextlabel.strategies.geometry import (
    Coverage,
    Nearest,
    Space,
    greedy,
    space_of,
    squared_distances,
    squared_norms,
)

Matrix = NDArray[np.float64]
seeds = st.integers(0, 10_000)


def pool_at(points: Matrix, labeled: Matrix | None = None, seed: int = 0) -> CandidatePool:
    tasks = [TaskId(str(n)) for n in range(len(points))]
    return CandidatePool(tasks, np.full((len(points), 2), 0.5), points, labeled, seed=seed)


def rows_of(strategy: QueryStrategy, pool: CandidatePool, size: int) -> list[int]:
    return [int(task) for task in strategy.rank(pool, size).task_ids()]


def random_points(n: int, d: int, seed: int) -> Matrix:
    return np.random.default_rng(seed).normal(size=(n, d))


# --- k-center ----------------------------------------------------------------------------------------------


def radius(points: Matrix, centres: Matrix) -> float:
    return float(cdist(points, centres).min(axis=1).max())


@given(seeds, st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_the_radius_is_at_most_twice_that_of_the_best_batch(seed: int, size: int, labeled: int) -> None:
    points, known = random_points(9, 2, seed), random_points(labeled, 2, seed + 1)
    picked = points[rows_of(KCenter(), pool_at(points, known, seed), size)]
    best = min(radius(points, np.vstack([known, points[list(some)]])) for some in combinations(range(9), size))
    assert radius(points, np.vstack([known, picked])) <= 2 * best + 1e-6


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_each_pick_is_the_task_farthest_from_all_labeled_and_picked(seed: int) -> None:
    points, known = random_points(40, 5, seed), random_points(3, 5, seed + 1)
    centres = known
    for row in rows_of(KCenter(), pool_at(points, known), 15):
        far = cdist(points, centres).min(axis=1)
        assert far[row] == pytest.approx(far.max(), rel=1e-5)
        centres = np.vstack([centres, points[row]])


def test_distances_are_right_far_from_the_origin() -> None:
    points = random_points(30, 3, 0)
    assert rows_of(KCenter(), pool_at(points + 1e6, points[:1] + 1e6), 10) == rows_of(
        KCenter(), pool_at(points, points[:1]), 10
    )


@given(seeds, st.sampled_from([1, 5, 384]))
@settings(max_examples=30, deadline=None)
def test_equal_points_are_exactly_nothing_apart(seed: int, d: int) -> None:
    points = (100 * random_points(30, d, seed)).astype(np.float32)
    norms, some = squared_norms(points), np.arange(30) % 10
    far = squared_distances(points, norms, points[some], norms[some])
    assert (far[some, np.arange(30)] == 0).all()
    np.testing.assert_allclose(far, cdist(points, points[some], "sqeuclidean"), rtol=1e-3, atol=1e-5 * norms.max())


# --- facility location ---------------------------------------------------------------------------------------


def represented(points: Matrix, chosen: Matrix) -> float:
    unit, others = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (points, chosen))
    return float(np.clip(unit @ others.T, 0, None).max(axis=1).sum())


@given(seeds, st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_the_greedy_sum_is_at_least_63_percent_of_the_best(seed: int, size: int) -> None:
    points = random_points(9, 3, seed)
    picked = represented(points, points[rows_of(FacilityLocation(), pool_at(points), size)])
    best = max(represented(points, points[list(some)]) for some in combinations(range(9), size))
    assert picked >= (1 - 1 / np.e) * best - 1e-4


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_each_pick_raises_the_sum_most(seed: int) -> None:
    points, chosen = random_points(25, 4, seed), random_points(2, 4, seed + 1)
    for row in rows_of(FacilityLocation(), pool_at(points, chosen), 8):
        sums = [represented(points, np.vstack([chosen, points[[other]]])) for other in range(25)]
        assert sums[row] == pytest.approx(max(sums), abs=1e-3)
        chosen = np.vstack([chosen, points[row]])


def test_a_sample_of_a_large_pool_still_represents_every_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "_CELLS", 40_000)
    monkeypatch.setattr(coverage, "_CANDIDATES", 400)
    kinds = np.repeat(np.arange(8), 125)
    points = np.eye(8)[kinds] + 0.05 * random_points(1000, 8, 0)
    assert len(set(kinds[rows_of(FacilityLocation(), pool_at(points), 8)])) == 8


# --- determinantal -------------------------------------------------------------------------------------------


def kernel(points: Matrix) -> Matrix:
    width = 4 * ((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()
    return np.asarray(np.exp(-cdist(points, points, "sqeuclidean") / width))


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_each_pick_makes_the_determinant_largest(seed: int) -> None:
    points = random_points(20, 4, seed)
    full, picked = kernel(points), list[int]()
    for row in rows_of(Determinantal(theta=0), pool_at(points), 6):
        volumes = [
            0.0 if other in picked else float(np.linalg.det(full[np.ix_([*picked, other], [*picked, other])]))
            for other in range(20)
        ]
        assert volumes[row] == pytest.approx(max(volumes), rel=1e-2)
        picked.append(row)


def test_of_two_pairs_the_one_with_the_larger_determinant_is_picked() -> None:
    points = np.array([[0.0, 0], [0.1, 0], [3, 0]])
    picked = rows_of(Determinantal(theta=0), pool_at(points, points[:1] + 0.01), 1)
    assert picked == [2]


def test_a_large_theta_is_uncertainty_sampling() -> None:
    rng = np.random.default_rng(0)
    pool = replace(pool_at(random_points(30, 4, 0)), probabilities=rng.dirichlet(np.ones(3), 30))
    two = np.sort(pool.probabilities, axis=1)[:, -2:]
    assert rows_of(Determinantal(theta=0.9999), pool, 8) == np.argsort(two[:, 1] - two[:, 0])[:8].tolist()


def test_many_labeled_tasks_are_kept_away_from_by_landmarks() -> None:
    labeled = random_points(600, 2, 0)
    points = np.vstack([labeled[:50] + 1e-3, [[9.0, 9.0]]])
    assert rows_of(Determinantal(theta=0), pool_at(points, labeled), 1) == [50]


# --- typicality ----------------------------------------------------------------------------------------------


def test_typical_asks_for_the_heart_of_every_cluster() -> None:
    hearts = 10 * np.eye(5, 40)
    ring = random_points(200, 40, 0)  # in 40 dimensions its points are nearer to the heart than to each other
    points = np.vstack([hearts, hearts[np.arange(200) % 5] + ring / np.linalg.norm(ring, axis=1, keepdims=True)])
    assert sorted(rows_of(Typical(), pool_at(points), 5)) == [0, 1, 2, 3, 4]


def test_a_cluster_with_a_label_waits_until_the_others_have_one() -> None:
    kinds = np.arange(100) % 5
    points = 10 * np.eye(5)[kinds] + 0.1 * random_points(100, 5, 0)
    picked = rows_of(Typical(), pool_at(points[5:], points[:3]), 2)
    assert sorted(kinds[5:][picked]) == [3, 4]


def test_neighbours_are_found_in_a_sample_of_a_large_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "_AMONG", 50)
    points = np.array([5.0, 5.0]) + random_points(500, 2, 0) * [[1.0, 0.02]]
    picked = points[rows_of(Typical(), pool_at(points), 1)][0]
    assert abs(np.arctan2(picked[1], picked[0]) - np.pi / 4) < 0.1


# --- all of them ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [KCenter, FacilityLocation, lambda: Determinantal(theta=0)], ids="abc")
@given(seeds, st.integers(1, 12))
@settings(max_examples=20, deadline=None)
def test_a_copy_is_never_asked_for_before_all_that_differ(
    make: Callable[[], QueryStrategy], seed: int, distinct: int
) -> None:
    points = np.eye(12)[:distinct] * 3 + 0.2 * random_points(distinct, 12, seed)
    rows = np.random.default_rng(seed).permutation(np.arange(3 * distinct) % distinct)
    first = rows_of(make(), pool_at(points[rows], seed=seed), distinct)
    assert len({int(rows[row]) for row in first}) == distinct


@pytest.mark.parametrize("make", [Nearest, Volume, lambda space: Likeness(space, 0, 40)], ids="abc")
@given(seeds, st.sampled_from([1, 2, 7]), st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_looking_again_only_at_the_front_changes_no_pick(
    make: Callable[[Space], Coverage], seed: int, front: int, labeled: int
) -> None:
    pool = pool_at(random_points(60, 4, seed), random_points(labeled, 4, seed + 1))
    lazy, eager = make(space_of(pool, "test")), make(space_of(pool, "test"))
    lazy.front, eager.front = front, 60
    picks = greedy(lazy, lambda gains, _rows, _picked: np.round(gains, 3), 25, seed)
    assert picks == greedy(eager, lambda gains, _rows, _picked: np.round(gains, 3), 25, seed)


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = pool_at(random_points(100, 4, 0), random_points(20, 4, 1))
    whole = rows_of(KCenter(), pool, 30)
    monkeypatch.setattr(geometry, "_BLOCK", 7)
    assert rows_of(KCenter(), pool, 30) == whole
