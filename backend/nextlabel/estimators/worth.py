"""What each of several things in a task is worth, learned from which of them people preferred to which others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from nextlabel.estimators.linear import LinearScores
from nextlabel.features.spaces import TfIdf, active
from nextlabel.features.text import count_features
from nextlabel.labeling.ranking import Floats

_STRENGTH = 10.0
_PLACES = 20  # that have a weight each; the last one is that of all places after it, too
_PLACE = 0.5  # what a place weighs beside words
_MOST_PAIRS = 20_000
FOLDS = 5

Group = Sequence[str]
"""The texts of the things in a task, in the order in which they stand there."""
Pairs = Sequence[tuple[int, int]]
"""Places in a group: the thing that was preferred, and the one to which it was."""


@dataclass(frozen=True, slots=True)
class Worths:
    """The worth of a thing by its words and by where it stands. Make one with `fit_worths`.

    The chance that one is preferred to another is the logistic function of the difference (Bradley & Terry, 1952), and
    that it is the one chosen of several is the softmax (Luce, 1959).
    """

    words: LinearScores
    places: Floats

    def of(self, groups: Sequence[Group]) -> list[Floats]:
        """The worths of each group's things."""
        texts = [text for group in groups for text in group]
        places = np.array([place for group in groups for place in _places_of(group)], dtype=np.intp)
        worths = self.words.of(count_features(texts))[:, 0] + self.places[places] if texts else np.empty(0)
        ends = np.cumsum([len(group) for group in groups])[:-1]
        return [np.asarray(some, dtype=np.float64) for some in np.split(worths, ends)] if groups else []

    def state(self) -> dict[str, object]:
        return {"words": self.words.state(), "places": self.places}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> Worths:
        words = LinearScores.from_state(cast("Mapping[str, object]", state["words"]))
        return cls(words, cast(Floats, state["places"]))


def fit_worths(groups: Sequence[Group], preferred: Sequence[Pairs]) -> Worths | None:
    """From n groups and what was preferred in each; None where nothing was. Every group weighs the same, however many
    pairs it has."""
    counts = count_features([text for group in groups for text in group])
    space = TfIdf.of(counts)
    columns, words = active(space.weigh(counts))
    starts = np.cumsum([0, *map(len, groups)])
    pairs, weights = _weighed(starts, preferred)
    if not len(pairs):
        return None
    places = np.array([place for group in groups for place in _places_of(group)])
    where = csr_matrix((np.full(len(places), _PLACE), (np.arange(len(places)), places)), (len(places), _PLACES))
    things = csr_matrix(hstack([csr_matrix(words), where], format="csr"))
    more = things[pairs[:, 0]] - things[pairs[:, 1]]
    model = LogisticRegression(C=_STRENGTH, fit_intercept=False, max_iter=300)
    model.fit(vstack([more, -more]), np.repeat([1, 0], len(pairs)), np.tile(weights, 2))
    found = model.coef_[0]
    scores = LinearScores(space, columns, found[: len(columns), None], np.zeros(1))
    return Worths(scores, found[len(columns) :] * _PLACE)


def worths_of(worths: Worths | None, groups: Sequence[Group]) -> list[Floats]:
    """The worths of each group's things; 0 where nothing is known of any."""
    return [np.zeros(len(group)) for group in groups] if worths is None else worths.of(groups)


def held_out_worths(groups: Sequence[Group], preferred: Sequence[Pairs], seed: int) -> list[Floats]:
    """The worths of each group's things, as a model that had not seen the group has them. There must be `FOLDS`
    groups."""
    found: list[Floats] = [np.empty(0)] * len(groups)
    for train, test in KFold(FOLDS, shuffle=True, random_state=seed).split(found):
        worths = fit_worths([groups[row] for row in train], [preferred[row] for row in train])
        for row, some in zip(test.tolist(), worths_of(worths, [groups[row] for row in test]), strict=True):
            found[row] = some
    return found


def _weighed(starts: NDArray[np.intp], preferred: Sequence[Pairs]) -> tuple[NDArray[np.intp], Floats]:
    """Pairs × 2 rows of things, and what each pair weighs."""
    most = max(1, _MOST_PAIRS // max(1, len(preferred)))
    found = [(start, _some(pairs, most)) for start, pairs in zip(starts[:-1], preferred, strict=True) if pairs]
    rows = [(start + one, start + other) for start, pairs in found for one, other in pairs]
    weights = [1 / len(pairs) for _, pairs in found for _ in pairs]
    return np.array(rows, dtype=np.intp).reshape(-1, 2), np.array(weights)


def _some(pairs: Pairs, most: int) -> Pairs:
    """So many of them at most, evenly from all."""
    return pairs if len(pairs) <= most else [pairs[n] for n in np.linspace(0, len(pairs) - 1, most).astype(int)]


def _places_of(group: Group) -> NDArray[np.intp]:
    return np.minimum(np.arange(len(group)), _PLACES - 1)
