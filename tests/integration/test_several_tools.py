"""Several tools at once: each reaches its own projects, whatever they are called, and nothing of another's."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pytest
from flask.testing import FlaskClient

from integration.conftest import Team
from nextlabel.errors import SettingsError
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import Connection, Tool
from nextlabel.service.which_project import Typed
from nextlabel.web import authentication, create_app
from nextlabel.wiring import Parts
from nextlabel_connectors.memory import MemoryTool
from nextlabel_connectors.memory.dialect import SECRET_HEADER

SCHEMA = {"label": {"inputs": ["text"], "labels": ["ham", "spam"]}}
TASKS = [{"id": "t1", "data": {"text": "win a prize"}}]


@dataclass(frozen=True)
class Two:
    """Two tools with a project of one name; only the second one's has a model."""

    client: FlaskClient
    parts: Parts
    first: Connection
    second: Connection

    def call(self, path: str, body: object, by: Connection) -> tuple[int, dict[str, object]]:
        known = self.parts.connections.credentials_of(by.tool.name)
        answer = self.client.post(path, data=orjson.dumps(body), auth=(known.user, known.password))
        return answer.status_code, answer.get_json()


@pytest.fixture
def two(team: Team, monkeypatch: pytest.MonkeyPatch) -> Two:
    monkeypatch.setattr(authentication, "_READ_AGAIN_SECONDS", 0)
    second = team.parts.connections.get(team.project)
    first = Connection(
        ProjectId("another"), Tool("memory-2", "memory", MemoryTool().access), second.at_tool, second.options
    )
    team.parts.connections.save(first)
    team.import_mails(20)
    team.run()
    team.work(8)
    team.run()
    return Two(create_app(team.parts.service).test_client(), team.parts, first, second)


def test_a_request_is_about_the_project_of_the_tool_whose_credentials_it_carries(two: Two) -> None:
    sent = {"project": two.first.at_tool, "schema": SCHEMA, "tasks": TASKS}
    versions = {}
    for one in (two.first, two.second):
        status, answer = two.call("/setup", sent, one)
        assert status == 200
        _, predicted = two.call("/predict", sent, one)
        versions[one.tool.name] = (answer["model_version"], predicted["results"][0]["version"])  # type: ignore[index]
    assert versions == {"memory-2": ("nextlabel-untrained",) * 2, "memory": ("nextlabel-2",) * 2}


def test_a_webhook_marks_the_project_of_the_tool_whose_secret_it_carries(two: Two) -> None:
    body = orjson.dumps({"event": "labels", "project": two.first.at_tool})
    for one in (two.first, two.second):
        before = set(two.parts.redis.zrange("nextlabel:due", 0, -1))
        secret = two.parts.connections.credentials_of(one.tool.name).webhook_secret
        assert two.client.post("/webhook", data=body, headers={SECRET_HEADER: secret}).status_code == 201
        assert set(two.parts.redis.zrange("nextlabel:due", 0, -1)) - before == {one.project.encode()}


def test_one_tools_credentials_open_nothing_of_another_tool(two: Two) -> None:
    path, sent = f"/api/projects/{two.second.project}/uncertainty", {"tasks": TASKS}
    assert [two.call(path, sent, by)[0] for by in (two.first, two.second)] == [404, 200]
    known = two.parts.connections.credentials_of("memory-2")
    versions = two.client.get("/versions", auth=(known.user, known.password)).get_json()["versions"]
    assert versions == ["nextlabel-untrained"]
    asked = {"project": two.first.at_tool, "schema": SCHEMA}
    answers = {by.tool.name: two.call("/tools/memory/setup", asked, by)[0] for by in (two.first, two.second)}
    assert answers == {"memory-2": 401, "memory": 200}


def test_a_tool_that_is_connected_while_the_backend_runs_is_known_at_once(two: Two) -> None:
    third = Connection(ProjectId("third"), Tool("memory-3", "memory", two.first.tool.access), two.first.at_tool)
    asked = {"project": third.at_tool, "schema": SCHEMA}
    assert two.call("/setup", asked, two.first)[0] == 200
    two.parts.connections.save(third)
    assert two.call("/tools/memory-3/setup", asked, third)[0] == 200


@pytest.mark.parametrize("project", ["memory-3:1", "nosuch:1"])
def test_a_tool_that_there_is_not_is_named_with_those_that_there_are(two: Two, project: str) -> None:
    with pytest.raises(SettingsError, match=rf"no tool '{project[:-2]}': .+ memory, memory-2"):
        two.parts.which_project.of(Typed(project))
