"""Ranked batch mode gives the order of its published formula, which is modAL's."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool
from nextlabel.measures import uncertainty
from nextlabel.strategies.ranked_batch import RankedBatch

Matrix = NDArray[np.float64]


def pool_of(n: int, labeled: int, seed: int) -> CandidatePool:
    rng = np.random.default_rng(seed)
    tasks = [TaskId(str(row)) for row in range(n)]
    return CandidatePool(
        tasks, rng.dirichlet(np.ones(3), n), rng.normal(size=(n, 4)), rng.normal(size=(labeled, 4)), seed=seed
    )


def by_the_formula(pool: CandidatePool, unsure: Matrix, size: int) -> list[int]:
    points, known, order = np.asarray(pool.features), np.asarray(pool.labeled_features), list[int]()
    for _ in range(size):
        alpha = (len(points) - len(order)) / (len(points) + len(pool.labeled_features))  # type: ignore[arg-type]
        similarity = 1 / (1 + cdist(points, known).min(axis=1))
        scores = alpha * (1 - similarity) + (1 - alpha) * unsure
        scores[order] = -np.inf
        order.append(int(scores.argmax()))
        known = np.vstack([known, points[order[-1]]])
    return order


@given(st.integers(0, 10_000), st.integers(1, 60), st.sampled_from(["margin", "entropy", "least_confidence"]))
@settings(max_examples=40, deadline=None)
def test_the_order_is_that_of_the_formula(seed: int, labeled: int, measure: str) -> None:
    pool = pool_of(40, labeled, seed)
    unsure = np.asarray(getattr(uncertainty, measure)(pool.probabilities))
    assert [int(task) for task in RankedBatch(measure).rank(pool, 15).task_ids()] == by_the_formula(pool, unsure, 15)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("labeled", [1, 30, 300])
def test_the_order_is_modals(seed: int, labeled: int) -> None:
    batch = import_module("modAL.batch")
    pool = pool_of(120, labeled, seed)
    unsure = np.asarray(uncertainty.least_confidence(pool.probabilities))
    learner = SimpleNamespace(on_transformed=False, X_training=pool.labeled_features)
    theirs, _ = batch.ranked_batch(learner, pool.features, unsure, 60, "euclidean", None)
    assert [int(task) for task in RankedBatch().rank(pool, 60).task_ids()] == theirs.tolist()


def test_with_nothing_labeled_the_most_central_task_comes_first() -> None:
    pool = pool_of(50, 0, 0)
    points = np.asarray(pool.features)
    central = int(((points - points.mean(axis=0)) ** 2).sum(axis=1).argmin())
    assert RankedBatch().rank(pool, 1).task_ids() == (str(central),)
