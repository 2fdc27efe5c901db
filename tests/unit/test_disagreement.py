"""The measures are in [0, 1], know agreement and its opposite, and order as modAL's and scikit-activeml's."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextlabel.measures import disagreement, uncertainty
from nextlabel.measures.disagreement import Floats

Measure = Callable[[Floats], Floats]
MEASURES: tuple[Measure, ...] = (
    disagreement.vote_entropy,
    disagreement.consensus_entropy,
    disagreement.max_disagreement,
    disagreement.kl_divergence,
    disagreement.variation_ratio,
)
every_measure = pytest.mark.parametrize("measure", MEASURES, ids=lambda it: it.__name__)


@st.composite
def committees(draw: st.DrawFn, least: int = 1) -> Floats:
    """m × n × k: members from wavering to certain, of either width."""
    shape = (draw(st.integers(1, 6)), draw(st.integers(0, 8)), draw(st.integers(least, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    weights = rng.random(shape) ** draw(st.sampled_from((1, 4, 30)))
    p = weights / weights.sum(axis=2, keepdims=True)
    return np.asarray(p, dtype=draw(st.sampled_from((np.float32, np.float64))))


@every_measure
@given(p=committees())
def test_every_measure_gives_a_number_in_the_unit_interval_for_each_task(measure: Measure, p: Floats) -> None:
    values = measure(p)
    assert values.shape == (p.shape[1],)
    assert ((values >= 0) & (values <= 1)).all()


@every_measure
@given(p=committees(), seed=st.integers(0, 100))
def test_neither_the_order_of_the_members_nor_of_the_classes_matters(measure: Measure, p: Floats, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shuffled = p[rng.permutation(len(p))][:, :, rng.permutation(p.shape[2])]
    np.testing.assert_allclose(measure(shuffled), measure(p), atol=2e-5)


@every_measure
def test_certain_members_who_agree_give_0_and_who_all_differ_give_1(measure: Measure) -> None:
    agree, differ = np.eye(3)[[1, 1, 1]], np.eye(3)
    np.testing.assert_allclose(measure(np.stack([agree, differ], axis=1)), [0, 1], atol=1e-12)


@every_measure
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_a_number_is_refused_by_name(measure: Measure, bad: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        measure(np.full((2, 2, 2), bad))


@every_measure
@pytest.mark.parametrize("shape", [(2, 3), (0, 2, 2), (2, 2, 0)])
def test_another_shape_than_members_by_rows_by_classes_is_refused(measure: Measure, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="m × n × k"):
        measure(np.zeros(shape))


@given(p=committees())
def test_members_who_are_equally_unsure_do_not_disagree(p: Floats) -> None:
    same = np.repeat(p[:1], 3, axis=0)
    for measure in MEASURES:
        if measure is not disagreement.consensus_entropy:
            np.testing.assert_allclose(measure(same), 0, atol=1e-5)
    np.testing.assert_allclose(disagreement.consensus_entropy(same), uncertainty.entropy(p[0]), atol=1e-5)


def test_the_spread_of_numbers_is_their_standard_deviation() -> None:
    np.testing.assert_allclose(disagreement.standard_deviation(np.array([[1.0, 5.0], [3.0, 5.0]])), [1, 0])
    with pytest.raises(ValueError, match="m × n"):
        disagreement.standard_deviation(np.zeros(3))
    with pytest.raises(ValueError, match="NaN"):
        disagreement.standard_deviation(np.full((2, 2), np.nan))


# --- parity with the peers: the same order, up to sign and ties ---------------------------------------------


def assert_same_order(ours: Floats, theirs: Floats, sign: int = 1) -> None:
    """Wherever theirs tells two tasks clearly apart, ours tells them apart the same way, and the other way round."""
    theirs = sign * np.asarray(theirs, dtype=np.float64)
    a, b = ours[:, None] - ours[None], theirs[:, None] - theirs[None]
    clear = np.abs(b) > 1e-6
    np.testing.assert_array_equal(np.sign(a[clear]), np.sign(b[clear]))
    assert (np.abs(b[np.abs(a) > 1e-5]) > 0).all()


class Member:
    """A member of a modAL committee that has made up its mind."""

    def __init__(self, p: Floats) -> None:
        self.p, self.classes_ = p, np.arange(p.shape[1])
        self.X_training = self.y_training = None
        self.estimator = self

    def predict_proba(self, features: object) -> Floats:
        return self.p

    def predict(self, features: object) -> NDArray[np.integer]:
        return np.asarray(self.p.argmax(axis=1))


double_committees = committees(2).map(lambda p: p.astype(np.float64)).filter(lambda p: p.shape[1] > 0)


@settings(deadline=None)
@given(p=double_committees)
def test_our_committee_measures_order_as_modals(p: Floats) -> None:
    peer = import_module("modAL.disagreement")
    committee = import_module("modAL.models").Committee([Member(member) for member in p])
    committee.classes_ = np.arange(p.shape[2])
    features = np.zeros((p.shape[1], 1))
    assert_same_order(disagreement.vote_entropy(p), peer.vote_entropy(committee, features))
    assert_same_order(disagreement.consensus_entropy(p), peer.consensus_entropy(committee, features))
    assert_same_order(disagreement.max_disagreement(p), peer.KL_max_disagreement(committee, features))


@settings(deadline=None)
@given(p=double_committees)
def test_our_committee_measures_order_as_scikit_activemls(p: Floats) -> None:
    peer = import_module("skactiveml.pool._query_by_committee")
    votes = p.argmax(axis=2).T
    assert_same_order(disagreement.kl_divergence(p), peer.average_kl_divergence(p.copy(), eps=1e-300))
    assert_same_order(disagreement.vote_entropy(p), peer.vote_entropy(votes, np.arange(p.shape[2])))
    assert_same_order(disagreement.variation_ratio(p), peer.variation_ratios(votes))


@settings(deadline=None)
@given(p=double_committees)
def test_our_uncertainty_orders_as_modals(p: Floats) -> None:
    peer = import_module("modAL.uncertainty")
    model, features = Member(p[0]), np.zeros((p.shape[1], 1))
    assert_same_order(uncertainty.least_confidence(p[0]), peer.classifier_uncertainty(model, features))
    assert_same_order(uncertainty.margin(p[0]), peer.classifier_margin(model, features), sign=-1)
    assert_same_order(uncertainty.entropy(p[0]), peer.classifier_entropy(model, features))


@settings(deadline=None)
@given(p=double_committees)
def test_our_uncertainty_orders_as_scikit_activemls(p: Floats) -> None:
    scores = import_module("skactiveml.pool").uncertainty_scores
    assert_same_order(uncertainty.least_confidence(p[0]), scores(p[0], method="least_confident"))
    assert_same_order(uncertainty.margin(p[0]), scores(p[0], method="margin_sampling"))
    assert_same_order(uncertainty.entropy(p[0]), scores(p[0], method="entropy"))
