"""What a connector promises whose tool calls nextlabel: by webhooks, at an address, with a secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from nextlabel.errors import (
    PayloadError,
    ToolRejected,
)
from nextlabel.labeling import ToolProjectId
from nextlabel.ports.requests import WebhookRequest
from nextlabel.ports.tool import CallsUs, Connector
from nextlabel.testing.contract.core import WithScene
from nextlabel.testing.contract.outcomes import outcome
from nextlabel.testing.contract.versions import OTHERS, V1, V2
from nextlabel.testing.harness import CallsUsHarness
from nextlabel.testing.scene import Scene


class CallsUsContract(WithScene):
    """The promises of `nextlabel.ports.tool.CallsUs` and of the tool's `Webhooks`."""

    def test_a_label_its_change_and_its_withdrawal_each_arrive_as_an_event_of_their_project(self, scene: Scene) -> None:
        harness, project = scene.callers, scene.project
        list(scene.calls_us.connect(harness.callback()))
        annotation = harness.submit(project, scene.tasks[0], "ham", "ann")
        for act in (
            lambda: harness.submit(project, scene.tasks[1], "ham", "ann"),
            lambda: scene.skip(scene.tasks[2]),
            lambda: harness.change(project, annotation, "spam"),
            lambda: harness.withdraw(project, annotation),
        ):
            assert ("labels", project) in self._events(harness, harness.arrivals(act))

    def test_new_tasks_arrive_as_an_event_of_their_project(self, scene: Scene) -> None:
        harness, project = scene.callers, scene.project
        list(scene.calls_us.connect(harness.callback()))
        arrivals = harness.arrivals(lambda: harness.add_tasks(project, ["one more"]))
        assert ("tasks", project) in self._events(harness, arrivals)

    def test_every_event_carries_the_secret(self, scene: Scene) -> None:
        callback = scene.callers.callback()
        list(scene.calls_us.connect(callback))
        arrivals = scene.callers.arrivals(lambda: scene.submit(scene.tasks[0]))
        assert arrivals
        is_genuine = scene.callers.webhooks.is_genuine
        assert {is_genuine(request, callback.webhook_secret) for request in arrivals} == {True}
        bare = [replace(request, headers={}) for request in arrivals]
        strange = [(request, "another secret") for request in arrivals] + [
            (one, callback.webhook_secret) for one in bare
        ]
        assert {is_genuine(*one) for one in strange} == {False}

    def test_connecting_twice_changes_nothing_more(self, scene: Scene) -> None:
        callback = scene.callers.callback()
        first = list(scene.calls_us.connect(callback))
        again = list(scene.calls_us.connect(callback))
        assert "done" in {finding.level for finding in first}
        assert "done" not in {finding.level for finding in again}

    def test_what_somebody_undoes_is_found_until_it_is_connected_again(self, scene: Scene) -> None:
        callback = scene.callers.callback()
        list(scene.calls_us.connect(callback))
        assert list(scene.calls_us.drift(callback)) == []
        scene.callers.disconnect(scene.project)
        found = scene.calls_us.drift(callback)
        assert {finding.level for finding in found} == {"warning"}
        assert all("nextlabel connect" in finding.message for finding in found)
        list(scene.calls_us.connect(callback))
        assert list(scene.calls_us.drift(callback)) == []

    def test_an_address_at_which_the_tool_finds_nobody_is_a_problem_and_nothing_is_changed(self, scene: Scene) -> None:
        harness, project = scene.callers, scene.project
        before = scene.settings(())
        found = list(scene.calls_us.connect(harness.dead_callback()))
        assert "problem" in {finding.level for finding in found}
        assert (list(harness.calls(project)), scene.settings(())) == ([], before)
        list(scene.calls_us.connect(harness.callback()))
        calls, settings = list(harness.calls(project)), scene.settings(())
        assert "problem" in {one.level for one in scene.calls_us.connect(harness.dead_callback())}
        assert (list(harness.calls(project)), scene.settings(())) == (calls, settings)

    def test_another_address_takes_the_place_of_the_earlier_one(self, scene: Scene) -> None:
        harness, project, callback = scene.callers, scene.project, scene.callers.callback()
        list(scene.calls_us.connect(callback))
        calls = harness.calls(project)
        moved = replace(callback, url=f"{callback.url}/moved", earlier=(callback.url,))
        list(scene.calls_us.connect(moved))
        assert sorted(harness.calls(project)) == sorted(one.replace(callback.url, moved.url) for one in calls)
        assert "labels" in dict(self._events(harness, harness.arrivals(lambda: scene.submit(scene.tasks[0]))))

    def test_disconnecting_leaves_a_project_as_it_was_and_it_can_be_connected_again(self, scene: Scene) -> None:
        harness, project, callback = scene.callers, scene.project, scene.callers.callback()
        harness.choose_another_order(project)
        scene.importers.import_predictions(project, OTHERS[0], scene.tasks[:3])
        before = scene.settings(())
        list(scene.calls_us.connect(callback))
        scene.rank(V1, scene.tasks[:4])
        assert {one.ours for one in scene.settings((V1,))} == {True}
        values = {one.name: one.value for one in before}
        levels = {one.level for one in scene.calls_us.disconnect(callback, values)}
        assert ("done" in levels, "problem" in levels) == (True, False)
        assert {one.name: one.value for one in scene.settings((V1,))} == values
        assert list(harness.calls(project)) == []
        assert scene.importers.predictions_held(project) == {OTHERS[0]: 3, V1: 4}
        assert {one.level for one in scene.calls_us.disconnect(callback, values)} == {"unchanged"}
        list(scene.calls_us.connect(callback))
        scene.rank(V2, scene.tasks[4:6])
        assert scene.connector.queue_in_force(standing=2) == V2

    def test_a_setting_that_is_not_to_be_put_back_stays_as_somebody_chose_it(self, scene: Scene) -> None:
        list(scene.calls_us.connect(scene.callers.callback()))
        scene.rank(V1, scene.tasks[:4])
        scene.harness.choose_another_order(scene.project)
        now = scene.settings((V1,))
        list(scene.calls_us.disconnect(scene.callers.callback(), {}))
        assert scene.settings((V1,)) == now

    def test_a_project_shows_by_whom_it_was_connected(self, scene: Scene) -> None:
        callback = scene.callers.callback()
        stranger = replace(callback, webhook_secret="another installation's")  # noqa: S106
        assert not scene.calls_us.is_connected(callback)
        list(scene.calls_us.connect(callback))
        elsewhere = replace(callback, url=f"{callback.url}/elsewhere")
        asked = [scene.calls_us.is_connected(one) for one in (callback, elsewhere, stranger)]
        assert asked == [True, True, False]

    def test_a_malformed_event_is_a_payload_error(self, scene: Scene) -> None:
        list(scene.calls_us.connect(scene.callers.callback()))
        good = scene.callers.arrivals(lambda: scene.submit(scene.tasks[0]))[0]
        bodies = (b"", b"null", b"[]", b'"label"', b"\xff\xfe\x00", good.body[: len(good.body) // 2])
        hostile = [WebhookRequest(body, good.headers) for body in bodies]
        read = scene.callers.webhooks.read_event
        results = {it.body: outcome(partial(read, it)) for it in (*hostile, *scene.callers.malformed_events())}
        assert results == dict.fromkeys(results, PayloadError)

    def _events(self, harness: CallsUsHarness, arrivals: Sequence[WebhookRequest]) -> list[tuple[str, ToolProjectId]]:
        events = [harness.webhooks.read_event(request) for request in arrivals]
        return [(event.kind, event.project) for event in events if event]

    def test_connecting_says_what_is_wrong(self, scene: Scene) -> None:
        harness = scene.harness
        lost, stranger = harness.connector(harness.unknown_project()), harness.stranger(scene.project)
        assert (complains(scene, lost), complains(scene, stranger)) == (True, True)


def complains(scene: Scene, connector: Connector) -> bool:
    """Whether connecting is refused, or reports a problem."""
    assert isinstance(connector, CallsUs)
    try:
        findings = list(connector.connect(scene.callers.callback()))
    except ToolRejected:
        return True
    return "problem" in {finding.level for finding in findings}
