"""Which bucket people put an item in: one choice by what describes the item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from nextlabel.estimators.choice import LinearChoice, fit_choice
from nextlabel.estimators.worth import About, Group, described, in_groups
from nextlabel.features.spaces import AsItIs, TfIdf, restore_space
from nextlabel.features.text import count_features
from nextlabel.labeling.ranking import Floats

Known = Sequence[Mapping[int, str]]
"""For each group the buckets of its things by their places, as far as they are known."""


class Buckets:
    """The chances of each thing's bucket. Make one with `fit_buckets`.

    Without a ``model``, as long as only one bucket was ever used, the ``shares`` of the buckets are the chances.
    """

    def __init__(self, shares: Sequence[float], space: TfIdf | None = None, model: LinearChoice | None = None) -> None:
        self._shares, self._space, self.model = tuple(shares), space, model

    def of(self, groups: Sequence[Group], about: About) -> list[Floats]:
        """For each group things × buckets, rows summing to 1."""
        if self.model is None or self._space is None:
            return [np.tile(self._shares, (len(group), 1)) for group in groups]
        counts = count_features([text for group in groups for text in group])
        things = described(self._space, self._space.weigh(counts), groups, about)
        return in_groups(self.model.predict((), things).probabilities, groups)

    def state(self) -> dict[str, object]:
        return {
            "shares": list(self._shares),
            "space": None if self._space is None else self._space.state(),
            "model": None if self.model is None else self.model.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> Buckets:
        space, model = (cast("Mapping[str, object] | None", state[part]) for part in ("space", "model"))
        return cls(
            cast("list[float]", state["shares"]),
            None if space is None else cast(TfIdf, restore_space(space)),
            None if model is None else LinearChoice.from_state(model),
        )


def fit_buckets(
    buckets: Sequence[str], groups: Sequence[Group], known: Known, about: About, *, seed: int, judged: bool
) -> tuple[Buckets, list[Floats]]:
    """The model, and for each group the chances of its things' buckets: as a model has them that had not seen the
    group, where it is ``judged`` and there are enough of them."""
    rows, given = _given(groups, known)
    shares = [(given.count(bucket) + 1) / (len(given) + len(buckets)) for bucket in buckets]
    if len(Counter(given)) < 2:
        nothing = Buckets(shares)
        return nothing, nothing.of(groups, about)
    counts = count_features([text for group in groups for text in group])
    space = TfIdf.of(counts)
    things = described(space, space.weigh(counts), groups, about)
    of_group = np.repeat(np.arange(len(groups)), [len(group) for group in groups])[rows].tolist()
    as_they_are = AsItIs(things.shape[1])
    model, held_out = fit_choice(
        things[rows], given, classes=buckets, space=as_they_are, seed=seed, judged=judged, groups=of_group
    )
    chances = model.predict((), things).probabilities  # of things that nobody has put anywhere: it has not seen them
    chances[rows] = shares if held_out is None else held_out.probabilities
    return Buckets(shares, space, model), in_groups(chances, groups)


def _given(groups: Sequence[Group], known: Known) -> tuple[list[int], list[str]]:
    """Which of all things' buckets are known, and these."""
    starts = np.cumsum([0, *map(len, groups)])[:-1].tolist()
    found = [(start + place, some[place]) for start, some in zip(starts, known, strict=True) for place in sorted(some)]
    return [row for row, _ in found], [bucket for _, bucket in found]
