"""`nextlabel suspects`: which labels are likely wrong, in a list and in a tab of the tool; nothing is relabeled."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from integration.conftest import WORDS
from integration.test_scores_of_others import connect
from nextlabel.cli import EXIT_CONFIGURATION, cli
from nextlabel.errors import ToolRejected
from nextlabel.labeling import TaskId
from nextlabel.settings import Settings
from nextlabel.storage.reviews import Review
from nextlabel_connectors.memory.connector import MemoryConnector

if TYPE_CHECKING:
    from integration.conftest import Team

TITLE = "nextlabel: suspected labels"
_OTHER = dict(zip(WORDS, reversed(WORDS), strict=True))


@pytest.fixture
def flipped(team: Team) -> tuple[Team, list[TaskId]]:
    """Ann labels 120 tasks, every tenth of them wrongly."""
    tasks = team.import_mails(150)
    team.run()
    wrong = list(tasks[5:120:10])
    for task in tasks[:120]:
        label = team.truth[task]
        team.tool.submit(team.at_tool, task, _OTHER[label] if task in wrong else label, "ann")
    team.parts.turns.take(team.project)
    return team, wrong


def command(team: Team, settings: Settings, *arguments: str) -> Result:
    environment = {**os.environ, "NEXTLABEL_HOME": str(settings.home), "NEXTLABEL_DATABASE_URL": settings.database_url}
    return CliRunner().invoke(cli, ["suspects", "--project", team.project, *arguments], env=environment)


def listed(team: Team, settings: Settings, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command(team, settings, "--json", *arguments).output)
    return found


@pytest.mark.every_database
def test_labels_that_were_flipped_are_suspected_with_what_is_likelier(
    flipped: tuple[Team, list[TaskId]], settings: Settings
) -> None:
    team, wrong = flipped
    found = listed(team, settings)
    suspected = {one["task"] for one in found["suspects"]}
    right = suspected & set(wrong)
    assert (len(right) >= 0.75 * len(suspected), len(right) >= 4) == (True, True), (suspected, wrong)
    assert all(one["instead"] == team.truth[one["task"]] for one in found["suspects"] if one["task"] in wrong)
    assert found["labels"] == {"label": 120}
    (overview,) = team.parts.overview.projects(team.project)
    assert (overview["suspects"]["waiting"], overview["suspects"]["version"]) == (len(suspected), found["version"])
    assert f"{len(suspected)} of 120 labels likely wrong" in command(team, settings).output


@pytest.mark.every_database
def test_a_suspect_that_somebody_reviewed_does_not_come_back_and_the_others_stay(
    flipped: tuple[Team, list[TaskId]], settings: Settings
) -> None:
    team, _ = flipped
    corrected, confirmed, *_ = (TaskId(one["task"]) for one in listed(team, settings)["suspects"])
    team.tool.submit(team.at_tool, corrected, team.truth[corrected], "ann")
    team.tool.submit(team.at_tool, confirmed, _OTHER[team.truth[confirmed]], "ann")
    for _ in range(2):
        team.parts.turns.take(team.project)
        found = listed(team, settings)
        left = {one["task"] for one in found["suspects"]}
        assert (len(left) >= 2, left & {corrected, confirmed}, found["reviewed"]) == (True, set(), 2)


@pytest.mark.parametrize(("every", "doubted"), [(10, False), (3, True)])
def test_where_hardly_a_label_agrees_with_the_model_the_model_is_doubted(
    every: int, doubted: bool, team: Team, settings: Settings
) -> None:
    for n, task in enumerate(team.import_mails(120)):
        label = team.truth[task]
        team.tool.submit(team.at_tool, task, label if n % every else _OTHER[label], "ann")
    team.parts.turns.take(team.project)
    shown = command(team, settings).output
    assert ("likely wrong, by version" in shown, "the model is often wrong itself" in shown) == (True, doubted), shown


def test_what_most_people_say_is_suspected_although_the_latest_says_otherwise(team: Team, settings: Settings) -> None:
    """The model learns what most say: that is the label in question, not the latest one."""
    tasks = team.import_mails(150)
    team.run()
    wrong = tasks[5:120:10]
    for task in tasks[:120]:
        label = team.truth[task]
        most = _OTHER[label] if task in wrong else label
        for who, given in (("ann", most), ("ben", most), ("cleo", label)) if task in wrong else (("ann", label),):
            team.tool.submit(team.at_tool, task, given, who)
    team.parts.turns.take(team.project)
    found = {one["task"]: one["given"] for one in listed(team, settings)["suspects"]}
    right = found.keys() & set(wrong)
    assert len(right) >= 4, found
    assert all(found[task] == _OTHER[team.truth[TaskId(task)]] for task in right)


def test_the_tab_holds_their_tasks_and_disconnecting_removes_it_and_no_other(
    flipped: tuple[Team, list[TaskId]], settings: Settings
) -> None:
    team, wrong = flipped
    team.tool.make_tab(team.at_tool, "wrong, we think", [wrong[0]])
    theirs = {"wrong, we think": frozenset([wrong[0]])}
    found = listed(team, settings, "--tab")
    first, *others = (TaskId(one["task"]) for one in found["suspects"])
    assert found["tab"] == f"The tab '{TITLE}' holds {len(others) + 1} tasks."
    assert team.tool.tabs(team.at_tool) == {**theirs, TITLE: {first, *others}}
    team.tool.submit(team.at_tool, first, team.truth[first], "ann")
    team.choose(suspects="tab")
    team.parts.turns.take(team.project)
    renewed = team.tool.tabs(team.at_tool)[TITLE]
    assert (first in renewed, len(renewed & set(others)) >= 2) == (False, True), "after the round"
    connection = team.parts.connections.get(team.project)
    removed = list(team.parts.suspects.remove_tab(team.project, team.parts.open_connector(connection)))
    assert [one.message for one in removed] == [f"The tab '{TITLE}' removed."]
    assert team.tool.tabs(team.at_tool) == theirs


def test_where_no_label_is_wrong_hardly_any_is_suspected(team: Team, settings: Settings) -> None:
    team.import_mails(150)
    team.run()
    team.work(120)
    team.parts.turns.take(team.project)
    assert len(listed(team, settings)["suspects"]) <= 3


def test_once_none_are_wanted_no_figure_list_or_tab_of_earlier_rounds_is_left(
    flipped: tuple[Team, list[TaskId]], settings: Settings
) -> None:
    team, wrong = flipped
    team.tool.make_tab(team.at_tool, "wrong, we think", [wrong[0]])
    assert listed(team, settings, "--tab")["suspects"]
    team.choose(suspects="off")
    (overview,) = team.parts.overview.projects(team.project)
    assert overview["suspects"] == {"waiting": 0, "reviewed": 0, "version": ""}
    shown = team.parts.suspects.shown(team.project)
    assert (shown["off"], shown["suspects"], shown["list"]) == (True, [], None)
    refused = command(team, settings, "--tab")
    assert (refused.exit_code, "suspects=off" in refused.output) == (EXIT_CONFIGURATION, True)
    team.parts.turns.take(team.project)  # nothing new was labeled
    assert set(team.tool.tabs(team.at_tool)) == {"wrong, we think"}
    team.choose(suspects="list")
    assert team.parts.suspects.shown(team.project)["suspects"], "what was found is remembered"


def test_a_project_may_want_none_and_before_anything_was_learned_there_is_none(team: Team, settings: Settings) -> None:
    team.import_mails(20)
    team.run()
    refused = command(team, settings)
    assert (refused.exit_code, "no version yet" in refused.output) == (EXIT_CONFIGURATION, True)
    team.choose(suspects="off")
    assert "suspects=off" in command(team, settings).output


def test_suspects_are_served_to_somebody_else_among_the_open_tasks_and_do_not_come_back(
    flipped: tuple[Team, list[TaskId]], settings: Settings
) -> None:
    team, wrong = flipped
    team.choose(suspects="queue")
    team.work(1)
    team.parts.turns.take(team.project)  # they are put under review
    under_review = set(team.parts.reviews.waiting(team.project))
    assert (len(under_review & set(wrong)) >= 4, under_review <= {one["task"] for one in _all(team)}) == (True, True)
    assert listed(team, settings)["under_review"] == len(under_review)
    team.work(1)
    team.parts.turns.take(team.project)  # they are in the order
    queue = team.queue()
    assert under_review <= set(queue)
    first = next(place for place, task in enumerate(queue) if task in under_review)
    assert first == 19, "one of twenty"
    task = queue[first]
    with team.tool.opened(team.at_tool) as it:
        shown = it.order[task]
        assert shown is not None
        assert shown.guesses == ()
    served = [team.take() for _ in range(1)]
    assert not under_review & set(served), "ann has labeled them"
    team.tool.submit(team.at_tool, task, team.truth[task], "ben")
    team.parts.turns.take(team.project)
    assert task not in team.parts.reviews.waiting(team.project)
    for _ in range(2):
        team.parts.turns.take(team.project)
        assert task not in team.queue()
        assert task not in {one["task"] for one in listed(team, settings)["suspects"]}
    connection = team.parts.connections.get(team.project)
    left = team.parts.reviews.waiting(team.project)
    done = [one.message for one in team.parts.reviewing.withdraw(team.project, team.parts.open_connector(connection))]
    assert done == [f"{len(left)} labels under review served no more."]
    assert not set(left) & set(team.queue())


def _all(team: Team) -> list[dict[str, Any]]:
    return [{"task": one.task} for one in team.parts.suspects.suspects.waiting(team.project)]


@pytest.mark.parametrize("how", ["list", "queue", "tab"])
def test_no_label_of_an_audit_task_is_suspected(team: Team, settings: Settings, how: str) -> None:
    """To review only those that the model contradicts would make it look better than it is."""
    tasks = team.import_mails(150)
    team.choose(audit_share=0.4, suspects=how)
    team.run()
    audits = set(team.parts.reserves.tasks(team.project))
    wrong = set(tasks[5:120:8])
    for task in tasks[:120]:
        label = team.truth[task]
        team.tool.submit(team.at_tool, task, _OTHER[label] if task in wrong else label, "ann")
    team.parts.turns.take(team.project)
    assert len(wrong & audits) >= 3
    found = listed(team, settings)
    suspected = {TaskId(one["task"]) for one in found["suspects"]}
    assert len(suspected & wrong) >= 3
    assert found["labels"] == {"label": len(set(tasks[:120]) - audits)}
    asked = {*team.parts.reviews.waiting(team.project), *team.tool.tabs(team.at_tool).get(TITLE, ())}
    assert not (suspected | asked) & audits
    assert bool(asked) == (how != "list")


def test_choosing_how_they_are_reviewed_counts_at_once(flipped: tuple[Team, list[TaskId]]) -> None:
    team, _ = flipped
    connect(team, suspects="queue")
    begun = team.parts.reviews.waiting(team.project)
    assert begun
    with team.tool.opened(team.at_tool) as it:
        assert {task for task, row in it.rows.items() if row.wanted > 1} == set(begun)
    connect(team, suspects="tab")
    assert team.parts.reviews.waiting(team.project) == []
    with team.tool.opened(team.at_tool) as it:
        assert {row.wanted for row in it.rows.values()} == {1}
    assert team.tool.tabs(team.at_tool)[TITLE] == {one["task"] for one in _all(team)}


def test_where_no_review_is_wanted_any_more_none_is_served_though_nobody_labels(
    flipped: tuple[Team, list[TaskId]],
) -> None:
    team, _ = flipped
    team.choose(suspects="queue")
    team.work(1)
    for wanted in ("queue", "list"):
        team.choose(suspects=wanted)
        team.parts.turns.take(team.project)
        assert bool(team.parts.reviews.waiting(team.project)) == (wanted == "queue")
        with team.tool.opened(team.at_tool) as it:
            assert any(row.wanted > 1 for row in it.rows.values()) == (wanted == "queue")


def test_reviews_end_where_the_tool_serves_begun_tasks_at_random_now(
    flipped: tuple[Team, list[TaskId]], monkeypatch: pytest.MonkeyPatch
) -> None:
    team, _ = flipped
    team.choose(suspects="queue")
    for why_not, begun in (("", True), ("The project asks for 2 annotations per task.", False)):
        monkeypatch.setattr(MemoryConnector, "why_not_again", lambda _, why_not=why_not: why_not)
        team.work(1)
        team.parts.turns.take(team.project)
        assert bool(team.parts.reviews.waiting(team.project)) == begun
        found = [one.message for one in team.parts.doctor.examine(team.project) if one.name == "reviews"]
        assert found == ([f"Project {team.project}: {why_not}"] if why_not else [])


def test_a_review_that_was_noted_and_no_more_is_begun_in_the_next_round(flipped: tuple[Team, list[TaskId]]) -> None:
    team, _ = flipped
    team.choose(suspects="queue")
    team.work(1)
    team.parts.turns.take(team.project)
    task, *_ = team.parts.reviews.waiting(team.project)
    with team.tool.opened(team.at_tool) as it:
        it.rows[task].wanted = 1
    team.work(1)
    team.parts.turns.take(team.project)
    assert task in team.parts.reviews.waiting(team.project)
    with team.tool.opened(team.at_tool) as it:
        assert it.rows[task].wanted == 2


def test_a_task_that_the_tool_does_not_let_go_keeps_no_other_under_review(
    flipped: tuple[Team, list[TaskId]], monkeypatch: pytest.MonkeyPatch
) -> None:
    team, _ = flipped
    team.choose(suspects="queue")
    team.work(1)
    team.parts.turns.take(team.project)
    stuck, *others = team.parts.reviews.waiting(team.project)
    assert others
    settle = MemoryConnector.settle

    def refused(connector: MemoryConnector, task: TaskId, before: Mapping[str, object]) -> None:
        if task == stuck:
            raise ToolRejected("It is locked.")
        settle(connector, task, before)

    monkeypatch.setattr(MemoryConnector, "settle", refused)
    connector = team.parts.open_connector(team.parts.connections.get(team.project))
    found = [(one.level, one.message) for one in team.parts.reviewing.withdraw(team.project, connector)]
    assert found[0] == ("problem", f"Task {stuck} stays under review: It is locked.")
    assert (found[1][0], team.parts.reviews.waiting(team.project)) == ("done", [stuck])
    team.choose(suspects="list")
    team.parts.turns.take(team.project)
    assert team.parts.reviews.waiting(team.project) == [stuck]
    monkeypatch.setattr(MemoryConnector, "settle", settle)
    team.parts.turns.take(team.project)
    assert team.parts.reviews.waiting(team.project) == []


def test_labels_are_put_under_review_and_taken_back_while_nobody_else_is_on_the_project(
    flipped: tuple[Team, list[TaskId]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever disconnects a project waits until it is free: what was written to the tool later would stay there."""
    team, _ = flipped
    free: list[bool] = []
    for name in ("ask_again", "settle"):
        changes = getattr(MemoryConnector, name)

        def watched(*given: object, changes: Any = changes) -> None:
            with team.parts.job_queue.lease(team.project) as lease:
                free.append(lease is not None)
            changes(*given)

        monkeypatch.setattr(MemoryConnector, name, watched)
    team.choose(suspects="queue")
    team.work(1)
    team.parts.turns.take(team.project)
    assert len(free) == len(team.parts.reviews.waiting(team.project)) > 0
    team.choose(suspects="list")
    team.work(1)
    team.parts.by_hand.train(team.project, lambda step, n: None)
    assert (set(free), team.parts.reviews.waiting(team.project)) == ({False}, [])


def test_each_reason_for_a_review_ends_its_own_and_no_other(flipped: tuple[Team, list[TaskId]]) -> None:
    """What was noted for a reason that only a later release knows is put back by disconnecting, and not before."""
    team, _ = flipped
    suspected = {one["task"] for one in _all(team)}
    other = next(task for task in team.truth if task not in suspected and task not in team.queue())
    connector = team.parts.open_connector(team.parts.connections.get(team.project))
    assert isinstance(connector, MemoryConnector)
    before = connector.as_it_is(other)
    assert before is not None
    team.parts.reviews.begin(team.project, other, Review("of later", before, 1))
    connector.ask_again(other, before)
    for wanted in ("queue", "list"):
        team.choose(suspects=wanted)
        team.work(1)
        team.parts.turns.take(team.project)
        assert (len(team.parts.reviews.waiting(team.project)) > 1) == (wanted == "queue")
        assert connector.as_it_is(other) is None, "it is open"
    list(team.parts.reviewing.withdraw(team.project, connector))
    assert (connector.as_it_is(other), team.parts.reviews.waiting(team.project)) == (before, [])
