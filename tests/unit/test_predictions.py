"""From what a model says of each target to what people see."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest

from nextlabel.hosting.uncertainty import UNKNOWN
from nextlabel.labeling import Label, Placed, Prediction, QueueVersion, Result, Scale, Span, Task, TaskId
from nextlabel.learning.predictions import overall_probabilities, overall_uncertainty, predictions_of
from nextlabel.measures import uncertainty
from nextlabel.measures.ranking_predictions import RankingPredictions
from nextlabel.measures.target_predictions import (
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    OwnPredictions,
    SpanPredictions,
    TargetPredictions,
)

TASKS = [Task(TaskId("1"), {}), Task(TaskId("2"), {})]
KIND = ChoicePredictions(("ham", "spam"), np.array([[0.2, 0.8], [0.6, 0.4]]))
STARS = NumberPredictions(np.array([1.2, 4.4]), np.array([0.5, 3.0]), 1.0, Scale(1, 5, 1))


def made(*, informative: bool = True, tasks: list[Task] = TASKS, **more: TargetPredictions) -> list[Prediction]:
    return predictions_of(
        tasks,
        {"kind": KIND, **more},
        np.array([0.1, 0.9]),
        version=QueueVersion("0007.2"),
        informative=informative,
    )


def test_a_prediction_says_the_likeliest_label_how_sure_it_is_and_how_much_an_answer_would_teach() -> None:
    predicted = [(it.task, it.guesses[0].label, it.guesses[0].confidence, it.utility) for it in made()]
    assert predicted == [("1", "spam", 0.8, 0.1), ("2", "ham", 0.6, 0.9)]
    assert [it.uncertainty for it in made()] == pytest.approx([0.2, 0.4])
    assert {(it.guesses[0].target, it.version) for it in made()} == {("kind", "0007.2")}


def test_a_prediction_says_something_of_every_target_in_their_order() -> None:
    predicted = [[(guess.target, guess.label) for guess in it.guesses] for it in made(stars=STARS)]
    assert predicted == [[("kind", "spam"), ("stars", 1.0)], [("kind", "ham"), ("stars", 4.0)]]


def test_a_task_is_as_uncertain_as_its_targets_are_on_the_average_and_ordered_by_that() -> None:
    both: dict[str, TargetPredictions] = {"kind": KIND, "stars": STARS}
    mean = (KIND.uncertainty + STARS.uncertainty) / 2
    np.testing.assert_allclose([it.uncertainty for it in made(stars=STARS)], mean)
    np.testing.assert_allclose(overall_uncertainty(both), mean)
    np.testing.assert_allclose(uncertainty.margin(overall_probabilities(both)), mean)


def test_a_single_target_is_handed_to_query_strategies_as_it_is() -> None:
    np.testing.assert_array_equal(overall_probabilities({"kind": KIND}), KIND.probabilities)


def test_a_model_that_knows_nothing_guesses_nothing_and_still_says_how_unsure_it_is() -> None:
    assert [(it.guesses, it.utility) for it in made(informative=False)] == [((), 0.1), ((), 0.9)]


BOX = Result(({"type": "rectanglelabels"},))


@pytest.mark.parametrize(
    ("target_predictions", "shown"),
    [
        (KIND, [("spam",), ()]),
        (ChoicesPredictions(("a", "b", "c"), np.array([[0.9, 0.7, 0.1], [0.8, 0.6, 0.1]])), [(("a", "b"),), ()]),
        (NumberPredictions(np.array([1.2, 4.4]), np.array([0.3, 0.5]), 1.0, Scale(1, 5, 1)), [(1.0,), ()]),
        (
            SpanPredictions(
                [(Span(0, 2, "A"), Span(3, 4, "B")), (Span(0, 2, "A"),)], [(0.9, 0.5), (0.7,)], np.array([0.6, 0.1])
            ),
            [((Span(0, 2, "A"),),), ()],
        ),
        (
            RankingPredictions([("a", "b"), ("a", "b")], [np.array([0.0, 3.0]), np.array([0.1, 0.0])]),
            [((Placed("", "b"), Placed("", "a")),), ()],
        ),
        (OwnPredictions([BOX, BOX], np.array([0.2, 0.4]), [True, True]), [(BOX,), ()]),
    ],
    ids=["choice", "choices", "number", "spans", "ranking", "a team's own model"],
)
def test_what_is_not_so_likely_right_is_withheld_and_keeps_its_place(
    target_predictions: TargetPredictions, shown: list[tuple[Label, ...]]
) -> None:
    """Of several labels their average chance counts, of a number that it is off by less than half a step."""
    arguments: dict[str, Any] = {"version": QueueVersion("0007"), "informative": True}
    made = predictions_of(
        TASKS, {"it": target_predictions}, np.array([0.1, 0.9]), least=lambda target: 0.8, **arguments
    )
    assert [tuple(guess.label for guess in it.guesses) for it in made] == shown
    everything = predictions_of(TASKS, {"it": target_predictions}, np.array([0.1, 0.9]), **arguments)
    assert all(it.guesses for it in everything)
    assert [(it.task, it.uncertainty, it.utility) for it in made] == [
        (it.task, it.uncertainty, it.utility) for it in everything
    ]


def test_a_target_is_withheld_by_itself() -> None:
    predicted = predictions_of(
        TASKS,
        {"kind": KIND, "stars": STARS},
        np.array([0.1, 0.9]),
        version=QueueVersion("0007"),
        informative=True,
        least={"kind": 0.0, "stars": inf}.__getitem__,
    )
    assert [[guess.target for guess in it.guesses] for it in predicted] == [["kind"], ["kind"]]


@pytest.mark.parametrize(("scored", "seen"), [(False, [1, 0]), (True, [0, 0])])
@pytest.mark.parametrize("label", ["spam", BOX])
def test_nothing_is_known_against_a_model_of_the_teams_own_that_gives_no_score(
    label: Label, scored: bool, seen: list[int]
) -> None:
    predicted = {"own": OwnPredictions([label], np.array([UNKNOWN]), [scored])}

    def shown(least: float) -> int:
        made = predictions_of(
            TASKS[:1], predicted, np.ones(1), version=QueueVersion("1"), informative=True, least=lambda target: least
        )
        return len(made[0].guesses)

    assert [shown(0.8), shown(inf)] == seen


def test_predictions_that_do_not_match_their_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        made(tasks=TASKS[:1])
