"""A pool with everything a strategy can ask for, and a learner that is quick to fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.metrics.pairwise import euclidean_distances

from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool, Chances, Features, Floats, Numbers


class CentroidLearner:
    """Soft nearest centroids; a class without labels gets a little probability all the same. Counts its fits."""

    def __init__(self, classes: int) -> None:
        self.classes, self.fits = classes, 0

    def fit(self, features: Features, labels: NDArray[np.integer], seed: int = 0) -> Callable[[Features], Floats]:
        self.fits += 1
        known, member, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        centroids = csr_matrix((1 / sizes[member], (member, np.arange(len(labels))))) @ features

        def predict(wanted: Features) -> Floats:
            distance = euclidean_distances(wanted, centroids, squared=True)
            p = np.full((len(distance), self.classes), 1e-3)
            p[:, known] += np.exp(-(distance - distance.min(axis=1, keepdims=True)))
            return np.asarray(p / p.sum(axis=1, keepdims=True))

        return predict


class ChanceLearner:
    """Of each label by itself what a `CentroidLearner` of two classes says."""

    def fit(self, features: Features, labels: NDArray[Any], seed: int = 0) -> Callable[[Features], Floats]:
        parts = [CentroidLearner(2).fit(features, column.astype(np.intp), seed) for column in labels.T]
        return lambda wanted: np.column_stack([part(wanted)[:, 1] for part in parts])


class MeanLearner:
    """The mean of all numbers, moved a little by the first feature; farther from the others it knows less."""

    def fit(self, features: Features, labels: NDArray[Any], seed: int = 0) -> Callable[[Features], Floats]:
        center, middle = np.asarray(features.mean(axis=0)).reshape(1, -1), float(labels.mean())

        def predict(wanted: Features) -> Floats:
            far = euclidean_distances(wanted, center)[:, 0]
            first = np.asarray(wanted[:, [0]].sum(axis=1)).ravel()
            return np.column_stack([middle + 0.1 * first, 1 + far / len(labels)])

        return predict


def several(pool: CandidatePool, labels: int = 3) -> CandidatePool:
    """The same tasks, of which any of so many labels can be given."""
    codes = np.asarray(pool.labels if pool.labels is not None else np.empty(0, np.intp))
    given = (codes[:, None] + np.arange(labels)) % 3 < 2
    chances = np.random.default_rng(3).random((len(pool), labels))
    return replace(pool, classes=False, learner=None, chances=Chances(chances, given, ChanceLearner()))


def rated(pool: CandidatePool) -> CandidatePool:
    """The same tasks, of which a number is given."""
    codes = np.asarray(pool.labels if pool.labels is not None else np.empty(0, np.intp))
    mean, spread = np.random.default_rng(4).uniform(1, 5, (2, len(pool)))
    return replace(pool, classes=False, learner=None, numbers=Numbers(mean, spread, 1.5 * codes, 1.0, MeanLearner()))


def dense(features: Features) -> Floats:
    return np.asarray(features) if isinstance(features, np.ndarray) else features.toarray()


def blobs(n: int, k: int = 3, *, labeled: int = 9, seed: int = 0) -> CandidatePool:
    """n open tasks in k overlapping clouds, with probabilities from what is labeled."""
    rng = np.random.default_rng(7)
    centers = 2 * rng.normal(size=(k, 4))
    labels = np.arange(labeled) % k
    labeled_features = centers[labels] + rng.normal(size=(labeled, 4))
    features = centers[rng.integers(k, size=n)] + rng.normal(size=(n, 4))
    learner = CentroidLearner(k)
    return CandidatePool(
        tasks=[TaskId(str(100 + i)) for i in range(n)],
        probabilities=learner.fit(labeled_features, labels)(features) if n else np.empty((0, k)),
        features=features,
        labeled_features=labeled_features,
        labels=labels,
        learner=learner,
        costs=rng.uniform(1, 5, n),
        seed=seed,
    )


def sparse(pool: CandidatePool) -> CandidatePool:
    """The same pool with its features as sparse matrices."""
    assert pool.features is not None
    assert pool.labeled_features is not None
    return replace(
        pool,
        features=csr_matrix(dense(pool.features)),
        labeled_features=csr_matrix(dense(pool.labeled_features)),
    )


def without(pool: CandidatePool, *fields: str) -> CandidatePool:
    return replace(pool, **dict.fromkeys(fields))  # type: ignore[arg-type]
