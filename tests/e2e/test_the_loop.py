"""The whole loop on a real Label Studio: label, webhook, training, new version, order, next task."""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from e2e.running import SettingsPages, label_of
from nextlabel.labeling import ProjectId, TaskId
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import labels_in

MakeProject = Callable[..., int]


def label_next(person: LabelStudioPerson, project: int) -> tuple[TaskId, str]:
    """One task from the queue, labeled with care; which one, and the version it was served under."""
    task = person.next_task(project)
    assert task is not None
    person.submit(task["id"], label_of(task["data"]["text"]))
    shown = task["predictions"]
    return TaskId(str(task["id"])), shown[0]["model_version"] if shown else ""


def learned(nextlabel: Nextlabel, project: int, labels: int) -> Callable[[], bool]:
    """Whether the queue in force was made by a model trained on exactly so many labels. Asking fails at once where that
    model was turned down: it would be waited for until the ceiling."""

    def check() -> bool:
        serving = nextlabel.parts().models.in_service(ProjectId(str(project)))
        queues = nextlabel.queues(project)
        if serving is not None and serving.labels == labels and queues[0].model == serving.version:
            return True
        for last in nextlabel.trained(project)[-1:]:
            assert (last.labels, last.state) != (labels, "turned_down"), f"{last.version}: {last.reason}"
        return False

    return check


def test_the_first_tasks_come_in_a_diverse_order_before_there_is_a_label(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected()
    (queue,) = nextlabel.queues(project)
    assert queue.version.startswith("nextlabel-untrained")
    assert [label_next(owner, project) for _ in range(3)] == [(task, queue.version) for task in queue.window[:3]]


def test_a_label_changes_which_task_comes_next(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected(60, "show_predictions=always")
    for _ in range(8):
        label_next(owner, project)
    wait_for(learned(nextlabel, project, 8))
    queue = nextlabel.queues(project)[0]
    task = owner.next_task(project)
    assert task is not None
    assert str(task["id"]) == queue.window[0]
    assert owner.project(project)["model_version"] == queue.version
    # The pre-annotation is shown, with the confidence that people see and the version in force.
    (shown,) = [one for one in task["predictions"] if one["model_version"] == queue.version]
    assert labels_in(shown["result"])[0] in ("winter", "kitchen")
    assert 0.5 <= shown["result"][0]["score"] <= 1


@pytest.mark.everything
def test_guesses_of_few_labels_are_not_ticked_until_somebody_wants_them(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected()
    for _ in range(5):
        label_next(owner, project)
    wait_for(learned(nextlabel, project, 5))

    def seen() -> tuple[list[str], list[float], list[bool]]:
        """The order that Label Studio has of the open tasks, their scores, and whether each has a guess."""
        version = owner.project(project)["model_version"]
        tasks = [(one, task) for task in owner.open_tasks(project) for one in task["predictions"]]
        in_force = sorted(((one["score"], task["id"], one) for one, task in tasks if one["model_version"] == version))
        return (
            [str(number) for _, number, _ in in_force],
            [score for score, _, _ in in_force],
            [bool(one["result"]) for _, _, one in in_force],
        )

    order, scores, guessed = seen()
    assert order == list(nextlabel.queues(project)[0].window)
    assert all(0.49 < one < other < 0.5 for one, other in pairwise(scores)), (
        "of two classes one is likely at least half"
    )
    assert not any(guessed)
    assert owner.next_task(project)["predictions"][0]["result"] == []  # type: ignore[index]
    wanted = nextlabel.connect(project, label_studio.legacy_access, "show_predictions=always")
    assert "Pre-annotations: shown" in str(findings(wanted))
    again, _, guessed = seen()
    assert (again, all(guessed)) == (order, True)
    task = owner.next_task(project)
    assert task is not None
    assert any(one["result"] for one in task["predictions"])


def test_two_annotators_never_hold_the_same_task_and_both_work_from_the_top(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected(80, "quiet_seconds=3600", "max_wait_seconds=3600")  # the order stands still meanwhile
    people = (owner, label_studio.sign_up("second@example.com"))
    window = list(nextlabel.queues(project)[0].window)
    for _ in range(6):
        held = [person.next_task(project) for person in people]
        assert all(held)
        tasks = [str(task["id"]) for task in held if task]
        assert tasks == window[:2]
        for person, task in zip(people, held, strict=True):
            assert task is not None
            person.submit(task["id"], label_of(task["data"]["text"]))
        del window[:2]


@pytest.mark.everything
def test_five_labels_in_a_second_make_one_training(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected(60, "quiet_seconds=5")  # a slow machine may take long to label
    for _ in range(5):
        label_next(owner, project)
    wait_for(learned(nextlabel, project, 5))
    assert len(nextlabel.trained(project)) == 1


def test_a_label_during_a_training_makes_exactly_one_more(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected(600, "quiet_seconds=5", "max_wait_seconds=60")  # a slow machine may take long to label
    for _ in range(4):
        label_next(owner, project)
    task = owner.next_task(project)
    assert task is not None
    lease = f"nextlabel:lease:{project}"
    wait_for(lambda: nextlabel.redis().exists(lease), why="for the training to start")
    owner.submit(task["id"], "winter")
    wait_for(learned(nextlabel, project, 5))
    # One more; or the label came just in time for the training to read it, and none was needed.
    assert [record.labels for record in nextlabel.trained(project)] in ([4, 5], [5])
    # … and that is all: nothing trains again without a new label.
    before = len(nextlabel.trained(project))
    time.sleep(4)
    assert len(nextlabel.trained(project)) == before


def test_a_label_whose_webhook_never_arrived_is_learned_at_the_next_reconciliation(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject, settings_pages: SettingsPages
) -> None:
    project = connected()
    settings_pages.switch_webhooks(project, on=False)
    for _ in range(3):
        label_next(owner, project)
    wait_for(learned(nextlabel, project, 3))


@pytest.mark.everything
def test_a_withdrawn_label_is_unlearned(nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject) -> None:
    project = connected()
    tasks = [owner.next_task(project)]
    assert tasks[0] is not None
    annotation = owner.submit(tasks[0]["id"], "kitchen")
    label_next(owner, project)
    wait_for(learned(nextlabel, project, 2))
    owner.withdraw(annotation)
    wait_for(learned(nextlabel, project, 1))


def test_start_training_in_the_user_interface_trains_now_and_its_job_can_be_followed(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject, settings_pages: SettingsPages
) -> None:
    project = connected(60, "quiet_seconds=3600", "max_wait_seconds=3600")
    for _ in range(4):
        label_next(owner, project)
    assert not nextlabel.trained(project)
    settings_pages.start_training(project)
    wait_for(learned(nextlabel, project, 4))


def test_predictions_that_a_person_retrieves_come_after_the_window(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject, settings_pages: SettingsPages
) -> None:
    project = connected(40, "window=10")
    for _ in range(6):
        label_next(owner, project)
    wait_for(learned(nextlabel, project, 6))
    queue = nextlabel.queues(project)[0]
    settings_pages.retrieve_predictions(project)
    held = owner.predictions_held(project)
    assert held[queue.version] >= 30
    assert [label_next(owner, project)[0] for _ in range(3)] == list(queue.window[:3])


def test_the_window_never_runs_dry(nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject) -> None:
    project = connected(60, "window=12", "strategy=random", "quiet_seconds=0.2", "max_wait_seconds=1")
    served: list[str] = []

    def left() -> int:
        return len(set(nextlabel.queues(project)[0].window) - set(served))

    for _ in range(16):
        task = owner.next_task(project)
        assert task is not None
        assert task["predictions"], "a task was served from behind the window"
        served.append(str(task["id"]))
        owner.skip(task["id"])
        wait_for(lambda: left() >= 4, why="for the window to be refilled")


@pytest.mark.everything
@pytest.mark.parametrize("strategy", ["least_confidence", "entropy", "random"])
def test_another_strategy_orders_the_queue_by_its_own_light(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject, strategy: str
) -> None:
    project = connected(40, f"strategy={strategy}")
    for _ in range(5):
        label_next(owner, project)
    wait_for(learned(nextlabel, project, 5))
    queue = nextlabel.queues(project)[0]
    assert queue.strategy == f"{strategy}, no guesses shown"
    assert label_next(owner, project)[0] == queue.window[0]


@pytest.mark.everything
def test_it_is_shown_whether_label_studio_serves_the_order_and_which_labels_did_not_come_from_it(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected(90, "window=20", "audit_share=0")

    def shown() -> dict[str, Any]:
        return nextlabel.parts().overview.project(str(project))

    queue = shown()["queue_verified"]
    assert (queue["queue"], queue["serves"]) == (owner.project(project)["model_version"], True)
    for _ in range(6):
        label_next(owner, project)
    wait_for(learned(nextlabel, project, 6))
    windows = {task for one in nextlabel.queues(project) for task in one.window}
    beside = [task for task in owner.open_tasks(project) if str(task["id"]) not in windows][:2]
    given = [owner.submit(task["id"], label_of(task["data"]["text"])) for task in beside]
    wait_for(learned(nextlabel, project, 8))
    found = shown()
    assert (found["from_order"]["labels"], found["from_order"]["n"]) == (6, 8)
    tab = parse_qs(urlsplit(found["lists"]["not_from_order"]).query)["tab"][0]
    listed = json.loads(zlib.decompress(base64.urlsafe_b64decode(tab + "==")))["filters"]["items"][0]["value"]
    assert sorted(listed.split(",")) == sorted(map(str, given))

    before = shown()["queue_verified"]
    owner.change_project(project, model_version="")
    wait_for(lambda: shown()["queue_verified"]["lost_at"] is not None)
    wait_for(lambda: owner.project(project)["model_version"] == shown()["queue"])
    wait_for(lambda: bool(shown()["queue_verified"]["serves"]))
    after = shown()["queue_verified"]
    assert before["at"] < after["lost_at"] < after["at"]
