"""Two people on one project: who gets what the other has skipped or annotated, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.running import label_of, texts
from e2e.test_the_loop import label_next, learned
from nextlabel.labeling import TaskId
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice

MakeProject = Callable[..., int]


@pytest.mark.everything
def test_what_one_person_skipped_keeps_its_place_for_the_other_and_does_not_come_back_to_the_first(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project, ben = connected(12, "audit_share=0"), label_studio.sign_up("skipping@example.com")
    label_next(ben, project)
    skipped = owner.next_task(project)
    assert skipped is not None
    owner.skip(skipped["id"])
    label_next(owner, project)
    wait_for(learned(nextlabel, project, 2))
    task = TaskId(str(skipped["id"]))
    wait_for(lambda: task in nextlabel.queues(project)[0].window)  # the skip may have been read a moment before

    assert nextlabel.command("pause", "--project", str(project)).returncode == 0  # the order stands still
    window = nextlabel.queues(project)[0].window[: nextlabel.queues(project)[0].window.index(task) + 1]
    assert tuple(label_next(ben, project)[0] for _ in window) == window
    assert owner.open_tasks(project)
    while (mine := owner.next_task(project)) is not None:
        assert mine["id"] != skipped["id"]
        owner.submit(mine["id"], label_of(mine["data"]["text"]))


def test_of_two_annotations_per_task_the_first_follows_the_order_and_the_second_takes_no_place_in_it(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    project = owner.create_project("two for each", single_choice(("winter", "kitchen")), maximum_annotations=2)
    owner.import_tasks(project, [{"text": text} for text in texts(40)])
    told = findings(nextlabel.connect(project, label_studio.legacy_access, "window=20", "max_wait_seconds=3600"))
    assert [one["message"][:42] for one in told if one["level"] == "warning"] == [
        "The project asks for 2 annotations per tas"
    ]
    mine = [label_next(owner, project)[0] for _ in range(8)]
    wait_for(learned(nextlabel, project, 8))

    window = nextlabel.queues(project)[0].window
    assert (len(window), set(window).intersection(mine)) == (20, set())
    ben = label_studio.sign_up("second@two.example.com")
    assert {label_next(ben, project)[0] for _ in mine} == set(mine)
    assert [label_next(ben, project)[0], label_next(owner, project)[0]] == [window[0], window[0]]
