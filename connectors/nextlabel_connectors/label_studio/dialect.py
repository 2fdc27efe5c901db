"""What Label Studio sends to nextlabel, and what it reads in our answers. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import orjson

from nextlabel.errors import PayloadError, SchemaError
from nextlabel.labeling import Prediction, QueueVersion, Task, ToolProjectId
from nextlabel.ports.requests import (
    LabelEvent,
    PredictRequest,
    SetupRequest,
    WebhookRequest,
    check_number_of_tasks,
    is_same_secret,
)
from nextlabel_connectors.label_studio.label_config import LabelConfig, parse_label_config
from nextlabel_connectors.label_studio.payloads import (
    NO_DATA,
    JsonObject,
    as_list,
    as_object,
    as_text,
    identifier,
    read_task,
)
from nextlabel_connectors.label_studio.writing import Writer

UNCERTAINTY_SAMPLING = "Uncertainty sampling"
# An underscore in a header's name is lost on the way through some proxies and servers.
WEBHOOK_SECRET_HEADER = "x-nextlabel-secret"  # noqa: S105

_Kind = Literal["labels", "tasks", "project", "train"]
_KINDS: Mapping[str, _Kind] = {
    "ANNOTATION_CREATED": "labels",
    "ANNOTATION_UPDATED": "labels",
    "ANNOTATIONS_CREATED": "labels",
    "ANNOTATIONS_DELETED": "labels",
    "TASKS_CREATED": "tasks",
    "TASKS_DELETED": "tasks",
    "PROJECT_UPDATED": "project",
    "START_TRAINING": "train",
}
# The events that `nextlabel connect` asks for; START_TRAINING comes to the ML backend without being asked for.
WEBHOOK_ACTIONS = tuple(sorted(_KINDS.keys() - {"START_TRAINING"}))

_CACHED_CONFIGS, _CACHED_CHARACTERS = 64, 2_000_000


class LabelStudioDialect:
    """Label Studio's webhooks and ML-backend requests.

    Readers raise `PayloadError` on a malformed body; `read_setup` and `read_predict` also `SchemaError` on a
    labeling config that cannot be read.
    """

    def __init__(self) -> None:
        self._configs: dict[str, LabelConfig] = {}

    def is_genuine(self, request: WebhookRequest, secret: str) -> bool:
        return is_same_secret(request.headers.get(WEBHOOK_SECRET_HEADER, ""), secret)

    def read_event(self, request: WebhookRequest) -> LabelEvent | None:
        payload = _parse(request.body)
        kind = _KINDS.get(as_text(payload.get("action"), "action"))
        if kind is None:
            return None
        raw = as_object(payload.get("project"), "project (is 'send payload' on for this webhook?)")
        project = ToolProjectId(identifier(raw.get("id"), "project's id"))
        if kind == "project":
            return LabelEvent(project, kind, _queue_version(raw), self._digests(raw))
        return LabelEvent(project, kind)

    def read_setup(self, body: bytes) -> SetupRequest:
        payload = _parse(body)
        config = self._config(as_text(payload.get("schema"), "schema"))
        return SetupRequest(_project(payload), config.schema, _options(payload.get("extra_params")))

    def read_predict(self, body: bytes) -> PredictRequest:
        payload = _parse(body)
        tasks = as_list(payload.get("tasks"), "tasks")
        check_number_of_tasks(len(tasks), body)
        params = as_object(payload.get("params") or {}, "params")
        context = params.get("context")
        return PredictRequest(
            _project(payload),
            tuple(_task_or_none(raw) for raw in tasks),
            self._config(as_text(payload.get("label_config"), "label_config")).schema,
            None if context is None else as_object(context, "params' context"),
        )

    def write_predictions(
        self, request: PredictRequest, predictions: Sequence[Prediction | None], version: QueueVersion
    ) -> list[dict[str, object]]:
        writer = Writer(self._config(request.schema.source))
        missing = [None] * (len(request.tasks) - len(predictions))
        given = [*predictions, *missing][: len(request.tasks)]
        data = [NO_DATA if task is None else task.data for task in request.tasks]
        return [writer.answer(one, version, held) for one, held in zip(given, data, strict=True)]

    def _config(self, xml: str) -> LabelConfig:
        """Parsed once for each config, as long as it is among the last few seen, and they are not too large."""
        config = self._configs.get(xml)
        if config is None:
            config = parse_label_config(xml)
            while self._configs and not self._has_room(xml):
                self._configs.pop(next(iter(self._configs), ""), None)
            self._configs[xml] = config
        return config

    def _has_room(self, xml: str) -> bool:
        known = list(self._configs)
        return len(known) < _CACHED_CONFIGS and sum(map(len, known)) + len(xml) <= _CACHED_CHARACTERS

    def _digests(self, project: JsonObject) -> frozenset[str]:
        try:
            schema = self._config(as_text(project.get("label_config"), "label_config")).schema
        except SchemaError:
            return frozenset()
        return frozenset((schema.digest, schema.source_digest))


def _parse(body: bytes) -> JsonObject:
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PayloadError(f"The body is not JSON: {error}.") from error
    return as_object(payload, "body")


def _project(payload: JsonObject) -> ToolProjectId:
    """Label Studio names a project ``<id>.<created at>`` to its ML backends."""
    number = as_text(payload.get("project"), "project").split(".", 1)[0]
    if not (number.isascii() and number.isdigit() and len(number) < 20):
        raise PayloadError("The project must be '<id>.<created at>', with a number for the id.")
    return ToolProjectId(identifier(int(number), "project's id"))


def _options(raw: object) -> Mapping[str, object] | None:
    """The ML backend's extra params: an object, the same as text, or nothing at all."""
    if isinstance(raw, str) and raw.strip():
        try:
            raw = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise PayloadError(f"The extra_params are not JSON: {error}.") from error
    if raw is None or raw == "":
        return None
    if isinstance(raw, str) and not raw.strip():
        return None
    return as_object(raw, "extra_params")


def _task_or_none(raw: object) -> Task | None:
    try:
        return read_task(raw, whole=True)
    except PayloadError:
        return None


def _queue_version(project: JsonObject) -> QueueVersion | None:
    version = as_text(project.get("model_version") or "", "model_version")
    return QueueVersion(version) if version and project.get("sampling") == UNCERTAINTY_SAMPLING else None
