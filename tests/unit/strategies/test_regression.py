"""Numbers: greedy sampling as Wu, Lin & Huang (2019) write it."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from nextlabel.errors import SettingsError
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool, Floats
from nextlabel.strategies.regression import GreedySampling
from unit.strategies.pools import blobs, dense, rated, sparse, without

NAMES = ("gsx", "gsy", "igs")


def on_a_line(places: list[float], labeled: list[float] | None) -> CandidatePool:
    x = None if labeled is None else np.array(labeled).reshape(-1, 1)
    tasks = [TaskId(f"{place:g}") for place in places]
    return CandidatePool(tasks, np.full((len(places), 2), 0.5), np.array(places).reshape(-1, 1), x)


def test_inputs_far_from_labels_and_from_each_other_come_first() -> None:
    ranking = GreedySampling("gsx").rank(on_a_line([1, 10, 8.5, 5], [0]), 4)
    assert ranking.task_ids() == ("10", "5", "8.5", "1")


def test_without_labels_the_most_central_input_comes_first() -> None:
    assert GreedySampling("gsx").rank(on_a_line([0, 4, 5, 11], None), 2).task_ids() == ("5", "11")


def slowly(name: str, x: Floats, y: Floats, known_x: Floats, known_y: Floats, size: int) -> list[int]:
    """Wu, Lin & Huang (2019), algorithms 1 to 3, by loops; chosen tasks count with their predicted values."""
    order: list[int] = []
    for _ in range(size):
        gains = {}
        for n in set(range(len(x))) - set(order):
            others = [*zip(known_x, known_y, strict=True), *((x[m], y[m]) for m in order)]
            dx = [float(np.linalg.norm(x[n] - a)) for a, _ in others]
            dy = [abs(float(y[n] - b)) for _, b in others]
            gains[n] = min({"gsx": dx, "gsy": dy, "igs": [a * b for a, b in zip(dx, dy, strict=True)]}[name])
        order.append(max(gains, key=gains.__getitem__))
    return order


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_sparse", [False, True])
def test_greedy_sampling_is_the_papers(name: str, is_sparse: bool) -> None:
    pool = rated(blobs(15))
    assert pool.features is not None
    assert pool.labeled_features is not None
    assert pool.numbers is not None
    known = dense(pool.labeled_features)
    expected = slowly(name, dense(pool.features), pool.numbers.mean, known, pool.numbers.given, 10)
    ranking = GreedySampling(name).rank(sparse(pool) if is_sparse else pool, 10)
    assert ranking.task_ids() == tuple(pool.tasks[i] for i in expected)


def test_greedy_sampling_of_inputs_chooses_as_scikit_activemls() -> None:
    peer = import_module("skactiveml.pool").GreedySamplingX(random_state=0)
    pool = blobs(20)
    assert pool.features is not None
    assert pool.labeled_features is not None
    x = np.concatenate([dense(pool.features), dense(pool.labeled_features)])
    chosen = peer.query(x, np.append(np.full(20, np.nan), np.zeros(9)), batch_size=8)
    assert GreedySampling("gsx").rank(pool, 8).task_ids() == tuple(pool.tasks[i] for i in chosen)


@pytest.mark.parametrize("name", ["gsy", "igs"])
def test_greedy_sampling_of_outputs_needs_labels_and_numbers(name: str) -> None:
    with pytest.raises(SettingsError, match=f"'greedy:{name}' needs labeled"):
        GreedySampling(name).rank(without(rated(blobs(4)), "labels"), 1)
    with pytest.raises(SettingsError, match=f"'greedy:{name}' needs numbers"):
        GreedySampling(name).rank(blobs(4), 1)


@pytest.mark.parametrize("name", NAMES)
def test_nan_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match="features hold NaN"):
        GreedySampling(name).rank(replace(rated(blobs(4)), features=np.full((4, 4), np.nan)), 1)
