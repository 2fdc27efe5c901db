"""What every strategy that looks at the pool's shape promises: any pool gets an order, or a sentence saying why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from nextlabel.errors import SettingsError
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.strategies.badge import Badge
from nextlabel.strategies.coverage import Determinantal, FacilityLocation, KCenter, Typical
from nextlabel.strategies.density import InformationDensity
from nextlabel.strategies.hybrid import ClusterUncertain, Hybrid, Product
from nextlabel.strategies.ranked_batch import RankedBatch
from unit.strategies.pools import blobs, dense, sparse, without

ONE_BY_ONE: dict[str, Callable[[], QueryStrategy]] = {
    "kcenter": KCenter,
    "facility": FacilityLocation,
    "dpp": Determinantal,
    "dpp, diversity alone": lambda: Determinantal(theta=0),
    "density": InformationDensity,
    "badge": Badge,
    "ranked_batch": RankedBatch,
    "hybrid with kcenter": Hybrid,
    "hybrid with facility": lambda: Hybrid("entropy+facility"),
    "hybrid with dpp": lambda: Hybrid("ratio+dpp"),
    "product": Product,
    "product without kcenter": lambda: Product("margin+density"),
}
WHOLE: dict[str, Callable[[], QueryStrategy]] = {"typical": Typical, "cluster": ClusterUncertain}
ALL = ONE_BY_ONE | WHOLE
Form = Callable[[CandidatePool], CandidatePool]
FORMS: tuple[Form, ...] = (lambda pool: pool, sparse)
"""Its features as they come, dense, and sparse."""


@pytest.fixture(params=ALL)
def strategy(request: pytest.FixtureRequest) -> QueryStrategy:
    return ALL[request.param]()


def ids(strategy: QueryStrategy, pool: CandidatePool, size: int) -> tuple[str, ...]:
    return strategy.rank(pool, size).task_ids()


def test_it_is_a_strategy_to_the_rest_of_the_house(strategy: QueryStrategy) -> None:
    assert isinstance(strategy, QueryStrategy)


def test_a_ranking_holds_tasks_of_the_pool_each_once(strategy: QueryStrategy) -> None:
    for n, size, labeled in ((0, 7, 9), (1, 7, 1), (40, 1, 0), (40, 7, 9)):
        for form in FORMS:
            assert_ranks_each_once(strategy, form, n, size, labeled)


@pytest.mark.everything
@pytest.mark.parametrize("n", [0, 1, 2, 40])
def test_a_ranking_of_any_pool_holds_as_many_as_are_asked_for(strategy: QueryStrategy, n: int) -> None:
    for form, size, labeled in product(FORMS, (0, 1, 7, 1000), (0, 1, 9)):
        assert_ranks_each_once(strategy, form, n, size, labeled)


def assert_ranks_each_once(strategy: QueryStrategy, form: Form, n: int, size: int, labeled: int) -> None:
    pool = blobs(n)
    some = form(replace(pool, labeled_features=dense(pool.labeled_features)[:labeled]))  # type: ignore[arg-type]
    ranked = ids(strategy, some, size)
    assert len(ranked) == len(set(ranked)) == min(n, size)
    assert set(ranked) <= set(pool.tasks)


def test_nothing_need_be_labeled(strategy: QueryStrategy) -> None:
    pool = without(blobs(20), "labeled_features", "labels", "learner", "costs")
    assert sorted(ids(strategy, pool, 20)) == sorted(pool.tasks)


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_a_longer_ranking_begins_with_the_shorter_one(name: str) -> None:
    longer, shorter = (ids(ONE_BY_ONE[name](), blobs(60), size) for size in (60, 12))
    assert longer[:12] == shorter


def test_utilities_are_in_the_unit_interval_and_never_rise_down_the_order(strategy: QueryStrategy) -> None:
    utilities = [ranked.utility for ranked in strategy.rank(blobs(40), 40).tasks]
    assert all(0 <= utility <= 1 for utility in utilities)
    assert utilities == sorted(utilities, reverse=True)


def test_the_same_seed_gives_the_same_order(strategy: QueryStrategy) -> None:
    assert strategy.rank(blobs(60, seed=3), 20) == strategy.rank(blobs(60, seed=3), 20)


def test_the_pool_is_left_untouched(strategy: QueryStrategy) -> None:
    for form in FORMS:
        pool, before = form(blobs(40)), form(blobs(40))
        strategy.rank(pool, 20)
        assert pool.tasks == before.tasks
        np.testing.assert_array_equal(pool.probabilities, before.probabilities)
        for now, then in ((pool.features, before.features), (pool.labeled_features, before.labeled_features)):
            assert now is not None
            assert then is not None
            np.testing.assert_array_equal(dense(now), dense(then))


def test_constant_features_give_an_order(strategy: QueryStrategy) -> None:
    for form, value in product(FORMS, (0.0, 1.0, 5e5)):
        constant = replace(blobs(25), features=np.full((25, 4), value))
        pool = replace(form(constant), labeled_features=None)
        assert sorted(ids(strategy, pool, 25)) == sorted(pool.tasks)


def test_a_single_class_gives_an_order(strategy: QueryStrategy) -> None:
    pool = replace(blobs(25), probabilities=np.ones((25, 1)))
    assert sorted(ids(strategy, pool, 25)) == sorted(pool.tasks)


def test_a_model_sure_of_everything_gives_an_order(strategy: QueryStrategy) -> None:
    pool = replace(blobs(25), probabilities=np.tile([1.0, 0.0], (25, 1)))
    assert sorted(ids(strategy, pool, 25)) == sorted(pool.tasks)


def test_hashed_texts_of_two_to_the_eighteenth_columns_are_ranked(strategy: QueryStrategy) -> None:
    rng = np.random.default_rng(0)
    features = csr_matrix(random_array((300, 2**18), density=1e-4, rng=rng, dtype=np.float32))
    pool = replace(
        blobs(0),
        tasks=[TaskId(str(n)) for n in range(260)],
        probabilities=rng.dirichlet(np.ones(3), 260).astype(np.float32),
        features=features[:260],
        labeled_features=features[260:],
    )
    assert len(set(ids(strategy, pool, 30))) == 30


def test_without_features_it_says_what_is_missing(strategy: QueryStrategy) -> None:
    with pytest.raises(SettingsError, match=rf"'{strategy.rank(blobs(0), 1).strategy}' needs features"):
        strategy.rank(without(blobs(5), "features"), 3)


def test_nan_features_are_refused_by_name(strategy: QueryStrategy) -> None:
    broken = dense(blobs(9).features).copy()  # type: ignore[arg-type]
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"^features hold NaN"):
        strategy.rank(replace(blobs(9), features=broken), 5)
    if not isinstance(strategy, InformationDensity) and not (isinstance(strategy, Product) and not strategy.covering):
        with pytest.raises(ValueError, match=r"^labeled_features hold NaN"):
            strategy.rank(replace(blobs(9), labeled_features=broken), 5)


def test_nan_probabilities_are_refused_where_they_are_used(strategy: QueryStrategy) -> None:
    broken = blobs(9).probabilities.copy()
    broken[3, 1] = np.nan
    pool = replace(blobs(9), probabilities=broken)
    if isinstance(strategy, KCenter | FacilityLocation | Typical) or getattr(strategy, "theta", 1) == 0:
        assert len(strategy.rank(pool, 5)) == 5
    else:
        with pytest.raises(ValueError, match="probabilities hold NaN"):
            strategy.rank(pool, 5)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: InformationDensity("doubt"), "knows no uncertainty 'doubt': it takes margin"),
        (lambda: InformationDensity(beta=-1), "beta is -1"),
        (lambda: Determinantal(theta=1), "theta is 1"),
        (lambda: RankedBatch("doubt"), "knows no uncertainty"),
        (lambda: Hybrid("margin"), "such as hybrid:margin.kcenter"),
        (lambda: Hybrid("margin+maxmin"), "coverages are kcenter, facility, dpp, not 'maxmin'"),
        (lambda: Hybrid(alpha=1.5), "alpha is 1.5"),
        (lambda: Product("margin+luck"), "knows no objective 'luck'"),
        (lambda: ClusterUncertain(beta=0.5), "beta is 0.5"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_the_remedy(make: Callable[[], object], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        make()
