"""Scores that are sums of weighed features: what the linear estimators keep of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nextlabel.features.matrices import block_of
from nextlabel.features.spaces import Space, restore_space
from nextlabel.labeling.ranking import Features, Floats

_BLOCK = 10_000  # rows weighed at once: weights of words take as much memory as the counts themselves


class LinearScores:
    """k scores of each row: weights of the active columns of a space (columns × k), and k intercepts."""

    def __init__(self, space: Space, columns: NDArray[np.int32], weights: Floats, intercept: Floats) -> None:
        self.space, self._columns = space, columns
        self._weights, self._intercept = weights.astype(np.float32), intercept.astype(np.float32)
        # Dense over all columns, so that scoring is one sparse product without slicing columns first.
        self._dense = np.zeros((space.columns, self._weights.shape[1]), dtype=np.float32)
        self._dense[columns] = self._weights

    def of(self, features: Features) -> Floats:
        """n × k."""
        n = features.shape[0]
        if n <= _BLOCK:
            return self.of_weighed(self.space.weigh(features))
        blocks = (block_of(features, start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK))
        return np.concatenate([self.of_weighed(self.space.weigh(block)) for block in blocks])

    def of_weighed(self, weighed: Features) -> Floats:
        """The same from features as the space weighs them."""
        return np.asarray(np.asarray(weighed @ self._dense) + self._intercept)

    def state(self) -> dict[str, object]:
        arrays = {"columns": self._columns, "weights": self._weights, "intercept": self._intercept}
        return {"space": self.space.state(), **arrays}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> LinearScores:
        space = restore_space(cast("Mapping[str, object]", state["space"]))
        columns = cast("NDArray[np.int32]", state["columns"])
        return cls(space, columns, cast(Floats, state["weights"]), cast(Floats, state["intercept"]))
