"""Cold start: before a model knows anything, ask for tasks that represent the whole pool."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize

from nextlabel.ranking import CandidatePool, Features, Floats, RankedTask, Ranking

_CLUSTERS = 20
_DIMENSIONS = 50
_MAX_FITTED = 20_000  # clusters are found on a sample this large; every task is still given its cluster


class Diverse:
    """Cluster representatives, round by round: each cluster's most central task, largest cluster first, then
    each one's second, and so on (Nguyen & Smeulders, 2004; Hacohen, Dekel & Weinshall, 2022, for why typical
    tasks teach most while labels are few). What is labeled already counts for its cluster, so that asking again
    goes on where it left off. Without features the order is random.
    """

    name = "diverse"

    def utilities(self, probabilities: Floats) -> Floats:
        return np.full(len(probabilities), 0.5, dtype=np.float32)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        size = min(size, len(pool))
        if size < 1:
            return Ranking((), self.name)
        order = _representatives_first(pool)[:size]
        return Ranking(tuple(RankedTask(pool.tasks[i], 1 - n / len(pool)) for n, i in enumerate(order)), self.name)


def _representatives_first(pool: CandidatePool) -> NDArray[np.integer]:
    rng = np.random.default_rng(pool.seed)
    if pool.features is None or len(pool) <= 2:
        return rng.permutation(len(pool))
    points = _compressed(_with_labeled(pool), pool.seed, rng)
    sample = rng.permutation(len(points))[:_MAX_FITTED]
    k = min(_CLUSTERS, len(np.unique(points[sample], axis=0)))
    clusters = MiniBatchKMeans(k, n_init=3, batch_size=1024, random_state=pool.seed).fit(points[sample])
    everyone = clusters.predict(points)
    member, asked = everyone[: len(pool)], np.bincount(everyone[len(pool) :], minlength=k)
    distance = np.linalg.norm(points[: len(pool)] - clusters.cluster_centers_[member], axis=1)
    sizes = np.bincount(member, minlength=k)
    by_cluster = np.lexsort((distance, member))
    place = np.empty(len(pool), dtype=np.int64)  # each task's place within its own cluster
    place[by_cluster] = np.arange(len(pool)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.lexsort((-sizes[member], place + asked[member]))


def _with_labeled(pool: CandidatePool) -> Features:
    """The open tasks' features, and below them those of what is labeled."""
    features, labeled = pool.features, pool.labeled_features
    assert features is not None  # noqa: S101 - the caller has looked
    if labeled is None or labeled.shape[0] == 0:
        return features
    if isinstance(features, np.ndarray):
        return np.concatenate([features, np.asarray(labeled)])
    return csr_matrix(vstack([features, csr_matrix(labeled)]))


def _compressed(features: Features, seed: int, rng: np.random.Generator) -> Floats:
    """n × at most `_DIMENSIONS` dense rows of length 1 (latent semantic analysis where features are sparse)."""
    if not isinstance(features, np.ndarray):
        features = features[:, np.unique(features.indices)]  # most hashed columns are empty, and cost as much
        width = min(_DIMENSIONS, min(features.shape) - 1)
        if width < 1:
            return np.zeros((features.shape[0], 1))
        svd = TruncatedSVD(width, n_iter=2, random_state=seed)
        sample = rng.permutation(features.shape[0])[:_MAX_FITTED]
        svd.fit(features[sample])
        features = svd.transform(features)
    return np.asarray(normalize(features))
