"""The pool's model and learner in scikit-learn's clothes, for strategies made elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from nextlabel.labeling.ranking import CandidatePool, Features, Floats, Learner
from nextlabel.measures.uncertainty import checked
from nextlabel.strategies.base import finite, missing, need_learner
from nextlabel.strategies.committee import Member, stratified_bootstrap


class LearnerClassifier(ClassifierMixin, BaseEstimator):
    """A scikit-learn classifier over classes 0 … k − 1 that a `Learner` fits; a clone shares the learner."""

    def __init__(self, learner: Learner | Shared, classes: int, seed: int = 0, bootstrap: bool = False) -> None:
        self.learner = learner if isinstance(learner, Shared) else Shared(learner)
        self.classes, self.seed, self.bootstrap = classes, seed, bootstrap

    def fit(self, X: Features, y: NDArray[Any], sample_weight: None = None) -> LearnerClassifier:  # noqa: N803
        """``sample_weight`` is there because callers pass it by place; a `Learner` knows no weights."""
        if sample_weight is not None:
            raise ValueError("a learner takes no sample weights")
        labels = np.asarray(y).astype(np.int64)
        rows = stratified_bootstrap(labels, self.seed) if self.bootstrap else np.arange(len(labels))
        self.classes_ = np.arange(self.classes)
        self.predict_ = self.learner.learner.fit(X[rows], labels[rows], seed=self.seed)
        return self

    def predict_proba(self, X: Features) -> Floats:  # noqa: N803
        return np.asarray(self.predict_(X))

    def predict(self, X: Features) -> NDArray[np.integer]:  # noqa: N803
        return np.asarray(self.predict_proba(X).argmax(axis=1))


class Shared:
    """A learner that copies of its holder share: it may be large, and is never changed."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner

    def __copy__(self) -> Shared:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Shared:
        return self


class PoolModel:
    """The model in service, as functions written for modAL or scikit-learn know a classifier.

    For the pool's own ``features`` it answers with the pool's probabilities; only for others is a model fitted, on
    what is labeled. Without features, ``features`` has no columns.
    """

    on_transformed = False

    def __init__(self, pool: CandidatePool, strategy: str) -> None:
        self._pool, self._strategy = pool, strategy
        self._fitted: Member | None = None
        p = checked(pool.probabilities)
        self.classes_ = np.arange(p.shape[1])
        self.features: Features = (
            np.empty((len(pool), 0)) if pool.features is None else finite(pool.features, "features")
        )
        self.X_training, self.y_training = pool.labeled_features, pool.labels

    def predict_proba(self, X: Features) -> Floats:  # noqa: N803
        """n × k. Raises `SettingsError` for other rows than the pool's where no model can be fitted."""
        if X is self.features or X is self._pool.features:
            return np.array(self._pool.probabilities)
        if self._fitted is None:
            self._fitted = self.estimator.predict_proba
        return np.asarray(self._fitted(X))

    def predict(self, X: Features) -> NDArray[np.integer]:  # noqa: N803
        return np.asarray(self.predict_proba(X).argmax(axis=1))

    @property
    def estimator(self) -> LearnerClassifier:
        """A classifier fitted on what is labeled, which can be cloned."""
        if self.X_training is None or self.y_training is None or not len(self.y_training):
            raise missing(self._strategy, "labeled tasks with features")
        model = LearnerClassifier(need_learner(self._pool, self._strategy), len(self.classes_), self._pool.seed)
        return model.fit(self.X_training, self.y_training)
