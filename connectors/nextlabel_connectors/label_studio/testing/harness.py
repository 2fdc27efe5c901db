"""Label Studio's people for the connector contract."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Self

import orjson

from nextlabel.labeling import AnnotationId, QueueVersion, TaskId, ToolProjectId
from nextlabel.ports.requests import WebhookRequest, Webhooks
from nextlabel.ports.tool import Callback, Connector, Scores, ToolAccess
from nextlabel.testing import Annotator, Served
from nextlabel.testing.servers import free_port
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.label_studio import CONNECTOR
from nextlabel_connectors.label_studio.dialect import LabelStudioDialect
from nextlabel_connectors.label_studio.testing.people import chosen, labels_in, single_choice
from nextlabel_connectors.label_studio.testing.server import LabelStudioServer

_MALFORMED: tuple[dict[str, object], ...] = (
    {},
    {"action": "ANNOTATION_CREATED"},
    {"action": 7, "project": {"id": 1}},
    {"project": {"id": 1}},
    {"action": "ANNOTATION_CREATED", "project": None},
    {"action": "ANNOTATION_CREATED", "project": {}},
    {"action": "ANNOTATIONS_DELETED", "project": {"id": ["1"]}},
    {"action": "START_TRAINING", "project": {"id": True}},
)


class LabelStudioHarness:
    """The people of a running `LabelStudioServer`; opens the connector with the owner's access given."""

    webhooks: Webhooks = LabelStudioDialect()

    def __init__(self, server: LabelStudioServer, access: ToolAccess) -> None:
        self._server = server
        self._access = access
        self._people = {name: server.sign_up(f"{name}-{time.time_ns()}@example.org") for name in ("ann", "ben")}
        self._titles = count(1)
        self._fields: dict[ToolProjectId, str] = {}
        self._listener = _Listener()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def create_project(self, labels: Sequence[str], field: str) -> ToolProjectId:
        title = f"contract {next(self._titles)}"
        project = ToolProjectId(str(self._server.owner.create_project(title, single_choice(labels, field))))
        self._fields[project] = field
        return project

    def add_tasks(self, project: ToolProjectId, texts: Sequence[str]) -> Sequence[TaskId]:
        ids = self._server.owner.import_tasks(int(project), [{self._fields[project]: text} for text in texts])
        return [TaskId(str(task)) for task in ids]

    def delete_task(self, project: ToolProjectId, task: TaskId) -> None:
        self._server.owner.delete_task(int(task))

    def spoil(self, project: ToolProjectId, task: TaskId) -> None:
        self._server.store_data(int(task), "damaged")

    def mend(self, project: ToolProjectId, task: TaskId) -> None:
        self._server.store_data(int(task), {self._fields[project]: "mended"})

    def next_task(self, project: ToolProjectId, by: Annotator) -> Served | None:
        task = self._people[by].next_task(int(project))
        if task is None:
            return None
        shown = [label for prediction in task["predictions"] for label in labels_in(prediction["result"])]
        return Served(TaskId(str(task["id"])), tuple(shown))

    def submit(self, project: ToolProjectId, task: TaskId, label: str, by: Annotator) -> AnnotationId:
        return AnnotationId(str(self._people[by].submit(int(task), label)))

    def skip(self, project: ToolProjectId, task: TaskId, by: Annotator) -> None:
        self._people[by].skip(int(task))

    def change(self, project: ToolProjectId, annotation: AnnotationId, label: str) -> None:
        self._people["ann"].change(int(annotation), label)

    def withdraw(self, project: ToolProjectId, annotation: AnnotationId) -> None:
        self._server.owner.withdraw(int(annotation))

    def let_a_day_pass(self, project: ToolProjectId) -> None:
        self._server.let_a_day_pass(int(project))

    def choose_another_order(self, project: ToolProjectId) -> None:
        self._server.owner.change_project(int(project), sampling="Sequential sampling")

    def import_predictions(self, project: ToolProjectId, version: QueueVersion, tasks: Sequence[TaskId]) -> None:
        numbers = [int(task) for task in tasks]
        self._server.owner.import_predictions(int(project), version, dict.fromkeys(numbers, 0.3))

    def make_tab(self, project: ToolProjectId, title: str, tasks: Sequence[TaskId]) -> None:
        self._server.owner.make_tab(int(project), title, [int(task) for task in tasks])

    def tabs(self, project: ToolProjectId) -> Mapping[str, frozenset[TaskId]]:
        owner, number = self._server.owner, int(project)
        shown = {tab["data"]["title"]: owner.tasks_in(tab["id"], number) for tab in owner.tabs(number)}
        return {title: frozenset(TaskId(str(task)) for task in tasks) for title, tasks in shown.items()}

    def import_scores(self, project: ToolProjectId, version: QueueVersion, scores: Sequence[Scores]) -> None:
        self._server.owner.import_scores(int(project), version, scores, chosen("spam")[0])

    def delete_predictions(self, project: ToolProjectId, tasks: Sequence[TaskId]) -> None:
        self._server.owner.delete_predictions(int(project), [int(task) for task in tasks])

    def disconnect(self, project: ToolProjectId) -> None:
        self._server.owner.remove_ml_backends(int(project))
        self._server.owner.remove_webhooks(int(project))

    def rename(self, project: ToolProjectId, title: str) -> None:
        self._server.owner.change_project(int(project), title=title)

    def delete_project(self, project: ToolProjectId) -> None:
        self._server.owner.delete_project(int(project))

    def calls(self, project: ToolProjectId) -> Sequence[str]:
        owner = self._server.owner
        return [one["url"] for one in (*owner.webhooks(int(project)), *owner.ml_backends(int(project)))]

    def predictions_held(self, project: ToolProjectId) -> Mapping[QueueVersion, int]:
        held = self._server.owner.predictions_held(int(project))
        return {QueueVersion(version): number for version, number in held.items()}

    def callback(self) -> Callback:
        return Callback(self._listener.url, "nextlabel", "callback-password", "webhook-secret")

    def dead_callback(self) -> Callback:
        return replace(self.callback(), url=f"http://127.0.0.1:{free_port()}")

    def arrivals(self, act: Callable[[], object]) -> Sequence[WebhookRequest]:
        return self._listener.during(act)

    def malformed_events(self) -> Sequence[WebhookRequest]:
        return [WebhookRequest(orjson.dumps(body), {"content-type": "application/json"}) for body in _MALFORMED]

    def connector(self, project: ToolProjectId) -> Connector:
        return CONNECTOR.open(self._access, project)

    def stranger(self, project: ToolProjectId) -> Connector:
        """The last third of the token is replaced: the signature, where it has one."""
        token = self._access.token
        keep = len(token) * 2 // 3
        return CONNECTOR.open(ToolAccess(self._access.url, token[:keep] + "0" * (len(token) - keep)), project)

    def unknown_project(self) -> ToolProjectId:
        return ToolProjectId("999999")

    def take_down(self) -> None:
        self._server.stop()

    def bring_up(self) -> None:
        self._server.start()


class _Listener:
    """Answers Label Studio as a healthy ML backend would, and keeps the webhooks."""

    def __init__(self) -> None:
        webhooks: list[WebhookRequest] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({"status": "UP"})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.path.rstrip("/").endswith("/webhook"):
                    webhooks.append(WebhookRequest(body, {k.lower(): v for k, v in self.headers.items()}))
                self._answer({"model_version": "none yet"})

            def _answer(self, content: dict[str, str]) -> None:
                body = orjson.dumps(content)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's word)
                """Requests carry secrets: nothing is logged."""

        self._webhooks = webhooks
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def during(self, act: Callable[[], object]) -> list[WebhookRequest]:
        self._webhooks.clear()
        act()
        deadline = time.monotonic() + CEILING_SECONDS
        while not self._webhooks and time.monotonic() < deadline:
            time.sleep(0.01)
        return list(self._webhooks)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
