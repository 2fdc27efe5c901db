"""Labels that count less pull a model less, of every kind whose model takes weights."""

from __future__ import annotations

import numpy as np
import pytest

from nextlabel.estimators.by_kind import BY_KIND
from nextlabel.estimators.fitting import fit
from nextlabel.features.spaces import Centred
from nextlabel.labeling import Input, Label, Scale, Target
from nextlabel.labeling.ranking import Floats

TEXT = (Input("text"),)
N, RIGHT = 150, 100  # the others are wrong
CASES: dict[str, tuple[Target, Label, Label]] = {
    "choice": (Target("it", "choice", TEXT, ("low", "high")), "low", "high"),
    "choices": (Target("it", "choices", TEXT, ("high", "other")), (), ("high",)),
    "number": (Target("it", "number", TEXT, scale=Scale(0, 10)), 0.0, 10.0),
}


@pytest.mark.parametrize("kind", [kind for kind, one in BY_KIND.items() if one.takes_weights])
def test_wrong_labels_of_little_weight_mislead_less(kind: str) -> None:
    target, low, high = CASES[kind]
    points = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    labels = [high if (x > 0) == (n < RIGHT) else low for n, x in enumerate(points[:, 0])]
    weights: Floats = np.where(np.arange(N) < RIGHT, 1.0, 0.2)
    space = Centred.of(points)

    def loss(counted: Floats | None) -> float:
        model = fit(target, [], points, labels, space, seed=0, judged=False, weights=counted).model
        return float(np.mean(model.predict([], points[:RIGHT]).losses(labels[:RIGHT])))

    assert loss(weights) < 0.9 * loss(None)
    assert loss(np.ones(N)) == pytest.approx(loss(None), rel=1e-3)
