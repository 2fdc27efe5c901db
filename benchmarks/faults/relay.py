"""An HTTP server between two others that passes what comes, or, on command, delays, refuses, keeps or cuts it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import httpx

# What belongs to one connection and not to the message.
_OF_THE_WAY = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "accept-encoding"}


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it came."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What is done with a request whose path has ``only`` in it: passed on ``copies`` times, after ``delay`` seconds.

    With a ``status`` it is answered at once, with ``body``, and goes into `Relay.kept` instead; with ``cut`` it is
    passed on and the connection is cut in the middle of the answer.
    """

    only: str = ""
    copies: int = 1
    delay: float = 0.0
    status: int = 0
    body: bytes = b"{}"
    kind: str = "application/json"
    cut: bool = False


PASSES = Behaviour()


class Relay:
    """Stands in front of the server at ``upstream``. ``behaviour`` may be changed at any time; ``kept`` are requests
    that were not passed on."""

    def __init__(self, upstream: str) -> None:
        self.behaviour = PASSES
        self.kept: list[Message] = []
        self._http = httpx.Client(base_url=upstream, timeout=120.0, follow_redirects=False)
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                relay._take(self)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any  # noqa: N815 (the base class's words)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's word)
                """Requests carry secrets: nothing is logged."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def deliver(self, messages: Iterable[Message]) -> list[int]:
        """Pass these on now, in this order; returns the statuses of the answers."""
        return [self._send(message).status_code for message in messages]

    def reset(self) -> None:
        """Everything passes, nothing was kept yet."""
        self.behaviour = PASSES
        self.kept.clear()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        headers = tuple((name, value) for name, value in handler.headers.items() if name.lower() not in _OF_THE_WAY)
        message = Message(handler.command, handler.path, headers, body)
        behaviour = self.behaviour if self.behaviour.only in message.path else PASSES
        time.sleep(behaviour.delay)
        if behaviour.status:
            self.kept.append(message)
            _answer(handler, behaviour.status, [("Content-Type", behaviour.kind)], behaviour.body)
            return
        try:
            answers = [self._send(message) for _ in range(behaviour.copies)]
        except httpx.HTTPError:
            handler.close_connection = True  # as if nobody were there
            return
        kept = [(name, value) for name, value in answers[0].headers.items() if name.lower() not in _OF_THE_WAY]
        _answer(handler, answers[0].status_code, kept, answers[0].content, cut=behaviour.cut)

    def _send(self, message: Message) -> httpx.Response:
        headers = [*message.headers, ("accept-encoding", "identity")]
        return self._http.request(message.method, message.path, headers=headers, content=message.body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks is what a relay is for."""


def _answer(
    handler: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], body: bytes, *, cut: bool = False
) -> None:
    with suppress(OSError):
        handler.send_response_only(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body[: len(body) // 2] if cut else body)
    if cut:
        handler.close_connection = True
