"""Cost, balance and exploration change another strategy's order in the way their names say."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.errors import SettingsError
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool, Chances
from nextlabel.strategies import finding
from nextlabel.strategies.balance import Balanced, class_weights
from nextlabel.strategies.builtin import built_in
from nextlabel.strategies.cost import CostAware
from nextlabel.strategies.exploration import Explore
from nextlabel.strategies.uncertainty import Entropy, Margin
from unit.strategies.pools import blobs, without


def test_an_inner_strategy_is_named_by_its_spec_or_given_itself() -> None:
    mine = Margin()
    assert built_in(mine) is mine
    assert CostAware(strategy=Entropy()).name == "cost:entropy"
    assert built_in("margin").name == "margin"
    with pytest.raises(SettingsError, match=r"no strategy 'margn': known are .*margin"):
        CostAware("margn")


def test_somebody_elses_strategy_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shortest_first.py").write_text(
        "from nextlabel.strategies.uncertainty import best_first\n"
        "class Shortest:\n"
        "    name = 'shortest'\n"
        "    def utilities(self, probabilities): return probabilities[:, 0]\n"
        "    def rank(self, pool, size): return best_first(pool, 1 / pool.costs, size, self.name)\n"
    )
    (tmp_path / "theirs-1.dist-info").mkdir()
    (tmp_path / "theirs-1.dist-info" / "entry_points.txt").write_text(
        "[nextlabel.strategies]\nshortest = shortest_first:Shortest\nbroken = shortest_first:missing\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    pool = replace(blobs(3), costs=np.array([2.0, 1.0, 3.0]))
    assert Explore("shortest", share=0).rank(pool, 3).task_ids() == tuple(pool.tasks[i] for i in (1, 0, 2))
    with pytest.raises(SettingsError, match="'broken' cannot be loaded"):
        Explore("broken")


def test_a_ten_line_file_in_the_folder_of_ones_own_is_a_strategy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cheapest.py").write_text(
        "from nextlabel.strategies.uncertainty import best_first\n\n"
        "class Cheapest:\n"
        '    """What is labeled soonest."""\n'
        "    def __init__(self, power: float = 1.0):\n"
        "        self.power = power\n"
        "    def rank(self, pool, size):\n"
        "        return best_first(pool, 1 / pool.costs ** self.power, size, 'cheapest')\n"
    )
    (tmp_path / "margin.py").write_text("")
    (tmp_path / "statistics.py").write_text("")
    (tmp_path / "hopeless.py").write_text("import nothing_of_that_name")
    (tmp_path / "outdated.py").write_text("from nextlabel.ranking import Needs")
    (tmp_path / "empty.py").write_text("")
    monkeypatch.setattr(finding, "_folders", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    finding.use_folder(tmp_path)
    assert {"cheapest", "margin"} <= set(finding.names())
    assert finding.about("cheapest") == "What is labeled soonest."
    pool = replace(blobs(3), costs=np.array([2.0, 1.0, 3.0]))
    expected = tuple(pool.tasks[i] for i in (1, 0, 2))
    assert finding.make("cheapest?power=2").rank(pool, 3).task_ids() == expected
    assert Explore("cheapest", share=0).rank(pool, 3).task_ids() == expected
    for name, what in {
        "margin": "a strategy that there is already",
        "statistics": "the Python module 'statistics'",
        "hopeless": "cannot be loaded: ModuleNotFoundError",
        "outdated": r"No module named 'nextlabel.ranking'\..*CHANGELOG lists them",
        "empty": "holds 0 classes",
    }.items():
        with pytest.raises(SettingsError, match=what):
            finding.make(name)


def test_of_two_equally_unsure_tasks_the_cheaper_comes_first() -> None:
    pool = replace(blobs(3), probabilities=np.full((3, 3), 1 / 3), costs=np.array([4.0, 1.0, 2.0]))
    ranking = CostAware("entropy").rank(pool, 3)
    assert ranking.task_ids() == tuple(pool.tasks[i] for i in (1, 2, 0))
    assert [ranked.utility for ranked in ranking.tasks] == pytest.approx([1, 0.5, 0.25])
    squared = [ranked.utility for ranked in CostAware("entropy", power=2).rank(pool, 3).tasks]
    assert squared == pytest.approx([1, 0.25, 0.0625])


@given(st.floats(0.01, 100))
def test_the_unit_of_the_costs_does_not_matter_and_power_0_ignores_them(unit: float) -> None:
    pool = blobs(20)
    assert pool.costs is not None
    other = replace(pool, costs=pool.costs * unit)
    assert CostAware().rank(other, 20).task_ids() == CostAware().rank(pool, 20).task_ids()
    assert CostAware(power=0).rank(pool, 20).task_ids() == Margin().rank(pool, 20).task_ids()


def test_costs_that_are_missing_or_none_are_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"'cost:margin' needs labels of which the tool tells how long.*choose 'margin'"
    ):
        CostAware().rank(without(blobs(3), "costs"), 3)
    for costs in ([1, 2], [1, 0, 1], [1, np.nan, 1]):
        with pytest.raises(ValueError, match="one positive number"):
            CostAware().rank(replace(blobs(3), costs=np.array(costs)), 3)
    with pytest.raises(SettingsError, match="power is -1"):
        CostAware(power=-1)


def test_of_two_equally_unsure_tasks_the_one_of_the_rarer_class_comes_first() -> None:
    p = np.array([[0.6, 0.4, 0.0], [0.0, 0.4, 0.6]])
    pool = CandidatePool([TaskId("common"), TaskId("rare")], p, labels=np.array([0, 0, 0, 0, 1, 2]))
    assert Balanced().rank(pool, 2).task_ids() == ("rare", "common")
    assert Balanced().rank(replace(pool, labels=np.array([2, 2, 1, 0])), 2).task_ids() == ("common", "rare")


def test_without_labels_or_strength_the_order_is_the_inner_one() -> None:
    pool, inner = blobs(20), Entropy().rank(blobs(20), 20).task_ids()
    assert Balanced("entropy").rank(without(pool, "labels"), 20).task_ids() == inner
    assert Balanced("entropy", strength=0).rank(pool, 20).task_ids() == inner
    with pytest.raises(SettingsError, match="strength is nan"):
        Balanced(strength=float("nan"))


def test_a_class_without_labels_weighs_most() -> None:
    assert class_weights(np.array([3, 1, 0]), 1.0).tolist() == [0.25, 0.5, 1]
    assert class_weights(np.array([3, 1, 0]), 0.5).tolist() == pytest.approx([0.5, 0.5**0.5, 1])


def test_of_several_labels_those_that_are_rarely_given_weigh_most() -> None:
    chances = Chances(np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[True, False]] * 8 + [[True, True]]))
    pool = CandidatePool([TaskId("common"), TaskId("rare")], np.full((2, 2), 0.5), classes=False, chances=chances)
    assert Balanced().rank(pool, 2).task_ids() == ("rare", "common")
    with pytest.raises(SettingsError, match="'balanced:margin' needs labels to choose from"):
        Balanced().rank(replace(pool, chances=None), 2)


@given(st.floats(0, 1), st.integers(0, 50), st.integers(0, 20))
def test_a_share_of_the_places_is_random_and_the_rest_in_the_inner_order(share: float, n: int, seed: int) -> None:
    pool = replace(blobs(n), seed=seed)
    ranked, inner = Explore(share=share).rank(pool, n).task_ids(), Margin().rank(pool, n).task_ids()
    assert sorted(ranked) == sorted(pool.tasks)
    # The highest of the inner order that still stand wait for the next place that is not random.
    kept = sum(task == next(t for t in inner if t not in ranked[:place]) for place, task in enumerate(ranked))
    assert kept >= n - round(share * n) - 1
    assert Explore(share=0).rank(pool, n).task_ids() == inner


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_random_places_are_spread_evenly(share: float) -> None:
    explore = Explore(share=share)
    random = [explore._is_random(place, 0.3) for place in range(100)]
    for start in range(0, 100, 20):
        assert abs(sum(random[start : start + 20]) - 20 * share) <= 1


def test_exploring_fully_does_not_listen_to_the_model() -> None:
    pool = blobs(20)
    other = replace(pool, probabilities=pool.probabilities[::-1])
    assert Explore(share=1).rank(pool, 20).task_ids() == Explore(share=1).rank(other, 20).task_ids()
    assert Explore(share=1).rank(pool, 20).task_ids() != Explore(share=1).rank(replace(pool, seed=1), 20).task_ids()
    with pytest.raises(SettingsError, match="share is 2"):
        Explore(share=2)


def test_wrappers_can_be_wrapped() -> None:
    strategy = Explore("balanced:cost:committee:kl_divergence", share=0.2)
    assert strategy.name == "explore:balanced:cost:committee:kl_divergence"
    ranked = strategy.rank(blobs(20), 20).task_ids()
    assert strategy.rank(blobs(20), 7).task_ids() == ranked[:7]
