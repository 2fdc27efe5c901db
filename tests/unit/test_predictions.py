"""From what a model says of each target to what people see."""

from __future__ import annotations

import numpy as np
import pytest

from nextlabel import uncertainty
from nextlabel.labeling import Prediction, QueueVersion, Scale, Task, TaskId
from nextlabel.opinions import ChoiceOpinions, NumberOpinions, Opinions
from nextlabel.predictions import overall_probabilities, overall_uncertainty, predictions_of

TASKS = [Task(TaskId("1"), {}), Task(TaskId("2"), {})]
KIND = ChoiceOpinions(("ham", "spam"), np.array([[0.2, 0.8], [0.6, 0.4]]))
STARS = NumberOpinions(np.array([1.2, 4.4]), np.array([0.5, 3.0]), 1.0, Scale(1, 5, 1))


def made(*, informative: bool = True, tasks: list[Task] = TASKS, **more: Opinions) -> list[Prediction]:
    return predictions_of(
        tasks,
        {"kind": KIND, **more},
        np.array([0.1, 0.9]),
        version=QueueVersion("0007.2"),
        informative=informative,
    )


def test_a_prediction_says_the_likeliest_label_how_sure_it_is_and_how_much_an_answer_would_teach() -> None:
    said = [(it.task, it.guesses[0].label, it.guesses[0].confidence, it.utility) for it in made()]
    assert said == [("1", "spam", 0.8, 0.1), ("2", "ham", 0.6, 0.9)]
    assert [it.uncertainty for it in made()] == pytest.approx([0.2, 0.4])
    assert {(it.guesses[0].target, it.version) for it in made()} == {("kind", "0007.2")}


def test_a_prediction_says_something_of_every_target_in_their_order() -> None:
    said = [[(guess.target, guess.label) for guess in it.guesses] for it in made(stars=STARS)]
    assert said == [[("kind", "spam"), ("stars", 1.0)], [("kind", "ham"), ("stars", 4.0)]]


def test_a_task_is_as_uncertain_as_its_targets_are_on_the_average_and_ordered_by_that() -> None:
    both: dict[str, Opinions] = {"kind": KIND, "stars": STARS}
    mean = (KIND.uncertainty + STARS.uncertainty) / 2
    np.testing.assert_allclose([it.uncertainty for it in made(stars=STARS)], mean)
    np.testing.assert_allclose(overall_uncertainty(both), mean)
    np.testing.assert_allclose(uncertainty.margin(overall_probabilities(both)), mean)


def test_a_single_target_is_handed_to_query_strategies_as_it_is() -> None:
    np.testing.assert_array_equal(overall_probabilities({"kind": KIND}), KIND.probabilities)


def test_a_model_that_knows_nothing_guesses_nothing_and_still_says_how_unsure_it_is() -> None:
    assert [(it.guesses, it.utility) for it in made(informative=False)] == [((), 0.1), ((), 0.9)]


def test_predictions_that_do_not_match_their_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        made(tasks=TASKS[:1])
