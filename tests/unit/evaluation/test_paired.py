"""A worse version does not stay, a better one does, and equal ones are hardly ever stopped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nextlabel.evaluation.paired import (
    AGAINST_ANCHOR,
    AGAINST_BEFORE,
    Outcome,
    e_values,
    head_start,
    judge,
    squared_miss,
)
from nextlabel.labeling.ranking import Floats
from nextlabel.measures.target_predictions import ChoicePredictions

RNG = np.random.default_rng(10)
LOSSES = arrays(np.float64, 40, elements=st.floats(0, 1))


def differences(points: float, discordance: float = 0.1, runs: int = 4000, n: int = 200) -> Floats:
    """Runs × labels, 1 where only the newer version misses, −1 where only the other does."""
    drawn = RNG.random((runs, n))
    return (drawn < (discordance + points) / 2).astype(np.float64) - (drawn > 1 - (discordance - points) / 2)


def outcomes(worse_by: Floats, n: int) -> list[Outcome]:
    return [judge(np.maximum(one, 0), np.maximum(-one, 0), stop_at=5).outcome for one in worse_by[:, :n]]


@pytest.mark.parametrize(
    ("points", "n", "least", "most"),
    [(0.10, 100, 0, 0.03), (0.10, 200, 0, 0.01), (0.05, 100, 0, 0.10), (0.03, 200, 0, 0.15), (-0.03, 200, 0.90, 1)],
)
def test_the_worse_a_version_is_the_less_often_it_stays(points: float, n: int, least: float, most: float) -> None:
    stays = np.mean([one == Outcome.STAYS for one in outcomes(differences(points, runs=1500), n)])
    assert least <= stays <= most


def test_a_version_that_is_no_worse_is_hardly_ever_stopped_and_one_that_is_broken_soon() -> None:
    assert (e_values(differences(0, runs=20_000)).max(axis=1) >= AGAINST_ANCHOR).mean() <= 0.03
    assert (e_values(differences(-0.03)).max(axis=1) >= AGAINST_ANCHOR).mean() <= 0.01
    assert (e_values(differences(0.4, discordance=0.5, n=60)).max(axis=1) >= AGAINST_BEFORE).mean() >= 0.9


@pytest.mark.parametrize("discordance", [0.02, 0.1, 0.5, 1.0])
def test_false_alarms_are_as_rare_as_an_e_value_promises_however_much_two_versions_differ(discordance: float) -> None:
    alarms = e_values(differences(0, discordance, n=1000, runs=1000)).max(axis=1)
    assert (alarms >= AGAINST_ANCHOR).mean() <= 1 / AGAINST_ANCHOR
    assert (alarms >= AGAINST_BEFORE).mean() <= 1 / AGAINST_BEFORE


@given(worse_by=arrays(np.float64, 12, elements=st.sampled_from([-1.0, -0.3, 0.0, 0.3, 1.0])))
def test_a_bet_depends_on_nothing_that_comes_after_it_and_is_fair(worse_by: Floats) -> None:
    wealth = e_values(worse_by)
    assert np.all(wealth > 0)
    assert e_values(worse_by[:7]) == pytest.approx(wealth[:7])
    up, down = (e_values(np.append(worse_by, last))[-1] for last in (1.0, -1.0))
    assert (up + down) / 2 == pytest.approx(wealth[-1])


def test_the_fewer_labels_there_are_the_less_they_take_a_newer_version_out_of_service() -> None:
    assert [head_start(n) for n in (0, 40, 100, 500)] == [2, pytest.approx(1.4), 0.5, 0.5]


@given(newer=LOSSES, other=LOSSES)
def test_it_stays_if_it_won_as_much_as_it_lost_with_some_wins_ahead(newer: Floats, other: Floats) -> None:
    behind, start = float((newer - other).sum()), head_start(40)
    assume(abs(behind - start) > 1e-9)  # the order of a sum may decide
    found = judge(newer, other, stop_at=np.inf)
    assert (found.outcome == Outcome.STAYS) == (behind < start)
    assert found.ahead == pytest.approx(other.sum() - newer.sum())


def test_nothing_is_judged_by_nine_labels_but_what_is_beyond_doubt() -> None:
    assert judge(np.full(9, 0.5), np.full(9, 0.4), stop_at=5).outcome == Outcome.TOO_EARLY
    assert judge(np.full(10, 0.5), np.full(10, 0.5), stop_at=5).outcome == Outcome.STAYS
    assert judge(np.empty(0), np.empty(0), stop_at=5).outcome == Outcome.TOO_EARLY
    assert judge(np.ones(9), np.zeros(9), stop_at=5).outcome == Outcome.STOPPED


def test_what_it_was_once_stopped_for_is_not_forgotten() -> None:
    newer = np.repeat([1.0, 0.0], [15, 40])
    assert judge(newer, 1 - newer, stop_at=5).outcome == Outcome.STOPPED


def test_log_losses_of_two_classes_become_briers_score() -> None:
    chances = np.array([[0.9, 0.1], [0.2, 0.8], [1.0, 0.0]])
    losses = ChoicePredictions(("ham", "spam"), chances).losses(["ham", "ham", "spam"])
    assert squared_miss(losses) == pytest.approx([0.01, 0.64, 1.0], abs=1e-5)


@pytest.mark.parametrize(
    ("newer", "other"), [([0.5], [0.5, 0.5]), ([1.5], [0.5]), ([np.nan], [0.5]), ([[0.5]], [[0.5]])]
)
def test_losses_that_cannot_be_compared_are_refused(newer: object, other: object) -> None:
    with pytest.raises(ValueError, match=r"of the same tasks|must be in"):
        judge(np.array(newer, dtype=np.float64), np.array(other, dtype=np.float64), stop_at=5)
