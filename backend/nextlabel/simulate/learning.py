"""What a run learns with: the service's own learning, or its fast path for one single choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

from nextlabel.errors import FileUnavailable
from nextlabel.estimators.folds import draws_of
from nextlabel.estimators.learners import LinearLearner, Predict, ScikitLearner
from nextlabel.estimators.project import ProjectModel
from nextlabel.evaluation.metrics import metrics_of
from nextlabel.features.cache import VectorCache
from nextlabel.features.encoders import encoder_for
from nextlabel.features.media.documents import TextFiles
from nextlabel.features.model_folders import NO_EMBEDDINGS, Embeddings
from nextlabel.features.source import Source
from nextlabel.features.spaces import AsItIs
from nextlabel.features.text_cache import TextFeatureCache
from nextlabel.features.work import InPlace
from nextlabel.labeling import LabelSchema, ModelVersion, ProjectId, Target, Task, TaskId
from nextlabel.labeling.ranking import Features, Learner
from nextlabel.learning.pools import Examples, blank_last, candidate_pool, nothing_to_read
from nextlabel.learning.scoring import Scorer
from nextlabel.learning.targets import TargetsWorkbench
from nextlabel.learning.workbench import Candidates
from nextlabel.measures.target_predictions import ChoicePredictions
from nextlabel.ports.state import Labeled
from nextlabel.simulate.data import LabeledData

Rows = NDArray[np.int64]

_OF_CODES: Mapping[str, Callable[[Rows, Rows], float]] = {
    "accuracy": lambda truth, guesses: float((truth == guesses).mean()),
    "macro_f1": lambda truth, guesses: float(f1_score(truth, guesses, average="macro", zero_division=0)),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be learned, and with what; ``cache`` is a folder for features that no run need make again."""

    data: LabeledData
    cache: Path
    estimator: BaseEstimator | None = None
    scale: bool = True
    embeddings: Embeddings = NO_EMBEDDINGS

    def source(self) -> Source:
        counts, vectors = TextFeatureCache(self.cache).features, VectorCache(self.cache)
        return Source(counts, vectors, _file, texts=TextFiles(self.cache))

    def encode(self) -> None:
        """Read every row once, so that runs find it in the cache."""
        for part in (self.data, self.data.test):
            if part is not None and part.numbers is None:
                source, tasks = self.source(), part.tasks()
                encoder_for(self.data.target, tasks, source, embeddings=self.embeddings).encode(tasks, source)


@dataclass(frozen=True, slots=True)
class Split:
    """The rows to be labeled, those to be tested on, and what is to be learned of both."""

    target: Target
    train: LabeledData
    test: LabeledData


class ServiceLearning:
    """As a worker learns a project, whatever its target: `TargetsWorkbench`, given the labels batch by batch.

    Without ``chances`` how sure the model is means nothing.
    """

    def __init__(self, problem: Problem, split: Split, metric: str, seed: int, *, chances: bool = True) -> None:
        self._target, self._train, self._metric = split.target, split.train, metric
        self._test, self._truth = split.test.tasks(), split.test.labels
        self._source = problem.source()
        self._tested: Features | None = None
        self._bench = TargetsWorkbench(
            LabelSchema((split.target,)),
            Labeled((), (), ()),
            split.train.tasks(),
            self._source,
            seed=seed,
            embeddings=problem.embeddings,
            judged=chances,
        )

    def learn(self, labeled: Rows) -> None:
        """Fit on these rows: those of before, and more."""
        new = labeled[len(self._bench.labels) :].tolist()
        self._bench.take({TaskId(str(row)): {self._target.name: self._train.labels[row]} for row in new})
        self._model = cast(ProjectModel, self._bench.learn(None, lambda: None).model)

    def score(self) -> float:
        """The metric of the model on the held-out rows."""
        learned = self._model.targets[self._target.name]
        if self._tested is None:
            self._tested = learned.encoder.encode(self._test, self._source)
        target_predictions = learned.estimator.predict(self._test, self._tested)
        if isinstance(target_predictions, ChoicePredictions) and self._target.kind != "choice":
            return 0.0  # nothing is known of the target yet
        return metrics_of(target_predictions, self._truth)[self._metric]

    def is_cold(self, least: int) -> bool:
        return self._bench.is_cold(self._model, least)

    def candidates(self, seed: int) -> Candidates:
        """What the model says of the open rows; the names of tasks are the rows' numbers."""
        scorer = Scorer(ProjectId(""), ModelVersion(""), InPlace(), float("inf"), seed)
        return self._bench.candidates(self._model, scorer)


class MatrixLearning:
    """The fast path of one single choice: features are made and weighed once, a round fits and multiplies.

    Without an estimator the choices and scores are those of `ServiceLearning`, which a test holds it to. With one,
    any classifier of scikit-learn takes the place of the service's own. Without ``chances`` nothing is said of how sure
    the model is.
    """

    def __init__(self, problem: Problem, split: Split, metric: str, seed: int, *, chances: bool = True) -> None:
        self._target, self._labels, self._metric = split.target, split.train.labels, _OF_CODES[metric]
        self._truth, self._test_truth = _codes(split.train, split.target), _codes(split.test, split.target)
        self._tasks = [Task(TaskId(str(row)), {}) for row in range(len(split.train))]
        self._draws = draws_of(self._tasks, seed)
        self._matrices = _matrices(problem, split, chances=chances)
        self._seed, self._chances = seed, chances

    def learn(self, labeled: Rows) -> None:
        self._labeled = labeled
        features, truth, learner = self._matrices.train[labeled], self._truth[labeled], self._matrices.learner
        if isinstance(learner, LinearLearner):
            self._predict: Predict = learner.fit(features, truth, self._seed, self._draws[labeled])
        else:
            self._predict = learner.fit(features, truth, self._seed)

    def score(self) -> float:
        return self._metric(self._test_truth, self._predict(self._matrices.test).argmax(axis=1))

    def is_cold(self, least: int) -> bool:
        return len(self._labeled) < least or len(np.unique(self._truth[self._labeled])) < 2

    def candidates(self, seed: int) -> Candidates:
        known, k, labeled = self._matrices, len(self._target.labels), self._labeled.tolist()
        is_open = np.ones(len(self._truth), dtype=np.bool_)
        is_open[self._labeled] = False
        rows = np.flatnonzero(is_open)
        order, readable = blank_last(known.blank[rows])
        chosen = rows[readable]
        # Of every row, labeled or not: one matrix that is always the same object, so that it is weighed once.
        chances = self._predict(known.train)[chosen] if self._chances else np.full((len(chosen), k), 1 / k)
        tasks, labels = [self._tasks[row] for row in labeled], [self._labels[row] for row in labeled]
        pool = candidate_pool(
            [self._tasks[row] for row in chosen.tolist()],
            known.train[chosen],
            {self._target.name: ChoicePredictions(self._target.labels, chances)},
            Examples(self._target, tasks, labels, known.train[self._labeled]),
            lambda: AsItIs(known.train.shape[1]),
            seed,
        )
        return Candidates([self._tasks[row] for row in rows[order].tolist()], {}, replace(pool, learner=known.learner))


@dataclass(frozen=True, slots=True)
class _Matrices:
    """Features of the rows, those of the test rows, which rows hold nothing to be read, and what fits on them."""

    train: Features
    test: Features
    blank: NDArray[np.bool_]
    learner: Learner


def _matrices(problem: Problem, split: Split, *, chances: bool) -> _Matrices:
    """As the service encodes and weighs them; for an estimator numbers are as they are, or standardised."""
    estimator, classes = problem.estimator, len(split.target.labels)
    if estimator is not None and split.train.numbers is not None and split.test.numbers is not None:
        numbers, others = split.train.numbers, split.test.numbers
        if problem.scale:
            scaler = StandardScaler().fit(numbers)
            numbers, others = np.asarray(scaler.transform(numbers)), np.asarray(scaler.transform(others))
        return _Matrices(numbers, others, np.zeros(len(numbers), dtype=np.bool_), ScikitLearner(estimator, classes))
    source, tasks = problem.source(), split.train.tasks()
    encoder = encoder_for(split.target, tasks, source, embeddings=problem.embeddings)
    train, test = encoder.encode(tasks, source), encoder.encode(split.test.tasks(), source)
    space, blank = encoder.space(train), nothing_to_read(split.target, tasks, train)
    if estimator is not None:
        return _Matrices(space.weigh(train), space.weigh(test), blank, ScikitLearner(estimator, classes))
    learner = LinearLearner(space, classes, calibrated=chances)
    learner.remember(train, test)
    return _Matrices(train, test, blank, learner)


def _codes(data: LabeledData, target: Target) -> Rows:
    place = {label: n for n, label in enumerate(target.labels)}
    return np.array([place[str(label)] for label in data.labels], dtype=np.int64)


def _file(address: str) -> bytes:
    """A picture that the data's own file names."""
    try:
        return Path(address).read_bytes()
    except OSError as error:
        raise FileUnavailable(f"{address} cannot be read: {error}.") from error


Learning = ServiceLearning | MatrixLearning
