"""The default: nothing to tune. It looks at the labels there are to decide how far the model can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Features, Floats, Group, Ranking
from nextlabel.measures.uncertainty import margin
from nextlabel.strategies.base import PoolStrategy, finite, part_of
from nextlabel.strategies.diverse import Diverse
from nextlabel.strategies.geometry import Rows, in_order, sketch

_SAMPLE = 1000  # open tasks among which representatives are looked for, whatever the size of the pool
_MOST = 0.5  # of a block explores, at most


class Adaptive(PoolStrategy):
    """Asks for representatives first, then for what the model is unsure of. It explores as much as the labels call for.

    1. Until two classes have a label there is nothing to be unsure between: cluster representatives (`Diverse`).
    2. From then on places are filled block by block. A share of each block goes to representatives of what has no
       label yet: the Good–Turing estimate (Good, 1953) of the chance that the next label is of a class not seen so
       far (classes with one label ÷ labels), but never less than ``explore`` nor more than half. Fifty classes after
       twenty labels explore much, two classes after fifty hardly; and some doubt about the model always remains.
    3. A model that needed no labels (`CandidatePool.from_labels`) is trusted from the start: ``explore`` is the share.
    4. The other places go to the ``breadth`` × as many tasks with the smallest margin, clustered, and of each cluster
       to the most central one (after Zhdanov, 2019), so that a block does not ask the same thing ten times.

    Blocks follow one another: the first places of a long ranking are what a short one gives. Without features it is
    margin, and the exploring is at random.
    """

    group = Group.ANY

    def __init__(self, block: int = 10, breadth: float = 3.0, explore: float = 0.1) -> None:
        self.name = "adaptive"
        if block < 1 or not 1 <= breadth < np.inf or not 0 <= explore <= _MOST:
            raise SettingsError(
                f"The strategy '{self.name}' takes a block of 1 or more, a breadth of 1 or more and explore from 0 to "
                f"{_MOST}; not {block}, {breadth:g} and {explore:g}."
            )
        self._block, self._breadth, self._explore = block, breadth, explore

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        size = min(size, len(pool))
        if size < 1:
            return Ranking((), self.name)
        unsure = margin(pool.probabilities)
        if pool.features is not None:
            finite(pool.features, "features")
        if pool.from_labels and (pool.labels is None or len(np.unique(pool.labels)) < 2):
            return Ranking(Diverse().rank(pool, size).tasks, self.name)
        rng = np.random.default_rng(pool.seed)
        unseen = unseen_mass(pool.labels) if pool.from_labels and pool.labels is not None else 0.0
        share = min(max(unseen, self._explore), _MOST)
        places = _Places(pool, unsure, rng)
        while len(places.rows) < size:
            n = min(self._block, len(pool) - len(places.rows))
            exploring = int(n * share + rng.random())
            start = len(places.rows)
            places.add_unsure(n - exploring, self._breadth)
            places.add_exploring(exploring, among=start)
        return in_order(pool, places.rows[:size], self.name, places.exploring)


def unseen_mass(labels: NDArray[np.integer]) -> float:
    """The chance that the next label is of a class without one, in [0, 1], were tasks drawn at random (Good, 1953)."""
    return float((np.bincount(labels) == 1).sum() / len(labels)) if len(labels) else 1.0


def _representatives(pool: CandidatePool, rng: np.random.Generator) -> Iterator[int]:
    """Every row: those that stand for what has no label yet, among a sample, and then the others; nothing is done
    before the first is asked for."""
    everyone = rng.permutation(len(pool))
    some = np.sort(everyone[:_SAMPLE])
    sample = replace(part_of(pool, some), costs=None)
    place = {task: int(n) for task, n in zip(sample.tasks, some, strict=True)}
    yield from (place[task] for task in Diverse().rank(sample, len(sample)).task_ids())
    yield from everyone[_SAMPLE:].tolist()


class _Places:
    """The places filled so far, first to last; ``exploring`` are those of them that no doubt chose."""

    def __init__(self, pool: CandidatePool, unsure: Floats, rng: np.random.Generator) -> None:
        self.rows: list[int] = []
        self.exploring: set[int] = set()
        self._features, self._seed, self._unsure, self._rng = pool.features, pool.seed, unsure, rng
        self._by_margin = np.lexsort((rng.permutation(len(pool)), -unsure))
        self._representatives = _representatives(pool, rng)
        self._passed = 0  # of those by margin, all before this one have a place
        self._taken = np.zeros(len(pool), dtype=bool)

    def add_exploring(self, n: int, among: int) -> None:
        """Representatives, each at a place drawn at random from ``among`` on: whoever asks one by one gets some too."""
        while n:
            row = next(self._representatives)
            if not self._taken[row]:
                self._taken[row] = True
                self.exploring.add(row)
                self.rows.insert(int(self._rng.integers(among, len(self.rows) + 1)), row)
                n -= 1

    def add_unsure(self, n: int, breadth: float) -> None:
        """The most unsure, different from each other; the most unsure of them first."""
        candidates = self._most_unsure(int(np.ceil(n * breadth)))
        while n:
            chosen = self._different(candidates, n)
            self._taken[candidates[chosen]] = True
            self.rows += candidates[chosen].tolist()
            candidates, n = np.delete(candidates, chosen), n - len(chosen)  # equal tasks make fewer clusters

    def _most_unsure(self, n: int) -> Rows:
        while self._passed < len(self._taken) and self._taken[self._by_margin[self._passed]]:
            self._passed += 1
        ahead = self._by_margin[self._passed : self._passed + n + len(self.rows)]
        return ahead[~self._taken[ahead]][:n]

    def _different(self, candidates: Rows, n: int) -> Rows:
        if self._features is None or len(candidates) <= n:
            return np.arange(min(n, len(candidates)))
        points = _points(self._features, candidates)
        n = min(n, len({point.tobytes() for point in points}))
        weights = self._unsure[candidates] + 1e-9
        clusters = KMeans(n, n_init=1, random_state=self._seed).fit(points, sample_weight=weights)
        far = np.linalg.norm(points - clusters.cluster_centers_[clusters.labels_], axis=1)
        order = np.lexsort((far, clusters.labels_))
        _, first = np.unique(clusters.labels_[order], return_index=True)
        return np.sort(order[first])


def _points(features: Features, rows: Rows) -> Floats:
    some = features[rows]
    return some if isinstance(some, np.ndarray) else sketch(some)
