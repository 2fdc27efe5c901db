"""What is told beside the accuracy: of each class that has labels enough, and F1 or correlation for one look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import f1_score

from nextlabel.evaluation import accuracy, beside
from nextlabel.labeling import Input, Label, Scale, Span, Target, TargetKind
from nextlabel.measures.span_f1 import span_f1
from nextlabel.measures.target_predictions import (
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    SpanPredictions,
    TargetPredictions,
    membership,
)

NAMES = ("ham", "spam v1.2", "50 % off", "")


def target(kind: TargetKind, labels: tuple[str, ...] = NAMES) -> Target:
    return Target("my.kind", kind, (Input("text"),), labels)


def choices_of(guesses: Sequence[str], names: tuple[str, ...] = NAMES) -> ChoicePredictions:
    return ChoicePredictions(names, np.eye(len(names))[[names.index(one) for one in guesses]])


def kept(of: Target, predicted: TargetPredictions, truth: Sequence[Label]) -> dict[str, float]:
    """All that is kept with a version of its audit labels."""
    found = accuracy.figures_of(of.name, predicted.correctness(truth), pool=10_000)
    return {"log_loss": 0.3} | found | beside.figures_of(of, predicted, truth)


def test_classes_with_ten_labels_are_told_and_a_sentence_names_the_others() -> None:
    truth = ["ham"] * 20 + ["spam v1.2"] * 10 + ["50 % off"] * 9
    guesses = ["ham"] * 20 + ["spam v1.2"] * 4 + ["ham"] * 15
    found = beside.by_class(kept(target("choice"), choices_of(guesses), truth))["my.kind"]
    told = {name: (share.value, share.n) for name, share in found.found.items()}
    assert told == {"ham": (1, 20), "spam v1.2": (0.4, 10)}
    assert found.found["spam v1.2"].low < 0.2
    assert found.sentence == "too few audit labels of '50 % off' (9), '' (0)"


def test_of_several_labels_each_is_told_by_the_tasks_that_have_it() -> None:
    truth = [("ham", "spam v1.2")] * 10 + [("ham",)] * 10
    chances = np.tile([0.9, 0.1, 0.1, 0.1], (20, 1))
    found = beside.by_class(kept(target("choices"), ChoicesPredictions(NAMES, chances), truth))["my.kind"]
    assert {name: share.value for name, share in found.found.items()} == {"ham": 1, "spam v1.2": 0}


def test_of_thousands_of_classes_those_with_most_labels_are_kept() -> None:
    names = tuple(f"c{n}" for n in range(5_000))
    truth = ["c4999"] * 12 + ["c3"] * 2
    found = kept(target("choice", names), choices_of(truth, names), truth)
    assert len(found) < 500
    told = beside.by_class(found)["my.kind"]
    assert list(told.found) == ["c4999"]
    assert told.sentence.startswith("too few audit labels of 'c3' (2), 'c0' (0)")
    assert told.sentence.endswith("and 4994 more")


def test_f1_and_correlation_are_those_of_scikit_learn_and_marked_for_one_look() -> None:
    rng = np.random.default_rng(1)
    names = NAMES[:3]
    truth = rng.choice(names, 60).tolist()
    guesses = [one if rng.random() < 0.7 else str(rng.choice(names)) for one in truth]
    several = [tuple(name for name in names if rng.random() < 0.5) for _ in range(60)]
    chances = np.where(rng.random((60, 3)) < 0.8, membership(several, names), 0.5)
    numbers = rng.normal(size=60)
    near = NumberPredictions(numbers + rng.normal(size=60), np.ones(60), 1.0, Scale())
    spans = [tuple(Span(n, n + 2, "name") for n in range(0, rng.integers(1, 9), 3)) for _ in range(60)]
    marked = [one[:1] for one in spans]
    for of, predicted, labels, name, expected in (
        (target("choice"), choices_of(guesses), truth, "macro_f1", f1_score(truth, guesses, average="macro")),
        (
            target("choices"),
            ChoicesPredictions(names, chances),
            several,
            "macro_f1",
            f1_score(membership(several, names), chances >= 0.5, average="macro"),
        ),
        (target("number"), near, numbers.tolist(), "correlation", np.corrcoef(near.mean, numbers)[0, 1]),
        (
            target("spans"),
            SpanPredictions(spans, [(1.0,) * len(one) for one in spans], np.zeros(60)),
            marked,
            "f1",
            span_f1(marked, spans)[2],
        ),
    ):
        found = beside.for_one_look(kept(of, predicted, labels))["my.kind"][name]
        assert found.value == pytest.approx(expected)
        assert found.low < found.value < found.high
        assert found.n == 60
        assert "not for repeated looks" in found.method
        assert not beside.for_one_look(kept(of, predicted.of(range(49)), labels[:49]))


def test_nothing_of_it_is_taken_for_a_figure_of_all_labels() -> None:
    truth = ["ham"] * 30 + ["spam v1.2"] * 30
    assert accuracy.others(kept(target("choice"), choices_of(truth), truth)) == {"log_loss": 0.3}
