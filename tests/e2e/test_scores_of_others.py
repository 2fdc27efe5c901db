"""A detector that nextlabel does not host, on a real Label Studio: predictions that were imported order the queue."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from e2e.kinds import REGIONS
from nextlabel.labeling import TaskId
from nextlabel.ports.tool import Scores
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer

_TASKS, _DOUBTFUL, _SERVED = 120, 40, 8


def detect(owner: LabelStudioPerson, project: int, tasks: Sequence[int], doubtful: Collection[int]) -> None:
    """Import two boxes for each task, of which one is doubtful in some of them."""
    scores = [Scores(TaskId(str(task)), None, (0.97, 0.3 if task in doubtful else 0.95)) for task in tasks]
    owner.import_scores(project, "yolo-3", scores, REGIONS.answer(0)[0])


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


def first_ten(nextlabel: Nextlabel, project: int, among: Collection[int]) -> int:
    """How many of the first ten of the order in force are among these tasks."""
    return sum(int(task) in among for task in nextlabel.queues(project)[0].window[:10])
