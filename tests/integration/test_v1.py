"""/api/v1 and the client of it: what is promised in the OpenAPI document, and nothing that a stranger may not have."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import hypothesis
import msgspec
import pytest
import schemathesis
from click.testing import CliRunner
from flask import Flask
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok
from sqlalchemy import select

from nextlabel.cli import cli
from nextlabel.client import Client, Refused, Unreachable
from nextlabel.client.answers import Finding
from nextlabel.errors import SettingsError
from nextlabel.labeling import ModelVersion
from nextlabel.ports import tool as words
from nextlabel.storage.database.tables import tokens as stored_tokens
from nextlabel.web import Operations, create_app
from nextlabel.wiring import Parts

if TYPE_CHECKING:
    from integration.conftest import Team


def app_of(parts: Parts) -> Flask:
    return create_app(parts.service, Operations(parts.figures, parts.overview, parts.versions, parts.tokens))


def client_of(parts: Parts, *scopes: str) -> Client:
    token = parts.tokens.create("-".join(scopes), scopes)
    return Client("http://nextlabel", token, transport=httpx.WSGITransport(app=app_of(parts)))


@pytest.fixture
def taught(team: Team) -> Team:
    """Three versions: one that knows nothing, and two that learned."""
    team.import_mails(60)
    team.run()
    for _ in range(2):
        team.work(10)
        team.run()
    return team


def test_a_notebook_sees_what_status_and_models_show(taught: Team) -> None:
    parts, name = taught.parts, taught.project
    client = client_of(parts, "read")
    (summary,) = client.projects()
    assert (summary.project, summary.connector, summary.state) == (name, "memory", "active")
    (shown,) = parts.overview.projects()
    project = client.project(name)
    for figure in ("tasks", "open", "labels", "model", "queue", "window_left", "agreement_on_tasks_asked"):
        assert getattr(project, figure) == shown[figure]
    # All that the project's page shows, but for what has routes of its own.
    assert set(shown) - set(project.__struct_fields__) == {"versions", "rounds", "pulled_seconds_ago"}
    answer = msgspec.to_builtins(project)
    for figure in ("audits", "queue_verified", "from_order", "at_a_time", "speed", "suspects", "labels_saved", "lists"):
        assert answer[figure] == shown[figure], figure
    assert answer["stopping"] == {name: one for name, one in shown["stopping"].items() if name != "checked"}
    assert answer["gain_of_next_100"] == shown["stopping"]["checked"][-1]["gain_of_next_100"]
    versions = list(client.versions(name))
    assert [one.version for one in versions] == ["nextlabel-3", "nextlabel-2", "nextlabel-untrained-1"]
    assert client.version(name, "nextlabel-2") == versions[1]
    assert [one.state for one in versions] == ["in_service", "retired", "retired"]
    parts.findings.replace(name, [words.Finding("warning", "look at this")])
    assert client.findings(name) == [Finding("warning", "look at this")]
    assert {part.name: part.runs for part in client.running().parts}["backend"] is True
    unsure = client.uncertainty(name, [{"id": 7, "data": {"text": "win a prize"}}, {"data": {"text": "see you"}}])
    assert (unsure.model_version, [one.id for one in unsure.results]) == (shown["queue"], ["7", "1"])


def test_a_version_is_promoted_at_once_and_a_worker_puts_the_queue_in_its_order(taught: Team) -> None:
    parts, name = taught.parts, taught.project
    client = client_of(parts, "read", "write")
    switched = client.promote(name, "nextlabel-2")
    assert (switched.version, taught.serving.version) == ("nextlabel-2", "nextlabel-2")
    assert parts.job_queue.status(switched.job).state == "queued"
    assert parts.job_queue.dispatch_due() == 1
    taught.run()
    assert parts.orders.model_of(name, parts.orders.announced(name, newest=1)[0].version) == "nextlabel-2"
    assert client.rollback(name).version == "nextlabel-3"
    assert client.version(name, "nextlabel-3").chosen
    assert client.release(name).version == "nextlabel-3"
    with pytest.raises(Refused, match="no version was chosen") as refused:
        client.release(name)
    assert refused.value.status == 409
    with pytest.raises(Refused, match="has no version 'nextlabel-99'") as refused:
        client.promote(name, "nextlabel-99")
    assert refused.value.status == 404
    parts.pausing.pause(name)
    with pytest.raises(Refused, match="nextlabel resume"):
        client.rollback(name)


def test_lists_come_in_parts_that_together_hold_each_item_once(taught: Team) -> None:
    parts, name = taught.parts, taught.project
    for n in range(7):
        parts.rounds.add(name, 1.0, f"round {n}", failed=False)
    headers = {"Authorization": f"Bearer {parts.tokens.create('reader', ['read'])}"}
    app = app_of(parts).test_client()
    for of, key in (("rounds", "summary"), ("versions", "version")):
        found, cursor = list[str](), ""
        while cursor is not None:
            page = app.get(f"/api/v1/projects/{name}/{of}?limit=2&cursor={cursor}", headers=headers).get_json()
            found, cursor = [*found, *(one[key] for one in page["items"])], page["next"]
            assert len(page["items"]) <= 2
        assert found[0] == ("round 6" if of == "rounds" else "nextlabel-3")
        assert len(found) == len(set(found)) == (7 if of == "rounds" else 3)
    for wrong in ("limit=0", "limit=201", "limit=x", "cursor=%21", "cursor=eA==", f"cursor={'e' * 300}"):
        refused = app.get(f"/api/v1/projects/{name}/rounds?{wrong}", headers=headers)
        assert (refused.status_code, refused.content_type) == (400, "application/problem+json")
        assert len(refused.get_json()["detail"].split()) > 5


# --- who may ask -------------------------------------------------------------------------------------------


def routes(app: Flask) -> dict[tuple[str, str], str]:
    """Method and path of everything below /api/v1, as an address that is no route's own."""
    found = {}
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            if rule.rule.startswith("/api/v1/"):
                path = rule.rule
                for argument in rule.arguments:
                    path = path.replace(f"<string(maxlength=64):{argument}>", f"{{{argument}}}")
                found[method.lower(), path] = path
    return found


def test_the_document_has_each_route_once_and_each_route_stands_in_the_document(team: Team) -> None:
    app = app_of(team.parts)
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    described = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert described == set(routes(app))
    assert document["openapi"] == "3.1.0"


def test_every_route_takes_a_token_with_its_scope_and_no_other(team: Team) -> None:
    parts, app = team.parts, app_of(team.parts).test_client()
    document = app.get("/api/v1/openapi.json").get_json()
    shown = {scope: {"Authorization": f"Bearer {parts.tokens.create(scope, [scope])}"} for scope in ("read", "write")}
    shown["metrics"] = {"Authorization": f"Bearer {parts.tokens.create('metrics', ['metrics'])}"}
    checked = 0
    for path, methods in document["paths"].items():
        address = path.replace("{project}", team.project).replace("{version}", "nextlabel-1")
        for method, operation in methods.items():
            ask: Callable[..., Any] = getattr(app, method)
            if not operation["security"]:
                assert path == "/api/v1/openapi.json"
                continue
            ((needed,),) = (one["token"] for one in operation["security"])
            for given in ({}, {"Authorization": "Bearer nextlabel_guess"}, {"Authorization": "Basic eDp5"}):
                refused = ask(address, headers=given)
                assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
            for scope, headers in shown.items():
                assert (ask(address, headers=headers).status_code == 403) == (scope != needed)
            checked += 1
    assert checked >= 10


def test_of_a_token_the_database_and_the_log_hold_only_what_cannot_be_used(
    team: Team, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = team.parts.tokens
    token = tokens.create("reader", ["read"])
    headers = {"Authorization": f"Bearer {token}"}
    assert app_of(team.parts).test_client().get("/api/v1/projects", headers=headers).status_code == 200
    with team.parts.database.read() as sql:
        (row,) = sql.execute(select(stored_tokens))
    secret = token.removeprefix("nextlabel_")
    assert len(secret) >= 43
    assert secret not in repr(row) and secret not in caplog.text and secret not in repr(tokens.all())
    for name, scopes in (("reader", ["read"]), ("x y", ["read"]), ("x", []), ("x", ["all"])):
        with pytest.raises(SettingsError):
            tokens.create(name, scopes)


def test_tokens_are_made_listed_and_revoked_at_the_console(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = team.parts.settings
    monkeypatch.setenv("NEXTLABEL_HOME", str(settings.home))
    monkeypatch.setenv("NEXTLABEL_DATABASE_URL", settings.database_url)

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(cli, ["tokens", *arguments])
        assert result.exit_code == 0, result.output
        return result

    assert "`nextlabel tokens create NAME" in run("list").stdout, "where there is none it says how to make one"
    made = json.loads(run("create", "grafana", "--scope", "metrics", "--json").stdout)
    known = team.parts.tokens.check(made["token"])
    assert known is not None and known.scopes == {"metrics"}
    assert [one["name"] for one in json.loads(run("list", "--json").stdout)] == ["grafana"]
    run("revoke", "grafana")
    assert team.parts.tokens.check(made["token"]) is None


def test_where_something_else_answers_the_client_says_so() -> None:
    for answer in (httpx.Response(200, text="<html>"), httpx.Response(502, text="bad gateway")):
        client = Client("http://x", "t", transport=httpx.MockTransport(lambda _, answer=answer: answer))
        with pytest.raises(Unreachable, match="Something else than nextlabel answers at http://x/api/v1"):
            client.running()


# --- whatever may be sent ----------------------------------------------------------------------------------


def fuzz(team: Team, examples: int) -> int:
    """Ask everything that the document allows, and what it does not; returns how many requests there were."""
    app = app_of(team.parts)
    team.parts.versions.models.load(team.project, ModelVersion("nextlabel-2"))
    token = team.parts.tokens.create("fuzz", ["read", "write"])
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    checks = CHECKS.get_by_names(["not_a_server_error", "status_code_conformance", "response_schema_conformance"])
    checks += CHECKS.get_by_names(["content_type_conformance"])
    bounded = hypothesis.settings(
        deadline=None, database=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
    )
    asked = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @hypothesis.settings(bounded, max_examples=examples)
        @hypothesis.given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            if "project" in case.path_parameters and asked % 2:
                case.path_parameters["project"] = str(team.project)
            answer = case.call(headers={"Authorization": f"Bearer {token}"})
            assert "Traceback" not in answer.text
            case.validate_response(answer, checks=checks)

        ask()
    return asked


@pytest.mark.parametrize("examples", [3, pytest.param(300, marks=pytest.mark.everything)])
def test_whatever_is_sent_is_answered_as_the_document_says(examples: int, taught: Team) -> None:
    assert fuzz(taught, examples) >= 10 * examples / 2
