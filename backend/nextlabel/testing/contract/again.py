"""What a connector promises whose tool serves labeled tasks once more: to somebody else, in the order."""

from __future__ import annotations

from nextlabel.testing.contract.core import WithScene
from nextlabel.testing.contract.versions import V1
from nextlabel.testing.scene import Scene


class AsksAgainContract(WithScene):
    """The promises of `nextlabel.ports.tool.AsksAgain`."""

    def test_a_labeled_task_is_served_once_more_in_its_place_to_somebody_else(self, scene: Scene) -> None:
        again, *others = scene.tasks[:4]
        scene.submit(again, "spam", by="ann")
        assert scene.again.why_not_again() == ""
        before = scene.again.as_it_is(again)
        assert before is not None
        scene.again.ask_again(again, before)
        scene.rank(V1, [others[0], again, *others[1:]], None)
        assert [one.task for one in scene.work(3, by="ann")] == others
        served = scene.harness.next_task(scene.project, "ben")
        assert served is not None
        assert served.task == again
        scene.submit(again, "ham", by="ben")
        scene.pull()
        assert {one.labels[scene.target] for one in scene.received[again].annotations} == {"ham", "spam"}
        assert scene.received[again].closed

    def test_what_was_asked_again_is_settled_as_it_was(self, scene: Scene) -> None:
        again, other = scene.tasks[:2]
        assert scene.again.as_it_is(again) is None, "it is open"
        scene.submit(again, "spam", by="ann")
        before = scene.again.as_it_is(again)
        assert before is not None
        scene.again.ask_again(again, before)
        scene.again.ask_again(again, before)
        scene.rank(V1, [again, other], None)
        scene.again.settle(again, before)
        scene.again.settle(again, before)
        assert scene.again.as_it_is(again) == before
        served = scene.harness.next_task(scene.project, "ben")
        assert served is not None
        assert served.task == other
        scene.harness.delete_task(scene.project, again)
        assert scene.again.as_it_is(again) is None
        scene.again.settle(again, before)
