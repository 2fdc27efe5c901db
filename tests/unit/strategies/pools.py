"""A pool with everything a strategy can ask for, and a learner that is quick to fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.metrics.pairwise import euclidean_distances

from nextlabel.labeling import TaskId
from nextlabel.ranking import CandidatePool, Features, Floats


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
