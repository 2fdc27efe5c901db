"""A child process for a team's code: started, asked, and ended whatever it does."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextlabel.hosting import wire

_TAIL_BYTES = 32_768
_LAST_WORDS_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What is done every so many seconds while a long answer is waited for."""

    do: Callable[[], object]
    every: float


class ModelProcess:
    """One child in a process group of its own; it ends with us, and everything that it prints is kept aside."""

    def __init__(self, folder: Path) -> None:
        """Start it in this folder. Raises OSError."""
        ours, theirs = socket.socketpair()
        self._wire = ours
        self._tail = _Tail()
        started: Future[subprocess.Popen[bytes]] = Future()
        # The kernel's end-with-parent means the *thread* that started the child. So it is started by the thread that
        # then reads its output, which lives as long as the child; web threads come and go.
        self._reader = threading.Thread(
            target=_run, args=(folder, theirs, started, self._tail), name="hosted model's output", daemon=True
        )
        self._reader.start()
        try:
            self._process = started.result()
        except BaseException:
            ours.close()
            raise
        self._owner = os.getpid()
        self._was_ended = False

    @property
    def is_ours(self) -> bool:
        """Whether this process started it, and not one that this was forked from."""
        return self._owner == os.getpid()

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, by itself or by us."""
        return self._process.poll() is not None

    def report(self, message: object, seconds: float, meanwhile: Meanwhile | None = None) -> Any:
        """Its answer. Raises TimeoutError, EOFError or OSError when it has gone, `wire.Garbled` for nonsense, and what
        ``meanwhile`` raises, whose seconds count too."""
        deadline = time.monotonic() + seconds
        wire.send(self._wire, message, seconds)
        while meanwhile and not self._answers(min(meanwhile.every, deadline - time.monotonic())):
            if time.monotonic() >= deadline:
                raise TimeoutError
            meanwhile.do()
        return wire.receive(self._wire, max(deadline - time.monotonic(), 0.001))

    def _answers(self, seconds: float) -> bool:
        """Whether something comes within so many seconds, if only its end."""
        ready, _, _ = select.select([self._wire], [], [], max(seconds, 0))
        return bool(ready)

    def last_words(self) -> None:
        """Have a child that hangs print where it hangs, as far as it still can."""
        with contextlib.suppress(OSError):
            os.kill(self._process.pid, signal.SIGUSR1)
            time.sleep(_LAST_WORDS_SECONDS)

    def end(self, grace: float = 0.0) -> int | None:
        """End it and every process that it has started; how it ended by itself within the grace, as Popen tells it."""
        if self._was_ended:  # its number may be another process's by now
            return None
        self._was_ended = True
        self._wire.close()
        by_itself: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            by_itself = self._process.wait(grace)
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(timeout=1.0)  # its last lines may still be in the pipe
        return by_itself

    def forget(self) -> None:
        """Let go of a child that another process, from which this one was forked, goes on using."""
        self._wire.close()

    def output(self) -> str:
        """The last lines that it printed."""
        return self._tail.text()


class _Tail:
    """The end of what was printed, of whatever length and however few line ends it had."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._lock = threading.Lock()

    def add(self, more: bytes) -> None:
        with self._lock:
            self._bytes += more
            del self._bytes[:-_TAIL_BYTES]

    def text(self) -> str:
        with self._lock:
            return self._bytes.decode(errors="replace")


def _without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """What the model may see; not only out of its reach, for a process's first environment stays readable."""
    shown = "NEXTLABEL_HOME"  # by which a process of this installation is recognised
    ours = ("NEXTLABEL_", "REDIS_")
    return {name: value for name, value in environ.items() if name == shown or not name.startswith(ours)}


def _run(folder: Path, theirs: socket.socket, started: Future[subprocess.Popen[bytes]], tail: _Tail) -> None:
    command = [
        *(sys.executable, "-u", "-P"),  # what it prints is there when it crashes · its folder holds no modules
        *("-m", "nextlabel.hosting.child", str(theirs.fileno()), str(os.getpid())),
    ]
    try:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - ourselves, no shell
                command,
                cwd=folder,
                env=_without_secrets(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
    except BaseException as error:
        started.set_exception(error)
        return
    started.set_result(process)
    if process.stdout:
        with process.stdout as output:
            while more := os.read(output.fileno(), 65_536):
                tail.add(more)
    process.wait()
