"""Predictions by models that saw no label in doubt: wrong labels do not vouch for each other."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nextlabel.estimators.fitting import fit, trusting
from nextlabel.evaluation.suspects import doubts_of
from nextlabel.features.spaces import Curved
from nextlabel.labeling import Input, Label, Target, TargetKind
from nextlabel.labeling.ranking import Floats
from nextlabel.measures.target_predictions import ChoicePredictions, TargetPredictions

DIGITS = tuple("0123456789")
ALIKE = dict(zip(DIGITS, "8753921460", strict=True))
"""By digit one that is like it."""
KINDS = ("even", "round", "large")


def kinds_of(digit: str) -> tuple[str, ...]:
    is_one = {"even": digit in "02468", "round": digit in "0689", "large": digit in "56789"}
    return tuple(kind for kind, yes in is_one.items() if yes)


def wrong_kinds(digit: str) -> tuple[str, ...]:
    """All but one are right."""
    return tuple(kind for kind in KINDS if (kind in kinds_of(digit)) != (kind == KINDS[int(digit) % 3]))


@pytest.mark.parametrize(
    ("target", "right", "wrong", "worst"),
    [
        (Target("digit", "choice", (Input("image", "image"),), DIGITS), str, ALIKE.__getitem__, 0.97),
        (Target("kinds", "choices", (Input("image", "image"),), KINDS), kinds_of, wrong_kinds, 0.9),
    ],
    ids=["choice", "choices"],
)
def test_more_of_the_worst_labels_are_wrong_by_models_that_saw_none_in_doubt(
    target: Target, right: object, wrong: object, worst: float
) -> None:
    pictures, truth = load_digits(return_X_y=True)
    pictures = (pictures[:1000] / 16).astype(np.float32)
    flipped = np.random.default_rng(0).random(1000) < 0.1
    as_label = {True: wrong, False: right}
    labels = [
        cast("Label", as_label[bool(is_wrong)](str(digit)))  # type: ignore[operator]
        for digit, is_wrong in zip(truth[:1000], flipped, strict=True)
    ]
    space = Curved.of(pictures)
    first = cast("TargetPredictions", fit(target, [], pictures, labels, space, seed=0).out_of_fold)
    again = cast("TargetPredictions", trusting(target, [], pictures, labels, first, space, seed=0))

    def wrong_of_the_worst(predicted: TargetPredictions) -> float:
        doubts = doubts_of(predicted, labels)
        assert doubts is not None
        doubt: Floats = doubts.doubt
        return float(flipped[np.argsort(-doubt, kind="stable")[:50]].mean())

    assert len(again) == len(labels)
    assert wrong_of_the_worst(again) >= max(worst, wrong_of_the_worst(first))


def test_where_nothing_but_doubt_is_left_nothing_is_predicted() -> None:
    target = Target("side", "choice", (Input("text"),), ("left", "right"))
    points = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    labels: list[Label] = ["left" if x > 0 else "right" for x in points[:, 0]]
    contrary = np.array([[0.1, 0.9] if label == "left" else [0.9, 0.1] for label in labels])
    first = ChoicePredictions(("left", "right"), contrary)
    assert trusting(target, [], points, labels, first, Curved.of(points), seed=0) is None


@pytest.mark.parametrize("kind", ["choice", "choices"])
def test_a_class_that_is_not_learned_yet_is_not_taken_to_be_wrong(kind: TargetKind) -> None:
    """Of three classes one has few labels, among which no model can tell it from the others."""
    draw = np.random.default_rng(0)
    true = np.array(["left"] * 150 + ["right"] * 150 + ["rare"] * 15)
    side = np.where(true == "rare", draw.choice([-1, 1], 315), np.where(true == "left", -1, 1))
    points = (draw.normal(size=(315, 2)) + 3 * side[:, None]).astype(np.float32)
    labels: list[Label] = [str(one) if kind == "choice" else (str(one),) for one in true]
    target = Target("side", kind, (Input("text"),), ("left", "right", "rare"))
    space = Curved.of(points)
    first = cast("TargetPredictions", fit(target, [], points, labels, space, seed=0).out_of_fold)
    again = cast("TargetPredictions", trusting(target, [], points, labels, first, space, seed=0))
    column = target.labels.index("rare")
    before, after = (
        (one.probabilities if isinstance(one, ChoicePredictions) else cast("Any", one).chances)[:, column].mean()
        for one in (first, again)
    )
    assert after > before / 2 > 0.02
