"""What another model says of tasks, by the scores of its predictions alone."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import numpy as np
import pytest

from nextlabel.labeling import Guess, Prediction, QueueVersion, Result, Task, TaskId
from nextlabel.labeling.ranking import CandidatePool
from nextlabel.learning.outside import Outside
from nextlabel.learning.workbench import Candidates
from nextlabel.measures.target_predictions import ChoicePredictions
from nextlabel.strategies import finding

N = 60
TASKS = [Task(TaskId(str(n)), {}) for n in range(N)]
RNG = np.random.default_rng(0)


def outside(**uncertainty: float) -> Outside:
    return Outside(QueueVersion("yolo"), "a", {TaskId(task[1:]): one for task, one in uncertainty.items()})


def test_a_task_without_a_score_stands_in_the_middle_of_those_with_one() -> None:
    predicted = outside(t0=0.1, t1=0.05, t2=0.9).predictions(TASKS[:5])
    assert predicted is not None
    np.testing.assert_array_equal(predicted.uncertainty, [0.1, 0.05, 0.9, 0.1, 0.1])
    assert outside(t0=0.1).predictions(TASKS[1:5]) is None


def test_where_no_open_task_has_a_score_a_person_is_told_what_to_do() -> None:
    (found,) = outside().missing(TASKS)
    assert (found.level, "connect --option uncertainty_from=" in found.message) == ("warning", True)
    assert not outside(t3=0.5).missing(TASKS)
    assert not outside().missing([])
    assert "scored 1 of 60 open tasks" in outside(t3=0.5).sentence(TASKS)


OWN = Guess("kind", "a", 0.75)


def shown(least: float, *items: Mapping[str, object], **uncertainty: float) -> list[tuple[Guess, ...]]:
    """The guesses about three tasks of which each has such a result."""
    predictions = [Prediction(task.id, QueueVersion("v"), (OWN,), 0.5, 0.5) for task in TASKS[:4]]
    made = outside(**uncertainty).shown(predictions, {TaskId(n): Result(items) for n in "012"}, least)
    return [one.guesses for one in made]


def test_without_scores_of_regions_what_it_says_is_shown_before_our_own_guesses_by_the_score_of_the_task() -> None:
    for least, seen in ((0.0, [True, True, True]), (0.8, [True, False, True]), (inf, [False] * 3)):
        guesses = shown(least, {"from_name": "box"}, t0=0.125, t1=0.25)
        assert [len(some) == 2 for some in guesses] == [*seen, False]
        assert all(some[-1] == OWN for some in guesses)
    (first, _), _, (third, _), _ = shown(0.8, {"from_name": "box"}, t0=0.125, t1=0.25)
    assert (first.label, first.confidence, third.scored) == (Result(({"from_name": "box"},)), 0.875, False)


def test_of_regions_with_scores_the_sure_ones_are_shown_however_unsure_the_task_is() -> None:
    sure: dict[str, object] = {"id": "a", "score": 0.9}
    unsure: dict[str, object] = {"id": "b", "score": 0.3}
    about: list[dict[str, object]] = [{"id": "a", "value": {}}, {"id": "b", "value": {}}]
    joined = {"type": "relation", "from_id": "a", "to_id": "b"}
    first, *_ = shown(0.8, sure, unsure, *about, joined, t0=0.9)
    assert first[0].label == Result((sure, about[0]))
    assert shown(0.8, unsure, t0=0.9)[0] == (OWN,)


@pytest.mark.parametrize("spec", ["adaptive", "margin"])
def test_without_a_label_those_that_the_other_model_is_unsure_of_come_first_whatever_ours_says(spec: str) -> None:
    ours = np.linspace(0.5, 1, N)
    pool = CandidatePool(
        [task.id for task in TASKS],
        np.column_stack([ours, 1 - ours]),
        RNG.normal(size=(N, 3)),
        labeled_features=np.empty((0, 3)),
        labels=np.empty(0, dtype=np.intp),
    )
    candidates = Candidates(TASKS, {"label": ChoicePredictions(("a", "b"), pool.probabilities)}, pool)
    theirs = outside(**{f"t{n}": n / N for n in range(N)})
    ordered = candidates.by(theirs.predictions(TASKS))
    first = [int(task) for task in ordered.ranked(finding.make(spec), 20).task_ids()]
    assert np.mean([n >= N // 2 for n in first]) >= 0.85
    np.testing.assert_allclose(ordered.utilities(finding.make(spec), [0, 30, 59]), [0, 0.5, 59 / 60])
    np.testing.assert_allclose(ordered.uncertainty([30]), [0.5])
    assert candidates.by(None) is candidates
