"""The web application: reads a request, calls the service once, answers. `create_app` is the way in."""

from __future__ import annotations

import json
import logging

import orjson
from flask import Flask
from flask.json.provider import JSONProvider

from nextlabel.service.answering import Service
from nextlabel.web import api, errors, ml_backend
from nextlabel.web.authentication import Authentication
from nextlabel.web.pages import Pages


class OrjsonProvider(JSONProvider):
    """JSON by orjson, which also takes numpy's numbers; what it does not take by the standard library."""

    def dumps(self, obj: object, **kwargs: object) -> str:
        try:
            return orjson.dumps(obj, option=orjson.OPT_SERIALIZE_NUMPY).decode()
        except orjson.JSONEncodeError:  # half a surrogate pair, which a span of a task's text may hold
            return json.dumps(obj)

    def loads(self, s: str | bytes, **kwargs: object) -> object:
        return orjson.loads(s)


def create_app(service: Service, *, max_request_mb: int = 64, pages: Pages | None = None) -> Flask:
    """A Flask application that speaks Label Studio's ML-backend protocol and nextlabel's own API, and shows people
    their ``pages``."""
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
    errors.answer_errors(app, max_request_mb)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    return app
