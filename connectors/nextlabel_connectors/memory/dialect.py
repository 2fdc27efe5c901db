"""How the in-memory tool words what it sends: flat JSON, in nextlabel's own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from nextlabel.errors import PayloadError
from nextlabel.labeling import Input, LabelSchema, Prediction, QueueVersion, Target, Task, TaskId, ToolProjectId
from nextlabel.ports.requests import (
    LabelEvent,
    PredictRequest,
    SetupRequest,
    WebhookRequest,
    check_number_of_tasks,
    is_same_secret,
)

SECRET_HEADER = "x-nextlabel-secret"  # noqa: S105 (the header's name)


class JsonDialect:
    """How the in-memory tool words what it sends: flat JSON, in nextlabel's own words."""

    def is_genuine(self, request: WebhookRequest, secret: str) -> bool:
        return is_same_secret(request.headers.get(SECRET_HEADER, ""), secret)

    def read_event(self, request: WebhookRequest) -> LabelEvent | None:
        message = _message(request.body, "event", "project")
        project, kind = ToolProjectId(str(message["project"])), message["event"]
        if kind == "project":
            version, digests = message.get("queue_version"), message.get("schema")
            found = frozenset(map(str, digests)) if isinstance(digests, list) else frozenset()
            return LabelEvent(project, "project", QueueVersion(str(version)) if version else None, found)
        return LabelEvent(project, kind) if kind in ("labels", "tasks", "train") else None

    def read_setup(self, body: bytes) -> SetupRequest:
        message = _message(body, "project", "schema")
        options = message.get("options")
        if options is not None and not isinstance(options, dict):
            raise PayloadError("'options' must be an object.")
        return SetupRequest(ToolProjectId(str(message["project"])), _schema(message["schema"]), options)

    def read_predict(self, body: bytes) -> PredictRequest:
        message = _message(body, "project", "schema", "tasks")
        if not isinstance(message["tasks"], list):
            raise PayloadError("'tasks' must be a list.")
        check_number_of_tasks(len(message["tasks"]), body)
        return PredictRequest(
            ToolProjectId(str(message["project"])),
            tuple(_task(task) for task in message["tasks"]),
            _schema(message["schema"]),
        )

    def write_predictions(
        self, request: PredictRequest, predictions: Sequence[Prediction | None], version: QueueVersion
    ) -> list[dict[str, object]]:
        given = [*predictions, *[None] * len(request.tasks)][: len(request.tasks)]
        return [
            {
                "labels": {guess.target: guess.label for guess in prediction.guesses} if prediction else {},
                "confidence": {guess.target: guess.confidence for guess in prediction.guesses} if prediction else {},
                "utility": prediction.utility if prediction else 0.0,
                "version": version,
            }
            for prediction in given
        ]


def _message(body: bytes, *wanted: str) -> dict[str, Any]:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PayloadError(f"Not JSON: {error}.") from error
    if not isinstance(message, dict):
        raise PayloadError("Not a JSON object.")
    for name in wanted:
        if not message.get(name):
            raise PayloadError(f"'{name}' is missing.")
    return message


def _schema(source: Any) -> LabelSchema:
    """From ``{target: {"inputs": [...], "labels": [...]}}``."""
    try:
        return LabelSchema(
            tuple(
                Target(name, "choice", tuple(map(Input, it["inputs"])), tuple(it["labels"]))
                for name, it in source.items()
            )
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise PayloadError("'schema' must map each target to its 'inputs' and 'labels'.") from error


def _task(source: object) -> Task | None:
    if isinstance(source, dict) and source.get("id") and isinstance(source.get("data"), dict):
        return Task(TaskId(str(source["id"])), source["data"])
    return None
