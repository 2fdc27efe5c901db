"""What parent and child say to each other: JSON with its length before it, over a socket that nobody prints to."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

_LENGTH_BYTES = 8
_LONGEST = 2**30
"""Beyond a gigabyte it is not a message: somebody else has written to the socket."""


class Garbled(Exception):
    """What came is no message."""


def send(
    wire: socket.socket, message: object, seconds: float | None = None, plain: Callable[[Any], Any] | None = None
) -> None:
    """Raises TimeoutError after so many seconds; TypeError or ValueError, with nothing sent, for what is no JSON.

    ``plain`` makes something of what JSON does not know, as in `json.dumps`. The standard library's JSON, because it
    alone passes lone surrogates and NaN through, both of which real tasks and models hold.
    """
    data = json.dumps(message, default=plain).encode()
    wire.settimeout(seconds)
    wire.sendall(len(data).to_bytes(_LENGTH_BYTES, "big") + data)


def receive(wire: socket.socket, seconds: float | None = None) -> Any:
    """The next message. Raises TimeoutError, EOFError when the other side has gone, `Garbled` for anything else."""
    deadline = None if seconds is None else time.monotonic() + seconds
    length = int.from_bytes(_exactly(wire, _LENGTH_BYTES, deadline), "big")
    if length > _LONGEST:
        raise Garbled
    try:
        return json.loads(_exactly(wire, length, deadline))
    except ValueError as error:
        raise Garbled from error


def _exactly(wire: socket.socket, size: int, deadline: float | None) -> bytearray:
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            wire.settimeout(left)
        count = wire.recv_into(view[got:])
        if count == 0:
            raise EOFError
        got += count
    return data
