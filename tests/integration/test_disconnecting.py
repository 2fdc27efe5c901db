"""`nextlabel disconnect`, `pause` and `resume`, and what `connect` leaves alone: a team's project is as it was."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from click.testing import CliRunner, Result
from rq import Queue
from rq.serializers import JSONSerializer

from nextlabel import worker
from nextlabel.cli import EXIT_CONFIGURATION, cli, disconnecting, running
from nextlabel.jobs.job_queue import LEARN_QUEUE, PRUNE_QUEUE
from nextlabel.labeling import ProjectId, QueueVersion
from nextlabel.ports.requests import LabelEvent
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import Pruned
from nextlabel.service import pausing
from nextlabel.settings import Settings
from nextlabel.wiring import build
from nextlabel_connectors.memory import MemoryConnector

if TYPE_CHECKING:
    from integration.conftest import Team

TEAMS = QueueVersion("0002")
Command = Callable[..., Result]


@pytest.fixture
def command(team: Team, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Runs a `nextlabel` command in this process; ``answers`` are typed at a terminal."""
    settings = team.parts.settings
    environ = {name: None for name in os.environ if "NEXTLABEL" in name or "LABEL_STUDIO" in name} | {
        "NEXTLABEL_DATABASE_URL": settings.database_url,
        "NEXTLABEL_CONNECTOR": "memory",
        "NEXTLABEL_HOME": str(settings.home),
        "REDIS_URL": settings.redis_url or "",
        "NEXTLABEL_PASSWORD": settings.password,
        "NEXTLABEL_WEBHOOK_SECRET": settings.webhook_secret,
        "COLUMNS": "400",
    }

    def command(name: str, *arguments: str, answers: str = "") -> Result:
        access = ("--url", "memory:", "--token", team.tool.access.token) if name == "connect" else ()
        project = () if "--project" in arguments else ("--project", team.project)
        monkeypatch.setattr(disconnecting, "_at_terminal", lambda: bool(answers))
        result = CliRunner().invoke(cli, (name, *access, *project, *arguments), env=environ, input=answers)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    team.parts.connections.note_address("http://127.0.0.1:9090")
    yield command


@pytest.fixture
def fresh(team: Team, command: Command) -> Team:
    """A project that nextlabel does not know yet, in which tasks are served by predictions of the team's own model."""
    team.parts.connections.delete(team.project)
    team.project = ProjectId(team.at_tool)
    tasks = team.import_mails(30)
    team.tool.reorder(team.at_tool, TEAMS, dict.fromkeys(tasks[:8]))
    return team


def report(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def levels(result: Result) -> set[str]:
    return {one["level"] for one in report(result)["findings"]}


def known(team: Team) -> Connection:
    found = team.parts.connections.known(team.project)
    assert found is not None
    return found


# --- there and back ----------------------------------------------------------------------------------------


@pytest.mark.every_database
def test_a_project_is_as_it_was_after_connecting_labeling_and_disconnecting(fresh: Team, command: Command) -> None:
    queue = fresh.queue()
    printed = report(command("connect", "--option", "window=10", "--json"))["findings"]
    (warning,) = [one["message"] for one in printed if one["level"] == "warning"]
    assert ("'0002' (8 predictions)" in warning, "`nextlabel disconnect` puts it back" in warning) == (True, True)
    for _ in range(3):
        fresh.work(2)
        fresh.run()
    assert (fresh.in_force(), fresh.tool.calls(fresh.at_tool)) == ("nextlabel-4", ["http://127.0.0.1:9090"])
    assert levels(command("disconnect", "--predictions", "remove", "--json")) == {"done"}
    assert fresh.in_force() == TEAMS
    assert fresh.tool.predictions_held(fresh.at_tool) == {TEAMS: 8}
    assert fresh.tool.calls(fresh.at_tool) == []
    assert set(fresh.queue()) <= set(queue)


def test_a_second_disconnect_finds_nothing_to_do(fresh: Team, command: Command) -> None:
    command("connect")
    command("disconnect")
    before = (fresh.tool.predictions_held(fresh.at_tool), fresh.in_force())
    assert levels(command("disconnect", "--json")) == {"unchanged"}
    assert (fresh.tool.predictions_held(fresh.at_tool), fresh.in_force()) == before


def test_predictions_stay_unless_somebody_wants_them_removed_then_or_later(fresh: Team, command: Command) -> None:
    command("connect", "--option", "window=10")
    printed = command("disconnect").output
    assert "10 predictions of nextlabel's stay" in printed
    assert "--predictions remove" in printed
    assert fresh.tool.predictions_held(fresh.at_tool) == {TEAMS: 8, "nextlabel-untrained-1": 10}
    assert "10 predictions of nextlabel's removed" in command("disconnect", "--predictions", "remove").output
    assert fresh.tool.predictions_held(fresh.at_tool) == {TEAMS: 8}


def test_connecting_again_goes_on_with_what_was_learned(fresh: Team, command: Command) -> None:
    command("connect", "--option", "window=10")
    fresh.work(10)
    fresh.run()
    command("disconnect", "--predictions", "remove")
    assert fresh.parts.connections.all() == []
    fresh.tool.reorder(fresh.at_tool, QueueVersion("bert-2"), dict.fromkeys(fresh.queue()[:3]))
    assert report(command("connect", "--json"))["queue"] == "nextlabel-2.2"
    assert (known(fresh).state, known(fresh).options.window) == ("active", 10)
    assert known(fresh).before == {"model_version": "bert-2"}
    assert fresh.serving.labels == 10


def test_what_somebody_chose_meanwhile_stays(fresh: Team, command: Command) -> None:
    command("connect")
    command("pause")
    fresh.tool.reorder(fresh.at_tool, QueueVersion("bert-2"), dict.fromkeys(fresh.queue()[:3]))
    assert "model_version stays 'bert-2'" in command("disconnect").output
    assert fresh.in_force() == "bert-2"


def test_what_somebody_chose_before_connecting_again_is_what_is_put_back(fresh: Team, command: Command) -> None:
    command("connect")
    command("pause")
    fresh.tool.reorder(fresh.at_tool, QueueVersion("bert-2"), dict.fromkeys(fresh.queue()[:3]))
    assert "Until now model_version was 'bert-2'" in command("connect").output
    command("disconnect")
    assert fresh.in_force() == "bert-2"


@pytest.mark.parametrize("broken", ["disconnect", "prune"])
def test_a_disconnect_that_is_interrupted_is_completed_by_the_next(
    fresh: Team, command: Command, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("connect", "--option", "window=10")

    def killed(*arguments: object, **more: object) -> Pruned:
        raise SystemExit(137)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(MemoryConnector, broken, killed)
        assert command("disconnect", "--predictions", "remove").exit_code == 137
    assert fresh.parts.turns.take(fresh.project) == f"project {fresh.project} is disconnected: nothing was done"
    assert command("disconnect", "--predictions", "remove").exit_code == 0
    assert (fresh.in_force(), fresh.tool.predictions_held(fresh.at_tool)) == (TEAMS, {TEAMS: 8})
    assert fresh.tool.calls(fresh.at_tool) == []
    assert known(fresh).before is None


def test_a_connect_that_is_interrupted_has_noted_what_is_to_be_put_back(
    fresh: Team, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = MemoryConnector.connect

    def killed(*arguments: Any) -> Iterator[object]:
        list(connect(*arguments))
        fresh.tool.choose_another_order(fresh.at_tool)
        raise SystemExit(137)
        yield

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(MemoryConnector, "connect", killed)
        assert command("connect").exit_code == 137
    assert fresh.parts.connections.all() == []
    assert command("disconnect").exit_code == 0
    assert (fresh.in_force(), fresh.tool.calls(fresh.at_tool)) == (TEAMS, [])


def test_forgetting_leaves_nothing_of_a_project_behind(fresh: Team, command: Command) -> None:
    command("connect")
    fresh.work(4)
    fresh.run()
    at_tool = fresh.tool.create_project(["ham", "spam"])
    other = type(fresh)(fresh.tool, fresh.parts, at_tool, ProjectId(at_tool))
    command("connect", "--project", other.project)
    assert list(Path(fresh.parts.settings.models_url).glob(f"{fresh.project}/*"))
    assert command("disconnect", "--forget").exit_code == EXIT_CONFIGURATION, "whose its predictions are would be lost"
    assert "is deleted" in command("disconnect", "--forget", "--predictions", "keep").output
    assert list(Path(fresh.parts.settings.models_url).glob(f"{fresh.project}/*")) == []
    assert (fresh.parts.connections.known(fresh.project), fresh.parts.models.history(fresh.project)) == (None, [])
    assert (fresh.parts.store.cursor(fresh.project), len(fresh.parts.store.task_ids(fresh.project))) == (None, 0)
    assert [one.project for one in fresh.parts.connections.all()] == [other.project]
    assert report(command("connect", "--json"))["ok"]


def test_a_project_that_the_tool_no_longer_has_can_be_disconnected(fresh: Team, command: Command) -> None:
    command("connect")
    fresh.tool.delete_project(fresh.at_tool)
    printed = command("disconnect")
    assert (printed.exit_code, "nothing to take back" in printed.output) == (0, True)
    assert fresh.parts.connections.all() == []


def test_a_tool_that_does_not_answer_is_left_connected_unless_nobody_wants_it_asked(
    fresh: Team, command: Command
) -> None:
    command("connect")
    fresh.tool.take_down()
    assert command("disconnect").exit_code == 1
    assert known(fresh).state == "active"
    assert command("disconnect", "--offline").exit_code == 0
    assert known(fresh).state == "disconnected"


# --- connected by a release that noted nothing ---------------------------------------------------------------


@pytest.fixture
def earlier(fresh: Team, command: Command) -> Team:
    command("connect", "--option", "window=10")
    fresh.parts.connections.save(replace(known(fresh), before=None))
    return fresh


def test_what_cannot_be_known_must_be_said(earlier: Team, command: Command) -> None:
    printed = command("disconnect")
    assert printed.exit_code == EXIT_CONFIGURATION
    assert "did not note how it was before" in printed.stderr
    assert "--model-version none | '0002'" in printed.stderr
    assert (known(earlier).state, earlier.in_force()) == ("active", "nextlabel-untrained-1")
    assert command("disconnect", "--model-version", "0002").exit_code == 0
    assert earlier.in_force() == TEAMS


def test_connecting_again_does_not_take_our_own_order_for_the_teams(earlier: Team, command: Command) -> None:
    command("connect")
    assert known(earlier).before is None


def test_at_a_terminal_it_is_asked(earlier: Team, command: Command) -> None:
    printed = command("disconnect", answers="0003\n0002\nremove\n")
    assert printed.exit_code == 0, printed.output
    assert "What was model_version before?" in printed.output
    assert (earlier.in_force(), earlier.tool.predictions_held(earlier.at_tool)) == (TEAMS, {TEAMS: 8})


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (("--model-version", "0003"), "--model-version is '0003': it must be one of none, '0002'", EXIT_CONFIGURATION),
        (("--sampling", "Uniform sampling"), "--sampling is nothing that this tool has", EXIT_CONFIGURATION),
        (("--predictions", "burn"), "'burn' is not one of 'keep', 'remove'", 2),
        (("--project", "p999"), "Project p999 was never connected here", EXIT_CONFIGURATION),
        (("--token", "hush"), "does not know this token", EXIT_CONFIGURATION),
    ],
)
def test_what_cannot_be_done_is_named_and_changes_nothing(
    earlier: Team, command: Command, arguments: tuple[str, ...], says: str, code: int
) -> None:
    before = (known(earlier), earlier.in_force(), earlier.tool.calls(earlier.at_tool))
    printed = command("disconnect", *arguments)
    assert (printed.exit_code, says in " ".join(printed.stderr.split())) == (code, True), printed.stderr
    assert "hush" not in printed.output
    assert (known(earlier), earlier.in_force(), earlier.tool.calls(earlier.at_tool)) == before


# --- connecting: what it does not change -----------------------------------------------------------------------


def test_an_address_that_does_not_answer_leaves_everything_as_it_was(fresh: Team, command: Command) -> None:
    fresh.tool.unreachable.add("http://nobody.example")
    held = fresh.tool.predictions_held(fresh.at_tool)

    def refused() -> None:
        printed = command("connect", "--backend-url", "http://nobody.example/", "--option", "window=9")
        assert (printed.exit_code, "left as it was" in printed.output) == (1, True), printed.output

    refused()
    assert fresh.parts.connections.known(fresh.project) is None
    assert (fresh.tool.calls(fresh.at_tool), fresh.in_force()) == ([], TEAMS)
    assert fresh.tool.predictions_held(fresh.at_tool) == held
    command("connect")
    before, held = known(fresh), fresh.tool.predictions_held(fresh.at_tool)
    refused()
    assert known(fresh) == before
    assert fresh.tool.calls(fresh.at_tool) == ["http://127.0.0.1:9090"]
    assert fresh.tool.predictions_held(fresh.at_tool) == held


def test_every_address_that_a_tool_was_told_is_remembered(fresh: Team, command: Command) -> None:
    for url in ("http://a.example", "http://b.example/", "http://a.example"):
        command("connect", "--backend-url", url)
    assert known(fresh).addresses == ("http://b.example", "http://a.example")
    command("connect")
    assert known(fresh).callback_url == "http://a.example", "where it was told, not where `up` runs now"


def test_without_any_address_to_tell_it_is_asked_for(fresh: Team, command: Command) -> None:
    fresh.parts.connections.note_address("")
    printed = command("connect")
    assert (printed.exit_code, "--backend-url" in printed.stderr) == (EXIT_CONFIGURATION, True)


def test_another_tools_project_of_the_same_number_is_another_project(fresh: Team, command: Command) -> None:
    command("connect")
    before, connections = known(fresh), fresh.parts.connections
    fresh.tool.disconnect(fresh.at_tool)  # so it is with the project of another tool: it shows no secret of ours
    other = report(command("connect", "--url", "memory:other", "--json"))["project"]
    assert known(fresh) == before
    assert {one.name: one.project for one in connections.all()} == {
        f"memory:{fresh.at_tool}": fresh.project,
        f"memory-2:{fresh.at_tool}": other,
    }
    first, second = connections.credentials_of("memory"), connections.credentials_of("memory-2")
    assert first.password != second.password
    assert first.webhook_secret != second.webhook_secret
    assert report(command("connect", "--url", "memory:other", "--json"))["project"] == other
    assert command("disconnect", "--project", f"memory-2:{fresh.at_tool}").exit_code == 0
    assert [one.project for one in connections.all()] == [fresh.project]


@pytest.mark.parametrize("arguments", [(), ("--moved",)])
def test_the_same_tool_at_another_address_is_taken_over(
    fresh: Team, command: Command, arguments: tuple[str, ...]
) -> None:
    command("connect")
    if arguments:
        fresh.tool.disconnect(fresh.at_tool)
    printed = command("connect", "--url", "memory:moved", *arguments)
    assert (printed.exit_code, "moved from memory: to memory:moved" in printed.output) == (0, True), printed.output
    assert known(fresh).tool.access.url == "memory:moved"


def test_a_tool_that_is_named_is_not_looked_for_elsewhere_unless_it_has_moved(fresh: Team, command: Command) -> None:
    command("connect")
    fresh.tool.disconnect(fresh.at_tool)
    refused = command("connect", "--url", "memory:elsewhere", "--project", f"memory:{fresh.at_tool}")
    assert (refused.exit_code, "add --moved" in refused.stderr) == (EXIT_CONFIGURATION, True)
    assert known(fresh).tool.access.url == "memory:"
    assert command("connect", "--url", "memory:elsewhere", "--project", fresh.at_tool, "--tool", "other").exit_code == 0
    assert {one.name for one in fresh.parts.connections.all()} == {f"memory:{fresh.at_tool}", f"other:{fresh.at_tool}"}


# --- left alone ------------------------------------------------------------------------------------------------


def jobs(team: Team, queue: str = LEARN_QUEUE) -> int:
    return len(Queue(queue, connection=team.parts.redis, serializer=JSONSerializer))


def housekeep(team: Team) -> None:
    running._Housekeeping(team.parts, team.parts.settings)()


@pytest.mark.every_database
def test_a_paused_project_is_left_alone_until_it_is_resumed(
    fresh: Team,
    command: Command,
    redis_client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(worker, "_parts", lambda: fresh.parts)
    command("connect", "--option", "quiet_seconds=0", "--option", "window=10")
    for _ in range(3):
        fresh.work(2)
        fresh.run()
    assert fresh.parts.orders.old(fresh.project), "there is something to prune"
    fresh.work(4)
    printed = command("pause")
    assert f"nextlabel resume --project {fresh.project}" in printed.output
    fresh.tool.choose_another_order(fresh.at_tool)
    held, models = fresh.tool.predictions_held(fresh.at_tool), fresh.parts.models.history(fresh.project)
    cursor = fresh.parts.store.cursor(fresh.project)
    housekeep(fresh)
    for kind in ("labels", "tasks", "project", "train"):
        assert fresh.parts.service.event(("memory",), LabelEvent(fresh.at_tool, kind)) is None
    assert (jobs(fresh), fresh.parts.job_queue.is_at_rest(fresh.project)) == (0, False)
    fresh.tool.take_down()  # whoever asked it for anything would say so
    assert "is paused" in fresh.parts.turns.take(fresh.project)
    assert (worker.prune(fresh.project), "is down" in caplog.text) == (0, False)
    fresh.tool.bring_up()
    assert fresh.tool.predictions_held(fresh.at_tool) == held
    assert (fresh.in_force(), fresh.parts.models.history(fresh.project)) == (None, models)
    assert (fresh.parts.store.cursor(fresh.project), jobs(fresh, PRUNE_QUEUE)) == (cursor, 0)
    assert fresh.parts.service.in_service(fresh.project).version == "nextlabel-4"
    (shown,) = json.loads(command("status", "--json").stdout)["projects"]
    assert (shown["state"], "paused" in command("status").output) == ("paused", True)
    assert "paused already" in command("pause").output

    command("resume")
    assert float(redis_client.zscore("nextlabel:due", fresh.project) or "inf") > 0
    housekeep(fresh)
    assert jobs(fresh) == 1
    assert "10 labels in force" in fresh.parts.turns.take(fresh.project)
    assert fresh.in_force() == "nextlabel-5"
    assert "was not paused" in command("resume").output


def test_pausing_waits_for_the_worker_and_has_it_publish_nothing_more(
    fresh: Team, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("connect")
    fresh.work(4)
    reorder = MemoryConnector.place

    def paused_meanwhile(connector: MemoryConnector, *arguments: Any, **more: Any) -> Any:
        monkeypatch.setattr(MemoryConnector, "place", reorder)
        monkeypatch.setattr(pausing, "waiting_lease", lambda job_queue, project: job_queue.lease("another"))
        command("pause")
        return reorder(connector, *arguments, **more)

    monkeypatch.setattr(MemoryConnector, "place", paused_meanwhile)
    before = fresh.in_force()
    assert "is paused" in fresh.parts.turns.take(fresh.project)
    assert fresh.in_force() == before
    assert not fresh.parts.rounds.last(fresh.project, 1)


@pytest.mark.parametrize("back", ["resume", "connect", "webhook"])
@pytest.mark.every_database
def test_a_project_that_is_gone_is_reported_once_and_asked_for_no_more_until_it_is_back(
    fresh: Team, command: Command, back: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    command("connect", "--option", "quiet_seconds=0")
    with fresh.tool.without(fresh.at_tool):
        for _ in range(3):
            printed = fresh.parts.turns.take(fresh.project)
        assert printed == f"project {fresh.project} is gone: nothing was done"
        housekeep(fresh)
        assert jobs(fresh) == 0
    (received,) = [one for one in fresh.parts.rounds.last(fresh.project, 10) if one.failed]
    assert f"nextlabel resume --project {fresh.project}" in received.summary
    assert caplog.text.count("has no project") == 1
    (shown,) = json.loads(command("status", "--json").stdout)["projects"]
    assert shown["state"] == "gone"
    if back == "webhook":
        assert fresh.parts.service.event(("memory",), LabelEvent(fresh.at_tool, "labels"))
    else:
        command(back)
    assert known(fresh).state == "active"
    assert "labels in force" in fresh.parts.turns.take(fresh.project)


def test_a_project_that_was_never_connected_can_be_neither_paused_nor_resumed(command: Command) -> None:
    for name in ("pause", "resume"):
        printed = command(name, "--project", ProjectId("p9"))
        assert (printed.exit_code, "nextlabel connect" in printed.stderr) == (EXIT_CONFIGURATION, True)


def test_where_serve_runs_is_noted(settings: Settings, team: Team) -> None:
    noted = []
    for host, url in (
        ("0.0.0.0", None),  # noqa: S104
        ("::", None),
        ("192.168.1.20", None),
        ("0.0.0.0", "http://nextlabel.internal:1/"),  # noqa: S104
    ):
        parts = build(replace(settings, backend_url=url), settings.redis_url or "")
        running._note_address(parts, host, 9090)
        noted.append(parts.connections.address())
    assert noted == ["http://127.0.0.1:9090"] * 2 + ["http://192.168.1.20:9090", "http://nextlabel.internal:1"]
