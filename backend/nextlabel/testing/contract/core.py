"""What every connector promises: a project is read without a gap, and an order is placed on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from nextlabel.errors import (
    ProjectGone,
    StaleWorker,
    ToolRejected,
    ToolUnavailable,
)
from nextlabel.labeling import Input, QueueVersion, TaskId
from nextlabel.ports.tool import TaskSeen
from nextlabel.testing.contract.outcomes import calls, outcomes
from nextlabel.testing.contract.versions import V1, V2
from nextlabel.testing.harness import ToolHarness
from nextlabel.testing.scene import FIELD, LABELS, Crowd, Scene, ids, set_scene


class WithScene:
    """A new project of the ``harness`` for each test."""

    @pytest.fixture
    def scene(self, harness: ToolHarness) -> Scene:
        return set_scene(harness, 8)


class CoreContract(WithScene):
    """The promises of `nextlabel.ports.tool.Connector`; inherit, and provide ``harness``."""

    crowd_size = 10_000
    """How many tasks a large project has: more than any page of the tool."""

    @pytest.fixture(scope="class")
    @classmethod
    def crowd(cls, harness: ToolHarness) -> Crowd:
        """One large project for the class, read once from the start: large ones are slow to make and to read."""
        scene = set_scene(harness, cls.crowd_size)
        harness.let_a_day_pass(scene.project)
        return Crowd(scene, tuple(scene.tasks), tuple(scene.pull()))

    def test_the_schema_names_the_labels_and_the_text(self, scene: Scene) -> None:
        schema = scene.connector.label_schema()
        (target,) = schema.targets
        assert (target.kind, target.inputs, target.labels) == ("choice", (Input(FIELD),), LABELS)

    def test_a_new_task_is_open_and_carries_its_text(self, scene: Scene) -> None:
        scene.pull()
        seen = scene.received[scene.tasks[3]]
        assert (seen.task.data[FIELD], seen.annotations, seen.closed) == ("mail number 3", (), False)

    def test_the_last_label_wins(self, scene: Scene) -> None:
        task = scene.tasks[0]
        anns = scene.submit(task, "ham", by="ann")
        scene.submit(task, "spam", by="ben")
        scene.pull()
        assert scene.label_of(task) == "spam"
        scene.harness.change(scene.project, anns, "ham")
        scene.pull()
        assert scene.label_of(task) == "ham"

    def test_a_withdrawn_label_is_gone_and_its_task_is_open_again(self, scene: Scene) -> None:
        task = scene.tasks[0]
        annotation = scene.submit(task, "spam")
        scene.pull()
        assert (scene.label_of(task), scene.received[task].closed) == ("spam", True)
        scene.harness.withdraw(scene.project, annotation)
        scene.pull()
        assert (scene.label_of(task), scene.received[task].closed) == (None, False)

    def test_a_labeled_task_is_closed_and_nobody_gets_it_again(self, scene: Scene) -> None:
        task = scene.tasks[2]
        scene.submit(task)
        scene.pull()
        assert scene.received[task].closed
        assert task not in ids(scene.work(len(scene.tasks), by="ben"))

    def test_a_label_made_after_the_cursor_comes_with_the_next_pull(self, scene: Scene) -> None:
        scene.pull()
        for n, task in enumerate(scene.tasks):
            scene.submit(task, LABELS[n % 2])
            assert task in scene.pull()
            assert scene.label_of(task) == LABELS[n % 2]

    def test_deleted_tasks_are_found_to_have_vanished(self, scene: Scene) -> None:
        scene.harness.delete_task(scene.project, scene.tasks[1])
        assert set(scene.connector.vanished_tasks(scene.tasks)) == {scene.tasks[1]}

    def test_a_deleted_task_is_found_even_where_a_new_one_took_its_place(self, scene: Scene) -> None:
        scene.pull()
        scene.harness.delete_task(scene.project, scene.tasks[1])
        scene.harness.add_tasks(scene.project, ["one more"])
        scene.pull()
        assert set(scene.connector.vanished_tasks(set(scene.received))) == {scene.tasks[1]}

    def test_a_full_pull_tells_every_task_exactly_once(self, crowd: Crowd) -> None:
        assert sorted(crowd.received) == sorted(crowd.tasks)

    def test_only_what_changed_since_the_cursor_is_told(self, crowd: Crowd) -> None:
        scene = replace(crowd.scene)
        changed = crowd.tasks[100:103]
        for task in changed:
            scene.submit(task)
        received = set(scene.pull())
        assert set(changed) <= received
        # Connectors may read the last moments again, but not the past.
        assert len(received) < 20

    def test_nothing_is_missed_when_tasks_change_between_pages(self, crowd: Crowd) -> None:
        scene = replace(crowd.scene, received={}, cursor=None)
        pages = scene.connector.changed_tasks(None)
        first = next(pages)
        early, gone, late = first.tasks[0].task.id, first.tasks[1].task.id, _untold(first.tasks, crowd.tasks)
        scene.submit(early, "spam")
        scene.submit(late, "spam")
        scene.harness.delete_task(scene.project, gone)
        scene.note(first)
        for page in pages:
            scene.note(page)
        scene.pull()
        assert set(crowd.tasks) <= set(scene.received)
        assert (scene.label_of(early), scene.label_of(late)) == ("spam", "spam")

    def test_vanished_tasks_are_found_among_many(self, crowd: Crowd) -> None:
        scene = crowd.scene
        scene.harness.delete_task(scene.project, crowd.tasks[-1])
        vanished = scene.connector.vanished_tasks(crowd.tasks)
        assert crowd.tasks[-1] in vanished
        assert len(vanished) < 20

    def test_the_ranked_order_is_served_and_the_unranked_follow(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (5, 1, 6, 0)]
        scene.rank(V1, order)
        served = ids(scene.work(len(scene.tasks)))
        assert served[:4] == order
        assert sorted(served) == sorted(scene.tasks)

    def test_the_receipt_says_what_was_written_and_what_is_served_first(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (5, 1, 6, 0)]
        receipt = scene.rank(V1, order)
        assert (receipt.version, receipt.written, receipt.vanished) == (V1, 4, ())
        assert receipt.head
        assert list(receipt.head[:4]) == order[: len(receipt.head)]

    def test_a_reorder_made_twice_is_the_same_as_once(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (5, 1, 6, 0)]
        scene.rank(V1, order)
        receipt = scene.rank(V1, order)
        assert receipt.written == 4
        assert ids(scene.work(4)) == order

    def test_a_new_version_replaces_the_old_order(self, scene: Scene) -> None:
        scene.rank(V1, [scene.tasks[n] for n in (0, 1, 2, 3, 4)], "ham")
        order = [scene.tasks[n] for n in (6, 3, 7, 1)]
        scene.rank(V2, order, "spam")
        assert ids(scene.work(4)) == order

    def test_an_order_that_may_not_be_switched_to_any_more_leaves_the_one_in_force(self, scene: Scene) -> None:
        """A worker is overtaken while it writes, by another whose order must stand."""
        order, stale = [scene.tasks[n] for n in (6, 3, 7, 1)], [scene.tasks[n] for n in (0, 1, 2)]

        def overtaken() -> None:
            scene.rank(V2, order, "spam")
            raise StaleWorker("another worker has taken over")

        with pytest.raises(StaleWorker):
            scene.rank(V1, stale, may_switch=overtaken)
        assert scene.connector.queue_in_force() == V2
        assert ids(scene.work(4)) == order

    def test_a_task_that_vanished_is_passed_over(self, scene: Scene) -> None:
        gone = scene.tasks[1]
        scene.harness.delete_task(scene.project, gone)
        receipt = scene.rank(V1, [scene.tasks[5], gone, scene.tasks[6], scene.tasks[0]])
        assert (receipt.written, receipt.vanished) == (3, (gone,))
        assert ids(scene.work(3)) == [scene.tasks[5], scene.tasks[6], scene.tasks[0]]

    def test_a_task_labeled_meanwhile_is_passed_over(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (5, 1, 6, 0)]
        scene.submit(order[0], by="ben")
        scene.rank(V1, order)
        assert list(scene.connector.head_of_queue(3)) == order[1:]
        assert ids(scene.work(3)) == order[1:]

    def test_a_task_deleted_after_the_reorder_is_passed_over(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (5, 1, 6, 0)]
        scene.rank(V1, order)
        scene.harness.delete_task(scene.project, order[0])
        assert list(scene.connector.head_of_queue(3)) == order[1:]
        assert ids(scene.work(3)) == order[1:]

    def test_a_window_of_nothing_but_vanished_tasks_is_survived(self, scene: Scene) -> None:
        gone = scene.tasks.pop()
        scene.harness.delete_task(scene.project, gone)
        receipt = scene.rank(V1, [gone])
        assert (receipt.written, receipt.vanished) == (0, (gone,))
        assert sorted(ids(scene.work(8))) == sorted(scene.tasks)

    def test_the_queue_in_force_is_told_and_a_change_by_hand_is_noticed(self, scene: Scene) -> None:
        def in_force() -> QueueVersion | None:
            return scene.connector.queue_in_force()

        assert in_force() is None
        scene.rank(V1, scene.tasks[:2])
        assert in_force() == V1
        scene.rank(V2, scene.tasks[:2])
        assert in_force() == V2
        scene.harness.choose_another_order(scene.project)
        assert in_force() is None

    def test_an_order_of_which_too_few_tasks_are_left_is_not_in_force(self, scene: Scene) -> None:
        scene.rank(V1, scene.tasks[:4])
        assert scene.connector.queue_in_force(standing=4) == V1
        scene.harness.delete_task(scene.project, scene.tasks[2])
        assert scene.connector.queue_in_force(standing=4) is None
        assert scene.connector.queue_in_force(standing=3) == V1

    def test_an_unknown_project_is_rejected(self, scene: Scene) -> None:
        scene.connector = scene.harness.connector(scene.harness.unknown_project())
        assert outcomes(scene) == dict.fromkeys(calls(scene), ToolRejected)

    def test_a_project_that_somebody_deletes_is_gone(self, scene: Scene) -> None:
        scene.harness.delete_project(scene.project)
        assert outcomes(scene, ProjectGone) == dict.fromkeys(calls(scene), ProjectGone)

    def test_a_tool_that_is_down_is_unavailable_until_it_is_up(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (5, 1, 6, 0)]
        scene.rank(V1, order)
        scene.harness.take_down()
        try:
            assert outcomes(scene) == dict.fromkeys(calls(scene), ToolUnavailable)
        finally:
            scene.harness.bring_up()
        assert list(scene.connector.head_of_queue(4)) == order
        scene.rank(V2, order[::-1])
        assert ids(scene.work(4)) == order[::-1]


def _untold(received: Sequence[TaskSeen], tasks: Sequence[TaskId]) -> TaskId:
    """A task that did not come yet, or the last one where all were."""
    known = {seen.task.id for seen in received}
    return next((task for task in reversed(tasks) if task not in known), tasks[-1])
