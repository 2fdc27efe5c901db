"""A figure about the tasks that were asked is named as that, for every kind of target."""

from __future__ import annotations

import numpy as np
import pytest

from nextlabel.evaluation import agreement
from nextlabel.evaluation.metrics import metrics_of
from nextlabel.labeling import Label, Placed, Scale, Span
from nextlabel.measures.ranking_predictions import RankingPredictions
from nextlabel.measures.target_predictions import (
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    SpanPredictions,
    TargetPredictions,
)

PLACE, PERSON = Span(0, 6, "place"), Span(10, 13, "person")
EVERY_KIND: list[tuple[TargetPredictions, list[Label], str]] = [
    (ChoicePredictions(("a", "b"), np.eye(2)[[0, 1, 1, 1]]), ["a", "b", "b", "a"], "0.750 ± 0.242, on 4 labels"),
    (
        ChoicesPredictions(("a", "b"), np.eye(2), threshold=0.5),
        [("a",), ("a", "b")],
        "F1 0.800, every label right in 50% of the tasks, on 2 labels",
    ),
    (
        NumberPredictions(np.array([1.0, 2.0, 4.0]), np.ones(3), 1.0, Scale()),
        [1.0, 2.5, 4.0],
        "off by 0.167 on average (correlation 0.98), on 3 labels",
    ),
    (
        SpanPredictions([(PLACE, PERSON)], [(0.9, 0.9)], np.zeros(1)),
        [(PLACE,)],
        "F1 0.667 (precision 0.500, recall 1.000), on 1 label",
    ),
    (
        RankingPredictions([("a", "b", "c")], [np.array([2.0, 0.0, 1.0])]),
        [(Placed("", "a"), Placed("", "b"), Placed("", "c"))],
        "Kendall's tau 0.33, on 1 label",
    ),
    (
        RankingPredictions([("a", "b")], [np.array([2.0, 0.0])], ("", "good"), [np.array([[0.1, 0.9], [0.4, 0.6]])]),
        [(Placed("", "b"), Placed("good", "a"))],
        "Kendall's tau 0.00, the right bucket for 50% of the items, on 1 label",
    ),
]


@pytest.mark.parametrize(("target_predictions", "truth", "line"), EVERY_KIND)
def test_each_kind_of_target_has_a_line_with_its_number_of_labels(
    target_predictions: TargetPredictions, truth: list[Label], line: str
) -> None:
    assert list(agreement.in_words(metrics_of(target_predictions, truth))) == [line]


def test_what_a_teams_own_model_is_measured_by_is_the_labels_that_were_new_to_it() -> None:
    metrics = {"new_labels": 25.0, "foretold": 0.84, "labels": 40.0}  # in whatever order the database has them
    assert agreement.named(metrics) == {"agreement": 0.84, "labels": 25.0}
    (line,) = agreement.in_words(metrics)
    assert line.startswith("0.840 by the version before")
    assert "25 labels" in line


def test_a_target_that_could_not_be_measured_yet_is_not_passed_over() -> None:
    figures = {"stars.labels": 1.0, "label.labels": 40.0, "label.accuracy": 0.9, "label.accuracy_standard_error": 0.05}
    assert list(agreement.in_words(figures)) == [
        "stars: not measured yet, on 1 label",
        "label: 0.900 ± 0.050, on 40 labels",
    ]
    assert list(agreement.in_words({})) == []


def test_of_several_targets_each_has_its_figures_and_none_is_called_accuracy() -> None:
    metrics: dict[str, float] = {}
    for n, (target_predictions, truth, _) in enumerate(EVERY_KIND):
        metrics |= {f"target.{n}.{name}": figure for name, figure in metrics_of(target_predictions, truth).items()}
    named = agreement.named(metrics)
    assert named["target.0.agreement"] == 0.75
    assert not any("accuracy" in name for name in named)
    assert len(named) == len(metrics)
    lines = [f"target.{n}: {line}" for n, (*_, line) in enumerate(EVERY_KIND)]
    assert list(agreement.in_words(metrics)) == list(agreement.in_words(named)) == lines
