"""What a worker does with a job: one turn under a lease, and a sentence for a person whatever comes of it."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import create_engine

import postgres
from integration.conftest import Team
from integration.test_loop import STARS, say_everything
from nextlabel import wiring, worker
from nextlabel.errors import ToolUnavailable
from nextlabel.jobs import circuits
from nextlabel.jobs.job_queue import PRUNE_QUEUE
from nextlabel.jobs.liveness import Process
from nextlabel.labeling import ProjectId, QueueVersion, TaskId
from nextlabel.loop import ordering
from nextlabel.loop.turn import Round
from nextlabel.ports.requests import LabelEvent
from nextlabel.ports.state import Tool
from nextlabel.ports.tool import BLANK, FIELDS, QueueReceipt, ToolAccess
from nextlabel.service import pruning, turns
from nextlabel.settings import Settings
from nextlabel.storage import database
from nextlabel.storage.round_log import LoggedRound
from nextlabel.testing import connection_to
from nextlabel.web import create_app
from nextlabel_connectors.memory import MemoryConnector, MemoryTool


def received(team: Team) -> LoggedRound:
    """The newest line of the story that `nextlabel status` tells."""
    (newest, *_) = team.parts.rounds.last(team.project, 10)
    return newest


def due_in(redis_client: redis.Redis, team: Team) -> float | None:
    """In how many seconds the project is to be looked at again; None when nobody asked."""
    due = redis_client.zscore("nextlabel:due", team.project)
    return None if due is None else float(due) - time.time()


def test_a_turn_is_told_in_words(team: Team, redis_client: redis.Redis) -> None:
    team.import_mails(20)
    printed = team.parts.turns.take(team.project)
    assert "nextlabel-untrained-1" in printed
    assert (received(team).summary, received(team).failed) == (printed, False)
    assert due_in(redis_client, team) is None


def test_a_turn_that_changes_nothing_is_told_neither_in_the_story_nor_in_the_log(
    team: Team, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nextlabel")
    (task, *_) = team.import_mails(20)
    for _ in range(3):
        printed = team.parts.turns.take(team.project)
        team.tool.mend(team.at_tool, task)  # it is told again
    assert printed.endswith("1 changed task read, 0 labels in force; nothing new to learn, the order stands")
    assert len(team.parts.rounds.last(team.project, 10)) == 1
    assert [record.levelname for record in caplog.records if "in force" in record.message] == ["INFO"]
    team.work(1)
    assert "1 label in force" in team.parts.turns.take(team.project)
    assert "1 label in force" in caplog.text


def test_a_strategy_that_fails_again_and_again_is_logged_once(team: Team, caplog: pytest.LogCaptureFixture) -> None:
    team.ask_also(STARS)
    team.choose(strategy="committee:vote_entropy")
    team.import_mails(30)
    for n in (0, 6, 3):
        say_everything(team, n)
        team.parts.turns.take(team.project)
    assert len([one for one in caplog.records if "'committee:vote_entropy'" in one.message]) == 1
    assert "Tasks come in the order of" in caplog.text


def test_after_a_new_order_the_old_ones_are_to_be_pruned(team: Team, redis_client: redis.Redis) -> None:
    team.import_mails(20)
    team.parts.turns.take(team.project)
    team.parts.turns.take(team.project)
    assert len(Queue(PRUNE_QUEUE, connection=redis_client, serializer=JSONSerializer)) == 1


def test_under_a_busy_lease_nothing_is_done_and_it_is_asked_for_again(team: Team, redis_client: redis.Redis) -> None:
    team.import_mails(20)
    with team.parts.job_queue.lease(team.project):
        printed = team.parts.turns.take(team.project)
    assert "another worker" in printed
    assert team.parts.models.history(team.project) == []
    due = due_in(redis_client, team)
    assert due is not None
    assert due <= turns.BUSY_SECONDS


def kill_holder(redis_client: redis.Redis, project: ProjectId) -> None:
    """As if a worker of this machine had been killed in the middle of a turn."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    alive = Process.this()
    assert alive is not None
    killed = replace(alive, pid=ended.pid)
    redis_client.set(f"nextlabel:lease:{project}", f"{killed}:0123", px=60_000)


def test_the_lease_of_a_worker_that_was_killed_is_no_hindrance(team: Team, redis_client: redis.Redis) -> None:
    team.import_mails(20)
    kill_holder(redis_client, team.project)
    assert "nextlabel-untrained-1" in team.parts.turns.take(team.project)


def test_a_worker_that_starts_has_the_turn_taken_again_in_which_another_was_killed(
    team: Team, redis_client: redis.Redis
) -> None:
    with team.parts.job_queue.lease(team.project):
        team.parts.upkeep.ask_again_for_the_killed()
    assert due_in(redis_client, team) is None
    kill_holder(redis_client, team.project)
    team.parts.upkeep.ask_again_for_the_killed()
    due = due_in(redis_client, team)
    assert due is not None
    assert due <= 0


@pytest.mark.every_database
def test_while_somebody_locks_the_database_it_is_asked_for_again_and_no_alarm_is_raised(
    team: Team, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.import_mails(20)
    team.parts.database.dispose()  # so that the next connection is no more patient than this
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    somebody = create_engine(team.parts.settings.database_url)
    lock = "BEGIN EXCLUSIVE" if somebody.dialect.name == "sqlite" else "LOCK TABLE connections IN ACCESS EXCLUSIVE MODE"
    with somebody.connect() as connection:
        connection.exec_driver_sql(lock)
        printed = team.parts.turns.take(team.project)
        connection.rollback()
    somebody.dispose()
    assert "keeps the database locked" in printed
    assert_asked_again_without_alarm(team, redis_client)


def assert_asked_again_without_alarm(team: Team, redis_client: redis.Redis) -> None:
    assert not team.parts.alarms.check()
    due = due_in(redis_client, team)
    assert due is not None
    assert due <= turns.LOCKED_SECONDS
    assert "nextlabel-untrained-1" in team.parts.turns.take(team.project)


def test_while_the_database_is_down_it_is_asked_for_again_and_all_goes_on_once_it_is_back(
    tool: MemoryTool, settings: Settings, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.needed() as server:
        parts = wiring.build(
            replace(settings, database_url=postgres.create_database(server.url), connector="memory"),
            settings.redis_url or "",
        )
        parts.database.migrate()
        team = Team(tool, parts, tool.create_project(["ham", "spam"]))
        team.choose()
        team.import_mails(20)
        server.stop()
        printed = parts.turns.take(team.project)
        path, sent = f"/api/projects/{team.project}/uncertainty", {"tasks": [{"data": {"text": "hello"}}]}
        web = create_app(parts.service).test_client()
        answers = [web.post(path, json=sent, auth=("nextlabel", "hush-password")).status_code]
        server.start()
        answers.append(web.post(path, json=sent, auth=("nextlabel", "hush-password")).status_code)
        assert answers == [503, 200]
        assert "The database cannot be reached" in printed
        assert_asked_again_without_alarm(team, redis_client)
        parts.database.dispose()


def test_while_the_tool_is_down_it_is_asked_for_again_later_and_said_so(team: Team, redis_client: redis.Redis) -> None:
    team.tool.take_down()
    printed = team.parts.turns.take(team.project)
    assert "down" in printed
    assert "Asked again in" in printed
    assert received(team).failed
    due = due_in(redis_client, team)
    assert due is not None
    assert circuits.SHORTEST - 1 < due <= 2 * circuits.SHORTEST


def fail(team: Team, times: int) -> None:
    for _ in range(times):
        team.parts.turns.take(team.project)


def test_a_tool_that_stays_down_is_asked_ever_more_rarely_and_at_least_every_five_minutes(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team.parts.circuits._chance, "uniform", lambda low, high: high)
    connection = team.parts.connections.get(team.project)
    waits = [round(team.parts.circuits.failed(connection, "down")) for _ in range(13)]
    assert waits == [8, 11, 17, 25, 38, 57, 85, 128, 192, 288, 300, 300, 300]
    team.parts.circuits.succeeded(connection)
    assert team.parts.circuits.failed(connection, "down") == 7.5


def test_workers_that_failed_together_do_not_come_back_together(team: Team) -> None:
    connection = team.parts.connections.get(team.project)
    waits = [team.parts.circuits.failed(connection, "down") for _ in range(30)]
    assert len(set(waits)) == 30
    assert min(waits) >= circuits.SHORTEST


def test_a_tool_that_failed_three_times_is_left_alone_by_all_its_projects_and_by_no_other(
    team: Team, redis_client: redis.Redis
) -> None:
    sibling, elsewhere = second_project(team), ProjectId("9")
    other = Tool("memory-2", "memory", ToolAccess("memory:other", "x"))
    team.parts.connections.save(replace(connection_to(elsewhere, "memory", team.tool.access), tool=other))
    team.tool.take_down()
    fail(team, 2)
    assert "Asked again" in team.parts.turns.take(sibling)
    team.tool.bring_up()
    for project in (team.project, sibling):
        assert "does not answer; asked again" in team.parts.turns.take(project)
        due = redis_client.zscore("nextlabel:due", project)
        assert due is not None
        assert float(due) > time.time() + circuits.SHORTEST / 2
    assert team.parts.models.history(team.project) == []
    assert "token" in team.parts.turns.take(elsewhere)


@pytest.mark.parametrize(
    ("url", "other", "same"),
    [
        ("https://label.example.org", "HTTPS://Label.Example.org:443/", True),
        ("http://[::1]:80/studio", " http://[::1]/studio/", True),
        ("http://localhost:8080", "http://localhost:8081", False),
        ("http://label.example.org", "https://label.example.org", False),
        ("http://label.example.org/a", "http://label.example.org/A", False),
        ("memory:one", "memory:other", False),
        ("http://label.example.org:port", "http://label.example.org", False),
    ],
)
def test_two_spellings_of_an_address_are_one_tool(url: str, other: str, same: bool) -> None:
    one, two = (connection_to(ProjectId("1"), "label_studio", ToolAccess(address, "x")) for address in (url, other))
    assert circuits.same_tool(one, two) is same


def test_once_the_time_is_over_one_project_tries_and_its_success_has_all_of_them_pulled(
    team: Team, redis_client: redis.Redis
) -> None:
    sibling, connection = second_project(team), team.parts.connections.get(team.project)
    team.tool.take_down()
    fail(team, 3)
    time_passes(redis_client)
    assert team.parts.circuits.admit(connection) == (0.0, True)
    assert "does not answer; asked again" in team.parts.turns.take(sibling)  # while the first one tries
    time_passes(redis_client)
    team.tool.bring_up()
    redis_client.delete("nextlabel:due", "nextlabel:first", "nextlabel:job")
    assert "queue" not in team.parts.turns.take(team.project)
    assert team.parts.circuits.state(connection) is None
    assert redis_client.zscore("nextlabel:due", sibling) is not None


def test_a_tool_that_answers_only_to_refuse_is_there_again(team: Team, redis_client: redis.Redis) -> None:
    sibling = second_project(team)
    team.tool.take_down()
    fail(team, 3)
    time_passes(redis_client)
    team.tool.bring_up()
    team.parts.connections.save(connection_to(team.project, "memory", ToolAccess(team.tool.access.url, "wrong")))
    assert "token" in team.parts.turns.take(team.project)
    assert "does not answer" not in team.parts.turns.take(sibling)


def test_a_tool_that_sends_a_webhook_is_asked_at_once(team: Team) -> None:
    team.tool.take_down()
    fail(team, 3)
    team.tool.bring_up()
    assert "does not answer" in team.parts.turns.take(team.project)
    team.parts.service.event(("memory",), LabelEvent(team.at_tool, "labels"))
    assert "changed tasks read" in team.parts.turns.take(team.project)


def test_a_tool_that_still_fails_when_it_is_tried_is_left_alone_again(team: Team, redis_client: redis.Redis) -> None:
    team.tool.take_down()
    fail(team, 3)
    time_passes(redis_client)
    assert "is down" in team.parts.turns.take(team.project)
    state = team.parts.circuits.state(team.parts.connections.get(team.project))
    assert state is not None
    assert (state.failures, state.is_open, state.wait > 0) == (4, True, True)
    assert "down" in state.reason


def test_a_tool_that_says_when_to_come_back_is_left_alone_that_long_from_the_first_time_on(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*arguments: object) -> Round:
        raise ToolUnavailable("Too many requests.", retry_after=120)

    monkeypatch.setattr(team.parts.loop, "run", busy)
    assert "Asked again in 120 s" in team.parts.turns.take(team.project)
    assert "does not answer; asked again in" in team.parts.turns.take(second_project(team))


def second_project(team: Team) -> ProjectId:
    connection = connection_to(team.tool.create_project(["ham", "spam"]), "memory", team.tool.access)
    team.parts.connections.save(connection)
    return connection.project


def time_passes(redis_client: redis.Redis) -> None:
    """Until every tool that was left alone may be tried again."""
    for key in redis_client.keys("nextlabel:circuit:*"):
        redis_client.hset(key, "until", "1")


def test_a_tool_that_refuses_is_told_and_not_asked_again_unchanged(
    team: Team, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    access = ToolAccess(team.tool.access.url, "hush-wrong-token")
    team.parts.connections.save(connection_to(team.project, "memory", access))
    with caplog.at_level(logging.DEBUG):
        printed = team.parts.turns.take(team.project)
    assert "token" in printed
    assert (received(team).summary, received(team).failed) == (printed, True)
    assert due_in(redis_client, team) is None
    assert printed in caplog.text
    assert "hush" not in caplog.text


def test_a_project_that_is_not_connected_is_told_with_the_remedy(team: Team) -> None:
    printed = team.parts.turns.take(ProjectId("other"))
    assert "nextlabel connect" in printed
    assert team.parts.rounds.last(ProjectId("other"), 1)[0].failed


def test_a_worker_that_was_overtaken_says_so_and_leaves_the_field(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.import_mails(20)
    hand_out = team.parts.fences.next

    def hand_out_another_at_once(project: ProjectId) -> int:
        mine = hand_out(project)
        hand_out(project)
        return mine

    monkeypatch.setattr(team.parts.fences, "next", hand_out_another_at_once)
    assert "taken over" in team.parts.turns.take(team.project)
    assert team.parts.models.history(team.project) == []


def test_a_model_that_cannot_be_stored_is_told(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    (team.parts.settings.home / "models").write_text("in the way")
    team.import_mails(20)
    printed = team.parts.turns.take(team.project)
    assert "NEXTLABEL_MODELS_URL" in printed
    assert received(team).failed


DOOR_URL = "http://nextlabel:9090"


def look_again(team: Team, redis_client: redis.Redis) -> list[str]:
    """A turn after which drift is looked for; returns what it adds to the story, newest first."""
    before = len(team.parts.rounds.last(team.project, 100))
    redis_client.delete(f"nextlabel:drift:{team.project}")
    team.parts.turns.take(team.project)
    rounds = team.parts.rounds.last(team.project, 100)
    return [one.summary for one in rounds[: len(rounds) - before]]


def connect(team: Team) -> None:
    connection = replace(team.parts.connections.get(team.project), callback_url=DOOR_URL)
    team.parts.connections.save(connection)
    callback = team.parts.connections.callback(connection)
    list(team.tool.connector(team.at_tool).connect(callback))


@pytest.mark.every_database
def test_what_somebody_undoes_in_the_tool_is_told_once_and_so_is_its_return(
    team: Team, redis_client: redis.Redis
) -> None:
    team.import_mails(20)
    connect(team)
    team.parts.turns.take(team.project)
    assert look_again(team, redis_client) == []
    team.tool.disconnect(team.at_tool)
    (printed,) = look_again(team, redis_client)
    assert "run `nextlabel connect` again" in printed
    assert [one.message for one in team.parts.findings.of(team.project)] == [printed]
    assert look_again(team, redis_client) == []
    connect(team)
    assert look_again(team, redis_client) == ["All that `connect` made stands again."]
    assert team.parts.findings.of(team.project) == []


def test_drift_is_looked_for_no_more_often_than_about_once_a_minute(team: Team) -> None:
    connect(team)
    team.parts.turns.take(team.project)
    team.tool.disconnect(team.at_tool)
    team.parts.turns.take(team.project)
    assert team.parts.findings.of(team.project) == []


def test_a_lease_is_free_again_after_every_turn(team: Team) -> None:
    team.tool.take_down()
    team.parts.turns.take(team.project)
    with team.parts.job_queue.lease(team.project) as lease:
        assert lease is not None


def test_pruning_keeps_the_order_in_force_and_the_one_before_it(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_parts", lambda: team.parts)
    monkeypatch.setattr(pruning, "_PAUSE_SECONDS", 0)
    team.choose(window=10)
    team.import_mails(60)
    for strategy in ("margin", "random", "entropy", "diverse"):
        team.choose(window=10, strategy=strategy)
        team.run()
    queue = team.queue()
    assert worker.prune(team.project) == 20
    assert team.tool.predictions_held(team.at_tool) == {"nextlabel-untrained-1.3": 10, "nextlabel-untrained-1.4": 10}
    assert team.queue() == queue
    assert worker.prune(team.project) == 0


def test_old_orders_stay_while_people_are_at_work_but_for_a_few_and_go_once_they_rest(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_parts", lambda: team.parts)
    monkeypatch.setattr(pruning, "_PAUSE_SECONDS", 0)
    team.choose(window=10)
    team.import_mails(60)
    for strategy in ("margin", "random", "entropy", "diverse", "margin"):
        team.choose(window=10, strategy=strategy)
        team.run()
    team.parts.job_queue.note_work(team.project)
    assert (worker.prune(team.project), len(team.parts.orders.old(team.project))) == (0, 3)
    monkeypatch.setattr(pruning, "_MOST_LEFT", 2)
    assert worker.prune(team.project) == 10
    assert team.parts.turns.may_clear(team.project) is False
    team.parts.redis.delete(f"nextlabel:at-work:{team.project}")
    assert [team.parts.turns.may_clear(team.project) for _ in range(2)] == [True, False]
    assert worker.prune(team.project) == 20
    assert team.parts.orders.old(team.project) == []


def test_orders_are_short_while_many_old_ones_wait_and_full_again_once_these_are_gone(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_parts", lambda: team.parts)
    monkeypatch.setattr(pruning, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(ordering, "_CROWDED", 1)
    monkeypatch.setattr(ordering, "_FEW_PLACES", 4)
    team.import_mails(60)
    places = []
    for strategy in ("margin", "random", "entropy", "diverse", "margin"):
        team.choose(window=10, strategy=strategy)
        team.run()
        places.append(len(team.parts.orders.announced(team.project, newest=1)[0].window))
    assert places == [10, 10, 10, 10, 4]
    assert team.run().receipt is None, "a short order is no reason for another one"
    assert worker.prune(team.project) == 30
    assert team.run().receipt
    assert len(team.parts.orders.announced(team.project, newest=1)[0].window) == 10


def test_predictions_that_only_bear_a_name_like_ours_are_left_alone_and_named(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_parts", lambda: team.parts)
    monkeypatch.setattr(pruning, "_PAUSE_SECONDS", 0)
    tasks = team.import_mails(30)
    held = {QueueVersion(version): 4 for version in ("nextlabel-77", "2023", "bert-v1")}
    for version in held:
        team.tool.import_predictions(team.at_tool, version, tasks[:4])
    for strategy in ("margin", "random", "entropy"):
        team.choose(window=10, strategy=strategy)
        team.run()
    worker.prune(team.project)
    (finding,) = team.parts.findings.of(team.project, "left alone")
    assert ("nextlabel-77 (4)" in finding.message, "2023" in finding.message) == (True, False)
    assert held.items() <= team.tool.predictions_held(team.at_tool).items()
    with team.tool.opened(team.at_tool) as it:
        it.others.clear()
    worker.prune(team.project)
    assert team.parts.findings.of(team.project) == []


def test_an_order_that_another_worker_is_writing_is_not_pruned(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two workers the pruning after one turn may run beside the next turn."""
    monkeypatch.setattr(worker, "_parts", lambda: team.parts)
    monkeypatch.setattr(pruning, "_PAUSE_SECONDS", 0)
    team.choose(window=10)
    team.import_mails(60)
    for strategy in ("margin", "random", "entropy"):
        team.choose(window=10, strategy=strategy)
        team.run()
    reorder, pruned = MemoryConnector.place, []

    def pruned_halfway(connector: MemoryConnector, *args: Any, **kwargs: Any) -> QueueReceipt:
        """All of it is written, and not yet switched to."""
        with team.tool.opened(team.at_tool) as it:
            it.orders[args[0]] = dict.fromkeys(args[1].task_ids())
        pruned.append(worker.prune(team.project))
        with team.tool.opened(team.at_tool) as it:
            assert len(it.orders[args[0]]) == 10
        return reorder(connector, *args, **kwargs)

    monkeypatch.setattr(MemoryConnector, "place", pruned_halfway)
    team.choose(window=10, strategy="diverse")
    team.run()
    assert pruned == [10], "the oldest one is"
    assert len(team.queue(10)) == 10


def test_pruning_a_tool_that_is_down_waits_for_the_next_time(
    team: Team, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "_parts", lambda: team.parts)
    team.tool.take_down()
    assert worker.prune(team.project) == 0
    assert "stay for now" in caplog.text


@pytest.mark.every_database
def test_the_story_of_a_project_is_kept_short(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nextlabel.storage.round_log._KEPT", 5)
    for n in range(9):
        team.parts.rounds.add(team.project, 0.1, f"turn {n}", failed=False)
    assert [one.summary for one in team.parts.rounds.last(team.project, 100)] == [f"turn {n}" for n in (8, 7, 6, 5, 4)]


def test_tasks_with_nothing_to_read_are_a_finding_until_they_are_gone(team: Team) -> None:
    blank = team.tool.add_tasks(team.at_tool, ["", "<br>"])
    team.import_mails(5)
    team.parts.turns.take(team.project)
    (found,) = team.parts.findings.of(team.project, BLANK)
    assert found.message.startswith("2 open tasks hold nothing to read")
    for task in blank:
        team.label(task, "ham")
    team.parts.turns.take(team.project)
    assert team.parts.findings.of(team.project, BLANK) == []


def test_a_field_that_tasks_do_not_have_is_a_finding_until_they_have_it(team: Team) -> None:
    tasks = team.import_mails(6)
    rename(team, tasks, "text", "body")
    team.parts.turns.take(team.project)
    (found,) = team.parts.findings.of(team.project, FIELDS)
    assert found.message.startswith("No task has the field 'text'")
    assert "Tasks have 'body'" in found.message
    rename(team, tasks[:2], "body", "text")
    team.parts.turns.take(team.project)
    (found,) = team.parts.findings.of(team.project, FIELDS)
    assert found.message.startswith("Only 2 of 6 tasks have the field 'text'")
    rename(team, tasks[2:3], "body", "text")
    team.parts.turns.take(team.project)
    assert team.parts.findings.of(team.project, FIELDS) == [], "half of them have it"


def rename(team: Team, tasks: Sequence[TaskId], old: str, new: str) -> None:
    """A field of these tasks gets another name in the tool."""
    with team.tool.opened(team.at_tool) as it:
        for row in (it.rows[task] for task in tasks):
            row.task = replace(row.task, data={new: row.task.data[old]})
    for task in tasks:
        team.tool.mend(team.at_tool, task)  # it is told again
