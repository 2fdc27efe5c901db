"""What versions are held to: each task once, however many targets it has."""

from __future__ import annotations

import numpy as np
import pytest

from nextlabel.evaluation import paired
from nextlabel.evaluation.promotion import HeldOut, contradicted
from nextlabel.labeling import Input, ModelVersion, Target, Task, TaskId
from nextlabel.learning.judging import Unseen, held_out, new_answers
from nextlabel.learning.pools import Examples
from nextlabel.learning.workbench import Champion
from nextlabel.measures.target_predictions import ChoicePredictions

NOTHING = np.empty(0), np.empty(0)


def held(worse_by: list[float], targets: int) -> HeldOut:
    """A candidate beside an anchor on so many tasks; whoever is wrong about a task is wrong about all its targets."""
    tasks = [TaskId(str(n)) for n in range(len(worse_by))]
    lost = {task: 0.9 if off > 0 else 0.1 for task, off in zip(tasks, worse_by, strict=True)}
    anchors = {task: 0.9 if off < 0 else 0.1 for task, off in zip(tasks, worse_by, strict=True)}
    names = [f"target {n}" for n in range(targets)]
    known = {(name, task): miss for name in names for task, miss in anchors.items()}
    return held_out(dict.fromkeys(names, lost), known, known, NOTHING)


def test_an_equal_version_is_no_more_often_stopped_where_a_task_has_several_targets() -> None:
    """Counted as if they were tasks of their own, five targets that go together had it stopped in 20 % of these."""
    draw = np.random.default_rng(0)
    stopped, behind = 0, 0
    for _ in range(300):
        worse_by = draw.choice([-1.0, 0.0, 1.0], 100, p=[0.06, 0.88, 0.06]).tolist()
        found = held(worse_by, 5)
        assert len(found.candidate) == 100
        outcome = paired.judge(found.candidate, found.anchor, stop_at=paired.AGAINST_ANCHOR).outcome
        stopped += outcome is paired.Outcome.STOPPED
        behind += found.judge() is not None
    assert stopped <= 0.03 * 300
    assert behind <= 0.03 * 300


def test_a_task_with_fewer_targets_labeled_counts_by_those_it_has() -> None:
    own = {"q": {TaskId("a"): 0.2, TaskId("b"): 0.4}, "r": {TaskId("b"): 0.8}}
    known = {(name, task): 0.0 for name, of in own.items() for task in of}
    assert held_out(own, known, known, NOTHING).candidate.tolist() == pytest.approx([0.2, 0.6])
    assert not len(held_out({}, known, known, NOTHING).candidate)


@pytest.mark.parametrize("targets", [1, 5])
def test_an_anchor_is_no_sooner_contradicted_where_a_task_has_several_targets(targets: int) -> None:
    """Of what is asked it is right about three quarters, and 85 % sure, as honest ones are: with five targets that go
    together these were 5.6 standard errors instead of 2.5."""
    tasks = [Task(TaskId(str(n)), {}) for n in range(80)]
    labels = ["a" if n % 4 else "b" for n in range(80)]
    predicted = ChoicePredictions(("a", "b"), np.tile([0.85, 0.15], (80, 1)))

    def of(name: str) -> Unseen:
        target = Target(name, "choice", (Input("text"),), ("a", "b"))
        return target, Examples(target, tasks, labels, np.zeros((80, 1))), list(range(80)), predicted

    anchor = Champion(ModelVersion("nextlabel-1"), None, {}, True, {})
    sure, right = new_answers(anchor, [of(f"target {n}") for n in range(targets)], ())
    assert (len(sure), sure.mean(), right.mean()) == (80, pytest.approx(0.85), 0.75)
    assert not contradicted(sure, right)
    assert contradicted(np.full(80, 0.95), right), "too sure by far"
