"""The order of the items that each task offers, and their buckets: what items are worth, and where they belong.

What an item is worth follows from its words, its place among the others, its length and how like it is to whatever else
the task shows, learned from pairs: what a person put before something else was preferred to it (`Worths`). Its bucket
follows from the same but for its place (`Buckets`). What is left in no bucket, where there are some, is in no order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, groupby
from typing import cast

import numpy as np
from scipy.optimize import minimize_scalar

from nextlabel.estimators.buckets import Buckets, fit_buckets
from nextlabel.estimators.worth import FOLDS, Pairs, Worths, fit_worths, held_out_worths, worths_of
from nextlabel.features.text import read_text
from nextlabel.labeling import Input, Label, Target, Task
from nextlabel.labeling.ranking import Features, Floats
from nextlabel.measures.ranking_predictions import RankingPredictions, placed_in

_MOST = 50  # items of a task of which every pair is learned from; of more some, evenly from the first to the last
_STRENGTHS = 0.01, 2.0  # what worths are multiplied by

Offers = Sequence[Mapping[str, str]]
"""Of each task its items, and what people read there."""


class NothingOrdered(Exception):
    """No task has two items of which one was put before the other."""


class LinearRanking:
    """How people would order the items that a task offers. Make one with `fit_ranking`.

    ``worths`` are multiplied by ``strength``; ``buckets`` is None where there are none.
    """

    kind = "ranking/1"
    informative: bool = True

    def __init__(
        self, target: Target, worths: Worths | None, buckets: Buckets | None = None, *, strength: float = 1.0
    ) -> None:
        self._target, self._worths, self._buckets, self._strength = target, worths, buckets, strength

    def predict(self, tasks: Sequence[Task], features: Features | None = None) -> RankingPredictions:
        offers, about = [self._target.offered(task) for task in tasks], _about(self._target, tasks)
        worths = [self._strength * some for some in worths_of(self._worths, _texts(offers), about)]
        chances = [] if self._buckets is None else self._buckets.of(_texts(offers), about)
        return RankingPredictions([tuple(offer) for offer in offers], worths, _names(self._target), chances)

    def state(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "target": [self._target.name, list(self._target.labels), self._target.options],
            "about": [one.field for one in self._target.inputs],
            "worths": None if self._worths is None else self._worths.state(),
            "strength": self._strength,
            "buckets": None if self._buckets is None else self._buckets.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> LinearRanking:
        name, labels, options = cast("tuple[str, list[str], str]", state["target"])
        about = cast("list[str]", state["about"])
        worths, buckets = (cast("Mapping[str, object] | None", state[part]) for part in ("worths", "buckets"))
        return cls(
            Target(name, "ranking", tuple(map(Input, about)), tuple(labels), options=options),
            None if worths is None else Worths.from_state(worths),
            None if buckets is None else Buckets.from_state(buckets),
            strength=cast(float, state["strength"]),
        )


def fit_ranking(
    target: Target, tasks: Sequence[Task], labels: Sequence[Label], *, seed: int = 0, judged: bool = True
) -> tuple[LinearRanking, RankingPredictions | None]:
    """Fit on n labeled tasks. Of items that a task no longer offers nothing is learned.

    Returns the model, and what one that had not seen the task predicts for it (None: fewer than ten tasks, or not
    ``judged``). How much a difference of worths tells is taken from that, by log loss. Raises `NothingOrdered`.
    """
    offers = [target.offered(task) for task in tasks]
    preferred = [_preferred(target, offer, label) for offer, label in zip(offers, labels, strict=True)]
    groups, about = _texts(offers), _about(target, tasks)
    worths, buckets, chances = fit_worths(groups, preferred, about), None, list[Floats]()
    if names := _names(target):
        known = [_put(offer, label) for offer, label in zip(offers, labels, strict=True)]
        buckets, chances = fit_buckets(names, groups, known, about, seed=seed, judged=judged)
    if worths is None and (buckets is None or buckets.model is None):
        raise NothingOrdered
    if not judged or len(tasks) < 2 * FOLDS:
        return LinearRanking(target, worths, buckets), None
    held_out = held_out_worths(groups, preferred, seed, about)
    strength = _strength(held_out, preferred)
    items, scaled = [tuple(offer) for offer in offers], [strength * some for some in held_out]
    ranking = LinearRanking(target, worths, buckets, strength=strength)
    return ranking, RankingPredictions(items, scaled, names, chances)


def _names(target: Target) -> tuple[str, ...]:
    """The buckets, where there are any."""
    return target.labels if any(target.labels) else ()


def _put(offer: Mapping[str, str], label: Label) -> dict[int, str]:
    """The buckets of a task's items, by their places."""
    bucket_of = {one.item: one.bucket for one in placed_in(label)}
    return {place: bucket_of[item] for place, item in enumerate(offer) if item in bucket_of}


def _about(target: Target, tasks: Sequence[Task]) -> list[str]:
    """What is to be read in each task beside its items."""
    fields = [one.field for one in target.inputs if one.field != target.options]
    return [read_text(task.data, fields) for task in tasks]


def _texts(offers: Offers) -> list[list[str]]:
    return [list(offer.values()) for offer in offers]


def _preferred(target: Target, offer: Mapping[str, str], label: Label) -> Pairs:
    """In each bucket, what stands there to all that comes after it."""
    place = {item: n for n, item in enumerate(offer)}
    known = [(bucket, place[item]) for bucket, item in placed_in(label) if item in place]
    of_bucket = [(bucket, [n for _, n in some]) for bucket, some in groupby(known, lambda one: one[0])]
    ordered = [some for bucket, some in of_bucket if bucket or not _names(target)]
    return [pair for some in ordered for pair in combinations(_evenly(some), 2)]


def _evenly(places: Sequence[int]) -> Sequence[int]:
    if len(places) <= _MOST:
        return places
    return [places[n] for n in np.linspace(0, len(places) - 1, _MOST).astype(int)]


def _strength(worths: Sequence[Floats], preferred: Sequence[Pairs]) -> float:
    """That with the least log loss of what was preferred, each task weighing the same."""
    found = [some[np.array(pairs).T] for some, pairs in zip(worths, preferred, strict=True) if pairs]
    gaps = np.concatenate([np.empty(0), *(one - other for one, other in found)])
    weights = np.concatenate([np.empty(0), *(np.full(len(one), 1 / len(one)) for one, _ in found)])

    def loss(strength: float) -> float:
        return float(weights @ np.logaddexp(0, -strength * gaps))

    return float(minimize_scalar(loss, bounds=_STRENGTHS, method="bounded").x)
