"""Where reading begins again, and what is made of answers that make no sense."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nextlabel.errors import ProjectGone, SchemaError, ToolRejected, ToolUnavailable
from nextlabel.labeling import Cursor, TaskId, ToolProjectId
from nextlabel.ports.tool import ConnectorType, ToolAccess
from nextlabel_connectors.label_studio import CONNECTOR
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.connector import LabelStudioConnector

PROJECT = ToolProjectId("1")
SETTINGS: dict[str, Any] = {
    "label_config": '<View><Text name="text" value="$text"/>'
    '<Choices name="kind" toName="text"><Choice value="spam"/><Choice value="ham"/></Choices></View>',
    "maximum_annotations": 1,
    "task_number": 1,
}
TASK: dict[str, Any] = {
    "id": 5,
    "data": {"text": "hi"},
    "is_labeled": False,
    "annotations": [],
    "updated_at": "2026-11-22T06:00:00Z",
}
READ_AT = "Sun, 22 Nov 2026 07:00:00 GMT"


class Server:
    """A project with one task; keeps the filters that it was asked with."""

    def __init__(self, task: dict[str, Any] = TASK, **settings: object) -> None:
        self.settings = SETTINGS | settings
        self.task = task
        self.queries: list[str] = []

    def connector(self, project: ToolProjectId) -> LabelStudioConnector:
        client = LabelStudioClient(ToolAccess("http://ls", "x"), transport=httpx.MockTransport(self._answer))
        return LabelStudioConnector(client, project)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/tasks":
            self.queries.append(request.url.params["query"])
            return httpx.Response(200, json={"tasks": [self.task]})
        return httpx.Response(200, json=self.settings, headers={"date": READ_AT})


def read(server: Server, since: str | None) -> Cursor:
    (page,) = server.connector(PROJECT).changed_tasks(Cursor(since) if since is not None else None)
    return page.cursor


def test_reading_goes_on_from_the_cursor() -> None:
    server = Server()
    cursor = read(server, None)
    read(server, cursor)
    assert "updated_at" not in server.queries[0].replace("tasks:updated_at", "", 1)
    assert '"greater_or_equal","type":"Datetime","value":"2026-11-22T06:00:00.000000Z"' in server.queries[1]


def test_changes_that_may_still_be_on_their_way_are_told_again() -> None:
    server = Server(TASK | {"updated_at": "2026-11-22T06:59:59Z"})
    assert "2026-11-22T06:59:45.000000Z" in read(server, None)


@pytest.mark.parametrize(
    "change",
    [
        {"maximum_annotations": 2},
        {"overlap_cohort_percentage": 50},
        {"skip_queue": "IGNORE_SKIPPED"},
        {"label_config": SETTINGS["label_config"].replace("ham", "eggs")},
    ],
)
def test_everything_is_read_again_when_a_setting_opens_closes_or_renames_without_touching_tasks(
    change: dict[str, Any],
) -> None:
    cursor = read(Server(), None)
    server = Server(**change)
    read(server, cursor)
    assert "greater_or_equal" not in server.queries[0]


@pytest.mark.parametrize(
    ("skip_queue", "closed"), [("REQUEUE_FOR_OTHERS", False), ("REQUEUE_FOR_ME", True), (None, False)]
)
def test_a_skipped_task_is_closed_where_label_studio_gives_it_to_nobody_else(
    skip_queue: str | None, closed: bool
) -> None:
    skipped = {"id": 7, "result": [], "was_cancelled": True, "updated_at": TASK["updated_at"], "completed_by": 3}
    server = Server(TASK | {"annotations": [skipped]}, skip_queue=skip_queue)
    (page,) = server.connector(PROJECT).changed_tasks(None)
    assert [one.closed for one in page.tasks] == [closed]
    assert [one.by for one in page.tasks[0].annotations] == ["3"]


@pytest.mark.parametrize("cursor", ["", "nonsense", "{}", "[]", "null", '{"at":5,"reading":"x"}', '{"at":"2026"}'])
def test_a_cursor_that_cannot_be_read_means_from_the_start(cursor: str) -> None:
    server = Server()
    read(server, cursor)
    assert "greater_or_equal" not in server.queries[0]


def test_tasks_are_listed_only_where_their_number_differs() -> None:
    server = Server()
    assert server.connector(PROJECT).vanished_tasks({TaskId("5")}) == ()
    assert server.queries == []
    assert server.connector(PROJECT).vanished_tasks({TaskId("5"), TaskId("6")}) == {"6"}


def test_a_config_that_cannot_be_read_is_a_schema_error() -> None:
    with pytest.raises(SchemaError):
        Server(label_config="<View").connector(PROJECT).label_schema()


@pytest.mark.parametrize("task", [{"id": "x"}, TASK | {"id": "x"}, TASK | {"updated_at": None}, {}])
def test_an_answer_that_makes_no_sense_is_a_tool_that_is_not_well(task: dict[str, Any]) -> None:
    with pytest.raises(ToolUnavailable, match="does not understand"):
        read(Server(task), None)


LABEL_STUDIO_404 = {"status_code": 404, "version": "1.23.2", "detail": "No Project matches the given query."}
GATEWAY_404 = {"message": "no Route matched with those values"}
OWN_VERSION = httpx.Response(200, json={"release": "1.23.2"})


@pytest.mark.parametrize(
    ("project", "version", "error"),
    [
        (httpx.Response(404, json=LABEL_STUDIO_404), OWN_VERSION, ProjectGone),
        (httpx.Response(404, json=LABEL_STUDIO_404), httpx.Response(404, json=LABEL_STUDIO_404), ToolRejected),
        (httpx.Response(404, json=LABEL_STUDIO_404), httpx.Response(502), ToolUnavailable),
        (httpx.Response(404, json=GATEWAY_404), OWN_VERSION, ToolRejected),
        (httpx.Response(404, html="<h1>Not Found</h1>"), OWN_VERSION, ToolUnavailable),
        (httpx.Response(403, json={**LABEL_STUDIO_404, "status_code": 403}), OWN_VERSION, ToolRejected),
    ],
    ids=[
        "Label Studio's own word",
        "all of it answers 404",
        "it is starting",
        "a gateway",
        "a web server",
        "forbidden",
    ],
)
@pytest.mark.parametrize("call", ["label_schema", "predictions_held"])
def test_a_project_is_gone_only_where_label_studio_itself_says_so_and_answers_otherwise(
    project: httpx.Response, version: httpx.Response, error: type[Exception], call: str
) -> None:
    transport = httpx.MockTransport(lambda asked: version if asked.url.path == "/api/version" else project)
    connector = LabelStudioConnector(LabelStudioClient(ToolAccess("http://ls", "x"), transport=transport), PROJECT)
    with pytest.raises((ToolRejected, ToolUnavailable)) as caught:
        getattr(connector, call)()
    assert isinstance(caught.value, error)
    assert isinstance(caught.value, ProjectGone) is (error is ProjectGone)


GOOD = {"id": 3, "updated_at": "2026-11-22T06:00:00Z", "result": []}


@pytest.mark.parametrize(
    ("annotations", "read_ids", "name"),
    [
        ([GOOD, GOOD | {"id": 4, "result": {"a": 1}}], ["3"], "annotation 4 of task 5"),
        ([GOOD | {"updated_at": "yesterday"}], [], "annotation 3 of task 5"),
        ([GOOD, GOOD | {"id": None}], ["3"], "annotation without an id of task 5"),
        (["nonsense", GOOD], ["3"], "annotation without an id of task 5"),
    ],
)
def test_an_annotation_that_cannot_be_read_is_set_aside_and_its_task_told_with_the_others(
    annotations: list[Any], read_ids: list[str], name: str
) -> None:
    (page,) = Server(TASK | {"annotations": annotations}).connector(PROJECT).changed_tasks(None)
    assert [[one.id for one in seen.annotations] for seen in page.tasks] == [read_ids]
    assert [one.name for one in page.unreadable] == [name]


def test_a_project_that_is_no_number_is_rejected_without_asking() -> None:
    with pytest.raises(ToolRejected, match="numbers"):
        Server().connector(ToolProjectId("../users")).label_schema()


def test_the_entry_point_is_a_connector_type_and_opening_makes_no_request() -> None:
    assert isinstance(CONNECTOR, ConnectorType)
    assert CONNECTOR.open(ToolAccess("http://localhost:1", "x"), PROJECT)
