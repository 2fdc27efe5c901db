"""A detector that nextlabel does not host, on a real Label Studio: predictions that were imported order the queue."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest

from e2e.kinds import REGIONS
from nextlabel.labeling import TaskId
from nextlabel.ports.tool import Scores
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer

_TASKS, _DOUBTFUL, _SERVED = 120, 40, 8
_SURE = 0.8  # `show_predictions`, where nobody says otherwise


def detect(owner: LabelStudioPerson, project: int, tasks: Sequence[int], doubtful: Collection[int]) -> None:
    """Import two boxes for each task, of which one is doubtful in some of them."""
    scores = [Scores(TaskId(str(task)), None, (0.97, 0.3 if task in doubtful else 0.95)) for task in tasks]
    owner.import_scores(project, "yolo-3", scores, REGIONS.answer(0)[0])


@pytest.mark.everything
def test_tasks_in_which_an_imported_detector_is_unsure_of_a_box_come_first_and_newer_predictions_change_that(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    project = owner.create_project("boxes", REGIONS.config)
    tasks = owner.import_tasks(project, [dict(REGIONS.data(n)) for n in range(_TASKS)])
    doubtful, later = set(tasks[:_DOUBTFUL]), set(tasks[_DOUBTFUL : 2 * _DOUBTFUL])
    detect(owner, project, tasks, doubtful)

    refused = nextlabel.connect(project, label_studio.legacy_access, "uncertainty_from=yolo-4")
    assert (refused.returncode, "Name one of 'yolo-3'" in " ".join(refused.stderr.split())) == (78, True)
    chosen = ("uncertainty_from=yolo-3", "region_scores=min")
    findings(nextlabel.connect(project, label_studio.legacy_access, *chosen))
    assert first_ten(nextlabel, project, doubtful) >= 9  # one place in ten is for representatives
    theirs = said_by(owner, project, "yolo-3")
    assert_its_sure_boxes_are_shown(nextlabel, owner, project, theirs)
    served = []
    for _ in range(_SERVED):
        task = owner.next_task(project)
        assert task is not None
        served.append(task["id"])
        owner.submit_result(task["id"], REGIONS.answer(tasks.index(task["id"])))
    assert len(doubtful.intersection(served)) >= _SERVED // 2

    detect(owner, project, tasks, later)
    wait_for(lambda: first_ten(nextlabel, project, later) >= 9, why="for the order by the newer predictions")
    assert owner.predictions_held(project)["yolo-3"] == 2 * _TASKS
    newest = said_by(owner, project, "yolo-3")
    assert {task: old[:1] for task, old in newest.items()} == theirs
    assert_its_sure_boxes_are_shown(nextlabel, owner, project, {task: some[1:] for task, some in newest.items()})


def assert_its_sure_boxes_are_shown(
    nextlabel: Nextlabel, owner: LabelStudioPerson, project: int, theirs: dict[int, list[Any]]
) -> None:
    """In the order in force, but of audit tasks and as many others, of which nothing is."""
    queue = nextlabel.queues(project)[0]
    shown = said_by(owner, project, queue.version)
    seen = {task: results for task, results in shown.items() if results[0]}
    assert len(seen) >= len(queue.window) // 2
    for task, results in seen.items():
        assert results == [[box for box in theirs[task][0] if box["score"] >= _SURE]]
    assert {len(results[0]) for results in seen.values()} == {1, 2}


def said_by(owner: LabelStudioPerson, project: int, version: str) -> dict[int, list[Any]]:
    """The results of a version's predictions by task, the oldest first."""
    by_id = {
        task["id"]: sorted(
            (one for one in task["predictions"] if one["model_version"] == version), key=lambda one: int(one["id"])
        )
        for task in owner.tasks(project)
    }
    return {task: [one["result"] for one in some] for task, some in by_id.items() if some}


def first_ten(nextlabel: Nextlabel, project: int, among: Collection[int]) -> int:
    """How many of the first ten of the order in force are among these tasks."""
    return sum(int(task) in among for task in nextlabel.queues(project)[0].window[:10])
