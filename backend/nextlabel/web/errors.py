"""One table from errors to HTTP answers: JSON with a sentence that says what to do, never a traceback."""

from __future__ import annotations

import logging

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

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
from nextlabel.web.authentication import Unauthenticated

log = logging.getLogger("nextlabel.web")

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (Unauthenticated, 401),
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


def answer_errors(app: Flask, max_request_mb: int) -> None:
    """Have the application answer every error by the table."""

    def known(error: Exception) -> tuple[Response, int]:
        status = status_of(error)
        if status >= 500:
            log.error("%s", error)
        return jsonify(error=str(error).partition("\n")[0]), status  # a team's own model may add its last lines

    def http(error: HTTPException) -> tuple[Response, int]:
        sentence = error.description or error.name
        if error.code == 413:
            sentence = (
                f"The request is larger than {max_request_mb} MB: send fewer tasks at once, "
                "or raise NEXTLABEL_MAX_REQUEST_MB."
            )
        return jsonify(error=sentence), error.code or 500

    def unknown(error: Exception) -> tuple[Response, int]:
        log.exception("unexpected error")
        return jsonify(error="Something went wrong inside nextlabel; its log has the details."), 500

    app.register_error_handler(Unauthenticated, known)
    app.register_error_handler(NextlabelError, known)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(Exception, unknown)
