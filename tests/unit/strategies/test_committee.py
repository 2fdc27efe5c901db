"""A committee asks where its members disagree, and no class seen is lost to a member."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from nextlabel.errors import SettingsError
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool
from nextlabel.strategies.committee import MEASURES, Committee, CommitteeOf, stratified_bootstrap
from unit.strategies.pools import CentroidLearner, blobs, sparse, without


@pytest.mark.parametrize("measure", MEASURES)
def test_the_task_that_members_disagree_on_comes_first(measure: str) -> None:
    pool = CandidatePool([TaskId("agreed"), TaskId("disputed")], np.full((2, 2), 0.5), np.zeros((2, 1)))
    one, other = np.array([[0.95, 0.05], [0.9, 0.1]]), np.array([[0.95, 0.05], [0.1, 0.9]])
    assert CommitteeOf([lambda _: one, lambda _: other], measure).rank(pool, 2).task_ids() == ("disputed", "agreed")


@pytest.mark.parametrize("bootstrap", [True, False])
def test_as_many_members_are_fitted_as_asked_for(bootstrap: bool) -> None:
    pool, learner = blobs(10), CentroidLearner(3)
    Committee(members=5, bootstrap=bootstrap).rank(replace(pool, learner=learner), 3)
    assert learner.fits == 5


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(0, 50))
def test_a_bootstrap_draws_as_many_of_each_class_as_there_are(labels: list[int], seed: int) -> None:
    given_labels = np.array(labels)
    drawn = given_labels[stratified_bootstrap(given_labels, seed)]
    assert sorted(drawn) == sorted(labels)


def test_bootstraps_differ() -> None:
    labels = np.zeros(20, dtype=np.int64)
    assert stratified_bootstrap(labels, 1).tolist() != stratified_bootstrap(labels, 2).tolist()


def test_members_of_any_kind_are_brought_together_by_their_classes() -> None:
    pool = blobs(30)
    x, y = pool.labeled_features, pool.labels
    assert isinstance(x, np.ndarray)
    assert y is not None
    members = [GaussianNB().fit(x, y), LogisticRegression().fit(x[y > 0], y[y > 0]), DecisionTreeClassifier().fit(x, y)]
    ranking = CommitteeOf(members, "kl_divergence").rank(pool, 30)
    assert sorted(ranking.task_ids()) == sorted(pool.tasks)


def test_sparse_features_give_the_same_order_as_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = blobs(20)
    dense = Committee("kl_divergence").rank(pool, 20).task_ids()
    assert Committee("kl_divergence").rank(sparse(pool), 20).task_ids() == dense
    monkeypatch.setattr("nextlabel.strategies.committee._CELLS", 100)  # in chunks of 4 tasks
    assert Committee("kl_divergence").rank(pool, 20).task_ids() == dense


@pytest.mark.parametrize("field", ["features", "learner", "labels", "labeled_features"])
def test_what_is_missing_is_named_with_what_to_do(field: str) -> None:
    with pytest.raises(SettingsError, match=r"'committee:vote_entropy' needs .*choose 'margin'"):
        Committee().rank(without(blobs(5), field), 5)


def test_nan_is_refused_by_name() -> None:
    pool = blobs(5)
    with pytest.raises(ValueError, match="features hold NaN"):
        Committee().rank(replace(pool, features=np.full((5, 4), np.nan)), 5)
    with pytest.raises(ValueError, match="probabilities hold NaN"):
        Committee().rank(replace(pool, probabilities=np.full((5, 3), np.nan)), 5)


def test_an_unknown_measure_and_a_committee_of_one_are_refused() -> None:
    with pytest.raises(SettingsError, match="no measure 'votes': it has vote_entropy"):
        Committee("votes")
    with pytest.raises(SettingsError, match="members is 1"):
        Committee(members=1)
    with pytest.raises(SettingsError, match="needs members"):
        CommitteeOf([])
