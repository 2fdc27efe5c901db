"""What tests need of servers that they start themselves: a free port, and an end with whoever wanted them."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

from nextlabel.errors import ToolUnavailable
from nextlabel.testing.waiting import CEILING_SECONDS

TAIL = 3000
"""How much of a log's end a message holds."""
_STOP_SECONDS = 10.0

# On Linux the kernel ends the server when we die, even by kill -9; the parent is asked for again in case it died before
# that was arranged. In a process of its own, because code between fork and exec may deadlock in a program with threads.
_END_WITH_PARENT = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(sys.argv[2]))
    if os.getppid() != int(sys.argv[1]):
        sys.exit("whoever wanted this server is gone")
os.execv(sys.argv[3], sys.argv[3:])
"""


def ending_with_us(
    python: str | Path, command: Sequence[str], signal_number: signal.Signals = signal.SIGKILL
) -> list[str]:
    """The command line of a program that gets that signal when this process dies; ``python`` is any Python.

    To be started in a thread that lives as long as the program should: its death counts too.
    """
    return [str(python), "-c", _END_WITH_PARENT, str(os.getpid()), str(int(signal_number)), *command]


def end_group(process: subprocess.Popen[bytes], seconds: float) -> None:
    """End a program that was started in a session of its own, and all that it has started: asked first, killed after
    so many seconds."""
    _signal_group(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def free_port() -> int:
    """A port of this machine at which nothing answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Lasting(ABC):
    """What tests and demos start of a labeling tool, with a folder for its data.

    Start it in a thread that lives as long as it should: on Linux it dies with the thread that started it. ``stop`` and
    ``start`` keep address and data; leaving the context, or ``close``, removes the data.
    """

    title = ""
    """The tool's name, for messages."""

    @cached_property
    def folder(self) -> Path:
        """Made at the first start; only we may look inside."""
        return Path(tempfile.mkdtemp(prefix=f"nextlabel-{self.title.lower().replace(' ', '-')}-"))

    @abstractmethod
    def start(self) -> Self: ...

    @abstractmethod
    def stop(self) -> None:
        """End it and whatever it has started; the data stays."""

    def close(self) -> None:
        """Stop it and remove its data."""
        self.stop()
        atexit.unregister(self.close)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class OwnServer(Lasting):
    """A server that is one process."""

    def __init__(self, port: int | None = None) -> None:
        self._port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> Self:
        """Returns when it answers. Raises `ToolUnavailable` with the end of its log when it does not."""
        if self._process is not None:
            return self
        self._prepare()
        with self._log_path.open("ab") as log:
            self._process = self._spawn(log)
        atexit.register(self.close)
        try:
            self._wait_until_it_answers(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            end_group(process, _STOP_SECONDS)

    @abstractmethod
    def _prepare(self) -> None:
        """Make its data, where there is none yet."""

    @abstractmethod
    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """The process, in a session of its own, so that Ctrl-C reaches us first and ``stop`` ends all of it."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it answers as it should; may raise `httpx.HTTPError` where it does not."""

    @property
    @abstractmethod
    def _log_path(self) -> Path: ...

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + CEILING_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ToolUnavailable(
                    f"{self.title} ended at once ({process.returncode}). Its log ends:\n{self._tail()}"
                )
            with suppress(httpx.HTTPError):
                if self._answers():
                    return
            time.sleep(0.1)
        raise ToolUnavailable(f"{self.title} did not answer in {CEILING_SECONDS:.0f} s. Its log ends:\n{self._tail()}")

    def _tail(self) -> str:
        return self._log_path.read_text(errors="replace")[-TAIL:]


def version_in(venv: Path, package: str) -> str:
    """Of a package that is installed there, as its folder names it; "unknown" where it is not."""
    metadata = next(venv.glob(f"lib/python*/site-packages/{package}-*.dist-info"), None)
    return metadata.name.removeprefix(f"{package}-").removesuffix(".dist-info") if metadata else "unknown"


@contextmanager
def made_once(template: Path) -> Iterator[Path | None]:
    """An empty folder to make a template in, or None where it is there already; parallel starts wait for the first."""
    template.parent.mkdir(exist_ok=True)
    with (template.parent / f"{template.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if template.exists():
            yield None
            return
        with tempfile.TemporaryDirectory(dir=template.parent) as folder:
            yield Path(folder)
