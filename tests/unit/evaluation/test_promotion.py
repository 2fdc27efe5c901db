"""A version learned of wrong labels does not serve: it is held to the anchor on all audit labels, out of fold."""

from __future__ import annotations

import numpy as np
import pytest

from nextlabel.evaluation.paired import held_out_t, overconfidence
from nextlabel.evaluation.promotion import HeldOut, Promotion, Rival, audited
from nextlabel.labeling.ranking import Floats

SERVES = Promotion(True, "no clear difference")
FEW = Rival(np.empty(0), np.empty(0))
N = 65  # audit labels after 400 labels in all
UNSURE = np.full(40, 0.6), np.tile([1.0, 1.0, 1.0, 0.0, 0.0], 8)


def losses(rng: np.random.Generator, n: int = N) -> Floats:
    """Of a version that is right nine times out of ten: small ones, and a few large ones."""
    return rng.beta(0.3, 3, n)


def decided(
    candidate: Floats, anchor: Floats, in_service: Floats | None = None, new: tuple[Floats, Floats] = UNSURE
) -> Promotion:
    held = HeldOut(candidate, anchor, anchor if in_service is None else in_service, *new)
    return audited(SERVES, FEW, FEW, held)


def test_equal_versions_are_hardly_ever_turned_down_and_one_that_misses_a_tenth_more_most_of_the_time() -> None:
    rng, draws = np.random.default_rng(0), 1_000
    equal = [held_out_t(losses(rng), losses(rng)) for _ in range(draws)]
    assert np.mean(np.array(equal) >= 1.67) <= 0.02
    turned_down = 0
    for _ in range(draws):
        anchor = losses(rng)
        worse = np.where(rng.random(N) < 0.12, 0.8, np.clip(anchor + rng.normal(0.02, 0.03, N), 0, 1))
        turned_down += not decided(worse, anchor).promoted
    assert turned_down / draws >= 0.9


def test_who_is_clearly_behind_does_not_serve_and_the_anchor_does_only_if_the_one_in_service_is_behind_too() -> None:
    anchor = losses(np.random.default_rng(1))
    worse = np.clip(anchor + np.where(np.arange(N) % 5, 0.02, 0.5), 0, 1)
    found = decided(worse, anchor)
    assert (found.promoted, found.to_anchor) == (False, False)
    assert "behind the anchor, the model in service stays: loss" in found.reason
    found = decided(worse, anchor, in_service=worse)
    assert (found.promoted, found.to_anchor) == (False, True)
    assert "the anchor serves again" in found.reason


def test_a_difference_too_small_to_matter_turns_nobody_down_however_certain() -> None:
    anchor = losses(np.random.default_rng(5)) * 0.9
    assert decided(anchor + 0.004, anchor).promoted
    assert not decided(anchor + 0.006, anchor).promoted


def test_fewer_than_fifty_audit_labels_say_nothing_yet() -> None:
    assert decided(np.ones(49), np.zeros(49)).promoted


@pytest.mark.parametrize(("wrong", "contradicted"), [(0.02, False), (0.05, False), (0.3, True), (1.0, True)])
def test_new_labels_that_contradict_a_sure_anchor_let_a_version_serve_only_where_audit_labels_bear_them_out(
    wrong: float, contradicted: bool
) -> None:
    rng = np.random.default_rng(2)
    anchor, right = losses(rng), (rng.random(60) >= wrong).astype(np.float64)
    new = np.full(60, 0.95), right
    a_little_worse, a_little_better = np.clip(anchor + 0.002, 0, 1), anchor * 0.98
    assert decided(a_little_worse, anchor).promoted
    assert decided(a_little_worse, anchor, new=new).promoted is not contradicted
    assert decided(a_little_better, anchor, new=new).promoted


def test_a_model_is_as_often_wrong_as_it_says_or_it_is_overconfident() -> None:
    rng = np.random.default_rng(3)
    sure = rng.uniform(0.5, 1, (2_000, 80))
    found = np.array([overconfidence(one, rng.random(80) < one) for one in sure])
    assert (abs(found.mean()), found.std()) == (pytest.approx(0, abs=0.1), pytest.approx(1, abs=0.1))
    assert (found >= 5).mean() == 0
    assert overconfidence(sure[0], np.zeros(80)) > 20
    assert overconfidence(np.ones(10), np.ones(10)) <= 0
    assert overconfidence(np.empty(0), np.empty(0)) == 0


def test_who_is_no_worse_on_all_audit_labels_becomes_the_anchor() -> None:
    anchor = losses(np.random.default_rng(4))
    assert decided(anchor * 0.99, anchor).anchors
    assert not decided(np.clip(anchor + 0.001, 0, 1), anchor).anchors
    assert not decided(anchor[:49] * 0.99, anchor[:49]).anchors
