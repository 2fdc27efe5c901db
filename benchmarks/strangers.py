"""What strangers cost: connections that are begun and never used, hostile bodies, a config that grows as a square."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.figures import Figure, percentile, stopwatch
from benchmarks.hostile import bodies
from benchmarks.processes import descendants, memory_mb, nextlabel, parts_of, temporary_home
from nextlabel.errors import SchemaError
from nextlabel.labeling import ProjectId
from nextlabel.options import ProjectOptions
from nextlabel.ports.tool import ToolAccess
from nextlabel.testing import connection_to
from nextlabel_connectors.label_studio.label_config import parse_label_config

_GROUP = "strangers"
_CONNECTIONS, _SECONDS, _PAUSE, _BODIES = 50, 60.0, 4.0, 40_000
_BEGUN = b"POST /predict HTTP/1.1\r\nHost: here\r\nX-Slow: a"


def run() -> Iterator[Figure]:
    """Yields how long /health takes beside half-open connections, then what hostile bodies and configs come to."""
    with temporary_home() as home:
        auth = _connected(home)
        with nextlabel("serve", home) as (url, process):
            alone = percentile(_health(url, _SECONDS / 6), 99)
            yield Figure(_GROUP, "/health p99, alone", alone, "ms")
            for name, begun in (("silent", b""), ("a byte every 4 s", _BEGUN)):
                with _half_open(url, begun):
                    took = percentile(_health(url, _SECONDS), 99)
                note = f"{_CONNECTIONS} connections, made anew when they are closed, for {_SECONDS:.0f} s"
                yield Figure(_GROUP, f"/health p99 beside {name}", took, "ms", aim=2 * alone + 5, note=note)
            yield from _hostile(url, auth, process.pid)
    yield _large_config()


def _connected(home: Path) -> httpx.BasicAuth:
    """The credentials of an installation that knows project 1."""
    parts = parts_of(home)
    access = ToolAccess("http://127.0.0.1:9", "token")
    parts.connections.save(
        connection_to(ProjectId("1"), "label_studio", access, ProjectOptions(), "http://127.0.0.1:9")
    )
    found = parts.connections.credentials_of("label_studio")
    parts.database.dispose()
    return httpx.BasicAuth(found.user, found.password)


def _health(url: str, seconds: float) -> list[float]:
    """Milliseconds of one request after the other, each on a connection of its own."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        client = HTTPConnection(urlsplit(url).netloc, timeout=60)
        with stopwatch() as so_far:
            client.request("GET", "/health")
            client.getresponse().read()
        client.close()
        took.append(1_000 * so_far())
        time.sleep(0.02)
    return took


@contextmanager
def _half_open(url: str, begun: bytes) -> Iterator[None]:
    over = threading.Event()
    clients = [threading.Thread(target=_hold, args=(url, begun, over)) for _ in range(_CONNECTIONS)]
    for client in clients:
        client.start()
    yield
    over.set()
    for client in clients:
        client.join()


def _hold(url: str, begun: bytes, over: threading.Event) -> None:
    """Keep one connection half-open, whatever becomes of it: silent, or with another byte of a head now and then."""
    address = urlsplit(url)
    while not over.is_set():
        try:
            with socket.create_connection((address.hostname or "", address.port or 80), timeout=60) as client:
                client.sendall(begun)
                client.settimeout(0.1)
                while not over.wait(_PAUSE) and not _is_closed(client):
                    client.sendall(b"a" if begun else b"")
        except OSError:
            over.wait(0.1)


def _is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False


def _hostile(url: str, auth: httpx.BasicAuth, pid: int) -> Iterator[Figure]:
    """The same bodies twice as long: what memory grows by in the second half is what would go on growing."""
    ours, memory = 0, list[float]()
    with httpx.Client(base_url=url, auth=auth, timeout=60) as client:
        for n, (path, body) in enumerate(bodies(_BODIES)):
            ours += client.post(path, content=body).is_server_error
            if n in (_BODIES // 2, _BODIES - 1):
                memory.append(sum(memory_mb(child)[1] for child in descendants(pid)))
    yield Figure(_GROUP, f"answers ≥ 500 to {_BODIES:,} hostile bodies", ours, "", aim=0)
    grown = memory[1] - memory[0]
    yield Figure(_GROUP, "memory, second half of them", grown, "MB", aim=10, note=f"{memory[1]:.0f} MB in all")


def _large_config() -> Figure:
    shown = " ".join(f"$f{n}" for n in range(8_000))
    options = '<Choice value="a"/><Choice value="b"/>'
    asked = "".join(f'<Choices name="c{n}" toName="t">{options}</Choices>' for n in range(2_000))
    with stopwatch() as so_far:
        try:
            parse_label_config(f'<View><Text name="t" value="{shown}"/>{asked}</View>')
            note = "it was read"
        except SchemaError as error:
            note = str(error)
    return Figure(_GROUP, "a config of 8,000 fields × 2,000 controls", 1_000 * so_far(), "ms", aim=500, note=note)
