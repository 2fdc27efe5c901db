"""Which request or job a line of the log is about: noted where one begins, read where a line is written."""

from __future__ import annotations

import re
from contextvars import ContextVar
from uuid import uuid4

_REQUEST: ContextVar[str] = ContextVar("nextlabel request", default="")
_JOB: ContextVar[str] = ContextVar("nextlabel job", default="")
_SAFE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def begin_request(given: str | None) -> str:
    """A request begins in this thread; returns its id: a proxy's, if it is a plain one, or a new one."""
    name = given if given and _SAFE.fullmatch(given) else uuid4().hex
    _REQUEST.set(name)
    return name


def end_request() -> None:
    _REQUEST.set("")


def request_id() -> str:
    """Of the request that is being answered; "" outside one."""
    return _REQUEST.get()


def begin_job(name: str) -> None:
    """A job begins in this process."""
    _JOB.set(name)


def job_id() -> str:
    """Of the job that is being done; "" outside one."""
    return _JOB.get()
