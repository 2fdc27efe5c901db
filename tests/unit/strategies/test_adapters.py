"""Strategies made elsewhere keep their own order, and say clearly what they lack."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Floats
from nextlabel.strategies import spec
from nextlabel.strategies.adapted import LearnerClassifier, PoolModel
from nextlabel.strategies.adapters import Function, Modal, ScikitActiveml
from nextlabel.strategies.uncertainty import Entropy, LeastConfidence, Margin
from unit.strategies.pools import CentroidLearner, blobs, dense, sparse, without

SKACTIVEML = (
    "Badge", "BatchBALD", "Clue", "ContrastiveAL", "CoreSet", "DiscriminativeAL", "DropQuery", "Falcun", "GreedyBALD",
    "GreedySamplingX", "MaxHerding", "MonteCarloEER", "ProbCover", "QueryByCommittee", "Quire",
    "RandomSampling", "TypiClust", "UncertaintySampling", "ValueOfInformationEER",
)  # fmt: skip


@pytest.fixture
def skactiveml() -> Any:
    return import_module("skactiveml.pool")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SKACTIVEML)
def test_a_strategy_of_scikit_activeml_ranks_a_pool_and_leaves_it_untouched(name: str, skactiveml: Any) -> None:
    pool, before = blobs(12), blobs(12)
    ranked = ScikitActiveml(name).rank(pool, 5).task_ids()
    assert len(set(ranked)) == 5
    assert set(ranked) <= set(pool.tasks)
    assert ranked == ScikitActiveml(name).rank(pool, 5).task_ids()
    assert (dense(pool.features) == dense(before.features)).all()  # type: ignore[arg-type]
    assert (pool.probabilities == before.probabilities).all()
    for n in (0, 1, 3):
        assert sorted(ScikitActiveml(name).rank(blobs(n), 5).task_ids()) == sorted(blobs(n).tasks)


@pytest.mark.parametrize(
    ("method", "ours"), [("entropy", Entropy()), ("margin_sampling", Margin()), ("least_confident", LeastConfidence())]
)
def test_its_uncertainty_sampling_orders_as_ours(method: str, ours: Entropy, skactiveml: Any) -> None:
    made = spec.call(ScikitActiveml, spec.parse(f"skactiveml:UncertaintySampling?method={method}"))
    assert made.name == "skactiveml:UncertaintySampling"
    assert made.rank(blobs(15), 15).task_ids() == ours.rank(blobs(15), 15).task_ids()


def test_sparse_features_become_dense_without_their_empty_columns(
    skactiveml: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = blobs(15)
    assert ScikitActiveml("CoreSet").rank(sparse(pool), 5) == ScikitActiveml("CoreSet").rank(pool, 5)
    monkeypatch.setattr("nextlabel.strategies.adapters._DENSE_CELLS", 10)
    with pytest.raises(SettingsError, match="24 × 4 are too many"):
        ScikitActiveml("CoreSet").rank(sparse(pool), 5)


def test_options_of_scikit_activeml_are_read_as_what_they_look_like(skactiveml: Any) -> None:
    assert len(ScikitActiveml("ProbabilisticAL", metric="rbf").rank(blobs(6), 4)) == 4
    assert ScikitActiveml("TypiClust", k="2")._options == {"k": 2}
    assert ScikitActiveml("MaxHerding", normalize_samples="false")._options == {"normalize_samples": False}
    with pytest.raises(SettingsError, match=r"no option 'methd'.*it has cost_matrix, method"):
        ScikitActiveml("UncertaintySampling", methd="entropy")
    with pytest.raises(SettingsError, match="refuses this pool or these settings"):
        ScikitActiveml("UncertaintySampling", method="guess").rank(blobs(4), 2)


def test_without_labels_cold_strategies_work_and_others_say_what_they_need(skactiveml: Any) -> None:
    pool = without(blobs(8), "labels", "labeled_features", "learner")
    assert len(ScikitActiveml("ProbCover").rank(pool, 3)) == 3
    with pytest.raises(SettingsError, match="'skactiveml:Badge' needs a learner"):
        ScikitActiveml("Badge").rank(pool, 3)
    with pytest.raises(SettingsError, match="needs a regressor"):
        ScikitActiveml("GreedySamplingTarget")
    with pytest.raises(SettingsError, match="no pool strategy 'Probcover'"):
        ScikitActiveml("Probcover")


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skactiveml.pool", None)
    with pytest.raises(SettingsError, match="pip install scikit-activeml"):
        ScikitActiveml("ProbCover")
    with pytest.raises(SettingsError, match=r"nowhere.* cannot be imported .*pip install nowhere.*PYTHONPATH"):
        Modal("nowhere.to.be_found")


@pytest.mark.parametrize(
    ("function", "ours"),
    [("uncertainty_sampling", LeastConfidence()), ("margin_sampling", Margin()), ("entropy_sampling", Entropy())],
)
def test_modals_own_functions_choose_as_ours(function: str, ours: Margin) -> None:
    import_module("modAL.uncertainty")
    for pool in (blobs(15), sparse(blobs(15)), without(blobs(15), "features")):
        chosen = Modal(f"modAL.uncertainty.{function}").rank(pool, 6)
        assert set(chosen.task_ids()) == set(ours.rank(pool, 6).task_ids())
        assert chosen.strategy == f"modal:modAL.uncertainty.{function}"


def test_modals_ranked_batches_work_and_what_fails_on_import_is_told() -> None:
    import_module("modAL.batch")
    assert len(set(Modal("modAL.batch.uncertainty_batch_sampling").rank(blobs(8), 4).task_ids())) == 4
    with pytest.raises(SettingsError, match="fails while it is imported"):  # it uses np.float, gone since numpy 1.24
        Modal("modAL.expected_error.expected_error_reduction")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user's own file, outside the project."""
    (tmp_path / "my_strategies.py").write_text(
        "import numpy as np\n"
        "def last_first(classifier, X_pool, n_instances=1):\n"
        "    return np.arange(X_pool.shape[0])[::-1][:n_instances]\n"
        "def only_one(classifier, X_pool, n_instances=1): return np.array([2])\n"
        "def twice(classifier, X_pool, n_instances=1): return np.zeros(n_instances, dtype=int)\n"
        "def outside(classifier, X_pool, n_instances=1): return np.array([10_000])\n"
        "def by_first_class(estimator, pool): return 10 * estimator.predict_proba(pool.features)[:, 0]\n"
        "def too_few(estimator, pool): return [1.0]\n"
        "def nan(estimator, pool): return np.full(len(pool), np.nan)\n"
        "LIMIT = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_strategies", raising=False)
    return "my_strategies"


def test_a_modal_style_function_keeps_its_order(module: str) -> None:
    pool = blobs(6)
    assert Modal(f"{module}.last_first").rank(pool, 3).task_ids() == tuple(pool.tasks[::-1][:3])
    assert Modal(f"{module}.last_first").rank(blobs(0), 3).task_ids() == ()
    filled = Modal(f"{module}.only_one").rank(pool, 6).task_ids()
    assert filled[0] == pool.tasks[2]
    assert filled[1:] == tuple(task for task in Margin().rank(pool, 6).task_ids() if task != pool.tasks[2])


@pytest.mark.parametrize("function", ["twice", "outside"])
def test_rows_that_are_not_of_the_pool_each_once_are_refused(module: str, function: str) -> None:
    with pytest.raises(SettingsError, match="row numbers of the 6 open tasks, each once"):
        Modal(f"{module}.{function}").rank(blobs(6), 3)


def test_a_function_of_ones_own_ranks_by_its_utilities_on_any_scale(module: str) -> None:
    pool = blobs(6)
    ranking = Function(f"{module}.by_first_class").rank(pool, 6)
    expected = np.argsort(-pool.probabilities[:, 0])
    assert ranking.task_ids() == tuple(pool.tasks[i] for i in expected)
    assert (ranking.tasks[0].utility, ranking.tasks[-1].utility) == (1, 0)


def test_what_a_function_returns_is_checked(module: str) -> None:
    with pytest.raises(SettingsError, match="one utility for each of 6 tasks"):
        Function(f"{module}.too_few").rank(blobs(6), 3)
    with pytest.raises(ValueError, match="NaN"):
        Function(f"{module}.nan").rank(blobs(6), 3)
    for path in ("LIMIT", "missing"):
        with pytest.raises(SettingsError, match=f"has no function '{path}'"):
            Function(f"{module}.{path}")
    with pytest.raises(SettingsError, match="needs a dotted path: write function:package"):
        Function("by_first_class")


def fitted(pool: CandidatePool) -> Floats:
    assert pool.learner is not None and pool.labeled_features is not None and pool.labels is not None
    assert isinstance(pool.features, np.ndarray)
    return pool.learner.fit(pool.labeled_features, pool.labels)(pool.features + 1)


def test_the_pools_model_answers_for_the_pool_and_fits_only_for_other_rows() -> None:
    learner = CentroidLearner(3)
    pool = replace(blobs(6), learner=learner)
    model = PoolModel(pool, "mine")
    assert (model.predict_proba(model.features) == pool.probabilities).all()
    assert learner.fits == 0
    assert isinstance(pool.features, np.ndarray)
    np.testing.assert_allclose(model.predict_proba(pool.features + 1), fitted(pool))
    assert (model.predict(model.features) == pool.probabilities.argmax(axis=1)).all()
    with pytest.raises(SettingsError, match="'mine' needs labeled"):
        PoolModel(without(pool, "labels"), "mine").predict_proba(pool.features + 1)


def test_a_clone_shares_the_learner() -> None:
    learner = CentroidLearner(3)
    assert clone(LearnerClassifier(learner, 3)).learner.learner is learner
