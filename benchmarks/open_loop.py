"""A client that sends at a fixed rate whatever happens, as annotators do, and notes how long each answer took."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

_TIMEOUT = 10.0


@dataclass(slots=True)
class Answers:
    """``waited`` is from when a request was due, so that a stall counts for all that it holds up; ``took`` is from
    when it was sent. Both in milliseconds. ``failed`` tells how often each failure was seen."""

    waited: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)


def send_at_rate(
    url: str,
    body: Callable[[int], bytes],
    headers: Mapping[str, str],
    *,
    rate: float,
    seconds: float,
    keep_alive: bool,
    clients: int = 16,
    expected: int = 201,
) -> Answers:
    """Send ``body(n)`` for n = 0, 1, … at ``rate`` a second; with ``keep_alive`` each client keeps its connection.

    An empty body is asked for with GET, any other sent with POST.
    """
    answers, numbers, lock = Answers(), count(), threading.Lock()
    bodies = [body(n) for n in range(256)]  # made beforehand: the client takes as little of the machine as it can
    start = time.perf_counter() + 0.1

    def client() -> None:
        connection = _connect(url)
        while (n := next(numbers)) < rate * seconds:
            due = start + n / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            sent = time.perf_counter()
            try:
                failure = _send(connection, urlsplit(url).path, bodies[n % len(bodies)], headers, expected)
            except OSError as error:
                failure = type(error).__name__
            except http.client.HTTPException as error:
                failure = type(error).__name__
            done = time.perf_counter()
            if failure or not keep_alive:
                connection.close()  # the next request opens it again
            with lock:
                answers.waited.append((done - due) * 1000)
                answers.took.append((done - sent) * 1000)
                if failure:
                    answers.failed[failure] = answers.failed.get(failure, 0) + 1
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def post_once(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[float, bytes]:
    """Milliseconds from opening a connection, as Label Studio does for each request, to the whole answer.

    Raises `RuntimeError` on any status but 200.
    """
    connection = _connect(url)
    start = time.perf_counter()
    connection.request("POST", urlsplit(url).path, body, dict(headers))
    response = connection.getresponse()
    answer = response.read()
    milliseconds = (time.perf_counter() - start) * 1000
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"{url} answered {response.status}: {answer[:300]!r}")
    return milliseconds, answer


def _connect(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT)


def _send(
    connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str], expected: int
) -> str:
    """Empty when it was taken, otherwise what went wrong."""
    connection.request("POST" if body else "GET", path, body or None, dict(headers))
    response = connection.getresponse()
    response.read()
    return "" if response.status == expected else f"status {response.status}"
