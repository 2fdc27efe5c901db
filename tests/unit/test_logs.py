"""Logs for programs: one JSON object a line, whatever is logged, with the request or job that it is about."""

from __future__ import annotations

import json
import logging
import sys

from nextlabel.cli.logs import JsonFormatter
from nextlabel.service import traces


def line(message: str, *arguments: object, failed: bool = False) -> dict[str, str]:
    try:
        raise ValueError("of no use") if failed else KeyError
    except (ValueError, KeyError):
        caught = sys.exc_info() if failed else None
    written = JsonFormatter().format(logging.LogRecord("nextlabel.web", 40, "", 1, message, arguments, caught))
    assert "\n" not in written
    assert written.isascii()
    read = json.loads(written)
    assert isinstance(read, dict)
    return read


def test_a_record_is_one_line_whatever_it_says() -> None:
    written = line("project %s\n\x1b[31m\u2028\ud800", "ein Großes")
    assert written["message"] == "project ein Großes\n\x1b[31m\u2028\ud800"
    assert (written["level"], written["logger"]) == ("ERROR", "nextlabel.web")
    assert written["time"].endswith("+00:00")
    assert "ValueError: of no use" in line("it failed", failed=True)["traceback"]


def test_it_names_the_request_or_the_job() -> None:
    assert not {"request", "job"} & set(line("outside"))
    given = traces.begin_request("proxy-7.a")
    traces.begin_job("learn-1")
    assert (given, line("within")["request"], line("within")["job"]) == ("proxy-7.a", "proxy-7.a", "learn-1")
    for hostile in ("x\ny", "a" * 65, "", None, "ü"):
        assert traces.begin_request(hostile) not in (hostile, "proxy-7.a")
    traces.end_request()
    traces.begin_job("")
    assert not {"request", "job"} & set(line("outside"))
