"""Cold start: before a model knows anything, ask for tasks that represent the whole pool."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans

from nextlabel.labeling.ranking import CandidatePool, Floats, Group, RankedTask, Ranking
from nextlabel.strategies.base import part_of
from nextlabel.strategies.geometry import directions, space_of

_CLUSTERS = 20
_MAX_FITTED = 20_000  # clusters are found on a sample this large; every task is still given its cluster
_MAX_RANKED = 100_000  # of a larger pool as many tasks are drawn at random and ranked: they represent it as well


class Diverse:
    """Asks for the most central task of each cluster, then for each one's second, and so on.

    Cluster representatives, round by round: each cluster's most central task, largest cluster first, then
    each one's second, and so on (Nguyen & Smeulders, 2004; Hacohen, Dekel & Weinshall, 2022, for why typical
    tasks teach most while labels are few). What is labeled already counts for its cluster, so that asking again
    goes on where it left off. Without features the order is random.
    """

    group = Group.COVERING
    name = "diverse"

    def utilities(self, probabilities: Floats) -> Floats:
        return np.full(len(probabilities), 0.5, dtype=np.float32)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        size = min(size, len(pool))
        if size < 1:
            return Ranking((), self.name)
        order = _representatives_first(pool, size)[:size]
        return Ranking(tuple(RankedTask(pool.tasks[i], 1 - n / len(pool)) for n, i in enumerate(order)), self.name)


def _representatives_first(pool: CandidatePool, size: int) -> NDArray[np.integer]:
    rng = np.random.default_rng(pool.seed)
    if pool.features is None or len(pool) <= 2:
        return rng.permutation(len(pool))
    if size <= _MAX_RANKED < len(pool):
        some = np.sort(rng.permutation(len(pool))[:_MAX_RANKED])
        return np.asarray(some[_representatives_first(part_of(pool, some), size)])
    space = directions(space_of(pool, Diverse.name))
    points = np.vstack([space.points, space.labeled])
    sample = rng.permutation(len(points))[:_MAX_FITTED]
    k = min(_CLUSTERS, len(np.unique(points[sample], axis=0)))
    clusters = MiniBatchKMeans(k, n_init=3, batch_size=1024, reassignment_ratio=0, random_state=pool.seed).fit(
        points[sample]
    )
    everyone = clusters.predict(points)
    member, asked = everyone[: len(pool)], np.bincount(everyone[len(pool) :], minlength=k)
    distance = np.linalg.norm(points[: len(pool)] - clusters.cluster_centers_[member], axis=1)
    sizes = np.bincount(member, minlength=k)
    by_cluster = np.lexsort((distance, member))
    place = np.empty(len(pool), dtype=np.int64)  # each task's place within its own cluster
    place[by_cluster] = np.arange(len(pool)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.lexsort((-sizes[member], place + asked[member]))
