"""Looking ahead: the candidate after which least error remains comes first, and the cost is bounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nextlabel.errors import SettingsError
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool, Features, Floats
from nextlabel.strategies.error_reduction import ErrorReduction, LookAhead, ValueOfInformation
from nextlabel.strategies.uncertainty import Margin
from unit.strategies.pools import CentroidLearner, blobs, dense, sparse, without

STRATEGIES: tuple[Callable[[], LookAhead], ...] = (
    ErrorReduction,
    lambda: ErrorReduction("zero_one"),
    ValueOfInformation,
)
every_strategy = pytest.mark.parametrize("make", STRATEGIES, ids=["log", "zero_one", "voi"])


class OneLabelSettlesIt:
    """Sure of everything once a certain task is labeled, unsure until then."""

    def __init__(self, key: float) -> None:
        self.key = key

    def fit(self, features: Features, labels: NDArray[np.integer], seed: int = 0) -> Callable[[Features], Floats]:
        sure = bool((dense(features)[:, 0] == self.key).any())
        return lambda wanted: np.full((wanted.shape[0], 2), [0.99, 0.01] if sure else [0.5, 0.5])


def pool_with_a_key(costs: list[float] | None = None) -> CandidatePool:
    return CandidatePool(
        tasks=[TaskId(str(i)) for i in range(5)],
        probabilities=np.array([[0.5, 0.5], [0.5, 0.5], [0.45, 0.55], [0.4, 0.6], [0.9, 0.1]]),
        features=np.arange(5.0).reshape(-1, 1),
        labeled_features=np.array([[10.0], [11.0]]),
        labels=np.array([0, 0]),
        learner=OneLabelSettlesIt(3),
        costs=None if costs is None else np.array(costs),
    )


@every_strategy
def test_the_label_that_settles_all_others_comes_first(make: Callable[[], LookAhead]) -> None:
    assert make().rank(pool_with_a_key(), 5).task_ids()[0] == "3"


def test_a_label_may_cost_more_than_it_prevents() -> None:
    pool = pool_with_a_key([1, 1, 1, 100, 1])
    assert ValueOfInformation(price=0.01).rank(pool, 1).task_ids() == ("3",)
    assert ValueOfInformation(price=1.0).rank(pool, 5).task_ids()[-1] == "3"


@every_strategy
def test_the_order_is_that_of_retraining_by_hand(make: Callable[[], LookAhead]) -> None:
    pool, strategy = blobs(8), make()
    x, known, y, learner = pool.features, pool.labeled_features, pool.labels, pool.learner
    assert x is not None and known is not None and y is not None and learner is not None
    remaining = [
        sum(
            pool.probabilities[i, c]
            * strategy.risk(pool, learner.fit(np.vstack([dense(known), dense(x)[i]]), np.append(y, c)), x)
            for c in range(3)
        )
        for i in range(8)
    ]
    assert strategy.rank(pool, 8).task_ids() == tuple(pool.tasks[i] for i in np.argsort(remaining))
    assert strategy.rank(sparse(pool), 8).task_ids() == strategy.rank(pool, 8).task_ids()


def test_the_number_of_fits_is_bounded_and_the_rest_is_in_order_of_margin() -> None:
    learner = CentroidLearner(3)
    pool = replace(blobs(30), learner=learner)
    ranked = ErrorReduction(candidates=4, labels=2, sample=5).rank(pool, 30).task_ids()
    assert learner.fits == 8
    by_margin = Margin().rank(pool, 30).task_ids()
    assert set(ranked[:4]) == set(by_margin[:4])
    assert ranked[4:] == by_margin[4:]


@every_strategy
@pytest.mark.parametrize("field", ["features", "learner", "labels"])
def test_what_is_missing_is_named(make: Callable[[], LookAhead], field: str) -> None:
    with pytest.raises(SettingsError, match=r"needs .*choose 'margin'"):
        make().rank(without(blobs(4), field), 2)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(SettingsError, match="no loss 'squared'"):
        ErrorReduction("squared")
    with pytest.raises(SettingsError, match="1 at least"):
        ErrorReduction(candidates=0)
    with pytest.raises(SettingsError, match="'value_of_information'"):
        ValueOfInformation(sample=0)
