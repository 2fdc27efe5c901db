"""Label Studio's ML-backend protocol: /health, /setup, /predict, /webhook, /versions, /job_status."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from flask import Blueprint, Response, current_app, g, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from nextlabel.errors import PayloadError
from nextlabel.ports.requests import MLBackend, WebhookRequest, Webhooks
from nextlabel.service.answering import Caller, Service
from nextlabel.web.authentication import Authentication, Unauthenticated, tools
from nextlabel.web.errors import is_browser

_LONGEST_ID = 200


def routes(service: Service, authentication: Authentication, name: str) -> Blueprint:
    """The routes that a labeling tool calls; a ``tool`` in their address is the one whose credentials they need."""
    blueprint = Blueprint(name, __name__)

    @blueprint.url_value_preprocessor
    def note_tool(_: str | None, values: dict[str, object] | None) -> None:
        g.tool = (values or {}).pop("tool", None)

    @blueprint.get("/")
    @blueprint.get("/health")
    def health() -> tuple[Response, int] | AnyResponse:
        return _pages_for_people() or _health(service.alarm())

    @blueprint.post("/setup")
    def setup() -> Response:
        callers, words = _ml_backend(authentication)
        return jsonify(model_version=service.setup(tools(callers), words.read_setup(request.get_data())))

    @blueprint.post("/predict")
    def predict() -> Response:
        callers, words = _ml_backend(authentication)
        asked = words.read_predict(request.get_data())
        version, predictions = service.predict(tools(callers), asked)
        return jsonify(results=words.write_predictions(asked, predictions, version))

    @blueprint.post("/webhook")
    def webhook() -> tuple[Response, int]:
        sent = _Sent()
        callers = authentication.require_webhook(sent)
        event = _webhooks(callers).read_event(sent)
        job = service.event(tools(callers), event) if event is not None else None
        return (jsonify(job=job), 201) if job else (jsonify(status="ignored"), 200)

    @blueprint.get("/versions")
    def versions() -> Response:
        return jsonify(versions=service.versions(tools(authentication.require_basic())))

    @blueprint.post("/job_status")
    def job_status() -> tuple[Response, int]:
        authentication.require_basic()
        status = service.job_status(_job(request.get_data()))
        # Label Studio reads 410 as "gone": it stops asking.
        code = 410 if status.state == "unknown" else 200
        return jsonify(job=status.job, job_status=status.state, detail=status.detail), code

    return blueprint


def _pages_for_people() -> AnyResponse | None:
    """Tools ask the root whether nextlabel is well; a browser, which names HTML among what it takes and shows no
    credentials there, is led to the pages."""
    if is_browser() and request.path == "/" and "pages.projects" in current_app.view_functions:
        return redirect(url_for("pages.projects"))
    return None


def _health(alarm: str) -> tuple[Response, int]:
    if alarm:
        return jsonify(status="DOWN", error=alarm), 503
    return jsonify(status="UP", model_class="nextlabel"), 200


def _ml_backend(authentication: Authentication) -> tuple[Sequence[Caller], MLBackend]:
    """Who asks, and how they word it. Those that share their credentials are of one kind."""
    callers = [one for one in authentication.require_basic() if one.type.ml_backend]
    words = callers[0].type.ml_backend if callers else None
    if words is None:
        raise Unauthenticated("These are the credentials of a tool that needs no ML backend.")
    return callers, words


def _webhooks(callers: Sequence[Caller]) -> Webhooks:
    words = next((one.type.webhooks for one in callers if one.type.webhooks), None)
    if words is None:
        raise Unauthenticated("These are the credentials of a tool that sends no webhooks.")
    return words


class _Sent(WebhookRequest):
    """The request that is being answered. Its body is read when it is first asked for: a stranger's never is."""

    __slots__ = ()

    def __init__(self) -> None:
        object.__setattr__(self, "headers", {name.lower(): value for name, value in request.headers.items()})

    @property
    def body(self) -> bytes:
        return request.get_data()


def _job(body: bytes) -> str:
    try:
        job = orjson.loads(body)["job"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        job = None
    if not isinstance(job, str) or not 0 < len(job) <= _LONGEST_ID:
        raise PayloadError('Send {"job": "<id>"}, with the id that START_TRAINING was answered with.')
    return job
