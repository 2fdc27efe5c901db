"""What every connector promises, as tests to inherit.

Inherit them, next to a ``harness`` fixture that plays the people of your tool::

    @pytest.fixture(scope="module")  # or wider
    def harness() -> Iterator[ToolHarness]:
        with MyToolHarness() as harness:
            yield harness

    class TestMyTool(ConnectorContract):
        pass

What is asserted is what annotators get to see in the tool, and what the connector tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from nextlabel.errors import (
    NextlabelError,
    PayloadError,
    ProjectGone,
    StaleWorker,
    ToolRejected,
    ToolUnavailable,
    VersionTaken,
)
from nextlabel.labeling import (
    Input,
    ToolProjectId,
    QueueVersion,
    TaskId,
)
from nextlabel.ports.requests import WebhookRequest
from nextlabel.ports.tool import OwnOrder, Pruned, TaskSeen
from nextlabel.testing.harness import Served, ToolHarness
from nextlabel.testing.scene import FIELD, LABELS, Crowd, Scene, ids, set_scene

try:
    import pytest
except ImportError as error:
    raise ImportError("The connector contract runs under pytest: pip install 'nextlabel[testing]'.") from error

V1, V2, V3 = QueueVersion("nextlabel-1"), QueueVersion("nextlabel-2"), QueueVersion("nextlabel-2.2")
OTHERS = tuple(map(QueueVersion, ("1661144695", "20240315", "2023", "v0001", "bert-v1", "0002", "nextlabel-20")))
"""Versions of a team's own predictions."""


class ConnectorContract:
    """The promises of `nextlabel.ports.tool.Connector`; inherit, and provide ``harness``."""

    crowd_size = 10_000
    """How many tasks a large project has: more than any page of the tool."""

    @pytest.fixture
    def scene(self, harness: ToolHarness) -> Scene:
        return set_scene(harness, 8)

    @pytest.fixture(scope="class")
    @classmethod
    def crowd(cls, harness: ToolHarness) -> Crowd:
        """One large project for the class, read once from the start: large ones are slow to make and to read."""
        scene = set_scene(harness, cls.crowd_size)
        harness.let_a_day_pass(scene.project)
        return Crowd(scene, tuple(scene.tasks), tuple(scene.pull()))

    # --- what is to be labeled -----------------------------------------------------------------------------

    def test_the_schema_names_the_labels_and_the_text(self, scene: Scene) -> None:
        schema = scene.connector.label_schema()
        (target,) = schema.targets
        assert (target.kind, target.inputs, target.labels) == ("choice", (Input(FIELD),), LABELS)

    def test_a_new_task_is_open_and_carries_its_text(self, scene: Scene) -> None:
        scene.pull()
        seen = scene.told[scene.tasks[3]]
        assert (seen.task.data[FIELD], seen.annotations, seen.closed) == ("mail number 3", (), False)

    # --- labels --------------------------------------------------------------------------------------------

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
        assert (scene.label_of(task), scene.told[task].closed) == ("spam", True)
        scene.harness.withdraw(scene.project, annotation)
        scene.pull()
        assert (scene.label_of(task), scene.told[task].closed) == (None, False)

    def test_a_skipped_task_has_no_label_and_stays_open_to_others(self, scene: Scene) -> None:
        task = scene.tasks[0]
        scene.pull()
        scene.harness.skip(scene.project, task, "ann")
        assert task in scene.pull()
        assert all(annotation.skipped for annotation in scene.told[task].annotations)
        assert (scene.label_of(task), scene.told[task].closed) == (None, False)
        assert task in ids(scene.work(len(scene.tasks), by="ben"))

    def test_a_labeled_task_is_closed_and_nobody_gets_it_again(self, scene: Scene) -> None:
        task = scene.tasks[2]
        scene.submit(task)
        scene.pull()
        assert scene.told[task].closed
        assert task not in ids(scene.work(len(scene.tasks), by="ben"))

    def test_a_label_made_after_the_cursor_comes_with_the_next_pull(self, scene: Scene) -> None:
        scene.pull()
        for n, task in enumerate(scene.tasks):
            scene.submit(task, LABELS[n % 2])
            assert task in scene.pull()
            assert scene.label_of(task) == LABELS[n % 2]

    def test_annotations_come_whole_where_that_is_asked_for_even_those_that_were_told_before(
        self, scene: Scene
    ) -> None:
        labeled = scene.tasks[1]
        scene.submit(labeled, "spam")
        scene.pull()
        assert all(one.whole is None for one in scene.told[labeled].annotations)
        pages = scene.connector.changed_tasks(scene.cursor, whole=True)
        told = {seen.task.id: seen for page in pages for seen in page.tasks}
        assert set(told) == set(scene.tasks)
        (annotation,) = told[labeled].annotations
        assert annotation.whole is not None
        schema, result = scene.connector.label_schema(), annotation.whole["result"]
        assert isinstance(result, list)
        assert scene.connector.labels_in(schema, result) == annotation.labels == {scene.target: "spam"}

    def test_a_task_that_cannot_be_read_is_told_by_name_and_keeps_no_other_from_being_read(self, scene: Scene) -> None:
        scene.pull()
        spoiled, labeled = scene.tasks[1], scene.tasks[2]
        scene.harness.spoil(scene.project, spoiled)
        scene.submit(labeled, "spam")
        scene.pull()
        assert {task: bool(one.reason) for task, one in scene.set_aside.items()} == {spoiled: True}
        assert set(scene.told) == set(scene.tasks) - {spoiled}
        assert scene.label_of(labeled) == "spam"
        scene.harness.mend(scene.project, spoiled)
        scene.pull()
        assert (scene.set_aside, set(scene.told)) == ({}, set(scene.tasks))

    def test_deleted_tasks_are_found_to_have_vanished(self, scene: Scene) -> None:
        scene.harness.delete_task(scene.project, scene.tasks[1])
        assert set(scene.connector.vanished_tasks(scene.tasks)) == {scene.tasks[1]}

    def test_a_deleted_task_is_found_even_where_a_new_one_took_its_place(self, scene: Scene) -> None:
        scene.pull()
        scene.harness.delete_task(scene.project, scene.tasks[1])
        scene.harness.add_tasks(scene.project, ["one more"])
        scene.pull()
        assert set(scene.connector.vanished_tasks(set(scene.told))) == {scene.tasks[1]}

    # --- large projects ------------------------------------------------------------------------------------

    def test_a_full_pull_tells_every_task_exactly_once(self, crowd: Crowd) -> None:
        assert sorted(crowd.told) == sorted(crowd.tasks)

    def test_only_what_changed_since_the_cursor_is_told(self, crowd: Crowd) -> None:
        scene = replace(crowd.scene)
        changed = crowd.tasks[100:103]
        for task in changed:
            scene.submit(task)
        told = set(scene.pull())
        assert set(changed) <= told
        # Connectors may read the last moments again, but not the past.
        assert len(told) < 20

    def test_nothing_is_missed_when_tasks_change_between_pages(self, crowd: Crowd) -> None:
        scene = replace(crowd.scene, told={}, cursor=None)
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
        assert set(crowd.tasks) <= set(scene.told)
        assert (scene.label_of(early), scene.label_of(late)) == ("spam", "spam")

    def test_vanished_tasks_are_found_among_many(self, crowd: Crowd) -> None:
        scene = crowd.scene
        scene.harness.delete_task(scene.project, crowd.tasks[-1])
        vanished = scene.connector.vanished_tasks(crowd.tasks)
        assert crowd.tasks[-1] in vanished
        assert len(vanished) < 20

    # --- the order -----------------------------------------------------------------------------------------

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

    def test_the_prediction_is_shown_with_its_task(self, scene: Scene) -> None:
        scene.rank(V1, [scene.tasks[4]], "spam")
        assert scene.take() == Served(scene.tasks[4], ("spam",))

    def test_a_task_of_which_nothing_can_be_said_keeps_its_rank(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (7, 2, 5, 3)]
        scene.rank(V1, order, None)
        assert scene.work(4) == [Served(task, ()) for task in order]

    def test_a_reorder_made_twice_is_the_same_as_once(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (5, 1, 6, 0)]
        scene.rank(V1, order)
        receipt = scene.rank(V1, order)
        assert receipt.written == 4
        assert scene.harness.predictions_held(scene.project) == {V1: 4}
        assert scene.work(4) == [Served(task, ("ham",)) for task in order]

    def test_a_new_version_replaces_the_old_order(self, scene: Scene) -> None:
        scene.rank(V1, [scene.tasks[n] for n in (0, 1, 2, 3, 4)], "ham")
        order = [scene.tasks[n] for n in (6, 3, 7, 1)]
        scene.rank(V2, order, "spam")
        assert scene.work(4) == [Served(task, ("spam",)) for task in order]

    def test_an_order_that_may_not_be_switched_to_any_more_leaves_the_one_in_force(self, scene: Scene) -> None:
        """A worker is overtaken while it writes, by another whose order must stand."""
        order, stale = [scene.tasks[n] for n in (6, 3, 7, 1)], [scene.tasks[n] for n in (0, 1, 2)]

        def overtaken() -> None:
            scene.rank(V2, order, "spam")
            raise StaleWorker("another worker has taken over")

        with pytest.raises(StaleWorker):
            scene.rank(V1, stale, may_switch=overtaken)
        assert scene.connector.queue_in_force() == V2
        assert scene.work(4) == [Served(task, ("spam",)) for task in order]

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

    def test_two_annotators_never_hold_the_same_task_and_both_work_from_the_top(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (5, 1, 6, 0, 4, 2)]
        scene.rank(V1, order)
        for best, second in (order[0:2], order[2:4], order[4:6]):
            anns, bens = scene.take("ann"), scene.take("ben")
            assert anns and bens
            assert [anns.task, bens.task] == [best, second]
            scene.submit(bens.task, by="ben")
            scene.submit(anns.task, by="ann")

    def test_looking_at_the_head_takes_no_task_from_anyone(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (5, 1, 6, 0)]
        scene.rank(V1, order)
        for _ in range(3):
            assert list(scene.connector.head_of_queue(2)) == order[:2]
        assert [it.task for it in (scene.take("ann"), scene.take("ben")) if it] == order[:2]

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

    def test_places_in_the_order_that_somebody_deleted_are_missed(self, scene: Scene) -> None:
        scene.rank(V1, scene.tasks[:4])
        assert scene.connector.queue_in_force(standing=4) == V1
        scene.harness.delete_predictions(scene.project, scene.tasks[1:3])
        assert scene.connector.queue_in_force(standing=4) is None
        assert scene.connector.queue_in_force(standing=2) == V1
        scene.rank(V2, scene.tasks[:4])
        assert scene.connector.queue_in_force(standing=4) == V2

    # --- whose predictions they are ----------------------------------------------------------------------

    @pytest.mark.parametrize("at_rest", [False, True])
    def test_pruning_removes_old_orders_in_small_lots(self, scene: Scene, at_rest: bool) -> None:
        for version in (V1, V2, V3):
            scene.rank(version, scene.tasks[:4], "spam")
        old, lots = [OwnOrder(V1), OwnOrder(V2)], []
        while old:
            lot = scene.connector.prune(old, at_most=3, at_rest=at_rest)
            old = [order for order in old if order.version not in lot.emptied]
            lots.append(lot.removed)
        assert (sum(lots), max(lots) <= 3) == (8, True)
        assert scene.harness.predictions_held(scene.project) == {V3: 4}
        assert scene.work(4) == [Served(task, ("spam",)) for task in scene.tasks[:4]]

    def test_pruning_removes_no_order_that_it_is_not_given(self, scene: Scene) -> None:
        for version in (V1, V2, V3):
            scene.rank(version, scene.tasks[:2])
        assert scene.connector.prune([OwnOrder(V2)], at_most=100) == Pruned(2, (V2,))
        assert scene.connector.prune([OwnOrder(V2)], at_most=100) == Pruned(0, (V2,))
        assert scene.harness.predictions_held(scene.project) == {V1: 2, V3: 2}

    def test_pruning_never_removes_the_order_in_force(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (5, 1, 6, 0)]
        scene.rank(V1, scene.tasks)
        scene.rank(V2, order)
        emptied = scene.connector.prune([OwnOrder(V1), OwnOrder(V2)], at_most=100).emptied
        assert emptied == (V1,)
        assert scene.connector.queue_in_force() == V2
        assert scene.work(4) == [Served(task, ("ham",)) for task in order]

    def test_predictions_of_others_stay_whatever_their_version_is_called(self, scene: Scene) -> None:
        for version in OTHERS:
            scene.harness.import_predictions(scene.project, version, scene.tasks[:3])
        for version in (V1, V2, V3):
            scene.rank(version, scene.tasks[:2])
        scene.connector.prune([OwnOrder(V1), OwnOrder(V2)], at_most=100)
        held = {**dict.fromkeys(OTHERS, 3), V3: 2}
        assert scene.harness.predictions_held(scene.project) == held
        assert dict(scene.connector.predictions_held()) == held

    def test_no_order_is_written_under_a_version_that_holds_other_predictions(self, scene: Scene) -> None:
        scene.rank(V1, scene.tasks[:2])
        scene.harness.import_predictions(scene.project, V2, scene.tasks[:3])
        with pytest.raises(VersionTaken):
            scene.rank(V2, scene.tasks[:2])
        assert scene.harness.predictions_held(scene.project) == {V1: 2, V2: 3}
        assert scene.connector.queue_in_force() == V1

    def test_where_others_share_the_name_of_an_order_only_its_own_places_are_removed(self, scene: Scene) -> None:
        """As releases before 0.1.1 named their orders."""
        window = tuple(scene.tasks[:4])
        scene.rank(V1, window)
        scene.harness.import_predictions(scene.project, V1, scene.tasks[2:7])
        scene.rank(V2, scene.tasks[:2])
        lot = scene.connector.prune([OwnOrder(V1, window)], at_most=100)
        assert lot == Pruned(4, (V1,))
        assert scene.harness.predictions_held(scene.project) == {V1: 5, V2: 2}
        assert scene.connector.prune([OwnOrder(V1, ())], at_most=100) == Pruned(0, (V1,))

    # --- what the tool sends -------------------------------------------------------------------------------

    def test_a_label_its_change_and_its_withdrawal_each_arrive_as_an_event_of_their_project(self, scene: Scene) -> None:
        harness, project = scene.harness, scene.project
        list(scene.connector.connect(harness.callback()))
        annotation = harness.submit(project, scene.tasks[0], "ham", "ann")
        for act in (
            lambda: harness.submit(project, scene.tasks[1], "ham", "ann"),
            lambda: harness.skip(project, scene.tasks[2], "ann"),
            lambda: harness.change(project, annotation, "spam"),
            lambda: harness.withdraw(project, annotation),
        ):
            assert ("labels", project) in self._events(harness, harness.arrivals(act))

    def test_new_tasks_arrive_as_an_event_of_their_project(self, scene: Scene) -> None:
        harness, project = scene.harness, scene.project
        list(scene.connector.connect(harness.callback()))
        arrivals = harness.arrivals(lambda: harness.add_tasks(project, ["one more"]))
        assert ("tasks", project) in self._events(harness, arrivals)

    def test_every_event_carries_the_secret(self, scene: Scene) -> None:
        callback = scene.harness.callback()
        list(scene.connector.connect(callback))
        arrivals = scene.harness.arrivals(lambda: scene.submit(scene.tasks[0]))
        assert arrivals
        name = scene.harness.dialect.webhook_secret_header
        assert {request.headers.get(name) for request in arrivals} == {callback.webhook_secret}

    def test_connecting_twice_changes_nothing_more(self, scene: Scene) -> None:
        callback = scene.harness.callback()
        first = list(scene.connector.connect(callback))
        again = list(scene.connector.connect(callback))
        assert "done" in {finding.level for finding in first}
        assert "done" not in {finding.level for finding in again}

    def test_what_somebody_undoes_is_found_until_it_is_connected_again(self, scene: Scene) -> None:
        callback = scene.harness.callback()
        list(scene.connector.connect(callback))
        assert list(scene.connector.drift(callback)) == []
        scene.harness.disconnect(scene.project)
        found = scene.connector.drift(callback)
        assert {finding.level for finding in found} == {"warning"}
        assert all("nextlabel connect" in finding.message for finding in found)
        list(scene.connector.connect(callback))
        assert list(scene.connector.drift(callback)) == []

    def test_an_address_at_which_the_tool_finds_nobody_is_a_problem_and_nothing_is_changed(self, scene: Scene) -> None:
        harness, project = scene.harness, scene.project
        before = scene.connector.settings(())
        found = list(scene.connector.connect(harness.dead_callback()))
        assert "problem" in {finding.level for finding in found}
        assert (list(harness.calls(project)), scene.connector.settings(())) == ([], before)
        list(scene.connector.connect(harness.callback()))
        calls, settings = list(harness.calls(project)), scene.connector.settings(())
        assert "problem" in {one.level for one in scene.connector.connect(harness.dead_callback())}
        assert (list(harness.calls(project)), scene.connector.settings(())) == (calls, settings)

    def test_another_address_takes_the_place_of_the_earlier_one(self, scene: Scene) -> None:
        harness, project, callback = scene.harness, scene.project, scene.harness.callback()
        list(scene.connector.connect(callback))
        calls = harness.calls(project)
        moved = replace(callback, url=f"{callback.url}/moved", earlier=(callback.url,))
        list(scene.connector.connect(moved))
        assert sorted(harness.calls(project)) == sorted(one.replace(callback.url, moved.url) for one in calls)
        assert "labels" in dict(self._events(harness, harness.arrivals(lambda: scene.submit(scene.tasks[0]))))

    def test_disconnecting_leaves_a_project_as_it_was_and_it_can_be_connected_again(self, scene: Scene) -> None:
        harness, project, callback = scene.harness, scene.project, scene.harness.callback()
        harness.choose_another_order(project)
        harness.import_predictions(project, OTHERS[0], scene.tasks[:3])
        before = scene.connector.settings(())
        list(scene.connector.connect(callback))
        scene.rank(V1, scene.tasks[:4])
        assert {one.ours for one in scene.connector.settings((V1,))} == {True}
        values = {one.name: one.value for one in before}
        levels = {one.level for one in scene.connector.disconnect(callback, values)}
        assert ("done" in levels, "problem" in levels) == (True, False)
        assert {one.name: one.value for one in scene.connector.settings((V1,))} == values
        assert list(harness.calls(project)) == []
        assert harness.predictions_held(project) == {OTHERS[0]: 3, V1: 4}
        assert {one.level for one in scene.connector.disconnect(callback, values)} == {"unchanged"}
        list(scene.connector.connect(callback))
        scene.rank(V2, scene.tasks[4:6])
        assert scene.connector.queue_in_force(standing=2) == V2

    def test_a_setting_that_is_not_to_be_put_back_stays_as_somebody_chose_it(self, scene: Scene) -> None:
        list(scene.connector.connect(scene.harness.callback()))
        scene.rank(V1, scene.tasks[:4])
        scene.harness.choose_another_order(scene.project)
        now = scene.connector.settings((V1,))
        list(scene.connector.disconnect(scene.harness.callback(), {}))
        assert scene.connector.settings((V1,)) == now

    def test_a_project_shows_by_whom_it_was_connected(self, scene: Scene) -> None:
        callback = scene.harness.callback()
        stranger = replace(callback, webhook_secret="another installation's")  # noqa: S106
        assert not scene.connector.is_connected(callback)
        list(scene.connector.connect(callback))
        elsewhere = replace(callback, url=f"{callback.url}/elsewhere")
        asked = [scene.connector.is_connected(one) for one in (callback, elsewhere, stranger)]
        assert asked == [True, True, False]

    def test_a_malformed_event_is_a_payload_error(self, scene: Scene) -> None:
        list(scene.connector.connect(scene.harness.callback()))
        good = scene.harness.arrivals(lambda: scene.submit(scene.tasks[0]))[0]
        bodies = (b"", b"null", b"[]", b'"label"', b"\xff\xfe\x00", good.body[: len(good.body) // 2])
        hostile = [WebhookRequest(body, good.headers) for body in bodies]
        read = scene.harness.dialect.read_event
        results = {it.body: outcome(partial(read, it)) for it in (*hostile, *scene.harness.malformed_events())}
        assert results == dict.fromkeys(results, PayloadError)

    def _events(self, harness: ToolHarness, arrivals: Sequence[WebhookRequest]) -> list[tuple[str, ToolProjectId]]:
        events = [harness.dialect.read_event(request) for request in arrivals]
        return [(event.kind, event.project) for event in events if event]

    # --- refusals ------------------------------------------------------------------------------------------

    def test_an_unknown_project_is_rejected(self, scene: Scene) -> None:
        scene.project = scene.harness.unknown_project()
        assert outcomes(scene) == dict.fromkeys(CALLS, ToolRejected)

    def test_a_project_that_somebody_deletes_is_gone_and_with_a_bad_token_nobody_can_tell(self, scene: Scene) -> None:
        scene.harness.delete_project(scene.project)
        assert outcomes(scene, ProjectGone) == dict.fromkeys(CALLS, ProjectGone)
        scene.connector = scene.harness.stranger()
        assert outcomes(scene, ProjectGone) == dict.fromkeys(CALLS, ToolRejected)

    def test_a_bad_token_is_rejected(self, scene: Scene) -> None:
        scene.connector = scene.harness.stranger()
        assert outcomes(scene) == dict.fromkeys(CALLS, ToolRejected)

    def test_connecting_says_what_is_wrong(self, scene: Scene) -> None:
        lost = replace(scene, project=scene.harness.unknown_project())
        stranger = replace(scene, connector=scene.harness.stranger())
        assert (complains(lost), complains(stranger)) == (True, True)

    def test_a_tool_that_is_down_is_unavailable_until_it_is_up(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (5, 1, 6, 0)]
        scene.rank(V1, order)
        scene.harness.take_down()
        try:
            assert outcomes(scene) == dict.fromkeys(CALLS, ToolUnavailable)
        finally:
            scene.harness.bring_up()
        assert list(scene.connector.head_of_queue(4)) == order
        scene.rank(V2, order[::-1])
        assert ids(scene.work(4)) == order[::-1]


CALLS: Mapping[str, Callable[[Scene], object]] = {
    "label_schema": lambda it: it.connector.label_schema(),
    "changed_tasks": lambda it: list(it.connector.changed_tasks(None)),
    "vanished_tasks": lambda it: it.connector.vanished_tasks(it.tasks[:1]),
    "reorder": lambda it: it.rank(V3, it.tasks[:2]),
    "queue_in_force": lambda it: it.connector.queue_in_force(),
    "head_of_queue": lambda it: it.connector.head_of_queue(2),
    "drift": lambda it: it.connector.drift(it.harness.callback()),
    "settings": lambda it: it.connector.settings(()),
    "disconnect": lambda it: list(it.connector.disconnect(it.harness.callback(), {})),
    "is_connected": lambda it: it.connector.is_connected(it.harness.callback()),
    "predictions_held": lambda it: it.connector.predictions_held(),
    "prune": lambda it: it.connector.prune([OwnOrder(V1)], 10),
}


def complains(scene: Scene) -> bool:
    """Whether connecting is refused, or reports a problem."""
    try:
        findings = list(scene.connector.connect(scene.harness.callback()))
    except ToolRejected:
        return True
    return "problem" in {finding.level for finding in findings}


def outcomes(scene: Scene, *told_apart: type[NextlabelError]) -> dict[str, object]:
    """What becomes of each call of a connector."""
    return {name: outcome(partial(call, scene), *told_apart) for name, call in CALLS.items()}


def outcome(call: Callable[[], object], *told_apart: type[NextlabelError]) -> object:
    """What a call returns, or what kind of error it raises."""
    try:
        return call()
    except NextlabelError as error:
        kinds = (*told_apart, ToolUnavailable, ToolRejected, PayloadError)
        return next((kind for kind in kinds if isinstance(error, kind)), type(error))


def _untold(told: Sequence[TaskSeen], tasks: Sequence[TaskId]) -> TaskId:
    """A task that was not told yet, or the last one where all were."""
    known = {seen.task.id for seen in told}
    return next((task for task in reversed(tasks) if task not in known), tasks[-1])
