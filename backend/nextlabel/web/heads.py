"""gunicorn's threaded worker, but no thread waits for a client that has not sent the head of its request yet.

Anybody may open a connection, send nothing or a byte now and then, and never close it. So the heads of requests are
gathered by the worker's one event loop, each until a deadline; a thread gets a request whose head is there. What the
body may take grows with what has come of it.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any

from gunicorn import http
from gunicorn.workers.gthread import TConn, ThreadWorker

HEAD_SECONDS = 10.0
"""How long a client may take for the head of a request, however it sends it."""
MOST_WAITING = 256
"""So many connections of a worker may wait for a head; the one that has waited longest goes when there are more."""
_LARGEST_HEAD = 65_536
_BODY_SECONDS, _SLOWEST_BYTES = 20.0, 65_536  # for a body that does not come, and a second more for so many bytes
_AT_ONCE = 262_144  # bytes of a body read at once: gunicorn's 8,192 take a millisecond for a thousand tasks
_SEND_SECONDS = 60.0  # for an answer that is not read
_DRAIN_SECONDS = 0.05  # for a body that was not wanted, on a connection that would serve again
_NOTED_SECONDS = 1.0
_LINGER_SECONDS = 2.0  # so that a client may read the answer before the connection ends
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class _Reading:
    """A client's socket as gunicorn's parser reads it: nothing more for a head, and a body in good time."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._at_most: float | None = None
        self.begin()

    def begin(self) -> None:
        """Another request: its head is in memory."""
        self._until, self._received = 0.0, 0

    def allow_body(self) -> None:
        self._until = time.monotonic() + _BODY_SECONDS

    def gettimeout(self) -> float | None:
        return self._at_most

    def settimeout(self, seconds: float | None) -> None:
        self._at_most = seconds

    def recv(self, size: int) -> bytes:
        if not self._until:
            raise http.errors.NoMoreData
        left = self._until + self._received / _SLOWEST_BYTES - time.monotonic()
        left = left if self._at_most is None else min(left, self._at_most)
        if left <= 0:
            raise TimeoutError("the body of a request does not come")
        self._sock.settimeout(left)
        try:
            data = self._sock.recv(size)
        finally:
            self._sock.settimeout(_SEND_SECONDS)
        self._received += len(data)
        return data


class _Connection(TConn):  # type: ignore[misc]
    """A connection with what has come of the head of its next request."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.head = bytearray()
        self.reading = _Reading(sock)
        self.data_ready = True  # to gunicorn: whenever a thread gets it

    def init(self) -> None:
        """Before every request, in the thread that serves it."""
        if not self.initialized:
            self.parser: Any = http.get_parser(self.cfg, self.reading, self.client)
            self.parser.unreader.mxchunk = _AT_ONCE
        super().init()
        self.sock.settimeout(_SEND_SECONDS)
        self.reading.begin()
        self.parser.unreader.unread(bytes(self.head))
        self.head.clear()

    @property
    def has_head(self) -> bool:
        return b"\r\n\r\n" in self.head


class HeadsFirst(ThreadWorker):  # type: ignore[misc]
    """The worker class. Everything but `handle_request` and `_keepalive_after` runs in the event loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._closing: deque[_Connection] = deque()
        self._noted_at = -inf

    def notify(self) -> None:
        """Note for the arbiter that this worker is alive, once a second: that writes to a disk, and gunicorn would do
        it at each event, four times for one request."""
        if (now := time.monotonic()) >= self._noted_at + _NOTED_SECONDS:
            self._noted_at = now
            super().notify()

    def accept(self, listener: socket.socket) -> None:
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):  # a place is made for the next try
                self._give_up_oldest()
            elif error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED):
                raise
            return
        self.nr_conns += 1
        self._begin_head(_Connection(self.cfg, sock, client, listener.getsockname()))

    def on_client_socket_readable(self, conn: _Connection, client: socket.socket) -> None:
        """The next request on a connection that was kept."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._begin_head(conn)

    def on_pending_socket_readable(self, conn: _Connection, client: socket.socket) -> None:
        """More of a head."""
        data = _received(client)
        if data is None or not self._ends_head(conn, data):
            return
        self._forget(conn, self.pending_conns)
        self._after_head(conn, data)

    def handle_request(self, req: Any, conn: _Connection) -> Any:
        conn.reading.allow_body()
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: _Connection, keepalive: bool) -> bool:
        """Not with a body that is still to come, nor with part of another request: no thread waits for either."""
        if not keepalive or not conn.parser.finish_body(deadline=time.monotonic() + _DRAIN_SECONDS):
            return False
        return not conn.parser.unreader.buf.getvalue()

    def finish_request(self, conn: _Connection, fs: Future[Any]) -> None:
        if not fs.cancelled() and fs.exception() is None and fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def murder_pending(self) -> None:
        super().murder_pending()
        now = time.monotonic()
        while self._closing and self._closing[0].timeout <= now:
            self._close(self._closing[0], self._closing)

    def _begin_head(self, conn: _Connection) -> None:
        """Mostly all of it is there already: then nothing is waited for."""
        conn.sock.setblocking(False)
        data = _received(conn.sock)
        if data is not None and self._ends_head(conn, data):
            self._after_head(conn, data)
        else:
            self._await_head(conn)

    def _ends_head(self, conn: _Connection, data: bytes) -> bool:
        """Whether the head is there with this data, or never will be."""
        conn.head += data
        return not data or conn.has_head or len(conn.head) > _LARGEST_HEAD

    def _after_head(self, conn: _Connection, data: bytes) -> None:
        if not data:
            self._close(conn)
        elif conn.has_head:
            self.enqueue_req(conn)
        else:
            _send(conn.sock, _TOO_LARGE)
            self._linger(conn)

    def _await_head(self, conn: _Connection) -> None:
        while len(self.pending_conns) >= MOST_WAITING:
            self._give_up_oldest()
        self._watch(conn, self.pending_conns, HEAD_SECONDS, self.on_pending_socket_readable)

    def _give_up_oldest(self) -> None:
        if self.pending_conns:
            self._close(self.pending_conns[0], self.pending_conns)

    def _linger(self, conn: _Connection) -> None:
        """Close it once the client has, or soon: closed at once, the answer might not arrive."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        while len(self._closing) >= MOST_WAITING:
            self._close(self._closing[0], self._closing)
        self._watch(conn, self._closing, _LINGER_SECONDS, self._on_closing)

    def _on_closing(self, conn: _Connection, client: socket.socket) -> None:
        if _received(client) == b"":
            self._close(conn, self._closing)

    def _watch(self, conn: _Connection, among: deque[_Connection], seconds: float, then: Any) -> None:
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + seconds
        among.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(then, conn))

    def _forget(self, conn: _Connection, among: deque[_Connection]) -> None:
        among.remove(conn)
        self.poller.unregister(conn.sock)

    def _close(self, conn: _Connection, among: deque[_Connection] | None = None) -> None:
        if among is not None:
            self._forget(conn, among)
        self.nr_conns -= 1
        conn.close()


def _received(sock: socket.socket) -> bytes | None:
    """What has come: nothing at the end, or after an error; None if it was a false alarm."""
    try:
        return sock.recv(_LARGEST_HEAD)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""


def _send(sock: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        sock.send(data)
