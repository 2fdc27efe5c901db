"""The web application: reads a request, calls the service once, answers. `create_app` is the way in."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass

import orjson
from flask import Flask, Response, g, jsonify, request
from flask.json.provider import JSONProvider

from nextlabel.service import traces
from nextlabel.service.answering import Service
from nextlabel.service.figures import Figures
from nextlabel.service.overview import Overview
from nextlabel.service.tokens import Tokens
from nextlabel.service.versions import Versions
from nextlabel.web import api, documentation, errors, metrics, ml_backend, v1
from nextlabel.web.authentication import Authentication
from nextlabel.web.pages import Pages

log = logging.getLogger("nextlabel.web")


class OrjsonProvider(JSONProvider):
    """JSON by orjson, which also takes numpy's numbers; what it does not take by the standard library."""

    def dumps(self, obj: object, **kwargs: object) -> str:
        try:
            return orjson.dumps(obj, option=orjson.OPT_SERIALIZE_NUMPY).decode()
        except orjson.JSONEncodeError:  # half a surrogate pair, which a span of a task's text may hold
            return json.dumps(obj)

    def loads(self, s: str | bytes, **kwargs: object) -> object:
        return orjson.loads(s)


@dataclass(frozen=True, slots=True)
class Operations:
    """What whoever runs an installation asks for: its figures, its projects and their versions, with tokens."""

    figures: Figures
    overview: Overview
    versions: Versions
    tokens: Tokens
    metrics_open: bool = False


def create_app(
    service: Service, operations: Operations | None = None, *, max_request_mb: int = 64, pages: Pages | None = None
) -> Flask:
    """A Flask application that speaks Label Studio's ML-backend protocol and, with ``operations``, nextlabel's own API
    and the metrics; people are shown ``pages``."""
    app = Flask("nextlabel", static_folder=None)
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = max_request_mb * 2**20
    authentication = Authentication(service)
    # Label Studio calls the root; every tool may call what is below its own name, where only its credentials count.
    app.register_blueprint(ml_backend.routes(service, authentication, "ml_backend"))
    app.register_blueprint(ml_backend.routes(service, authentication, "a_tool"), url_prefix="/tools/<tool>")
    app.register_blueprint(api.routes(service, authentication))
    if pages is not None:
        app.register_blueprint(pages.routes())
        app.register_blueprint(documentation.routes())
    if operations is not None:
        _add_operations(app, service, operations)
    errors.answer_errors(app, max_request_mb)
    _name_requests(app)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    return app


def _add_operations(app: Flask, service: Service, given: Operations) -> None:
    app.register_blueprint(metrics.routes(given.figures, given.tokens, is_open=given.metrics_open))
    app.register_blueprint(v1.routes(service, given.overview, given.versions, given.tokens))

    @app.get("/ready")
    def ready() -> tuple[Response, int]:
        """Whether all is there that learning takes; `/health` is whether this process answers."""
        missing = given.figures.missing()
        return jsonify(status="NOT READY" if missing else "READY", missing=missing), 503 if missing else 200


def _name_requests(app: Flask) -> None:
    """Every request has an id, which stands in the log and in the answer."""

    @app.before_request
    def begin() -> None:
        g.begun, g.request_id = time.monotonic(), traces.begin_request(request.headers.get("X-Request-ID"))

    @app.after_request
    def end(answer: Response) -> Response:
        if named := g.get("request_id"):
            answer.headers["X-Request-ID"] = named
            milliseconds = 1000 * (time.monotonic() - g.begun)
            log.debug("%s %s: %d in %.0f ms", request.method, request.path, answer.status_code, milliseconds)
        return answer

    @app.teardown_request
    def forget(_: BaseException | None) -> None:
        traces.end_request()
