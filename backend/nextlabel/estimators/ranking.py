"""The order of the items that each task offers, and their buckets: what items are worth, and where they belong.

An item's worth follows from its words, its place among the others, its length and how like it is to whatever else the
task shows, learned from pairs: what a person put before something else was preferred to it (`Worths`). Its bucket is
one choice by its words. What is left in no bucket, where there are some, is in no order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, combinations, groupby
from typing import cast

import numpy as np
from scipy.optimize import minimize_scalar

from nextlabel.estimators.choice import LinearChoice, fit_choice
from nextlabel.estimators.worth import FOLDS, Pairs, Worths, fit_worths, held_out_worths, worths_of
from nextlabel.features.spaces import TfIdf
from nextlabel.features.text import count_features, read_text
from nextlabel.labeling import Input, Label, Target, Task
from nextlabel.labeling.ranking import Features, Floats
from nextlabel.measures.ranking_predictions import RankingPredictions, placed_in

_MOST = 50  # items of a task of which every pair is learned from; of more some, evenly from the first to the last
_STRENGTHS = 0.01, 2.0  # what worths are multiplied by

Offers = Sequence[Mapping[str, str]]
"""Of each task its items, and what people read there."""


class NothingOrdered(Exception):
    """No two items of any task were told apart."""


class LinearRanking:
    """How people would order the items that a task offers. Make one with `fit_ranking`.

    ``worths`` are multiplied by ``strength``. ``model`` says which bucket an item belongs in; where only one of them
    was ever used it is None, and the ``shares`` of the buckets are the chances.
    """

    kind = "ranking/1"
    informative: bool = True

    def __init__(
        self,
        target: Target,
        worths: Worths | None,
        *,
        strength: float = 1.0,
        model: LinearChoice | None = None,
        shares: Sequence[float] = (),
    ) -> None:
        self._target, self._worths, self._strength = target, worths, strength
        self._model, self._shares = model, tuple(shares)

    def predict(self, tasks: Sequence[Task], features: Features | None = None) -> RankingPredictions:
        offers = [self._target.offered(task) for task in tasks]
        found = worths_of(self._worths, _texts(offers), _about(self._target, tasks))
        worths = [self._strength * some for some in found]
        return RankingPredictions([tuple(offer) for offer in offers], worths, _buckets(self._target), self._of(offers))

    def _of(self, offers: Offers) -> list[Floats]:
        """The chances of each item's bucket."""
        if not self._shares:
            return []
        if self._model is None:
            return [np.tile(self._shares, (len(offer), 1)) for offer in offers]
        texts = list(chain.from_iterable(_texts(offers)))
        return _divided(self._model.predict((), count_features(texts)).probabilities, offers)

    def state(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "target": [self._target.name, list(self._target.labels), self._target.options],
            "about": [one.field for one in self._target.inputs],
            "worths": None if self._worths is None else self._worths.state(),
            "strength": self._strength,
            "model": None if self._model is None else self._model.state(),
            "shares": list(self._shares),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> LinearRanking:
        name, labels, options = cast("tuple[str, list[str], str]", state["target"])
        about = cast("list[str]", state["about"])
        worths, model = (cast("Mapping[str, object] | None", state[part]) for part in ("worths", "model"))
        return cls(
            Target(name, "ranking", tuple(map(Input, about)), tuple(labels), options=options),
            None if worths is None else Worths.from_state(worths),
            strength=cast(float, state["strength"]),
            model=None if model is None else LinearChoice.from_state(model),
            shares=cast("list[float]", state["shares"]),
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
    about = _about(target, tasks)
    worths = fit_worths(_texts(offers), preferred, about)
    model, shares, held_out_chances = _fit_buckets(target, offers, labels, seed, judged=judged)
    if worths is None and model is None:
        raise NothingOrdered
    ranking = LinearRanking(target, worths, model=model, shares=shares)
    if not judged or len(tasks) < 2 * FOLDS:
        return ranking, None
    held_out = held_out_worths(_texts(offers), preferred, seed, about)
    strength = _strength(held_out, preferred)
    items, scaled = [tuple(offer) for offer in offers], [strength * some for some in held_out]
    fitted = LinearRanking(target, worths, strength=strength, model=model, shares=shares)
    return fitted, RankingPredictions(items, scaled, _buckets(target), held_out_chances)


def _buckets(target: Target) -> tuple[str, ...]:
    return target.labels if any(target.labels) else ()


def _about(target: Target, tasks: Sequence[Task]) -> list[str]:
    """What is to be read in each task beside its items."""
    fields = [one.field for one in target.inputs if one.field != target.options]
    return [read_text(task.data, fields) for task in tasks]


def _texts(offers: Offers) -> list[list[str]]:
    return [list(offer.values()) for offer in offers]


def _divided(rows: Floats, offers: Offers) -> list[Floats]:
    """Rows of all items, task by task."""
    ends = np.cumsum([len(offer) for offer in offers])[:-1]
    return [np.asarray(some) for some in np.split(rows, ends)] if offers else []


def _preferred(target: Target, offer: Mapping[str, str], label: Label) -> Pairs:
    """In each bucket, what stands there to all that comes after it."""
    place = {item: n for n, item in enumerate(offer)}
    known = [(bucket, place[item]) for bucket, item in placed_in(label) if item in place]
    of_bucket = [(bucket, [n for _, n in some]) for bucket, some in groupby(known, lambda one: one[0])]
    ordered = [some for bucket, some in of_bucket if bucket or not _buckets(target)]
    return [pair for some in ordered for pair in combinations(_evenly(some), 2)]


def _evenly(places: Sequence[int]) -> Sequence[int]:
    if len(places) <= _MOST:
        return places
    return [places[n] for n in np.linspace(0, len(places) - 1, _MOST).astype(int)]


def _fit_buckets(
    target: Target, offers: Offers, labels: Sequence[Label], seed: int, *, judged: bool
) -> tuple[LinearChoice | None, tuple[float, ...], list[Floats]]:
    """A model of the bucket of an item, the share of each bucket, and the chances of all items of n tasks as a model
    that had not seen the task has them."""
    buckets = _buckets(target)
    if not buckets:
        return None, (), []
    put = [{one.item: one.bucket for one in placed_in(label)} for label in labels]
    everything = [(row, item, text) for row, offer in enumerate(offers) for item, text in offer.items()]
    known = [n for n, (row, item, _) in enumerate(everything) if item in put[row]]
    given = [put[row][item] for row, item, _ in (everything[n] for n in known)]
    counts = Counter(given)
    shares = tuple((counts[bucket] + 1) / (len(known) + len(buckets)) for bucket in buckets)
    if len(counts) < 2:
        return None, shares, [np.tile(shares, (len(offer), 1)) for offer in offers]
    features = count_features([text for _, _, text in everything])
    tasks = [everything[n][0] for n in known]
    space = TfIdf.of(features)
    model, held_out = fit_choice(
        features[known], given, classes=buckets, space=space, seed=seed, judged=judged, groups=tasks
    )
    chances = model.predict((), features).probabilities  # of items that nobody has put anywhere: it has not seen them
    chances[known] = shares if held_out is None else held_out.probabilities
    return model, shares, _divided(chances, offers)


def _strength(worths: Sequence[Floats], preferred: Sequence[Pairs]) -> float:
    """That with the least log loss of what was preferred, each task weighing the same."""
    found = [some[np.array(pairs).T] for some, pairs in zip(worths, preferred, strict=True) if pairs]
    gaps = np.concatenate([np.empty(0), *(one - other for one, other in found)])
    weights = np.concatenate([np.empty(0), *(np.full(len(one), 1 / len(one)) for one, _ in found)])

    def loss(strength: float) -> float:
        return float(weights @ np.logaddexp(0, -strength * gaps))

    return float(minimize_scalar(loss, bounds=_STRENGTHS, method="bounded").x)
