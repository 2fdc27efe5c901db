"""One table from errors to HTTP answers: JSON with a sentence that says what to do, never a traceback."""

from __future__ import annotations

import logging

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from nextlabel.errors import (
    ArtifactError,
    ConfigurationError,
    JobQueueUnavailable,
    ModelNotReady,
    NextlabelError,
    NotConnected,
    OutdatedModel,
    PayloadError,
    StorageError,
    ToolRejected,
    ToolUnavailable,
)
from nextlabel.service.traces import request_id
from nextlabel.web.authentication import Unauthenticated
from nextlabel.web.tokens import NotAllowed

PREFIX = "/api/v1"

log = logging.getLogger("nextlabel.web")

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (Unauthenticated, 401),
    (NotAllowed, 403),
    (PayloadError, 400),
    (NotConnected, 404),
    (ConfigurationError, 400),
    (JobQueueUnavailable, 503),
    (ModelNotReady, 503),
    (OutdatedModel, 503),
    (StorageError, 503),
    (ToolUnavailable, 503),
    (ToolRejected, 502),
    (ArtifactError, 500),
)


def status_of(error: Exception) -> int:
    """HTTP's number for an error."""
    return next((code for kind, code in _STATUS if isinstance(error, kind)), 500)


def is_browser() -> bool:
    """Whether a person asks in a browser, rather than a tool or a program."""
    return "text/html" in request.accept_mimetypes.values() and "Authorization" not in request.headers


def answer(sentence: str, status: int) -> Response:
    """An error as whoever asks expects it: a problem document (RFC 9457) below /api/v1, `{"error": …}` elsewhere."""
    if not request.path.startswith(f"{PREFIX}/"):
        made = jsonify(error=sentence)
    else:
        problem = {"type": "about:blank", "title": HTTP_STATUS_CODES.get(status, ""), "status": status}
        made = jsonify(**problem, detail=sentence, request=request_id())
        made.content_type = "application/problem+json"
        if status == 401:
            made.headers["WWW-Authenticate"] = "Bearer"
    made.status_code = status
    return made


def answer_errors(app: Flask, max_request_mb: int) -> None:
    """Have the application answer every error by the table."""

    def known(error: Exception) -> Response:
        status = status_of(error)
        if status >= 500:
            log.error("%s", error)
        return answer(str(error).partition("\n")[0], status)  # a team's own model may add its last lines

    def http(error: HTTPException) -> Response:
        sentence = error.description or error.name
        if error.code == 413:
            sentence = (
                f"The request is larger than {max_request_mb} MB: send fewer tasks at once, "
                "or raise NEXTLABEL_MAX_REQUEST_MB."
            )
        return answer(sentence, error.code or 500)

    def unknown(error: Exception) -> Response:
        log.exception("unexpected error")
        return answer("Something went wrong inside nextlabel; its log has the details.", 500)

    app.register_error_handler(Unauthenticated, known)
    app.register_error_handler(NotAllowed, known)
    app.register_error_handler(NextlabelError, known)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(Exception, unknown)
