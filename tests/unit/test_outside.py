"""What another model says of tasks, by the scores of its predictions alone."""

from __future__ import annotations

import numpy as np
import pytest

from nextlabel.labeling import QueueVersion, Task, TaskId
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
