"""A new task, or one that is labeled already, in a real Label Studio's queue with three people."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.running import label_of
from e2e.test_reviews import labeled_next
from e2e.test_the_loop import learned
from nextlabel.labeling import ProjectId
from nextlabel.loop.relabeling import EVERY
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer

MakeProject = Callable[..., int]

_TASKS, _LABELED = 180, 90
_OTHER = {"winter": "kitchen", "kitchen": "winter"}


@pytest.mark.everything
def test_a_label_that_is_worth_another_comes_to_somebody_else_among_the_new_tasks_and_all_is_put_back(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected(_TASKS, "relabel=auto", "audit_share=0")
    ben, cat = (label_studio.sign_up(f"{name}@again.example.com") for name in ("ben", "cat"))
    tasks = sorted(owner.tasks(project), key=lambda one: int(one["id"]))
    truth = {int(one["id"]): label_of(one["data"]["text"]) for one in tasks}
    as_it_was = {int(one["id"]): one["overlap"] for one in tasks}
    labeled = list(truth)[:_LABELED]
    flipped = {task for n, task in enumerate(labeled) if n % 9 == 3}
    assert nextlabel.command("pause", "--project", str(project)).returncode == 0
    for n, task in enumerate(labeled):
        (ben if n % 2 else owner).submit(task, _OTHER[truth[task]] if task in flipped else truth[task])
    assert nextlabel.command("resume", "--project", str(project)).returncode == 0
    wait_for(learned(nextlabel, project, _LABELED))
    parts, known = nextlabel.parts(), ProjectId(str(project))
    wait_for(lambda: parts.reviews.waiting(known))
    assert nextlabel.command("pause", "--project", str(project)).returncode == 0  # the order stands still

    again = {int(task) for task in parts.reviews.waiting(known)}
    assert len(again & flipped) >= 0.75 * len(again) > 0
    assert {int(one["id"]) for one in owner.tasks(project) if one["overlap"] != 1} == again
    of_owner = {task for n, task in enumerate(labeled) if not n % 2}
    served = [labeled_next(cat, project, truth) for _ in range(2 * EVERY)]
    assert [task in again for task in served] == ([False] * (EVERY - 1) + [True]) * 2
    mine = [labeled_next(owner, project, truth) for _ in range(3 * EVERY)]
    assert not set(mine) & of_owner, "they come to somebody else"
    assert set(mine) & again
    withdrawn = next(one for one in owner.tasks(project) if int(one["id"]) in again.difference(served, mine))
    owner.withdraw(withdrawn["annotations"][0]["id"])

    assert nextlabel.command("resume", "--project", str(project)).returncode == 0
    settled = {task for task in (*served, *mine) if task in again}
    wait_for(lambda: not settled & {int(task) for task in parts.reviews.waiting(known)})
    window = nextlabel.queues(project)[0].window
    assert (window.count(str(withdrawn["id"])), len(window)) == (1, len(set(window))), "it is open again"
    state = {int(one["id"]): one for one in owner.tasks(project)}
    assert {(state[task]["overlap"], state[task]["is_labeled"]) for task in settled} == {(1, True)}
    findings(nextlabel.command("disconnect", "--project", str(project), "--json"))
    assert {int(one["id"]): one["overlap"] for one in owner.tasks(project)} == as_it_was
    assert set(labeled) & {int(one["id"]) for one in owner.open_tasks(project)} == {int(withdrawn["id"])}
    assert owner.project(project)["maximum_annotations"] == 1
