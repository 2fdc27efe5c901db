"""The process that FiftyOne runs in: started when first asked, shared by all projects there, and gone when we are.

FiftyOne is not imported here: it takes seconds and 260 MB, and its versions are the team's to choose.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO, Any

from nextlabel.errors import ProjectGone, ToolRejected, ToolUnavailable

_HELPER = Path(__file__).with_name("helper.py")
_ANSWER_SECONDS = 120.0  # for a start, too: FiftyOne is imported, and may start a MongoDB
_LARGEST = 128_000_000  # bytes of one answer
_MOST = 4  # processes at a time
_TAIL = 2_000
_ERRORS = {"gone": ProjectGone, "rejected": ToolRejected, "unavailable": ToolUnavailable}


@dataclass(frozen=True, slots=True)
class FiftyOne:
    """A Python that has FiftyOne, and the address of the database that it is to use ("": its own)."""

    python: str
    database: str = field(default="", repr=False)
    script: Path = _HELPER

    def ask(self, do: str, what: Mapping[str, object], seconds: float = _ANSWER_SECONDS) -> Any:
        """The answer to a question of `helper`. Raises `ToolUnavailable`, `ToolRejected` and `ProjectGone`.

        Every question may be asked twice: where the process has ended meanwhile, another one is asked.
        """
        asked = {**what, "do": do}
        reason = ""
        for _ in range(2):
            process = _process(self)
            try:
                return process.ask(asked, seconds)
            except _Ended as error:
                reason = str(error)
                _end(self, process)
            except (ToolUnavailable, ToolRejected):
                if process.failed:
                    _end(self, process)
                raise
        raise ToolUnavailable(f"FiftyOne in {self.python} ended while it was asked: {reason}")

    def without_secrets(self, text: str) -> str:
        """A message of its, which may name the database's address, with the user and the password in it."""
        user = self.database.partition("://")[2].rpartition("@")[0]
        for secret in (self.database, user, user.partition(":")[2]):
            text = text.replace(secret, "…") if secret else text
        return text


class _Ended(Exception):
    """The process is not there any more."""


class _Process:
    """One process and the wire to it; it is started by the first thread that asks, and the others wait for it."""

    def __init__(self, where: FiftyOne) -> None:
        self._where, self._lock = where, Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._wire, self._theirs = socket.socketpair()
        self.failed = False
        """It never started, or hung: no other question goes to it."""

    def ask(self, asked: Mapping[str, object], seconds: float) -> Any:
        body = json.dumps(asked).encode()
        with self._lock:
            if self._process is None:
                self.failed = True
                self._process = self._start()
                self._receive(_ANSWER_SECONDS)
                self.failed = False
            try:
                self._wire.settimeout(seconds)
                self._wire.sendall(struct.pack(">Q", len(body)) + body)
            except TimeoutError as error:
                raise self._stuck(f"took no question in {seconds:g} seconds") from error
            except OSError as error:
                raise _Ended(self._tail()) from error
            return self._receive(seconds)

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 (whoever connects a tool names its Python)
                [self._where.python, str(self._where.script), str(self._theirs.fileno())],
                env=_environment(os.environ, self._where.database),
                pass_fds=[self._theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolRejected(
                f"{self._where.python} cannot be run ({error.strerror}): give the Python that you use FiftyOne with, "
                "or the folder of its environment."
            ) from error
        finally:
            self._theirs.close()

    def _receive(self, seconds: float) -> Any:
        until = time.monotonic() + seconds
        try:
            (size,) = struct.unpack(">Q", self._exactly(8, until))
            if size > _LARGEST:
                raise self._stuck(f"gave an answer of more than {_LARGEST / 1e6:g} MB")
            answer = json.loads(self._exactly(size, until))
        except TimeoutError as error:
            raise self._stuck(f"did not answer in {seconds:g} seconds") from error
        except (OSError, ValueError) as error:
            raise _Ended(self._tail()) from error
        if "failure" in answer:
            kind, what = _ERRORS.get(answer["failure"], ToolUnavailable), self._where.without_secrets(answer["what"])
            raise kind(what if kind is ProjectGone else f"FiftyOne in {self._where.python}: {what}")
        return answer["answer"]

    def _exactly(self, size: int, until: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            self._wire.settimeout(max(0.001, until - time.monotonic()))
            part = self._wire.recv(min(size - len(parts), 1 << 20))
            if not part:
                raise OSError("the wire is closed")
            parts += part
        return bytes(parts)

    def _stuck(self, what: str) -> ToolUnavailable:
        self.failed = True
        return ToolUnavailable(f"FiftyOne in {self._where.python} {what}; it is started again when it is next asked.")

    def _tail(self) -> str:
        with suppress(OSError, ValueError):
            self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - _TAIL))
            log = self._log.read().decode(errors="replace").strip()
            return self._where.without_secrets(log) or "it gave no reason."
        return "it was ended."

    def end(self) -> None:
        """One that works ends itself once the wire is closed; one that hangs does not."""
        for one in (self._wire, self._theirs):
            one.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._log.close()


_processes: dict[FiftyOne, _Process] = {}
_choosing = Lock()


def _process(where: FiftyOne) -> _Process:
    """The process there, a new one where there is none; of too many the one that was asked longest ago ends."""
    with _choosing:
        found = _processes.pop(where, None) or _Process(where)
        while len(_processes) >= _MOST:
            _processes.pop(next(iter(_processes))).end()
        _processes[where] = found
        return found


def _end(where: FiftyOne, process: _Process) -> None:
    with _choosing:
        if _processes.get(where) is process:
            del _processes[where]
    process.end()


def _forget() -> None:
    """After a fork: the processes are the parent's, and the child asks its own."""
    global _choosing  # noqa: PLW0603
    _processes.clear()
    _choosing = Lock()


os.register_at_fork(after_in_child=_forget)


def _environment(own: Mapping[str, str], database: str) -> dict[str, str]:
    """What the team has set, without the service's secrets and without what is of our own Python."""
    kept = {name: value for name, value in own.items() if not name.startswith(("NEXTLABEL_", "PYTHON"))}
    kept |= {"FIFTYONE_DO_NOT_TRACK": "true"}
    return {**kept, "FIFTYONE_DATABASE_URI": database} if database else kept
