"""Label Studio's ML-backend protocol: /health, /setup, /predict, /webhook, /versions, /job_status."""

from __future__ import annotations

import orjson
from flask import Blueprint, Response, jsonify, request

from nextlabel.errors import PayloadError
from nextlabel.ports.requests import WebhookRequest
from nextlabel.service.answering import Service
from nextlabel.web.authentication import Authentication

_LONGEST_ID = 200


def routes(service: Service, authentication: Authentication) -> Blueprint:
    """The routes that a labeling tool calls."""
    blueprint = Blueprint("ml_backend", __name__)
    dialect = service.dialect

    @blueprint.get("/")
    @blueprint.get("/health")
    def health() -> tuple[Response, int]:
        if alarm := service.alarm():
            return jsonify(status="DOWN", error=alarm), 503
        return jsonify(status="UP", model_class="nextlabel"), 200

    @blueprint.post("/setup")
    def setup() -> Response:
        authentication.require_basic()
        return jsonify(model_version=service.setup(dialect.read_setup(request.get_data())))

    @blueprint.post("/predict")
    def predict() -> Response:
        authentication.require_basic()
        asked = dialect.read_predict(request.get_data())
        version, predictions = service.predict(asked)
        return jsonify(results=dialect.write_predictions(asked, predictions, version))

    @blueprint.post("/webhook")
    def webhook() -> tuple[Response, int]:
        authentication.require_webhook(dialect.webhook_secret_header)
        headers = {name.lower(): value for name, value in request.headers.items()}
        event = dialect.read_event(WebhookRequest(request.get_data(), headers))
        job = service.event(event) if event is not None else None
        return (jsonify(job=job), 201) if job else (jsonify(status="ignored"), 200)

    @blueprint.get("/versions")
    def versions() -> Response:
        authentication.require_basic()
        return jsonify(versions=service.versions())

    @blueprint.post("/job_status")
    def job_status() -> tuple[Response, int]:
        authentication.require_basic()
        status = service.job_status(_job(request.get_data()))
        # Label Studio reads 410 as "gone": it stops asking.
        code = 410 if status.state == "unknown" else 200
        return jsonify(job=status.job, job_status=status.state, detail=status.detail), code

    return blueprint


def _job(body: bytes) -> str:
    try:
        job = orjson.loads(body)["job"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        job = None
    if not isinstance(job, str) or not 0 < len(job) <= _LONGEST_ID:
        raise PayloadError('Send {"job": "<id>"}, with the id that START_TRAINING was answered with.')
    return job
