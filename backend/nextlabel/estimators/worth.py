"""What each of several things in a task is worth, learned from which of them people preferred to which others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, vstack

from nextlabel.estimators.linear import LinearScores
from nextlabel.features.spaces import Space, TfIdf, active
from nextlabel.features.text import count_features
from nextlabel.labeling.ranking import Features, Floats

_STRENGTH = 10.0
_PLACES = 20  # that have a weight each; the last one is that of all places after it, too
_PLACE = 0.5  # what a place weighs beside words
_ABOUT = 5_000  # characters of what things are about
_TRAITS, _USUAL = 2, 5.0  # how many there are; the logarithm of a usual length in characters
_BLOCK = 1_000  # things that are compared with that at once
_MOST_PAIRS = 20_000
FOLDS = 5

Group = Sequence[str]
"""The texts of the things in a task, in the order in which they stand there."""
Pairs = Sequence[tuple[int, int]]
"""Places in a group: the thing that was preferred, and the one to which it was."""
About = Sequence[str] | None
"""For each group a text that its things are about, such as the question that they answer; None where there is none."""


@dataclass(frozen=True, slots=True)
class Worths:
    """The worth of a thing by its words, by where it stands and, where there is a text that things are about, by how
    like it is to that (the cosine) and how long. Make one with `fit_worths`.

    The chance that one is preferred to another is the logistic function of the difference (Bradley & Terry, 1952), and
    that it is the one chosen of several is the softmax (Luce, 1959).
    """

    words: LinearScores
    places: Floats
    traits: Floats

    def of(self, groups: Sequence[Group], about: About = None) -> list[Floats]:
        """The worths of each group's things."""
        texts = [text for group in groups for text in group]
        places = np.array([place for group in groups for place in _places_of(group)], dtype=np.intp)
        weighed = self.words.space.weigh(count_features(texts))
        worths = self.words.of_weighed(weighed)[:, 0] + self.places[places]
        return in_groups(worths + _traits(self.words.space, weighed, groups, about) @ self.traits, groups)

    def state(self) -> dict[str, object]:
        return {"words": self.words.state(), "places": self.places, "traits": self.traits}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> Worths:
        words = LinearScores.from_state(cast("Mapping[str, object]", state["words"]))
        return cls(words, cast(Floats, state["places"]), cast(Floats, state.get("traits", np.empty(0))))


def fit_worths(groups: Sequence[Group], preferred: Sequence[Pairs], about: About = None) -> Worths | None:
    """From n groups and what was preferred in each; None where nothing was. Every group weighs the same, however many
    pairs it has."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to load: see preload

    counts = count_features([text for group in groups for text in group])
    space = TfIdf.of(counts)
    weighed = space.weigh(counts)
    columns, things = active(described(space, weighed, groups, about))
    starts = np.cumsum([0, *map(len, groups)])
    pairs, weights = _weighed(starts, preferred)
    if not len(pairs):
        return None
    places = np.array([place for group in groups for place in _places_of(group)])
    where = csr_matrix((np.full(len(places), _PLACE), (np.arange(len(places)), places)), (len(places), _PLACES))
    things = csr_matrix(hstack([csr_matrix(things), where], format="csr"))
    more = things[pairs[:, 0]] - things[pairs[:, 1]]
    model = LogisticRegression(C=_STRENGTH, fit_intercept=False, max_iter=300)
    model.fit(vstack([more, -more]), np.repeat([1, 0], len(pairs)), np.tile(weights, 2))
    found = model.coef_[0]
    of_things, of_places = np.split(found, [len(columns)])
    is_word = columns < space.columns
    traits = np.zeros(0 if about is None else _TRAITS)
    traits[columns[~is_word] - space.columns] = of_things[~is_word]
    scores = LinearScores(space, columns[is_word], of_things[is_word, None], np.zeros(1))
    return Worths(scores, of_places * _PLACE, traits)


def described(space: Space, weighed: Features, groups: Sequence[Group], about: About) -> csr_matrix:
    """What describes things: their words as the space weighs them, and beside these their traits."""
    return csr_matrix(hstack([csr_matrix(weighed), csr_matrix(_traits(space, weighed, groups, about))], format="csr"))


def in_groups(rows: Floats, groups: Sequence[Group]) -> list[Floats]:
    """The rows of all things, group by group."""
    ends = np.cumsum([len(group) for group in groups])[:-1]
    return [np.asarray(some, dtype=np.float64) for some in np.split(rows, ends)] if groups else []


def _traits(space: Space, weighed: Features, groups: Sequence[Group], about: About) -> Floats:
    """Things × 2, likeness and the logarithm of the length, where things are about anything; otherwise things × 0."""
    if about is None:
        return np.empty((weighed.shape[0], 0))
    lengths = np.log1p([len(text) for group in groups for text in group]) - _USUAL
    return np.column_stack([_likeness(space, weighed, groups, about), lengths])


def _likeness(space: Space, weighed: Features, groups: Sequence[Group], about: Sequence[str]) -> Floats:
    """The cosine of each thing and what its group is about."""
    if not any(about):
        return np.zeros(weighed.shape[0])
    asked = space.weigh(count_features([text[:_ABOUT] for text in about]))
    of = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(of), _BLOCK)]
    found = [csr_matrix(weighed[some]).multiply(asked[of[some]]).sum(axis=1) for some in blocks]
    return np.asarray(np.concatenate([np.empty((0, 1)), *found]))[:, 0]


def worths_of(worths: Worths | None, groups: Sequence[Group], about: About = None) -> list[Floats]:
    """The worths of each group's things; 0 where nothing is known of any."""
    return [np.zeros(len(group)) for group in groups] if worths is None else worths.of(groups, about)


def held_out_worths(
    groups: Sequence[Group], preferred: Sequence[Pairs], seed: int, about: About = None
) -> list[Floats]:
    """The worths of each group's things, as a model that had not seen the group has them. There must be `FOLDS`
    groups."""
    from sklearn.model_selection import KFold  # noqa: PLC0415 - slow to load: see preload

    found: list[Floats] = [np.empty(0)] * len(groups)
    for train, test in KFold(FOLDS, shuffle=True, random_state=seed).split(found):
        known, asked = (None if about is None else [about[row] for row in rows] for rows in (train, test))
        worths = fit_worths([groups[row] for row in train], [preferred[row] for row in train], known)
        for row, some in zip(test.tolist(), worths_of(worths, [groups[row] for row in test], asked), strict=True):
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
