"""What every query strategy promises, whoever wrote it: an order of the pool, the same under the same seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from nextlabel.errors import SettingsError
from nextlabel.features.text import count_features
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool, Features, Needs
from nextlabel.learning.predictions import utilities_of
from nextlabel.measures.target_predictions import ChoicePredictions
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.strategies import diverse, finding
from nextlabel.strategies.needs import needs_of
from unit.strategies.pools import CentroidLearner, rated, several, without

BY_SIZE = {"cluster", "typical"}  # as many clusters as tasks are asked for: another size, other tasks
ELSEWHERE = {"skactiveml", "modal", "function"}  # these name a strategy that somebody else made
LOOKING_AHEAD = {"error_reduction", "value_of_information"}
NAMES = sorted(set(finding.names()) - ELSEWHERE)
UNCERTAINTY = ("entropy", "least_confidence", "margin", "ratio")


def pool_of(n: int, k: int = 3, seed: int = 0) -> CandidatePool:
    rng = np.random.default_rng(42)
    words = ["prize", "cash", "win", "meeting", "four", "lunch", "report", "invoice", "hello", "thanks"]
    texts = [" ".join(rng.choice(words, 5)) for _ in range(n + 6)]
    p = rng.dirichlet(np.ones(k), n).astype(np.float32)
    return CandidatePool(
        tasks=[TaskId(str(100 + i)) for i in range(n)],
        probabilities=p,
        features=count_features(texts[:n]),
        labeled_features=count_features(texts[n:]),
        labels=np.arange(6) % k,
        learner=CentroidLearner(k),
        costs=rng.uniform(1, 9, n),
        seed=seed,
    )


KINDS: dict[str, Callable[[CandidatePool], CandidatePool]] = {
    "choice": lambda pool: pool,
    "choices": several,
    "number": rated,
}
LACKING = (
    *(("features", "labeled_features"), ("labels", "labeled_features"), ("learner",), ("costs",)),
    ("chances", "numbers"),
)
MINDFUL = frozenset(Needs) - {Needs.FEATURES, Needs.COSTS}
"""What differs from kind to kind: a strategy that needs none of it is tried on one of them."""


@dataclass
class Case:
    """A strategy, and pools of one kind that give what it needs."""

    strategy: QueryStrategy
    kind: Callable[[CandidatePool], CandidatePool]

    def pool_of(self, n: int, k: int = 3) -> CandidatePool:
        return self.kind(pool_of(n, k))


def cases() -> list[tuple[str, str]]:
    needs = {name: needs_of(finding.make(name)) for name in NAMES}
    able = {kind: make(pool_of(3)).gives for kind, make in KINDS.items()}
    kinds = {name: [kind for kind in KINDS if needs[name] <= able[kind]] for name in NAMES}
    return [(name, kind) for name in NAMES for kind in kinds[name][: None if needs[name] & MINDFUL else 1]]


def represented() -> list[Any]:
    """`make test` tries those that fit a model for every task they look at on one choice, and the quicker ones, of the
    same making, on every kind."""
    slow = [(name, kind) for name, kind in cases() if name in LOOKING_AHEAD and kind != "choice"]
    return [pytest.param(one, marks=pytest.mark.everything) if one in slow else one for one in cases()]


@pytest.fixture(params=represented(), ids=" of ".join)
def case(request: pytest.FixtureRequest) -> Case:
    name, kind = request.param
    return Case(finding.make(name), KINDS[kind])


def same(one: CandidatePool, other: CandidatePool) -> None:
    assert list(one.tasks) == list(other.tasks)
    for field in ("probabilities", "labels", "costs"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    for field in ("features", "labeled_features"):
        assert not abs(csr_matrix(getattr(one, field)) - csr_matrix(getattr(other, field))).sum()


def test_the_built_in_strategies_come_through_the_entry_points() -> None:
    assert set(NAMES) >= {"least_confidence", "margin", "entropy", "random", "diverse"}


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"no strategy 'margn': known are .*margin"):
        finding.make("margn")


def test_a_ranking_holds_the_best_of_the_pool_each_once(case: Case) -> None:
    """Of nothing, of one, of fewer than are asked for, and of more."""
    for n in (0, 1, 3, 40):
        assert_ranks_the_best(case.strategy, case.pool_of(n), 7)


@pytest.mark.everything
@pytest.mark.parametrize("n", [0, 1, 2, 3, 40])
def test_a_ranking_of_any_pool_holds_as_many_as_are_asked_for(case: Case, n: int) -> None:
    for size in (0, 1, 7, 40, 1000):
        assert_ranks_the_best(case.strategy, case.pool_of(n), size)


def assert_ranks_the_best(strategy: QueryStrategy, pool: CandidatePool, size: int) -> None:
    ranked = strategy.rank(pool, size).task_ids()
    assert len(ranked) == min(len(pool), size)
    assert len(set(ranked)) == len(ranked)
    assert set(ranked) <= set(pool.tasks)
    if strategy.rank(pool, 0).strategy not in BY_SIZE:
        assert ranked == strategy.rank(pool, len(pool)).task_ids()[:size]


def test_utilities_are_in_the_unit_interval_and_never_rise_down_the_order(case: Case) -> None:
    utilities = [ranked.utility for ranked in case.strategy.rank(case.pool_of(40), 40).tasks]
    assert all(0 <= utility <= 1 for utility in utilities)
    assert utilities == sorted(utilities, reverse=True)


def test_the_same_seed_gives_the_same_order(case: Case) -> None:
    assert case.strategy.rank(case.pool_of(40), 40) == case.strategy.rank(case.pool_of(40), 40)


def test_the_pool_is_left_untouched(case: Case) -> None:
    pool = case.pool_of(40)
    case.strategy.rank(pool, 10)
    same(pool, case.pool_of(40))


def test_any_features_will_do(case: Case) -> None:
    pool = case.pool_of(12)
    kinds: dict[str, Features] = {
        "constant": csr_matrix(np.ones((12, 5), dtype=np.float32)),
        "zero": csr_matrix(np.zeros((12, 5), dtype=np.float32)),
        "dense": np.random.default_rng(0).normal(size=(12, 5)),
        "one column": np.arange(12.0).reshape(12, 1),
    }
    for kind, given in kinds.items():
        ranked = case.strategy.rank(replace(pool, features=given, labeled_features=given[:6]), 12).task_ids()
        assert sorted(ranked) == sorted(pool.tasks), kind


def test_what_the_pool_lacks_is_done_without_or_asked_for_and_declared(case: Case) -> None:
    whole, needs = case.pool_of(12), needs_of(case.strategy)
    for fields in LACKING:
        pool = without(whole, *fields)
        try:
            ranked = case.strategy.rank(pool, 12).task_ids()
        except SettingsError as error:
            assert "needs" in str(error)
            assert "labels" in fields or needs & (whole.gives - pool.gives), (
                f"it does not declare that it needs {fields}"
            )
        else:
            assert sorted(ranked) == sorted(pool.tasks), fields


def test_nan_is_refused_by_name_or_not_even_looked_at(case: Case) -> None:
    pool = case.pool_of(12)
    try:
        ranking = case.strategy.rank(replace(pool, probabilities=np.full((12, 3), np.nan)), 12)
    except ValueError as error:
        assert "probabilities hold NaN" in str(error)
    else:
        assert ranking == case.strategy.rank(pool, 12)


def test_one_class_seen_is_enough(case: Case) -> None:
    pool = case.kind(replace(pool_of(9), labels=np.zeros(6, dtype=np.int64)))
    assert sorted(case.strategy.rank(pool, 9).task_ids()) == sorted(pool.tasks)


def test_a_single_class_still_gives_an_order(case: Case) -> None:
    pool = case.pool_of(9, k=1)
    assert sorted(case.strategy.rank(pool, 9).task_ids()) == sorted(pool.tasks)


def test_utilities_of_single_tasks_are_in_the_unit_interval(case: Case) -> None:
    for k in (1, 2, 3):
        target_predictions = ChoicePredictions([str(n) for n in range(k)], pool_of(20, k).probabilities)
        utilities = utilities_of(case.strategy, {"label": target_predictions})
        assert utilities.shape == (20,)
        assert ((utilities >= 0) & (utilities <= 1)).all()
        assert utilities_of(case.strategy, {"label": target_predictions.of([])}).shape == (0,)


@pytest.mark.parametrize("name", UNCERTAINTY)
def test_the_least_sure_task_comes_first(name: str) -> None:
    sure, unsure, so_so = [0.98, 0.01, 0.01], [0.34, 0.33, 0.33], [0.6, 0.3, 0.1]
    pool = CandidatePool([TaskId(i) for i in ("sure", "unsure", "so-so")], np.array([sure, unsure, so_so]))
    assert finding.make(name).rank(pool, 3).task_ids() == ("unsure", "so-so", "sure")


def test_margin_and_least_confidence_differ_where_the_textbook_says_so() -> None:
    two_way_tie, spread_out = [0.5, 0.5, 0.0], [0.4, 0.3, 0.3]
    pool = CandidatePool([TaskId("tie"), TaskId("spread")], np.array([two_way_tie, spread_out]))
    assert finding.make("margin").rank(pool, 1).task_ids() == ("tie",)
    assert finding.make("least_confidence").rank(pool, 1).task_ids() == ("spread",)


@pytest.mark.parametrize("name", [*UNCERTAINTY, "random"])
def test_ties_are_broken_by_the_seed_and_not_by_the_pools_order(name: str) -> None:
    ties = replace(pool_of(40), probabilities=np.full((40, 3), 1 / 3))
    orders = {finding.make(name).rank(replace(ties, seed=seed), 40).task_ids() for seed in range(3)}
    assert len(orders) == 3
    assert tuple(ties.tasks) not in orders


def test_random_order_does_not_listen_to_the_model() -> None:
    strategy, pool = finding.make("random"), pool_of(40)
    other = replace(pool, probabilities=pool.probabilities[::-1])
    assert strategy.rank(pool, 40) == strategy.rank(other, 40)


@pytest.mark.parametrize("ranked", [38, 30])
def test_a_diverse_start_asks_for_one_of_each_kind_before_two_of_any(
    ranked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a large pool among a sample; a ranking longer than that is of the whole pool."""
    monkeypatch.setattr(diverse, "_MAX_RANKED", ranked)
    kinds = ["win a cash prize now", "see you at the meeting", "invoice attached please pay", "lunch at noon today"]
    texts = [kind for kind, size in zip(kinds, (20, 10, 5, 3), strict=True) for _ in range(size)]
    tasks = [TaskId(f"{text}/{n}") for n, text in enumerate(texts)]
    pool = CandidatePool(tasks, np.full((len(texts), 2), 0.5), count_features(texts))
    first = [task.partition("/")[0] for task in finding.make("diverse").rank(pool, 4).task_ids()]
    assert sorted(first) == sorted(kinds)
    assert sorted(finding.make("diverse").rank(pool, 38).task_ids()) == sorted(tasks)
