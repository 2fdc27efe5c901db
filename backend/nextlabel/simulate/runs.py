"""One run: one strategy under one seed, from the first labels to the last one of the budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

from nextlabel.errors import ConfigurationError
from nextlabel.estimators.learners import LinearLearner, Predict, ScikitLearner
from nextlabel.features.spaces import TfIdf
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool, Features, Floats, Learner, complaint_of
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.strategies.diverse import Diverse
from nextlabel.strategies.random_order import RandomOrder

ColdStart = Literal["diverse", "random", "stratified"]
Metric = Literal["accuracy", "macro_f1"]
Rows = NDArray[np.int64]

METRICS: Mapping[str, Callable[[Rows, Rows], float]] = {
    "accuracy": lambda truth, said: float((truth == said).mean()),
    "macro_f1": lambda truth, said: float(f1_score(truth, said, average="macro", zero_division=0)),
}
_SPLIT, _INITIAL, _ASK = 1, 2, 3  # so that no two uses of a seed share their random numbers


@dataclass(frozen=True, slots=True)
class Plan:
    """How labels are spent: ``initial`` by ``cold_start``, then ``batch`` by ``batch``, ``budget`` in all."""

    budget: int
    batch: int
    initial: int
    cold_start: ColdStart
    metric: Metric
    test_share: float
    scale: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """All rows as features and classes; with a test set of their own, or to be split by the seed."""

    features: Features
    truth: Rows
    classes: int
    is_text: bool
    test_features: Features | None = None
    test_truth: Rows | None = None
    estimator: BaseEstimator | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """What one run gave: ``scores`` on the held-out rows, each with that many ``labels``."""

    strategy: str
    seed: int
    labels: tuple[int, ...]
    scores: tuple[float, ...]
    seconds: float = 0.0


def run(problem: Problem, plan: Plan, strategy: QueryStrategy, name: str, seed: int) -> Curve:
    """Label, fit, measure and ask, until the budget or the pool is spent. The same arguments give the same curve."""
    started = time.perf_counter()
    # Random order asks for no probabilities, and the metrics only which class is the likeliest.
    school = _School(problem, plan, seed, calibrated=not isinstance(strategy, RandomOrder))
    labeled = _initial(school, plan, seed)
    labels, scores = [], []
    while True:
        predict = school.fit(labeled)
        labels.append(len(labeled))
        scores.append(school.score(predict))
        size = min(plan.batch, plan.budget - len(labeled), len(school.truth) - len(labeled))
        if size < 1:
            break
        labeled = np.concatenate([labeled, _ask(school, plan, strategy, predict, labeled, size)])
    return Curve(name, seed, tuple(labels), tuple(scores), round(time.perf_counter() - started, 3))


def run_on_all(problem: Problem, plan: Plan, seed: int) -> float:
    """The metric of the same model with every label of the training rows."""
    school = _School(problem, plan, seed, calibrated=False)
    return school.score(school.fit(np.arange(len(school.truth))))


class _School:
    """The rows to learn from, the rows to be tested on, and the model: all that a seed decides before any label."""

    def __init__(self, problem: Problem, plan: Plan, seed: int, *, calibrated: bool) -> None:
        self.seed = seed
        self._metric = METRICS[plan.metric]
        features, self.truth, test_features, self._test_truth = _split(problem, plan, seed)
        self.features, self._test_features, self.learner = _prepare(
            problem, plan, features, test_features, calibrated=calibrated
        )

    def fit(self, labeled: Rows) -> Predict:
        return self.learner.fit(self.features[labeled], self.truth[labeled], self.seed)

    def score(self, predict: Predict) -> float:
        return self._metric(self._test_truth, predict(self._test_features).argmax(axis=1))


def _prepare(
    problem: Problem, plan: Plan, train: Features, test: Features, *, calibrated: bool
) -> tuple[Features, Features, Learner]:
    """Features as the model takes them: counts for the service's own, else TF-IDF or (if wanted) standardised."""
    if problem.is_text:
        counts, test_counts = csr_matrix(train), csr_matrix(test)
        if problem.estimator is None:
            learner = LinearLearner(TfIdf.of(counts), problem.classes, calibrated=calibrated)
            learner.remember(counts, test_counts)
            return counts, test_counts, learner
        space = TfIdf.of(counts)
        train, test = space.weigh(counts), space.weigh(test_counts)
    elif plan.scale:
        scaler = StandardScaler().fit(train)
        train, test = np.asarray(scaler.transform(train)), np.asarray(scaler.transform(test))
    assert problem.estimator is not None  # noqa: S101 - numbers always have one
    return train, test, ScikitLearner(problem.estimator, problem.classes)


def _split(problem: Problem, plan: Plan, seed: int) -> tuple[Features, Rows, Features, Rows]:
    if problem.test_features is not None and problem.test_truth is not None:
        return problem.features, problem.truth, problem.test_features, problem.test_truth
    order = np.random.default_rng([seed, _SPLIT]).permutation(len(problem.truth))
    size = min(max(round(len(order) * (1 - plan.test_share)), 1), len(order) - 1)
    train, test = order[:size], order[size:]
    return problem.features[train], problem.truth[train], problem.features[test], problem.truth[test]


def _initial(school: _School, plan: Plan, seed: int) -> Rows:
    """The rows labeled before any strategy is asked: under one seed, the same for all of them."""
    n = len(school.truth)
    size = min(plan.initial, plan.budget, n)
    draw = np.random.default_rng([seed, _INITIAL])
    if plan.cold_start == "random":
        return draw.permutation(n)[:size]
    if plan.cold_start == "stratified":
        return _stratified(school.truth, draw)[:size]
    return _rows(Diverse(), _pool(school, None, np.empty(0, np.int64), np.arange(n), seed), size)


def _stratified(truth: Rows, draw: np.random.Generator) -> Rows:
    """One row of each class, most frequent class first, then every class by its share."""
    order = draw.permutation(len(truth))
    counts = np.bincount(truth)
    place = np.empty(len(truth), dtype=np.float64)
    for label in np.flatnonzero(counts):
        members = order[truth[order] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
        place[members[0]] = -counts[label]
    return order[np.argsort(place[order], kind="stable")]


def _ask(school: _School, plan: Plan, strategy: QueryStrategy, predict: Predict, labeled: Rows, size: int) -> Rows:
    """The rows to label next. Until two classes have a label the cold start goes on, as in the service."""
    is_open = np.ones(len(school.truth), dtype=bool)
    is_open[labeled] = False
    rows = np.flatnonzero(is_open)
    is_random = isinstance(strategy, RandomOrder)
    cold = len(np.unique(school.truth[labeled])) < 2 and not is_random
    asked: QueryStrategy = strategy
    if cold:
        asked = Diverse() if plan.cold_start == "diverse" else RandomOrder()
    seed = int(np.random.default_rng([school.seed, _ASK, len(labeled)]).integers(2**31))
    return _rows(asked, _pool(school, None if is_random else predict, labeled, rows, seed), size)


def _pool(school: _School, predict: Predict | None, labeled: Rows, rows: Rows, seed: int) -> CandidatePool:
    return CandidatePool(
        tasks=[TaskId(str(row)) for row in rows.tolist()],
        probabilities=_probabilities(school, predict, rows),
        features=school.features[rows],
        labeled_features=school.features[labeled],
        labels=school.truth[labeled],
        learner=school.learner,
        seed=seed,
    )


def _probabilities(school: _School, predict: Predict | None, rows: Rows) -> Floats:
    if predict is None:
        k = int(school.truth.max()) + 1
        return np.full((len(rows), k), 1 / k)
    # Every row, labeled or not: one matrix that is always the same object, so that it is weighted once.
    return np.asarray(predict(school.features)[rows])


def _rows(strategy: QueryStrategy, pool: CandidatePool, size: int) -> Rows:
    """The strategy's choice as row numbers. Raises `ConfigurationError` when it is not what was asked for."""
    ranking = strategy.rank(pool, size)
    if complaint := complaint_of(ranking, pool, size):
        raise ConfigurationError(f"The strategy '{getattr(strategy, 'name', type(strategy).__name__)}' {complaint}")
    return np.array([int(task) for task in ranking.task_ids()[:size]], dtype=np.int64)
