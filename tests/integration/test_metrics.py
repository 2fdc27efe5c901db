"""/metrics and /ready: what an engineer on call is told, and that it is what `nextlabel status` says."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
import yaml
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from nextlabel import wiring
from nextlabel.jobs import workers
from nextlabel.jobs.job_queue import LEARN_QUEUE
from nextlabel.service.figures import Figures
from nextlabel.storage.figures import StoredFigures
from nextlabel.web import Operations, create_app
from nextlabel.wiring import Parts, connect_redis

if TYPE_CHECKING:
    from integration.conftest import Team

DOCKER = Path(__file__).parents[2] / "docker"
Scraped = dict[str, dict[tuple[str, ...], float]]


def app_of(parts: Parts, *, metrics_open: bool = True) -> FlaskClient:
    operations = Operations(parts.figures, parts.overview, parts.versions, parts.tokens, metrics_open=metrics_open)
    return create_app(parts.service, operations).test_client()


def scrape(parts: Parts) -> Scraped:
    """By metric, and the values of its labels in the order of their names."""
    answer = app_of(parts).get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(answer.text)
    }


@pytest.fixture
def taught(team: Team) -> Team:
    """A project with audit labels, a skipped task, and a model that learned."""
    team.choose(audit_share=0.5, window=30)
    team.import_mails(120)
    team.run()
    audits = sorted(team.parts.reserves.tasks(team.project))
    for task in audits[:40]:
        team.label(task, team.truth[task])
    team.work(20)
    team.run()
    team.work(3)
    team.tool.skip(team.at_tool, next(task for task in team.queue() if task not in audits), "ann")
    team.parts.rounds.add(team.project, 1.5, "all is well", failed=False)
    team.parts.rounds.add(team.project, 2.5, "the tool refused", failed=True)
    team.parts.rounds.add(team.project, 0.0, "somebody removed the webhook", failed=True)
    return team


@pytest.mark.every_database
def test_each_figure_is_that_of_status(taught: Team) -> None:
    taught.run()
    (shown,) = taught.parts.overview.projects()
    found, name = scrape(taught.parts), taught.project
    of_project = {
        "tasks": shown["tasks"],
        "open_tasks": shown["open"],
        "audit_tasks": shown["audits"]["tasks"],
        "audit_labels": shown["audits"]["labeled"],
        "window_left_tasks": shown["window_left"],
        "version_labels": shown["labels"],
        "last_round_duration_seconds": 2.5,
        "last_round_failed": 1,
        "order_served": 1,
        "oldest_unprocessed_event_age_seconds": 0,
        "tool_failures": 0,
        "tool_circuit_open": 0,
    }
    assert {what: found[f"nextlabel_{what}"][(name,)] for what in of_project} == of_project
    assert 0 < shown["window_left"] <= 30
    assert shown["open"] < shown["tasks"] - 62  # the task that everybody at work has skipped is open no more
    ((target, accuracy),) = shown["accuracy"].items()
    for part, metric in (("value", "accuracy"), ("low", "accuracy_low"), ("high", "accuracy_high")):
        assert found[f"nextlabel_{metric}_ratio"] == {(name, target): accuracy[part]}
    assert found["nextlabel_accuracy_labels"] == {(name, target): accuracy["n"]}
    assert found["nextlabel_version_info"] == {(name, shown["model"]): 1}
    for what in ("version_created", "last_round", "last_pull"):
        assert time.time() - 600 < found[f"nextlabel_{what}_timestamp_seconds"][(name,)] <= time.time()
    assert found["nextlabel_redis_up"] == found["nextlabel_database_up"] == {(): 1}
    assert found["nextlabel_disk_alarm"] == {(): 0}


def test_a_label_event_waits_until_the_round_that_answers_it_has_ended(team: Team) -> None:
    queue, name = team.parts.job_queue, team.project
    assert queue.waiting_since() == {}
    before = time.time()
    queue.request_retraining(name, quiet=0, max_wait=0)
    assert before <= queue.waiting_since()[name] <= time.time()
    assert queue.dispatch_due() == 1
    waits = scrape(team.parts)["nextlabel_oldest_unprocessed_event_age_seconds"][(name,)]
    assert 0 < waits < 600
    assert scrape(team.parts)["nextlabel_queued_jobs"][(LEARN_QUEUE,)] == 1
    assert queue.waiting_since()[name] >= before - 1


def test_a_tool_that_fails_is_seen_and_so_is_that_it_is_left_alone(team: Team) -> None:
    connection = team.parts.connections.get(team.project)
    for _ in range(3):
        team.parts.circuits.failed(connection, "it does not answer")
    found = scrape(team.parts)
    assert found["nextlabel_tool_failures"][(team.project,)] == 3
    assert found["nextlabel_tool_circuit_open"][(team.project,)] == 1


def test_what_is_down_is_a_figure_and_the_rest_is_still_told(team: Team) -> None:
    parts, away = team.parts, connect_redis("redis://127.0.0.1:1", patience=1)
    vars(parts)["figures"] = Figures(parts.connections, StoredFigures(parts.database), away, lambda: "disk full")
    begun = time.monotonic()
    found = scrape(parts)
    assert time.monotonic() - begun < 5
    assert (found["nextlabel_redis_up"], found["nextlabel_disk_alarm"]) == ({(): 0}, {(): 1})
    assert "nextlabel_workers" not in found
    assert found["nextlabel_project_info"] == {("memory", f"memory:{team.at_tool}", team.project, "active"): 1}
    ready = app_of(parts).get("/ready")
    assert (ready.status_code, ready.json) == (503, {"status": "NOT READY", "missing": ["Redis cannot be reached."]})


def test_a_redis_that_hangs_holds_up_neither_a_scrape_nor_ready(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "_WATCH_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        parts = wiring.build(team.parts.settings, f"redis://127.0.0.1:{silent.getsockname()[1]}")
        assert scrape(parts)["nextlabel_redis_up"] == {(): 0}
        assert app_of(parts).get("/ready").status_code == 503
        parts.database.dispose()


def test_a_worker_that_gives_no_sign_of_life_is_not_alive_and_without_one_nothing_is_ready(
    team: Team, redis_client: redis.Redis
) -> None:
    from nextlabel.worker import worker_on

    app = app_of(team.parts)
    assert (app.get("/ready").status_code, app.get("/health").status_code) == (503, 200)
    assert app.get("/ready").json == {"status": "NOT READY", "missing": ["No worker is alive."]}
    worker = worker_on(redis_client)
    worker.register_birth()  # type: ignore[no-untyped-call]
    assert app.get("/ready").json == {"status": "READY", "missing": []}
    assert scrape(team.parts)["nextlabel_workers"] == {(): 1}
    redis_client.expire(worker.key, workers.WORKER_TTL + 60 - workers.SILENT_SECONDS - 1)  # so long ago it was killed
    assert scrape(team.parts)["nextlabel_workers"] == {(): 0}
    assert app.get("/ready").status_code == 503


def test_metrics_take_a_token_of_their_own_unless_they_are_open(team: Team) -> None:
    parts = team.parts
    closed, right = app_of(parts, metrics_open=False), parts.tokens.create("prometheus", ["metrics"])
    wrong = parts.tokens.create("reader", ["read", "write"])
    shown = {name: {"Authorization": f"Bearer {token}"} for name, token in (("right", right), ("wrong", wrong))}
    assert closed.get("/metrics").status_code == 401
    assert closed.get("/metrics", headers=shown["wrong"]).status_code == 403
    assert closed.get("/metrics", headers=shown["right"]).status_code == 200
    assert app_of(parts).get("/metrics").status_code == 200
    parts.tokens.revoke("prometheus")
    assert closed.get("/metrics", headers=shown["right"]).status_code == 401


# --- what stands in docker/ --------------------------------------------------------------------------------


def expressions() -> Iterator[tuple[str, str]]:
    """All PromQL of the alert rules and the board, with where it stands."""
    rules = yaml.safe_load((DOCKER / "alerts.yaml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert {"summary", "description"} <= set(rule["annotations"])
            yield rule["alert"], rule["expr"]
    board: dict[str, Any] = json.loads((DOCKER / "grafana-board.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        yield variable["name"], variable.get("query", "")


def test_every_metric_that_an_alert_or_the_board_names_exists_with_the_labels_it_is_asked_by(taught: Team) -> None:
    parts = taught.parts
    taught.run()
    answer = app_of(parts).get("/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(answer)}
    assert all(family.documentation.endswith(".") for family in families.values())
    used = set()
    for where, expression in expressions():
        for name, matchers in re.findall(r"(nextlabel_\w+)(?:\{([^}]*)\})?", expression):
            assert name in families, f"{where}: there is no {name}"
            labels = {label for sample in families[name].samples for label in sample.labels}
            assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= labels, f"{where}: {name} has {labels}"
            used.add(name)
    assert len(used) > 15
