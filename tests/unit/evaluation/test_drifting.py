"""Falls of people whose labels became worse, and of people whose labels did not."""

from __future__ import annotations

import numpy as np
import pytest

from nextlabel.evaluation.drifting import LABELS_PER_FALSE_ALARM, latest_fall


@pytest.mark.parametrize("quality", [0.98, 0.9, 0.75, 0.5, 0.3])
def test_who_stays_as_good_gets_a_false_alarm_as_seldom_as_is_promised(quality: float) -> None:
    draw = np.random.default_rng(1)
    alarms = sum(latest_fall(draw.random(1000) < quality) is not None for _ in range(100))
    assert alarms <= 100 * 1000 / LABELS_PER_FALSE_ALARM + 4.5, "two standard deviations above one in twenty"


def test_a_fall_is_noticed_soon_and_placed_where_it_began() -> None:
    draw = np.random.default_rng(2)
    found = [latest_fall(np.concatenate([draw.random(300) < 0.95, draw.random(100) < 0.75])) for _ in range(100)]
    falls = [one for one in found if one is not None and one.noticed >= 300]
    assert len(falls) >= 90
    assert np.median([one.noticed for one in falls]) < 350
    assert abs(np.median([one.since for one in falls]) - 300) < 10
    assert np.mean([one.before for one in falls]) == pytest.approx(0.95, abs=0.02)
    assert np.mean([one.after for one in falls]) == pytest.approx(0.75, abs=0.04)


def test_who_becomes_better_falls_nowhere() -> None:
    draw = np.random.default_rng(3)
    some = [latest_fall(np.concatenate([draw.random(200) < 0.7, draw.random(200) < 0.95])) for _ in range(50)]
    assert some.count(None) >= 48


def test_of_two_falls_the_later_one_is_told() -> None:
    draw = np.random.default_rng(4)
    fall = latest_fall(np.concatenate([draw.random(n) < share for n, share in ((300, 0.98), (300, 0.8), (300, 0.4))]))
    assert fall is not None
    assert 580 < fall.since < 620


def test_of_very_many_labels_the_latest_count() -> None:
    draw = np.random.default_rng(5)
    right = np.concatenate([draw.random(20_000) < 0.95, draw.random(200) < 0.6])
    fall = latest_fall(right)
    assert fall is not None
    assert 19_950 < fall.since < 20_050


@pytest.mark.parametrize("n", [0, 1, 30, 31])
def test_of_few_labels_nothing_is_said(n: int) -> None:
    assert latest_fall(np.zeros(n, dtype=np.bool_)) is None
