"""The whole loop with real SQL and real features: what annotators get next, after whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nextlabel.errors import ArtifactError, ConfigurationError, NotConnected, StaleWorker, ToolRejected, ToolUnavailable
from nextlabel.estimators.project import ProjectModel
from nextlabel.evaluation.promotion import Promotion
from nextlabel.features.source import Source
from nextlabel.features.text import count_features
from nextlabel.labeling import (
    Input,
    Label,
    LabelSchema,
    ProjectId,
    QueueVersion,
    Scale,
    Target,
    Task,
    TaskId,
    ToolProjectId,
)
from nextlabel.labeling.ranking import CandidatePool
from nextlabel.learning import targets
from nextlabel.learning.predictions import overall_uncertainty
from nextlabel.learning.workbench import order_seed
from nextlabel.loop import turn
from nextlabel.measures import uncertainty
from nextlabel.measures.target_predictions import ChoicePredictions, TargetPredictions
from nextlabel.ports.tool import BLANK, ChangePage, QueueReceipt
from nextlabel.strategies import finding
from nextlabel_connectors.memory import MemoryConnector
from tiny_models import TABLE, static, write_safetensors

if TYPE_CHECKING:
    from integration.conftest import Team


def pool_of(team: Team) -> CandidatePool:
    """The open tasks, worked out by hand from what is in the tool, by the model in service."""
    tasks = open_tasks(team)
    counts = count_features([str(task.data["text"]) for task in tasks])
    return CandidatePool([task.id for task in tasks], target_predictions(team, tasks).probabilities, counts)


def open_tasks(team: Team) -> list[Task]:
    with team.tool.opened(team.at_tool) as it:
        return [row.task for row in it.rows.values() if not row.annotations]


def target_predictions(team: Team, tasks: Sequence[Task], target: str = "label") -> TargetPredictions:
    """What the model in service says of these tasks."""
    return team.parts.models.load(team.project, team.serving.version).predict(tasks, Source())[target]


def margins(team: Team) -> dict[TaskId, float]:
    pool = pool_of(team)
    return dict(zip(pool.tasks, uncertainty.margin(pool.probabilities).tolist(), strict=True))


def assert_served_by_margin(team: Team, window: int = 10_000) -> None:
    """The tool serves the order of the model in service, and the least sure of all open tasks come first."""
    assert team.in_force() == team.serving.announced_version
    margin = margins(team)
    served = [margin[task] for task in team.queue()]
    assert served[:window] == sorted(margin.values(), reverse=True)[:window]
    assert served[0] > served[-1]


def everything_said(team: Team) -> dict[TaskId, object]:
    """Every label that people gave, as the tool has it."""
    with team.tool.opened(team.at_tool) as it:
        printed = {row.task.id: [a.labels["label"] for a in row.annotations.values()] for row in it.rows.values()}
    return {task: labels[-1] for task, labels in printed.items() if labels}


# --- the first order ---------------------------------------------------------------------------------------


def test_before_the_first_label_a_diverse_order_is_served_under_a_name_that_says_it_is_untrained(team: Team) -> None:
    imported = team.import_mails(30)
    team.run()
    assert team.in_force() == "nextlabel-untrained-1"
    pool = replace(pool_of(team), seed=order_seed(0, 0))
    assert team.queue() == finding.make("diverse").rank(pool, 30).task_ids()
    assert team.queue() != imported


def test_before_the_first_label_nothing_is_pre_annotated(team: Team) -> None:
    team.import_mails(5)
    team.run()
    taken = team.tool.take_next(team.at_tool, "ann")
    assert taken is not None
    assert taken[1] is not None
    assert taken[1].guesses == ()


def test_random_order_is_random_from_the_start(team: Team) -> None:
    team.choose(strategy="random", seed=5)
    imported = team.import_mails(30)
    team.run()
    expected = finding.make("random").rank(CandidatePool(imported, np.full((30, 2), 0.5), seed=order_seed(5, 0)), 30)
    assert team.queue() == expected.task_ids()


@pytest.mark.parametrize("strategy", ["adaptive", "random", "entropy"])
def test_tasks_with_nothing_to_read_come_last_in_every_order_and_are_named(team: Team, strategy: str) -> None:
    team.choose(strategy=strategy)
    blank = team.tool.add_tasks(team.at_tool, ["", " \n", "<p>&nbsp;</p>", "<script>x()</script>"] * 3)
    team.import_mails(30)
    for labels in (0, 12):
        team.work(labels)
        done = team.run()
        assert set(team.queue()[-len(blank) :]) == set(blank)
        (found,) = done.findings()[BLANK]
        assert found.level == "warning"
        assert found.message.startswith("12 open tasks hold nothing to read")
        assert f"task {blank[0]}" in found.message
    for task in blank:
        team.label(task, "ham")
    assert team.run().findings()[BLANK] == []


def test_a_window_that_has_room_for_all_but_blank_tasks_is_not_written_again_and_again(team: Team) -> None:
    team.choose(window=20)
    team.tool.add_tasks(team.at_tool, [""] * 40)
    team.import_mails(5)
    assert team.run().receipt is not None
    assert team.run().receipt is None


def test_an_empty_project_is_put_in_order_once_it_has_tasks(team: Team) -> None:
    assert team.run().receipt is None
    team.import_mails(5)
    assert team.run().receipt is not None
    assert team.in_force() == "nextlabel-untrained-1"


def test_a_project_that_was_never_connected_is_refused_with_how_to(team: Team) -> None:
    with pytest.raises(NotConnected, match="nextlabel connect"):
        team.parts.loop.run(ProjectId("other"), 1)


# --- learning ----------------------------------------------------------------------------------------------


@pytest.mark.every_database
def test_labels_make_a_model_and_its_least_sure_tasks_are_served_first(team: Team) -> None:
    team.import_mails(60)
    team.run()
    done = team.work(20)
    team.run()
    assert team.learned == {task: team.truth[task] for task in done}
    assert team.in_force() == "nextlabel-2"
    assert_served_by_margin(team)


def test_after_an_upgrade_that_reads_tasks_otherwise_the_model_before_is_never_asked_and_all_is_learned_again(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.import_mails(60)
    team.run()
    team.work(20)
    with monkeypatch.context() as before:
        before.setattr(ProjectModel, "kind", "project/1")
        assert team.run().trained == "nextlabel-2"
    with pytest.raises(ArtifactError, match="another release"):
        team.parts.models.load(team.project, team.serving.version)
    again = team.run()
    assert (again.trained, again.labels) == ("nextlabel-3", 20)
    assert again.promotion is not None
    assert "another release" in again.promotion.reason
    assert_served_by_margin(team)
    assert team.run().trained is None


def test_all_is_learned_again_where_a_ready_made_model_is_set_changed_or_taken_away(team: Team, tmp_path: Path) -> None:
    team.import_mails(60)
    team.run()
    team.work(20)
    assert team.run().trained == "nextlabel-2"
    (tmp_path / "model").mkdir()
    model = static(tmp_path / "model")

    def trained_with(setting: str) -> str | None:
        team.parts.settings = replace(team.parts.settings, embeddings=setting)
        vars(team.parts).pop("loop")
        return team.run().trained

    assert trained_with(str(model)) == "nextlabel-3"
    assert trained_with(str(model)) is None
    write_safetensors(model / "model.safetensors", embeddings=TABLE * 2)
    assert trained_with(str(model)) == "nextlabel-4"
    with pytest.raises(ConfigurationError, match="`nextlabel embeddings download team/words`"):
        trained_with("team/words")
    assert trained_with("") == "nextlabel-5"
    assert_served_by_margin(team)


def test_the_model_gets_better_than_guessing_and_says_how_good_it_is(team: Team) -> None:
    team.import_mails(80)
    team.run()
    team.work(40)
    team.run()
    tasks = open_tasks(team)
    printed = [guess.label for guess in target_predictions(team, tasks).guesses("label")]
    assert np.mean([label == team.truth[task.id] for task, label in zip(tasks, printed, strict=True)]) > 0.9
    assert team.serving.metrics["labels"] == 40


def test_the_next_task_is_pre_annotated_by_the_model(team: Team) -> None:
    team.import_mails(60)
    team.run()
    team.work(20)
    team.run()
    taken = team.tool.take_next(team.at_tool, "ann")
    assert taken is not None
    assert taken[1] is not None
    assert {guess.label for guess in taken[1].guesses} <= {"ham", "spam"}
    assert len(taken[1].guesses) == 1
    assert taken[1].version == team.in_force()


def test_labels_of_one_class_only_do_not_make_a_model_that_pretends_to_know(team: Team) -> None:
    tasks = team.import_mails(10)
    team.run()
    team.label(tasks[0], "ham")
    team.run()
    assert team.in_force() == "nextlabel-untrained-2"
    assert team.learned == {tasks[0]: "ham"}


def test_without_news_nothing_is_trained_and_nothing_is_written(team: Team) -> None:
    team.import_mails(30)
    team.run()
    team.work(10)
    team.run()
    before = team.in_force(), team.tool.predictions_held(team.at_tool), len(team.parts.models.history(team.project))
    done = team.run()
    assert (done.trained, done.receipt, done.changed) == (None, None, 0)
    after = team.in_force(), team.tool.predictions_held(team.at_tool), len(team.parts.models.history(team.project))
    assert after == before
    assert "nothing new" in done.sentence()


def test_a_label_of_which_nobody_told_us_is_learned_at_the_next_turn(team: Team) -> None:
    tasks = team.import_mails(20)
    team.run()
    assert team.tool.sent == []  # nothing was connected, so no webhook is ever sent
    team.label(tasks[3], "spam")
    team.label(tasks[4], "ham")
    team.run()
    assert team.learned == {tasks[3]: "spam", tasks[4]: "ham"}


@pytest.mark.every_database
def test_a_withdrawn_label_is_unlearned_and_its_task_comes_back(team: Team) -> None:
    tasks = team.import_mails(40)
    team.run()
    withdrawn = team.tool.submit(team.at_tool, tasks[0], team.truth[tasks[0]], "ann")
    team.work(19)
    team.run()
    assert tasks[0] in team.serving.trained_on
    team.tool.withdraw(team.at_tool, withdrawn)
    team.run()
    assert tasks[0] not in team.serving.trained_on
    assert len(team.serving.trained_on) == 19
    assert tasks[0] in team.queue()
    assert_served_by_margin(team)


def test_a_changed_label_is_learned_in_place_of_the_first(team: Team) -> None:
    tasks = team.import_mails(20)
    annotation = team.tool.submit(team.at_tool, tasks[0], "ham", "ann")
    team.label(tasks[1], "spam")
    team.run()
    team.tool.change(team.at_tool, annotation, "spam")
    team.label(tasks[2], "ham")
    team.run()
    assert team.learned == {tasks[0]: "spam", tasks[1]: "spam", tasks[2]: "ham"}


@pytest.mark.every_database
def test_a_task_that_cannot_be_read_is_set_aside_by_name_and_holds_nothing_up(team: Team) -> None:
    team.import_mails(40)
    team.run()
    labeled = team.work(12)
    spoiled = [labeled[0], team.queue()[0]]
    for task in spoiled:
        team.tool.spoil(team.at_tool, task)
    done = team.run()
    assert [one.task for one in done.unreadable] == sorted(spoiled, key=lambda task: (len(task), task))
    assert f"task {spoiled[0]} (It is damaged)" in done.sentence()
    assert set(team.learned) == set(labeled[1:])
    assert spoiled[1] not in team.queue(20)
    for task in spoiled:
        team.tool.mend(team.at_tool, task)
    done = team.run()
    assert not done.unreadable
    assert "set aside" not in done.sentence()
    assert set(team.learned) == set(labeled)
    team.tool.spoil(team.at_tool, labeled[1])
    team.run()
    team.tool.delete_task(team.at_tool, labeled[1])
    assert not team.run().unreadable


def a_day_passes(team: Team) -> None:
    last = team.parts.store.full_pull_at(team.project)
    assert last is not None
    team.parts.store.note_full_pull(team.project, last - timedelta(hours=24, seconds=1))


@pytest.mark.every_database
def test_what_the_tool_does_not_mark_as_changed_is_found_when_all_is_read_again_once_a_day(team: Team) -> None:
    team.import_mails(30)
    team.run()
    labeled = team.work(12)
    team.run()
    with team.tool.without_a_trace(team.at_tool):
        with team.tool.opened(team.at_tool) as it:
            it.rows[labeled[0]].annotations.clear()
        team.label(team.queue()[0], "spam")
        team.import_mails(3)
    unseen = team.run()
    assert (unseen.changed, unseen.read_again) == (0, False)
    a_day_passes(team)
    done = team.run()
    assert (done.changed, done.read_again) == (33, True)
    assert "all 33 tasks read again, 12 labels in force" in done.sentence()
    assert labeled[0] not in team.learned
    assert len(team.learned) == 12
    assert len(team.queue()) == 21
    assert not team.run().read_again


def test_when_the_clock_is_set_back_all_is_read_again(team: Team) -> None:
    team.import_mails(5)
    assert not team.run().read_again  # it was read for the first time
    team.parts.store.note_full_pull(team.project, datetime.now(UTC) + timedelta(days=400))
    assert team.run().read_again
    assert not team.run().read_again


def test_a_reading_of_everything_that_was_cut_short_is_begun_again(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.tool.page_size = 10
    team.import_mails(30)
    team.run()
    a_day_passes(team)
    stored = team.parts.store.apply
    for pages in (1, 2):
        left = iter([True] * pages)

        def store_so_many(project: ProjectId, page: ChangePage, left: Iterator[bool] = left) -> None:
            if not next(left, False):
                raise ToolUnavailable("killed")
            stored(project, page)

        with monkeypatch.context() as patch:
            patch.setattr(team.parts.store, "apply", store_so_many)
            with pytest.raises(ToolUnavailable):
                team.run()
    assert team.run().changed == 30


def test_a_round_that_takes_long_reads_the_tasks_again_only_where_one_has_changed_meanwhile(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "_LONG_SECONDS", 0.0)
    team.import_mails(60)
    team.run()
    read, times, late = team.parts.store.open, list[ProjectId](), list[TaskId]()

    def counted(project: ProjectId) -> Sequence[Task]:
        times.append(project)
        return read(project)

    def while_somebody_labels(candidate: object, in_service: object) -> Promotion:
        late.extend(team.work(1))
        return Promotion(True, "better")

    monkeypatch.setattr(team.parts.store, "open", counted)
    team.work(20)
    assert team.run().receipt
    assert len(times) == 1
    monkeypatch.setattr(targets, "judge", while_somebody_labels)
    team.work(5)
    assert team.run().receipt
    assert len(times) == 3
    assert late
    assert set(late).isdisjoint(team.parts.orders.announced(team.project)[0].window)


@pytest.mark.every_database
def test_a_deleted_task_is_forgotten_with_its_label(team: Team) -> None:
    tasks = team.import_mails(20)
    team.run()
    for task in tasks[:4]:
        team.label(task, team.truth[task])
    team.run()
    labeled, unlabeled = tasks[0], tasks[10]
    team.tool.delete_task(team.at_tool, labeled)
    team.tool.delete_task(team.at_tool, unlabeled)
    team.run()
    assert labeled not in team.serving.trained_on
    assert {labeled, unlabeled}.isdisjoint(team.parts.store.task_ids(team.project))
    assert team.run().receipt is None


def test_a_model_that_is_turned_down_changes_nothing_and_is_not_trained_again(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.import_mails(60)
    team.run()
    team.work(20)
    team.run()
    serving, queue = team.serving.version, team.queue()
    monkeypatch.setattr(targets, "judge", lambda candidate, in_service: Promotion(False, "clearly worse"))
    labeled = team.work(10)
    done = team.run()
    assert done.promotion == Promotion(False, "clearly worse")
    assert team.serving.version == serving
    assert team.queue() == tuple(task for task in queue if task not in labeled)
    assert team.run().trained is None
    team.work(1)
    assert team.run().trained is not None


def test_the_new_model_is_judged_on_labels_that_the_old_one_had_not_seen(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[tuple[int, int]] = []

    def judge(candidate: np.ndarray[Any, Any], in_service: np.ndarray[Any, Any]) -> Promotion:
        judged.append((len(candidate), len(in_service)))
        return Promotion(True, "")

    team.import_mails(60)
    team.run()
    team.work(20)
    team.run()
    monkeypatch.setattr(targets, "judge", judge)
    team.work(7)
    team.run()
    assert judged == [(7, 7)]


# --- what people change ------------------------------------------------------------------------------------


def test_another_set_of_labels_makes_a_model_of_those_and_keeps_what_still_counts(team: Team) -> None:
    tasks = team.import_mails(60)
    team.run()
    done = team.work(20)
    team.run()
    team.ask("ham", "phishing")
    team.run()
    printed = target_predictions(team, [])
    assert isinstance(printed, ChoicePredictions)
    assert printed.classes == ("ham", "phishing")
    assert team.learned == {task: "ham" for task in done if team.truth[task] == "ham"}
    assert team.in_force() == team.serving.announced_version
    team.label(next(task for task in tasks if task not in done), "phishing")
    team.run()
    assert "phishing" in team.learned.values()
    team.ask("ham", "spam")  # and back again: nothing was thrown away
    team.run()
    assert team.learned == {task: team.truth[task] for task in done}


def test_another_strategy_reorders_without_training(team: Team) -> None:
    team.import_mails(60)
    team.run()
    team.work(20)
    team.run()
    model = team.serving.version
    team.choose(strategy="random", seed=3)
    done = team.run()
    assert done.trained is None
    assert team.in_force() == f"{model}.2"
    pool = pool_of(team)
    expected = finding.make("random").rank(CandidatePool(pool.tasks, pool.probabilities, seed=order_seed(3, 20)), 40)
    assert team.queue() == expected.task_ids()
    assert team.run().receipt is None


def test_a_person_who_changes_the_tools_order_is_corrected_at_the_next_turn(team: Team) -> None:
    team.import_mails(60)
    team.run()
    team.work(20)
    team.run()
    team.tool.choose_another_order(team.at_tool)
    assert team.in_force() is None
    team.run()
    assert_served_by_margin(team)


@pytest.mark.every_database
def test_it_is_kept_when_the_tool_was_last_seen_to_serve_the_order_and_when_it_served_another(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check() -> tuple[object, ...]:
        found = team.parts.overview.project(team.project)["queue_verified"]
        return found["queue"], found["serves"], found["at"], found["lost_at"]

    assert check() == (None, None, None, None)
    team.import_mails(60)
    team.run()
    queue, serves, written_at, lost_at = check()
    assert (queue, serves, lost_at) == (team.in_force(), True, None)
    team.run()
    assert check()[:2] == (queue, True)
    assert str(check()[2]) > str(written_at), "a round without news asks the tool too"

    team.tool.choose_another_order(team.at_tool)
    with monkeypatch.context() as patched:
        patched.setattr(MemoryConnector, "place", refuse)
        with pytest.raises(ToolRejected):
            team.run()
    _, serves, at, lost_at = check()
    assert (serves, at) == (False, lost_at)
    team.run()
    queue, serves, at, again_at = check()
    assert (queue, serves) == (team.in_force(), True)
    assert str(at) > str(again_at) > str(lost_at), "it was still another one when this round came"

    team.tool.take_down()
    before = check()
    with pytest.raises(ToolUnavailable):
        team.run()
    assert check() == before, "a tool that does not answer was seen to serve nothing"


def refuse(*_: object, **__: object) -> QueueReceipt:
    raise ToolRejected("403: a member of the team may not do this")


@pytest.mark.every_database
def test_labels_are_counted_that_came_from_the_order_and_what_was_counted_stays(team: Team) -> None:
    def came() -> tuple[int, int]:
        found = team.parts.overview.project(team.project)["from_order"]
        return found["labels"], found["n"]

    def beside(n: int) -> list[TaskId]:
        """Ben labels tasks that no order holds."""
        windows = {task for one in team.parts.orders.announced(team.project) for task in one.window}
        chosen = [task.id for task in open_tasks(team) if task.id not in windows][:n]
        for task in chosen:
            team.label(task, team.truth[task])
        return chosen

    team.choose(window=20)
    team.import_mails(200)
    for task in list(team.truth)[:7]:
        team.label(task, team.truth[task])
    team.run()
    assert came() == (0, 0), "no order stood yet"
    team.work(8)
    assert came() == (0, 0), "they were not read yet"
    team.run()
    assert came() == (8, 8)
    one = beside(4)[0]
    team.tool.skip(team.at_tool, team.take(), "ann")
    held = team.take()  # of the order that is about to be replaced
    team.run()
    assert came() == (8, 12)
    found = team.parts.overview.project(team.project)["from_order"]
    assert (found["share"], found["by_chance"]) == (8 / 12, pytest.approx(20 / len(open_tasks(team)), rel=0.01))
    team.tool.submit(team.at_tool, held, team.truth[held], "ann")
    team.run()
    assert came() == (9, 13)

    with team.tool.opened(team.at_tool) as it:
        (given,) = it.rows[one].annotations
    team.tool.change(team.at_tool, given, "spam")
    a_day_passes(team)
    assert team.run().read_again
    assert came() == (9, 13), "all was read again, and one label was changed"
    for task in team.queue(1):
        team.tool.delete_task(team.at_tool, task)
    team.run()
    assert came() == (9, 13)


def test_an_order_of_which_somebody_deleted_a_part_is_written_again_and_one_that_lost_only_tasks_is_not(
    team: Team,
) -> None:
    team.import_mails(40)
    team.run()
    team.work(12)
    team.run()
    order = team.queue(20)
    team.tool.delete_task(team.at_tool, order[3])
    assert team.run().receipt is None
    team.work(2)  # labeled tasks keep their place, and do not stand in for places that were deleted
    team.run()
    order = team.queue()
    team.tool.delete_predictions(team.at_tool, [order[0]])
    assert team.queue()[-1] == order[0]
    assert team.run().receipt is not None
    assert team.queue()[0] == order[0]
    assert team.run().receipt is None


def test_new_tasks_join_the_order_without_a_training(team: Team) -> None:
    team.choose(window=10)
    team.import_mails(40)
    team.run()
    team.work(20)
    team.run()
    model, new = team.serving.version, team.import_mails(40)
    done = team.run()
    assert done.trained is None
    assert team.serving.version == model
    assert not set(new).isdisjoint(team.queue(10))
    assert_served_by_margin(team, window=10)


# --- the window --------------------------------------------------------------------------------------------


def window_in_force(team: Team) -> set[TaskId]:
    (newest, *_) = team.parts.orders.announced(team.project)
    assert newest.version == team.in_force()
    return set(newest.window)


def test_only_the_window_is_written(team: Team) -> None:
    team.choose(window=10)
    team.import_mails(50)
    team.run()
    assert team.tool.predictions_held(team.at_tool) == {"nextlabel-untrained-1": 10}


@pytest.mark.parametrize("how", ["labels that teach nothing", "skips"])
def test_the_window_is_refilled_before_it_runs_dry(team: Team, how: str) -> None:
    """Ann never gets a task from outside of it, and it is not written anew for every task either."""
    team.choose(window=10)
    team.import_mails(60)
    team.run()
    for _ in range(40):
        task = team.take()
        assert task in window_in_force(team)
        if how == "skips":
            team.tool.skip(team.at_tool, task, "ann")
        else:
            team.tool.submit(team.at_tool, task, "a label that nobody can choose any more", "ann")
        team.run()
    assert len(team.parts.models.history(team.project)) == 1
    assert 4 <= len(team.parts.orders.announced(team.project)) <= 10


def test_the_last_tasks_are_served_in_order_and_then_nothing_is_due(team: Team) -> None:
    team.choose(window=10)
    team.import_mails(24)
    while team.queue():
        team.run()
        team.work(4)
    done = team.run()
    assert done.receipt is None
    assert len(team.serving.trained_on) == 24
    assert team.run().trained is None


# --- workers that lose their lease -------------------------------------------------------------------------


@pytest.mark.every_database
@pytest.mark.parametrize("step", ["sync", "fit", "rank", "reorder"])
def test_a_worker_whose_lease_was_taken_over_publishes_nothing_more(team: Team, step: str) -> None:
    team.import_mails(60)
    team.run()
    team.work(20)
    model, order, writes = team.serving.version, team.in_force(), team.tool.predictions_held(team.at_tool)

    def take_over(now: str, n: int) -> None:
        if now == step:
            team.parts.fences.next(team.project)

    with pytest.raises(StaleWorker):
        team.run(take_over)
    assert (team.in_force(), team.tool.predictions_held(team.at_tool)) == (order, writes)
    if step in ("sync", "fit"):
        assert team.serving.version == model
    team.run()
    assert_served_by_margin(team)
    assert team.learned == everything_said(team)


def test_a_worker_that_is_overtaken_while_it_writes_its_order_does_not_switch_to_it(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.import_mails(60)
    team.run()
    team.work(20)
    order, reorder = team.in_force(), MemoryConnector.place

    def overtaken(connector: MemoryConnector, *args: Any, **kwargs: Any) -> QueueReceipt:
        team.parts.fences.next(team.project)
        return reorder(connector, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(MemoryConnector, "place", overtaken)
        with pytest.raises(StaleWorker):
            team.run()
    assert team.in_force() == order
    team.run()
    assert_served_by_margin(team)


def test_a_worker_that_lost_its_lease_long_ago_trains_nothing(team: Team) -> None:
    team.import_mails(10)
    stale = team.parts.fences.next(team.project)
    team.parts.fences.next(team.project)
    with pytest.raises(StaleWorker):
        team.parts.loop.run(team.project, stale)
    assert team.parts.models.history(team.project) == []
    assert team.in_force() is None


# --- workers that die --------------------------------------------------------------------------------------


class Killed(BaseException):
    """kill -9 of the worker."""


WRITES: dict[str, Callable[[Team], tuple[object, str]]] = {
    "storing labels": lambda team: (team.parts.store, "apply"),
    "naming a model": lambda team: (team.parts.models, "next_version"),
    "saving a model": lambda team: (team.parts.models, "save"),
    "promoting it": lambda team: (team.parts.models, "promote"),
    "naming an order": lambda team: (team.parts.orders, "reserve"),
    "writing the order": lambda team: (MemoryConnector, "place"),
    "announcing it": lambda team: (team.parts.orders, "announce"),
}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("write", WRITES)
def test_whenever_a_worker_is_killed_the_next_turn_has_learned_every_label_and_serves_the_right_order(
    team: Team, write: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.import_mails(40)
    team.run()
    team.work(12)
    owner, name = WRITES[write](team)
    whole = getattr(owner, name)

    def killed(*args: object, **kwargs: object) -> None:
        if moment == "after":
            whole(*args, **kwargs)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, killed)
        with pytest.raises(Killed):
            team.run()
    team.run()
    assert team.learned == everything_said(team)
    assert_served_by_margin(team)
    done = team.run()
    assert (done.trained, done.receipt) == (None, None)


@pytest.mark.parametrize("news", ["five more labels", "another strategy"])
@pytest.mark.parametrize("what", ["damaged", "missing"])
def test_a_model_whose_file_is_lost_is_trained_again(team: Team, what: str, news: str, tmp_path: Path) -> None:
    team.import_mails(60)
    team.run()
    team.work(20)
    team.run()
    (artifact,) = (tmp_path / "home" / "models").rglob(f"{team.serving.version}-*.skops")
    if what == "missing":
        artifact.unlink()
    else:
        artifact.write_bytes(artifact.read_bytes()[:-100])
    if news == "five more labels":
        team.work(5)
    else:
        team.choose(strategy="entropy")  # with two classes: the order by margin
    team.run()
    assert team.learned == everything_said(team)
    assert_served_by_margin(team)


@pytest.mark.parametrize(
    "spec",
    ["committee:vote_entropy?members=3", "badge", "hybrid:margin+kcenter?alpha=0.7", "model_change", "explore:margin"],
)
def test_strategies_that_need_features_labels_or_further_models_order_the_queue_too(team: Team, spec: str) -> None:
    team.choose(strategy=spec)
    team.import_mails(60)
    team.run()
    team.work(12)
    done = team.run()
    assert done.receipt is not None
    assert team.work(3) == list(done.receipt.head[:3])


# --- the tool is down --------------------------------------------------------------------------------------


def test_while_the_tool_is_down_the_error_says_so_and_afterwards_every_label_is_learned_once(team: Team) -> None:
    team.import_mails(40)
    team.run()
    team.work(12)

    def pull_the_plug(step: str, n: int) -> None:
        if step == "reorder":
            team.tool.take_down()

    with pytest.raises(ToolUnavailable):
        team.run(pull_the_plug)
    with pytest.raises(ToolUnavailable):
        team.run()
    team.tool.bring_up()
    team.run()
    assert team.learned == everything_said(team)
    assert len(team.parts.models.history(team.project)) == 2
    assert_served_by_margin(team)


def test_a_project_that_is_gone_is_rejected(team: Team) -> None:
    gone = ProjectId("p999")
    connection = team.parts.connections.get(team.project)
    team.parts.connections.save(replace(connection, project=gone, at_tool=ToolProjectId(gone)))
    with pytest.raises(ToolRejected):
        team.parts.loop.run(gone, team.parts.fences.next(gone))


# --- several targets ---------------------------------------------------------------------------------------

TEXT = (Input("text"),)
STARS = Target("stars", "number", TEXT, scale=Scale(1, 5))
TOPICS = Target("topics", "choices", TEXT, ("work", "money", "greeting"))


def say_everything(team: Team, n: int) -> list[TaskId]:
    """Ann says of each task that she gets what kind of mail it is, how many stars it has, and what it is about."""
    done = []
    for _ in range(n):
        task = team.take()
        team.tool.submit(team.at_tool, task, all_of(team, task), "ann")
        done.append(task)
    return done


def all_of(team: Team, task: TaskId) -> dict[str, Label]:
    with team.tool.opened(team.at_tool) as it:
        words = set(str(it.rows[task].task.data["text"]).split())
    topics = {"work": {"meeting", "report", "project"}, "money": {"cash", "prize", "win"}, "greeting": {"thanks"}}
    stars = 4.0 if team.truth[task] == "ham" else 2.0
    about = tuple(topic for topic, its_words in topics.items() if words & its_words)
    return {"label": team.truth[task], "stars": stars + len(about) / 4, "topics": about}


@pytest.mark.every_database
def test_several_targets_are_learned_guessed_and_asked_for_together(team: Team) -> None:
    team.ask_also(STARS, TOPICS)
    team.import_mails(90)
    team.run()
    done = say_everything(team, 40)
    team.run()
    trained_on = {
        task: {target.name: target.read(printed[target.name]) for target in (STARS, TOPICS)}
        | {"label": printed["label"]}
        for task, printed in team.serving.trained_on.items()
    }
    assert trained_on == {task: all_of(team, task) for task in done}
    assert {name: team.serving.metrics[f"{name}.labels"] for name in ("label", "stars", "topics")} == {
        "label": 40,
        "stars": 40,
        "topics": 40,
    }
    tasks = open_tasks(team)
    truth = [all_of(team, task.id) for task in tasks]
    right = [
        printed.label == it["label"]
        for printed, it in zip(target_predictions(team, tasks).guesses(""), truth, strict=True)
    ]
    assert np.mean(right) > 0.9
    stars = [printed.label for printed in target_predictions(team, tasks, "stars").guesses("")]
    assert np.corrcoef(np.array(stars, dtype=float), [float(str(it["stars"])) for it in truth])[0, 1] > 0.7
    unsure = overall_uncertainty({name: target_predictions(team, tasks, name) for name in ("label", "stars", "topics")})
    by_uncertainty = dict(zip([task.id for task in tasks], unsure.tolist(), strict=True))
    np.testing.assert_allclose([by_uncertainty[task] for task in team.queue()], sorted(unsure, reverse=True))
    taken = team.tool.take_next(team.at_tool, "ann")
    assert taken is not None
    assert taken[1] is not None
    assert [guess.target for guess in taken[1].guesses] == ["label", "stars", "topics"]


def test_what_was_said_of_one_target_only_teaches_that_one(team: Team) -> None:
    team.ask_also(STARS)
    team.import_mails(60)
    team.run()
    done = team.work(20)  # nobody gives any stars yet
    team.run()
    assert team.serving.trained_on == {task: {"label": team.truth[task]} for task in done}
    taken = team.tool.take_next(team.at_tool, "ann")
    assert taken is not None
    assert taken[1] is not None
    assert [guess.target for guess in taken[1].guesses] == ["label"]
    team.tool.submit(team.at_tool, done[0], {"stars": 5}, "ben")
    team.run()
    assert team.serving.trained_on[done[0]] == {"label": team.truth[done[0]], "stars": 5}


@pytest.mark.parametrize("strategy", ["adaptive", "balanced:margin", "entropy", "badge", "kcenter"])
def test_any_order_can_be_had_of_several_targets(team: Team, strategy: str) -> None:
    team.choose(strategy=strategy)
    team.ask_also(STARS, TOPICS)
    team.import_mails(60)
    team.run()
    say_everything(team, 12)
    receipt = team.run().receipt
    assert receipt is not None
    assert receipt.written == 48
    assert team.work(3) == list(receipt.head[:3])


def test_the_default_order_takes_the_place_of_a_strategy_that_several_targets_are_too_many_for(team: Team) -> None:
    team.choose(strategy="committee")
    team.ask_also(STARS)
    team.import_mails(30)
    team.run()
    say_everything(team, 6)
    received = team.run()
    assert "'committee:vote_entropy' needs a model of one control that can be fitted again" in (received.fallback or "")
    in_its_place = team.queue()
    team.choose(strategy="adaptive")
    assert (team.run().fallback, team.queue()) == ("", in_its_place)


def test_the_new_model_is_judged_once_on_each_task_with_a_new_label_of_any_target(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[int] = []

    def judge(candidate: np.ndarray[Any, Any], in_service: np.ndarray[Any, Any]) -> Promotion:
        judged.append(len(candidate))
        assert len(candidate) == len(in_service)
        return Promotion(True, "")

    team.ask_also(STARS, TOPICS)
    team.import_mails(60)
    team.run()
    say_everything(team, 20)
    team.run()
    monkeypatch.setattr(targets, "judge", judge)
    say_everything(team, 3)
    team.work(4)
    team.run()
    assert judged == [3 + 4]


def test_labels_of_a_class_that_was_removed_are_set_aside_counted_and_learned_again_when_it_comes_back(
    team: Team,
) -> None:
    team.import_mails(60)
    team.run()
    done = team.work(20)
    before = team.run()
    assert before.set_aside == {}
    spam = [task for task in done if team.truth[task] == "spam"]
    team.ask("ham", "phishing")
    without = team.run()
    assert without.set_aside == {"label": len(spam)}
    assert f"{len(spam)} labels of 'label' set aside" in without.sentence()
    assert without.labels == len(team.learned) == 20 - len(spam)
    assert set(spam).isdisjoint(team.queue())  # they are labeled all the same: nobody is asked again
    team.ask("ham", "spam", "phishing")
    again = team.run()
    assert (again.set_aside, again.labels) == ({}, 20)
    assert team.learned == {task: team.truth[task] for task in done}


def test_a_target_that_was_removed_and_comes_back_is_learned_again(team: Team) -> None:
    team.ask_also(TOPICS)
    team.import_mails(60)
    team.run()
    done = say_everything(team, 20)
    team.run()
    with team.tool.opened(team.at_tool) as it:
        whole, it.schema = it.schema, replace(it.schema, targets=it.schema.targets[:1])
    team.run()
    assert team.learned == {task: team.truth[task] for task in done}
    with team.tool.opened(team.at_tool) as it:
        it.schema = whole
    team.run()
    assert {task for task, printed in team.serving.trained_on.items() if "topics" in printed} == set(done)


# --- odd tasks ---------------------------------------------------------------------------------------------


def test_tasks_without_a_text_are_asked_for_like_any_other(team: Team) -> None:
    (empty,) = team.tool.add_tasks(team.at_tool, [""])
    with team.tool.opened(team.at_tool) as it:
        it.rows[empty].task = Task(empty, {})
    team.truth[empty] = "ham"
    team.import_mails(20)
    team.run()
    assert empty in team.queue()
    team.work(21)
    team.run()
    assert empty in team.serving.trained_on


def show_recordings(team: Team) -> None:
    """The field of each task is the address of a recording from now on."""
    with team.tool.opened(team.at_tool) as it:
        (target,) = it.schema.targets
        it.schema = LabelSchema((replace(target, inputs=(Input("text", "metadata"),)),))


def shown(team: Team) -> dict[TaskId, tuple[Label, ...]]:
    """What the model guesses of each open task that stands in the order."""
    with team.tool.opened(team.at_tool) as it:
        printed = {task: it.order[task] for task in it.queue() if task in it.order}
    return {task: tuple(guess.label for guess in one.guesses) if one else () for task, one in printed.items()}


def test_recordings_are_learned_by_what_else_their_tasks_say(team: Team) -> None:
    show_recordings(team)
    for n, task in enumerate(team.import_mails(60)):
        about = {"text": f"/data/upload/{n}.mp3", "seconds": (10 if team.truth[task] == "spam" else 60) + n % 7}
        with team.tool.opened(team.at_tool) as it:
            it.rows[task].task = Task(task, about)
    team.run()
    team.work(20)
    team.run()
    assert shown(team) == {task: (team.truth[task],) for task in team.queue()}


def test_recordings_of_which_nothing_else_is_said_are_asked_for_and_never_guessed(team: Team) -> None:
    show_recordings(team)
    imported = team.import_mails(30)
    team.run()
    done = team.work(12)
    team.run()
    assert {team.truth[task] for task in done} == {"ham", "spam"}
    assert str(team.in_force()).startswith("nextlabel-untrained")
    assert shown(team) == {task: () for task in imported if task not in done}


def test_two_projects_of_one_tool_learn_apart(team: Team) -> None:
    other = type(team)(team.tool, team.parts, team.tool.create_project(["ham", "spam"]))
    other.choose()
    for it in (team, other):
        it.import_mails(30)
        it.run()
    team.work(10)
    team.run()
    other.run()
    assert (team.in_force(), other.in_force()) == ("nextlabel-2", "nextlabel-untrained-1")
    assert other.learned == {}


def test_until_there_are_enough_labels_representatives_of_what_nobody_has_labeled_come_first(team: Team) -> None:
    team.choose(cold_start=12)
    team.import_mails(80)
    team.run()
    team.work(6)
    team.run()
    early = team.work(1)[0]
    assert team.parts.models.in_service(team.project) is not None
    assert early == team.parts.orders.announced(team.project)[0].window[0]
    team.work(5)
    team.run()
    assert_served_by_margin(team)


def test_no_order_takes_a_name_under_which_the_tool_holds_predictions_already(team: Team) -> None:
    """Of the team, or of an installation whose database was lost: each keeps its own."""
    some, theirs = team.import_mails(20)[:3], ("nextlabel-untrained-1", "nextlabel-2", "nextlabel-3", "0003")
    for version in theirs:
        team.tool.import_predictions(team.at_tool, QueueVersion(version), some)
    team.run()
    assert team.in_force() == "nextlabel-untrained-2"
    team.work(6)
    assert team.run().trained == "nextlabel-4"
    held = team.tool.predictions_held(team.at_tool)
    assert {version: held[QueueVersion(version)] for version in theirs} == dict.fromkeys(theirs, 3)


def test_a_name_that_somebody_takes_at_the_last_moment_stays_theirs_and_another_one_is_tried(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    some, taken = team.import_mails(20)[:3], QueueVersion("nextlabel-untrained-1")
    team.tool.import_predictions(team.at_tool, taken, some)
    monkeypatch.setattr(MemoryConnector, "predictions_held", lambda self: {})
    team.run()
    assert team.in_force() == "nextlabel-untrained-1.2"
    assert taken not in {order.version for order in team.parts.orders.own(team.project)}
    assert team.tool.predictions_held(team.at_tool)[taken] == 3
