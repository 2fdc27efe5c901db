"""How a line of the log is written: for a person, or as JSON for a program. What comes from outside is no command."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from nextlabel.cli.escaping import LogFormatter
from nextlabel.service import traces
from nextlabel.settings import Settings

_CHATTY = ("httpx", "httpx2", "httpcore", "alembic", "rq.worker", "rq.scheduler")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message``, of a request or a job its id, and the
    traceback of an error that nobody expected. ASCII alone, so that no character in it ends a line or commands a
    terminal."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request": traces.request_id(),
            "job": traces.job_id(),
            "traceback": self.formatException(record.exc_info) if record.exc_info else "",
        }
        return json.dumps({name: value for name, value in line.items() if value})


def set_up(settings: Settings) -> None:
    """Log to the standard error output as the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else LogFormatter())
    logging.basicConfig(level=settings.log_level, handlers=[handler])
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
