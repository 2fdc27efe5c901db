"""The web server's worker among clients that open connections and do not send what they began."""

from __future__ import annotations

import http.client
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from nextlabel.testing.waiting import CEILING_SECONDS, wait_for
from nextlabel.web import heads
from nextlabel.web.heads import HeadsFirst

BEGUN = b"POST /read HTTP/1.1\r\nHost: here\r\nX-Slow: aaaa"
HALF_OPEN = {
    "silent": b"",
    "begun": BEGUN,
    "empty lines": b"\r\n\r\n",
    "without its body": b"POST /refuse HTTP/1.1\r\nHost: here\r\nContent-Length: 50000000\r\n\r\n",
}


def application(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    """Refuses without reading, or says how long the body is."""
    refused = environ["PATH_INFO"] == "/refuse"
    body = b"" if refused else environ["wsgi.input"].read()
    start("401 Unauthorized" if refused else "200 OK", [("Content-Length", str(len(str(len(body)))))])
    return [str(len(body)).encode()]


class Served:
    """One worker with one thread for requests, so that a thread that waits for a client is seen at once."""

    def __init__(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address = listener.getsockname()
        config = Config()
        config.set("threads", 1)
        config.set("workers", 1)
        config.set("graceful_timeout", 0)
        config.set("loglevel", "critical")
        self.worker = HeadsFirst(1, os.getppid(), [listener], None, 30, config, Logger(config))
        self.worker.wsgi = application
        self.worker.tpool = self.worker.get_thread_pool()
        self.worker.poller = selectors.DefaultSelector()
        self.worker.method_queue.init()
        self._thread = threading.Thread(target=self.worker.run)
        self._thread.start()

    def connect(self, data: bytes = b"") -> socket.socket:
        client = socket.create_connection(self.address, timeout=CEILING_SECONDS)
        client.sendall(data)
        return client

    def ask(self, path: str = "/read", body: bytes = b"") -> tuple[int, bytes]:
        client = http.client.HTTPConnection("127.0.0.1", self.address[1], timeout=CEILING_SECONDS)
        client.request("POST", path, body=body)
        answer = client.getresponse()
        found = answer.status, answer.read()
        client.close()
        return found

    def end(self) -> None:
        self.worker.handle_exit(15, None)
        self._thread.join()


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.end()


def is_ended(client: socket.socket) -> bool:
    try:
        return client.recv(65_536) == b""
    except ConnectionError:
        return True


def answer(client: socket.socket) -> bytes:
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.read()


@pytest.mark.parametrize("sent", HALF_OPEN.values(), ids=HALF_OPEN)
def test_fifty_half_open_connections_occupy_no_thread(served: Served, sent: bytes) -> None:
    clients = [served.connect(sent) for _ in range(50)]
    assert served.ask(body=b"x" * 100) == (200, b"100")
    wait_for(served.worker.tpool._work_queue.empty)
    assert served.ask() == (200, b"0")
    for client in clients:
        client.close()


def test_a_head_that_comes_byte_by_byte_meets_the_deadline(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.2)
    client = served.connect(BEGUN)
    client.settimeout(0.05)
    ended = False
    while not ended:
        try:
            client.sendall(b"a")
            ended = client.recv(1) == b""
        except TimeoutError:
            continue
        except ConnectionError:
            ended = True
    assert served.worker.nr_conns == 0


def test_the_second_head_on_a_connection_has_the_same_deadline(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    client = served.connect(b"GET /read HTTP/1.1\r\nHost: here\r\n\r\n")
    assert answer(client) == b"0"
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.2)
    client.sendall(BEGUN)
    wait_for(lambda: is_ended(client))


def test_a_body_that_does_not_come_meets_a_deadline(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "_BODY_SECONDS", 0.2)
    client = served.connect(b"POST /read HTTP/1.1\r\nHost: here\r\nContent-Length: 50000000\r\n\r\nbegun")
    wait_for(lambda: is_ended(client))
    assert served.ask() == (200, b"0")


def test_a_head_without_end_is_refused(served: Served) -> None:
    client = served.connect(BEGUN + b"a" * 70_000)
    assert client.recv(65_536).startswith(b"HTTP/1.1 431")


def test_of_too_many_half_open_connections_the_oldest_go(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MOST_WAITING", 5)
    clients = [served.connect(BEGUN) for _ in range(8)]
    assert [is_ended(client) for client in clients[:3]] == [True] * 3
    wait_for(lambda: len(served.worker.pending_conns) == 5)  # the last is taken in once the oldest has gone


def test_who_does_not_close_after_the_answer_holds_up_nobody(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "_LINGER_SECONDS", 1_000.0)
    clients = [served.connect(b"GET /read HTTP/1.0\r\n\r\n") for _ in range(20)]
    assert [answer(client) for client in clients] == [b"0"] * 20
    assert served.ask() == (200, b"0")


def test_what_comes_in_pieces_and_one_after_the_other_is_served(served: Served) -> None:
    client = served.connect()
    for size in (0, 3, 200_000):
        for piece in (b"POST /read HTTP/1.1\r", b"\nHost: here\r\nContent-Length: %d\r" % size, b"\n\r\n"):
            client.sendall(piece)
            time.sleep(0.01)
        client.sendall(b"x" * size)
        assert answer(client) == b"%d" % size
