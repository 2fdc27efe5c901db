"""Decoders in processes of their own: a file that hangs, crashes or swells one takes nothing else with it.

The libraries that open recordings are written in C, or parse without an end in sight. A child has no secrets in its
environment, so much memory, and so many seconds for a file; then the kernel ends it.
"""

from __future__ import annotations

import os
import resource
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import IO

import numpy as np

SECONDS = 60  # for a file: many times what the bounds of each medium let one take
_MEMORY = 2_000_000_000  # bytes of addresses, of which the libraries themselves take a third
_LENGTH = struct.Struct("<q")
_NOTHING = -1
# How a child ends by the file's doing; a file whose child ended otherwise may be tried again.
_BY_THE_FILE = frozenset(
    -getattr(signal, name) for name in ("SIGALRM", "SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL")
)
# What Python and its libraries need to be found.
_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL")


@contextmanager
def apart(module: str) -> Iterator[Callable[[bytes], bytes | None]]:
    """Gives ``describe`` of the module of this name, computed elsewhere; children live as long as the context does,
    one for each thread that calls at a time.

    What it gives is the bytes of a row or of a text, empty where a file has ended its child or filled its memory; None
    where nothing could be made of the file.
    """
    idle: list[subprocess.Popen[bytes]] = []

    def describe(content: bytes) -> bytes | None:
        child = idle.pop() if idle else _started(module)
        try:
            answer = _ask(child, content)
        except (OSError, EOFError):
            _end(child, 1.0)
            return b"" if child.returncode in _BY_THE_FILE else None
        except BaseException:
            _end(child)
            raise
        idle.append(child)
        return answer

    try:
        yield describe
    finally:
        for child in idle:
            _end(child)


def _started(module: str) -> subprocess.Popen[bytes]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-P", "-m", __name__, module],  # nothing of the working directory is imported
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=passed_on | threads,
    )


def _ask(child: subprocess.Popen[bytes], content: bytes) -> bytes | None:
    assert child.stdin is not None  # noqa: S101 - both are pipes
    assert child.stdout is not None  # noqa: S101
    _write(child.stdin, content)
    return _read(child.stdout)


def _end(child: subprocess.Popen[bytes], grace: float = 0.0) -> None:
    with suppress(subprocess.TimeoutExpired):
        child.wait(grace)
    child.kill()
    with suppress(OSError):  # what it did not read any more
        child.communicate()


def _write(to: IO[bytes], content: bytes | None) -> None:
    to.write(_LENGTH.pack(_NOTHING if content is None else len(content)))
    to.write(content or b"")
    to.flush()


def _read(of: IO[bytes]) -> bytes | None:
    """Raises EOFError where no more comes."""
    head = of.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    content = of.read(max(length, 0))
    if len(content) < length:
        raise EOFError
    return None if length == _NOTHING else content


def _serve(module: str) -> None:
    """The child: describes what it is sent until there is no more."""
    with suppress(ValueError, OSError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    describe: Callable[[bytes], object] = import_module(module).describe
    with suppress(EOFError):
        while (content := _read(sys.stdin.buffer)) is not None:
            signal.alarm(SECONDS)
            answer = _described(describe, content)
            signal.alarm(0)
            _write(answers, answer)


def _described(describe: Callable[[bytes], object], content: bytes) -> bytes | None:
    try:
        described = describe(content)
    except MemoryError:
        return b""
    except Exception:  # of what a library raises, none says more than that it cannot read the file
        return None
    if isinstance(described, np.ndarray):
        return described.astype("<f4").tobytes()
    return described.encode() if isinstance(described, str) else None


if __name__ == "__main__":
    _serve(sys.argv[1])
