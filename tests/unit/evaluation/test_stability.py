"""How far versions predict the same, by the kind of target: against scikit-learn, and where nothing can be said."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from nextlabel.evaluation.stability import alike, changed, correctness, kappa, weighted_kappa
from nextlabel.labeling import Label, Placed, Span, TargetKind

RNG = np.random.default_rng(5)


def test_kappa_is_cohens() -> None:
    for k in (2, 5):
        one, other = RNG.integers(0, k, 300), RNG.integers(0, k, 300)
        other[:200] = one[:200]
        assert kappa(one, other) == pytest.approx(cohen_kappa_score(one, other))
        weighted = cohen_kappa_score(one, other, weights="quadratic")
        assert weighted_kappa(one.astype(float), other.astype(float)) == pytest.approx(weighted)


SAME: dict[TargetKind, list[Label]] = {
    "choice": ["a", "b", "a", "c"],
    "choices": [("a", "b"), (), ("b",), ("a",)],
    "number": [1.0, 2.0, 5.0, 3.0],
    "spans": [(Span(0, 3, "x"),), (), (Span(4, 9, "y"), Span(10, 12, "x"))],
    "ranking": [(Placed("", "1"), Placed("", "2"), Placed("", "3")), (Placed("", "2"), Placed("", "1"))],
}


@pytest.mark.parametrize("kind", list(SAME))
def test_of_every_kind_the_same_is_1_and_what_differs_is_less(kind: TargetKind) -> None:
    labels = SAME[kind]
    assert alike(kind, labels, labels) == pytest.approx(1)
    assert changed(kind, labels, labels) == pytest.approx(0)
    assert correctness(kind, labels, labels, 6.0).tolist() == [1.0] * len(labels)
    others = labels[::-1]
    assert alike(kind, labels, others) < 0.9
    assert 0 < changed(kind, labels, others) <= 1


def test_versions_that_say_the_same_of_everything_show_nothing() -> None:
    assert alike("choice", ["a"] * 9, ["a"] * 9) == 0
    assert alike("choices", [()] * 9, [()] * 9) == 0
    assert alike("number", [1.0] * 9, [1.0] * 9) == 0
    assert alike("spans", [()] * 9, [()] * 9) == 0
