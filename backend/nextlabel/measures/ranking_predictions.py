"""What a model says of some tasks about the order of the items that each of them offers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from nextlabel.labeling import Guess, Label, Placed, Result
from nextlabel.labeling.ranking import Floats
from nextlabel.measures.target_predictions import RAREST, Rows, as_two_classes

_MOST = 100  # items of a task of which every pair is looked at; of more some, evenly from the first to the last

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class RankingPredictions:
    """For each of n tasks its items, and the ``worths`` of these: the chance that one comes before another is the
    logistic function of the difference (Bradley & Terry, 1952).

    Where there are ``buckets``, ``chances`` are those of each item's bucket, items × buckets, rows summing to 1; items
    in the bucket "" are in no order, and stay in that of the task. For a task without items nothing is predicted, and
    it has no uncertainty: an answer to it would teach nothing.
    """

    items: Sequence[tuple[str, ...]]
    worths: Sequence[Floats]
    buckets: tuple[str, ...] = ()
    chances: Sequence[Floats] = ()

    def __len__(self) -> int:
        return len(self.items)

    def of(self, rows: Rows) -> RankingPredictions:
        chances = [self.chances[n] for n in rows] if self.buckets else ()
        return RankingPredictions([self.items[n] for n in rows], [self.worths[n] for n in rows], self.buckets, chances)

    @property
    def confidence(self) -> Floats:
        """How likely each pair is in the right order, and each item in the right bucket, on the average."""
        return np.array([_mean(_rightly(*row), 1.0) for row in self._rows])

    @property
    def uncertainty(self) -> Floats:
        """1 − how far the chances of each pair's two orders, and of each item's two likeliest buckets, are apart on the
        average."""
        return np.array([1 - _mean(_margins(*row), 1.0) for row in self._rows])

    @property
    def probabilities(self) -> Floats:
        return as_two_classes(self.uncertainty)

    def guesses(self, target: str) -> list[Guess]:
        return [
            Guess(target, self._label(row) if items else Result(()), likely)
            for row, (items, likely) in enumerate(zip(self.items, self.confidence.tolist(), strict=True))
        ]

    def losses(self, truth: Sequence[Label]) -> Floats:
        """−ln of the chance of each pair's true order, and of each item's true bucket, on the average."""
        return np.array([_mean(self._costs(row, label), 0.0) for row, label in enumerate(truth)])

    def correctness(self, truth: Sequence[Label]) -> Floats:
        """The share of pairs in the true order and of items in the true bucket, on the average; 1 where there is
        neither. Only what is still offered counts."""
        compared = [self._in_order(row, label) for row, label in enumerate(truth)]
        pairs = [(after > before).astype(np.float64) for before, after in compared]
        buckets = [
            self._in_bucket(row, label).astype(np.float64) if self.buckets else np.empty(0)
            for row, label in enumerate(truth)
        ]
        return np.array([_mean(both, 1.0) for both in zip(pairs, buckets, strict=True)])

    def metrics(self, truth: Sequence[Label]) -> dict[str, float]:
        """Kendall's (1938) tau: the share of pairs in the true order − that of the others, on the average of tasks; and
        the share of items that are in their bucket. Only what is still offered counts."""
        compared = [self._in_order(row, label) for row, label in enumerate(truth)]
        taus = [np.sign(after - before).mean() for before, after in compared if len(before)]
        figures = {"kendall_tau": float(np.mean(taus)) if taus else 0.0, "log_loss": float(self.losses(truth).mean())}
        if not self.buckets:
            return figures
        right = np.concatenate([np.empty(0), *(self._in_bucket(row, label) for row, label in enumerate(truth))])
        return {**figures, "bucket_agreement": float(right.mean()) if len(right) else 0.0}

    @property
    def _rows(self) -> Iterator[tuple[list[Floats], Floats]]:
        """Of each task the worths of the items in each bucket, and the chances of buckets, largest first."""
        for row, worths in enumerate(self.worths):
            groups = [worths[some] for _, some in self._placed(row)]
            yield groups, np.sort(self.chances[row], axis=1)[:, ::-1] if self.buckets else np.empty((0, 1))

    def _placed(self, row: int, *, ordered: bool = True) -> Iterator[tuple[str, Places]]:
        """The buckets with the places of their items, from the first to the last; of those in no order if asked for."""
        order = np.argsort(-self.worths[row], kind="stable")
        if not self.buckets:
            yield "", order
            return
        best = self.chances[row].argmax(axis=1)
        for column, bucket in enumerate(self.buckets):
            if bucket:
                yield bucket, order[best[order] == column]
            elif not ordered:
                yield bucket, np.flatnonzero(best == column)

    def _label(self, row: int) -> tuple[Placed, ...]:
        items = self.items[row]
        return tuple(Placed(bucket, items[n]) for bucket, some in self._placed(row, ordered=False) for n in some)

    def _costs(self, row: int, label: Label) -> list[Floats]:
        worths, most = self.worths[row], -np.log(RAREST)
        ordered = [worths[some] for some in self._true(row, label).values()]
        costs = [np.logaddexp(0, -_differences(some)) for some in ordered]
        chances = [np.empty(0)] if not self.buckets else [-np.log(np.clip(self._of_true_bucket(row, label), RAREST, 1))]
        return [np.minimum(np.concatenate([np.empty(0), *costs]), most), *chances]

    def _true(self, row: int, label: Label) -> dict[str, Places]:
        """The places of the items in each bucket that a person ordered, from the first to the last."""
        place = {item: n for n, item in enumerate(self.items[row])}
        found: dict[str, list[int]] = {}
        for bucket, item in placed_in(label):
            if item in place and (bucket or not self.buckets):
                found.setdefault(bucket, []).append(place[item])
        return {bucket: np.array(some, dtype=np.intp) for bucket, some in found.items()}

    def _in_order(self, row: int, label: Label) -> tuple[Places, Places]:
        """Of all pairs that a person ordered, the place in the order of the first, and of the second."""
        rank = np.empty(len(self.worths[row]), dtype=np.intp)
        rank[np.argsort(-self.worths[row], kind="stable")] = np.arange(len(rank))
        ordered = [rank[_some(some)] for some in self._true(row, label).values()]
        pairs = [(some[_pairs(len(some))[0]], some[_pairs(len(some))[1]]) for some in ordered]
        none = np.empty(0, dtype=np.intp)
        return np.concatenate([none, *(one for one, _ in pairs)]), np.concatenate([none, *(one for _, one in pairs)])

    def _of_true_bucket(self, row: int, label: Label) -> Floats:
        """The chance of the bucket in which a person put each item."""
        rows, columns = self._true_buckets(row, label)
        return self.chances[row][rows, columns]

    def _in_bucket(self, row: int, label: Label) -> NDArray[np.bool_]:
        rows, columns = self._true_buckets(row, label)
        return np.asarray(self.chances[row][rows].argmax(axis=1) == columns)

    def _true_buckets(self, row: int, label: Label) -> tuple[Places, Places]:
        place = {item: n for n, item in enumerate(self.items[row])}
        column = {bucket: n for n, bucket in enumerate(self.buckets)}
        still = [one for one in placed_in(label) if one.item in place and one.bucket in column]
        known = [(place[one.item], column[one.bucket]) for one in still]
        found = np.array(known, dtype=np.intp).reshape(-1, 2)
        return found[:, 0], found[:, 1]


def placed_in(label: Label) -> list[Placed]:
    """The items of the label of a ranking."""
    return [one for one in label if isinstance(one, Placed)] if isinstance(label, tuple) else []


def _rightly(groups: Sequence[Floats], chances: Floats) -> list[Floats]:
    return [np.concatenate([np.empty(0), *(expit(_differences(some)) for some in groups)]), chances[:, 0]]


def _margins(groups: Sequence[Floats], chances: Floats) -> list[Floats]:
    pairs, buckets = _rightly(groups, chances)
    return [2 * pairs - 1, buckets - chances[:, 1] if chances.shape[1] > 1 else buckets]


def _mean(facets: Sequence[Floats], nothing: float) -> float:
    """Of the facets' means: whichever has more numbers, the order and the buckets weigh the same."""
    means = [float(one.mean()) for one in facets if len(one)]
    return float(np.mean(means)) if means else nothing


def _differences(worths: Floats) -> Floats:
    """Of each pair the first one's worth − the second one's."""
    some = worths[_some(np.arange(len(worths)))]
    first, second = _pairs(len(some))
    return np.asarray(some[first] - some[second])


def _some(places: Places) -> Places:
    return places if len(places) <= _MOST else places[np.linspace(0, len(places) - 1, _MOST).astype(np.intp)]


@lru_cache(maxsize=_MOST + 1)
def _pairs(n: int) -> tuple[Places, Places]:
    return np.triu_indices(n, 1)
