"""Arithmetic on hand-made curves."""

from __future__ import annotations

import pytest

from nextlabel.simulate.figures import area, labels_to, mean_of, reach, savings
from nextlabel.simulate.results import Results
from nextlabel.simulate.runs import Curve


def curve(scores: tuple[float, ...], *, seed: int = 0, strategy: str = "margin", step: int = 10) -> Curve:
    return Curve(strategy, seed, tuple(step * (n + 1) for n in range(len(scores))), scores)


def test_the_area_is_the_mean_height() -> None:
    assert area(curve((0.5, 0.7, 0.9))) == pytest.approx(0.7)
    assert area(Curve("margin", 0, (10, 20, 40), (0.0, 1.0, 1.0))) == pytest.approx((5 + 20) / 30)


def test_the_area_of_a_single_point_is_its_height() -> None:
    assert area(curve((0.6,))) == 0.6


def test_labels_are_counted_up_to_the_first_point_that_gets_there() -> None:
    rising = curve((0.5, 0.8, 0.7, 0.9))
    assert labels_to(rising, 0.8) == 20
    assert labels_to(rising, 0.85) == 40
    assert labels_to(rising, 0.95) is None


def test_a_score_that_is_reached_in_every_seed_has_a_mean() -> None:
    found = reach([curve((0.5, 0.9), seed=0), curve((0.9, 0.9), seed=1)], {0: 1.0, 1: 1.0}, 0.9)
    assert (found.labels.value, found.reached, str(found)) == (15, 2, "15 ± 5")


def test_a_score_that_is_reached_in_some_seeds_has_a_lower_bound() -> None:
    found = reach([curve((0.5, 0.9), seed=0), curve((0.5, 0.6), seed=1)], {0: 1.0, 1: 1.0}, 0.9)
    assert str(found) == "≥ 20 (1 of 2)"


def test_a_score_that_is_never_reached_says_so() -> None:
    assert str(reach([curve((0.5, 0.6))], {0: 1.0}, 0.9)) == "not reached"


def test_each_seed_has_its_own_score_to_reach() -> None:
    found = reach([curve((0.5, 0.6), seed=0), curve((0.5, 0.6), seed=1)], {0: 0.5, 1: 0.6}, 1.0)
    assert found.labels.value == 15


def test_savings_compare_the_labels_of_common_seeds() -> None:
    ours = [curve((0.9, 0.9, 0.9, 0.9), seed=seed) for seed in (0, 1, 2)]
    theirs = [curve((0.5, 0.5, 0.5, 0.9), seed=seed, strategy="random") for seed in (0, 1)]
    saved = savings(ours, theirs, {0: 1.0, 1: 1.0, 2: 1.0}, 0.9)
    assert saved is not None
    assert (saved.saved, saved.low, saved.high, saved.at_least) == (0.75, 0.75, 0.75, False)
    assert str(saved) == "75% (75% to 75%)"


def test_the_interval_of_savings_holds_the_mean_and_is_the_same_every_time() -> None:
    ours = [curve((0.5,) * seed + (0.9,) * (6 - seed), seed=seed) for seed in range(5)]
    theirs = [curve((0.5, 0.5, 0.5, 0.5, 0.5, 0.9), seed=seed, strategy="random") for seed in range(5)]
    full = dict.fromkeys(range(5), 1.0)
    saved = savings(ours, theirs, full, 0.9)
    assert saved is not None
    assert saved.low < saved.saved < saved.high
    assert saved == savings(ours, theirs, full, 0.9)


def test_more_was_saved_than_can_be_said_where_random_order_never_got_there() -> None:
    saved = savings([curve((0.5, 0.9))], [curve((0.5, 0.5, 0.5, 0.5))], {0: 1.0}, 0.9)
    assert saved is not None
    assert (saved.saved, saved.at_least) == (0.5, True)
    assert str(saved) == "≥ 50%"


def test_nothing_is_said_of_savings_where_the_strategy_did_not_get_there() -> None:
    assert savings([curve((0.5, 0.5))], [curve((0.5, 0.9))], {0: 1.0}, 0.9) is None


def test_a_mean_of_one_has_no_error_and_of_none_is_refused() -> None:
    assert str(mean_of([0.5])) == "0.5000"
    with pytest.raises(ValueError, match="mean of nothing"):
        mean_of([])


def test_the_summary_leaves_the_baseline_uncompared() -> None:
    curves = (curve((0.5, 0.9)), curve((0.5, 0.6), strategy="random"))
    results = Results("hand-made", "accuracy", ("margin", "random"), curves, {0: 1.0}, {})
    assert results.summary("random").savings == ()
    assert [s and s.saved for s in results.summary("margin").savings] == [0.0, None, None]
    with pytest.raises(KeyError):
        results.summary("entropy")
