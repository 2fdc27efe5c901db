"""The default: how far it trusts the model is read off the labels, and a block never asks the same thing ten times."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack
from scipy.sparse import random as random_sparse

from nextlabel.errors import SettingsError
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool
from nextlabel.strategies.adaptive import Adaptive, unseen_mass
from nextlabel.strategies.diverse import Diverse
from nextlabel.strategies.geometry import sketch


def groups_of_alike(n: int = 300, groups: int = 10, *, labels: tuple[int, ...] = (0, 1) * 40) -> CandidatePool:
    """The first half of the tasks falls into groups of nearly equal ones, the first group the most unsure; of the
    others the model is sure."""
    rng = np.random.default_rng(0)
    half = n // 2
    centres = rng.normal(size=(groups, 8)) * 10
    unsure = centres[np.arange(half) * groups // half] + rng.normal(size=(half, 8)) * 0.01
    sure = rng.normal(size=(n - half, 8)) * 10 + 100
    confident = np.concatenate([0.5 + np.arange(half) / half / 50, np.full(n - half, 0.99)])
    return CandidatePool(
        tasks=[TaskId(str(i)) for i in range(n)],
        probabilities=np.column_stack([confident, 1 - confident]),
        features=np.vstack([unsure, sure]),
        labeled_features=rng.normal(size=(len(labels), 8)) - 100,
        labels=np.array(labels),
    )


def explored(pool: CandidatePool, size: int) -> int:
    """How many of the first places went to tasks that the model is sure of."""
    return sum(int(task) >= len(pool) // 2 for task in Adaptive().rank(pool, size).task_ids())


@pytest.mark.parametrize("labels", [None, (), (1,), (1, 1, 1)])
def test_until_two_classes_have_a_label_it_asks_for_representatives(labels: tuple[int, ...] | None) -> None:
    pool = replace(groups_of_alike(), labels=None if labels is None else np.array(labels, dtype=np.intp))
    pool = replace(pool, labeled_features=None if pool.labels is None else np.zeros((len(pool.labels), 8)))
    assert Adaptive().rank(pool, 30).task_ids() == Diverse().rank(pool, 30).task_ids()


def test_the_more_classes_have_a_single_label_the_more_it_explores() -> None:
    """Half of those explored are tasks that the model is unsure of anyway."""
    few_classes, many_classes = groups_of_alike(), groups_of_alike(labels=tuple(range(20)))
    assert 1 <= explored(few_classes, 60) <= 6
    assert 10 <= explored(many_classes, 60) <= 30
    assert unseen_mass(np.array([0, 0, 1, 2])) == 0.5
    assert unseen_mass(np.array([0, 0, 1, 1])) == 0


def test_who_asks_one_by_one_is_given_something_to_explore_now_and_then() -> None:
    pool = groups_of_alike()
    first = [Adaptive().rank(replace(pool, seed=seed), 1).task_ids()[0] for seed in range(200)]
    assert 0.04 < sum(int(task) >= 150 for task in first) / 200 < 0.2


def test_what_it_explores_is_known_by_that_and_what_the_model_doubts_is_not() -> None:
    ranked = Adaptive(explore=0.2).rank(groups_of_alike(), 100).tasks
    exploring = {int(one.task) for one in ranked if one.explores}
    assert len(exploring) == 20
    assert {int(one.task) for one in ranked if int(one.task) >= 150} <= exploring
    assert not any(one.explores for one in Adaptive(explore=0).rank(groups_of_alike(), 100).tasks)


def test_a_block_asks_about_different_things() -> None:
    pool = groups_of_alike(groups=3)
    block = Adaptive(block=9, breadth=16, explore=0).rank(pool, 9).task_ids()
    assert Counter(int(task) // 50 for task in block).keys() == {0, 1, 2}
    by_margin_alone = Adaptive(block=9, breadth=1, explore=0).rank(pool, 9).task_ids()
    assert {int(task) // 50 for task in by_margin_alone} == {0}


def test_the_first_places_of_a_long_order_are_those_of_a_short_one() -> None:
    pool = groups_of_alike()
    long = Adaptive().rank(pool, 200).task_ids()
    for size in (1, 5, 10, 37, 200):
        assert Adaptive().rank(pool, size).task_ids() == long[:size]


def test_without_features_it_is_margin_with_a_random_share() -> None:
    pool = replace(groups_of_alike(), features=None, labeled_features=None)
    assert Adaptive(explore=0).rank(pool, 20).task_ids() == tuple(str(i) for i in range(20))
    assert len(set(Adaptive().rank(pool, 300).task_ids())) == 300


@pytest.mark.parametrize("options", [{"block": 0}, {"breadth": 0.5}, {"explore": 0.6}, {"explore": -0.1}])
def test_settings_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="adaptive"):
        Adaptive(**options)  # type: ignore[arg-type]


def test_a_sketch_of_many_columns_keeps_the_cosines() -> None:
    once = csr_matrix(random_sparse(30, 50_000, density=0.01, random_state=0))
    rows = csr_matrix(vstack([once, once]))
    points = sketch(rows)
    assert points.shape == (60, 1024)
    exact = rows.toarray() / np.linalg.norm(rows.toarray(), axis=1, keepdims=True)
    assert np.abs(points @ points.T - exact @ exact.T).max() < 0.2
    np.testing.assert_allclose(points[30:], points[:30], atol=1e-6)
