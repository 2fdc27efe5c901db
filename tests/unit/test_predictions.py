"""From probabilities to what people see."""

from __future__ import annotations

import numpy as np
import pytest

from nextlabel.labeling import Prediction, QueueVersion, Task, TaskId
from nextlabel.predictions import predictions_of

TASKS = [Task(TaskId("1"), {}), Task(TaskId("2"), {})]
P = np.array([[0.2, 0.8], [0.6, 0.4]])


def made(*, informative: bool = True, tasks: list[Task] = TASKS) -> list[Prediction]:
    return predictions_of(
        tasks,
        P,
        np.array([0.1, 0.9]),
        classes=("ham", "spam"),
        target="kind",
        version=QueueVersion("0007.2"),
        informative=informative,
    )


def test_a_prediction_says_the_likeliest_label_how_sure_it_is_and_how_much_an_answer_would_teach() -> None:
    said = [(it.task, it.guesses[0].label, it.guesses[0].confidence, it.utility) for it in made()]
    assert said == [("1", "spam", 0.8, 0.1), ("2", "ham", 0.6, 0.9)]
    assert [it.uncertainty for it in made()] == pytest.approx([0.2, 0.4])
    assert {(it.guesses[0].target, it.version) for it in made()} == {("kind", "0007.2")}


def test_a_model_that_knows_nothing_guesses_nothing_and_still_says_how_unsure_it_is() -> None:
    assert [(it.guesses, it.utility) for it in made(informative=False)] == [((), 0.1), ((), 0.9)]


def test_predictions_that_do_not_match_their_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        made(tasks=TASKS[:1])
