"""What connectors promise beside the core, where a tool has it: each class is one ring or one habit of a tool."""

from __future__ import annotations

from typing import cast

from nextlabel.errors import (
    ProjectGone,
    ToolRejected,
)
from nextlabel.labeling import QueueVersion, TaskId
from nextlabel.ports.tool import HasTitle, Scores
from nextlabel.testing.contract.core import WithScene
from nextlabel.testing.contract.outcomes import calls, outcomes
from nextlabel.testing.contract.versions import OTHERS, V1
from nextlabel.testing.harness import Served, TitleHarness, UnreadableHarness
from nextlabel.testing.scene import Scene, ids


class SkippingContract(WithScene):
    """For tools in which annotators may skip a task."""

    def test_a_skipped_task_has_no_label_and_stays_open_to_others(self, scene: Scene) -> None:
        task = scene.tasks[0]
        scene.pull()
        scene.skip(task)
        assert task in scene.pull()
        assert all(annotation.skipped for annotation in scene.received[task].annotations)
        assert (scene.label_of(task), scene.received[task].closed) == (None, False)
        assert task in ids(scene.work(len(scene.tasks), by="ben"))


class TitleContract(WithScene):
    """The promise of `nextlabel.ports.tool.HasTitle`."""

    def test_the_title_is_what_people_call_the_project_now(self, scene: Scene) -> None:
        harness, connector = cast(TitleHarness, scene.harness), cast(HasTitle, scene.connector)
        for title in ("Is it snow?", "雪, or “rain”"):
            harness.rename(scene.project, title)
            assert connector.title() == title


class UnreadableContract(WithScene):
    """For tools that may hold a task which cannot be read."""

    def test_a_task_that_cannot_be_read_is_told_by_name_and_keeps_no_other_from_being_read(self, scene: Scene) -> None:
        harness = cast(UnreadableHarness, scene.harness)
        scene.pull()
        spoiled, labeled = scene.tasks[1], scene.tasks[2]
        harness.spoil(scene.project, spoiled)
        scene.submit(labeled, "spam")
        scene.pull()
        assert {task: bool(one.reason) for task, one in scene.set_aside.items()} == {spoiled: True}
        assert set(scene.received) == set(scene.tasks) - {spoiled}
        assert scene.label_of(labeled) == "spam"
        harness.mend(scene.project, spoiled)
        scene.pull()
        assert (scene.set_aside, set(scene.received)) == ({}, set(scene.tasks))


class WordsContract(WithScene):
    """The promises of `nextlabel.ports.tool.MLBackendWords`."""

    def test_annotations_come_whole_where_that_is_asked_for_even_those_that_were_told_before(
        self, scene: Scene
    ) -> None:
        labeled = scene.tasks[1]
        scene.submit(labeled, "spam")
        scene.pull()
        assert all(one.whole is None for one in scene.received[labeled].annotations)
        pages = scene.connector.changed_tasks(scene.cursor, whole=True)
        received = {seen.task.id: seen for page in pages for seen in page.tasks}
        assert set(received) == set(scene.tasks)
        (annotation,) = received[labeled].annotations
        assert annotation.whole is not None
        schema, result = scene.connector.label_schema(), annotation.whole["result"]
        assert isinstance(result, list)
        assert (
            scene.words.labels_in(schema, result, received[labeled].task.data)
            == annotation.labels
            == {scene.target: "spam"}
        )


class ScoresContract(WithScene):
    """The promises of `nextlabel.ports.tool.TellsScores`."""

    def test_the_newest_scores_of_one_version_are_told_and_its_mark_changes_with_them(self, scene: Scene) -> None:
        theirs, others, *_ = OTHERS
        a, b, c, d = scene.tasks[:4]
        assert (scene.scores.scores_mark(theirs), _scores(scene, theirs)) == ("", {})
        scene.scorers.import_scores(scene.project, theirs, [Scores(a, 0.25, (0.5,)), Scores(b, None)])
        scene.scorers.import_scores(scene.project, others, [Scores(a, 0.125), Scores(c, 0.125)])
        scene.rank(V1, [d, a])
        first = scene.scores.scores_mark(theirs)
        assert _scores(scene, theirs) == {a: Scores(a, 0.25, (0.5,)), b: Scores(b, None)}
        assert scene.scores.scores_mark(theirs) == first != ""
        scene.scorers.import_scores(scene.project, theirs, [Scores(a, 0.75), Scores(d, 0.5, (0.25,))])
        assert scene.scores.scores_mark(theirs) != first
        assert _scores(scene, theirs) == {a: Scores(a, 0.75), b: Scores(b, None), d: Scores(d, 0.5, (0.25,))}
        assert _scores(scene, others) == {a: Scores(a, 0.125), c: Scores(c, 0.125)}


def _scores(scene: Scene, version: QueueVersion) -> dict[TaskId, Scores]:
    return {one.task: one for page in scene.scores.scores(version) for one in page}


class LiveQueueContract(WithScene):
    """For tools that serve by `LivePriority`, a task to one annotator at a time."""

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


class PredictionsContract(WithScene):
    """For tools that show a prediction with its task."""

    def test_the_prediction_is_shown_with_its_task(self, scene: Scene) -> None:
        scene.rank(V1, [scene.tasks[4]], "spam")
        assert scene.take() == Served(scene.tasks[4], ("spam",))

    def test_a_task_of_which_nothing_can_be_said_keeps_its_rank(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (7, 2, 5, 3)]
        scene.rank(V1, order, None)
        assert scene.work(4) == [Served(task, ()) for task in order]


class TokenContract(WithScene):
    """For tools that ask for a token."""

    def test_with_a_bad_token_everything_is_rejected_even_of_a_project_that_is_gone(self, scene: Scene) -> None:
        scene.connector = scene.harness.stranger(scene.project)
        assert outcomes(scene) == dict.fromkeys(calls(scene), ToolRejected)
        scene.harness.delete_project(scene.project)
        assert outcomes(scene, ProjectGone) == dict.fromkeys(calls(scene), ToolRejected)
