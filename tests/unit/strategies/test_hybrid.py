"""Hybrids meet uncertainty at one end of their weight and diversity at the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool
from nextlabel.measures.uncertainty import margin
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.strategies.coverage import Determinantal, FacilityLocation, KCenter
from nextlabel.strategies.density import InformationDensity
from nextlabel.strategies.hybrid import ClusterUncertain, Hybrid, Product
from nextlabel.strategies.uncertainty import Entropy, Margin
from unit.strategies.pools import blobs, dense


@pytest.mark.parametrize("coverage", ["kcenter", "facility", "dpp"])
@pytest.mark.parametrize("seed", range(3))
def test_with_alpha_one_it_is_uncertainty_sampling(coverage: str, seed: int) -> None:
    pool = blobs(80, seed=seed)
    pool = replace(pool, probabilities=pool.probabilities.round(1))  # with ties
    assert Hybrid(f"margin+{coverage}", 1).rank(pool, 80).task_ids() == Margin().rank(pool, 80).task_ids()
    assert Hybrid(f"entropy+{coverage}", 1).rank(pool, 80).task_ids() == Entropy().rank(pool, 80).task_ids()


@pytest.mark.parametrize(
    ("coverage", "alone"),
    [("kcenter", KCenter()), ("facility", FacilityLocation()), ("dpp", Determinantal(theta=0))],
)
@pytest.mark.parametrize("seed", range(3))
def test_with_alpha_zero_it_is_the_coverage_alone(coverage: str, alone: QueryStrategy, seed: int) -> None:
    pool = blobs(80, seed=seed)
    assert Hybrid(f"margin+{coverage}", 0).rank(pool, 20).task_ids() == alone.rank(pool, 20).task_ids()


def test_a_larger_alpha_gives_less_spread_and_more_uncertainty() -> None:
    pool = blobs(300)
    points, unsure = dense(pool.features), margin(pool.probabilities)  # type: ignore[arg-type]
    spread, doubt = [], []
    for alpha in (0, 0.5, 1):
        rows = [int(task) - 100 for task in Hybrid(alpha=alpha).rank(pool, 20).task_ids()]
        spread.append(cdist(points[rows], points[rows]).mean())
        doubt.append(unsure[rows].mean())
    assert spread[0] > spread[1] > spread[2]
    assert doubt[0] < doubt[1] < doubt[2]


def test_the_weight_is_that_of_uncertainty_against_distance() -> None:
    points = np.array([[0.0], [1.0], [3.0]])
    p = np.array([[0.9, 0.1], [0.55, 0.45], [0.8, 0.2]])
    pool = CandidatePool([TaskId(i) for i in "abc"], p, points, points[:1])
    assert Hybrid(alpha=0.9).rank(pool, 1).task_ids() == ("b",)
    assert Hybrid(alpha=0.1).rank(pool, 1).task_ids() == ("c",)


def test_a_product_wants_everything_at_once() -> None:
    unsure, sure = [0.5, 0.5], [0.99, 0.01]
    known, near, far = [0.0, 1.0], [0.0, 1.01], [1.0, 0.0]
    rows = {"unsure, new": (unsure, far), "unsure, known": (unsure, near), "sure, new": (sure, far)}
    pool = CandidatePool(
        [TaskId(name) for name in rows],
        np.array([p for p, _ in rows.values()]),
        np.array([x for _, x in rows.values()]),
        np.array([known]),
    )
    assert Product("margin+kcenter").rank(pool, 3).task_ids()[0] == "unsure, new"


def test_novelty_falls_with_every_pick_of_a_product() -> None:
    points = np.repeat(np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]]), [10, 5, 5], axis=0)
    pool = CandidatePool([TaskId(str(n)) for n in range(20)], np.full((20, 2), 0.5), points)
    picked = [int(task) for task in Product("margin+kcenter").rank(pool, 3).task_ids()]
    assert len(np.unique(points[picked], axis=0)) == 3


def test_a_product_of_one_objective_is_its_order() -> None:
    pool = blobs(60)
    assert Product("margin").rank(pool, 60).task_ids() == Margin().rank(pool, 60).task_ids()
    assert Product("kcenter").rank(pool, 20).task_ids()[1:6] == KCenter().rank(pool, 20).task_ids()[1:6]
    dense_first = InformationDensity("margin").rank(pool, 5).task_ids()
    assert Product("margin+density").rank(pool, 30).task_ids() != dense_first


def test_clusters_are_made_of_the_most_unsure_only() -> None:
    pool = blobs(200)
    unsure = np.argsort(-margin(pool.probabilities), kind="stable")[:40]
    assert {int(task) - 100 for task in ClusterUncertain(beta=4).rank(pool, 10).task_ids()} <= set(unsure.tolist())


def test_clusters_give_one_task_of_each_kind_among_the_unsure() -> None:
    kinds = np.arange(60) % 6
    points = 5 * np.eye(6)[kinds] + 0.1 * np.random.default_rng(0).normal(size=(60, 6))
    pool = CandidatePool([TaskId(str(n)) for n in range(60)], np.full((60, 2), 0.5), points)
    assert sorted(kinds[[int(task) for task in ClusterUncertain().rank(pool, 6).task_ids()]]) == list(range(6))


def test_with_beta_one_the_batch_is_that_of_uncertainty_sampling() -> None:
    pool = blobs(100)
    assert set(ClusterUncertain(beta=1).rank(pool, 10).task_ids()) == set(Margin().rank(pool, 10).task_ids())
