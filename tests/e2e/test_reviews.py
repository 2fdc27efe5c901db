"""Suspected labels under review in a real Label Studio's queue: somebody else gets them, and they are put back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.running import label_of
from e2e.test_the_loop import learned
from nextlabel.labeling import ProjectId
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer

MakeProject = Callable[..., int]

_TASKS, _LABELED = 160, 90
_OTHER = {"winter": "kitchen", "kitchen": "winter"}


@pytest.mark.everything
def test_a_suspected_label_comes_back_to_somebody_else_among_the_open_tasks_and_is_put_back(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project, ben = connected(_TASKS, "suspects=queue", "audit_share=0"), label_studio.sign_up("reviews@example.com")
    tasks = sorted(owner.tasks(project), key=lambda one: int(one["id"]))
    truth = {int(one["id"]): label_of(one["data"]["text"]) for one in tasks}
    labeled = list(truth)[:_LABELED]
    flipped = {task for n, task in enumerate(labeled) if n % 10 == 3}
    assert nextlabel.command("pause", "--project", str(project)).returncode == 0
    for task in labeled:
        owner.submit(task, _OTHER[truth[task]] if task in flipped else truth[task])
    assert nextlabel.command("resume", "--project", str(project)).returncode == 0
    wait_for(learned(nextlabel, project, _LABELED))
    parts = nextlabel.parts()
    wait_for(lambda: parts.reviews.waiting(ProjectId(str(project))))

    owner.submit(list(truth)[-1], truth[list(truth)[-1]])  # the order after this one has the reviews
    wait_for(learned(nextlabel, project, _LABELED + 1))
    under_review = {int(task) for task in parts.reviews.waiting(ProjectId(str(project)))}
    assert len(under_review & flipped) >= 0.75 * len(under_review) > 0
    assert nextlabel.command("pause", "--project", str(project)).returncode == 0  # the order stands still
    served = [labeled_next(ben, project, truth) for _ in range(20)]
    assert [task in under_review for task in served] == [False] * 19 + [True]
    for _ in range(2):
        mine = owner.next_task(project)
        assert mine is not None
        assert mine["id"] not in under_review
        owner.submit(mine["id"], truth[mine["id"]])

    assert nextlabel.command("resume", "--project", str(project)).returncode == 0
    wait_for(lambda: str(served[-1]) not in parts.reviews.waiting(ProjectId(str(project))))
    removed = findings(nextlabel.command("disconnect", "--project", str(project), "--json"))
    assert [one for one in removed if "under review served no more" in one["message"]]
    assert not under_review & {int(one["id"]) for one in owner.open_tasks(project)}


def labeled_next(person: LabelStudioPerson, project: int, truth: dict[int, str]) -> int:
    """Which task a person gets next, and labels right."""
    task = person.next_task(project)
    assert task is not None
    person.submit(task["id"], truth[int(task["id"])])
    return int(task["id"])
