"""Which process this is, and whether another one on the same machine is gone: as the Linux kernel tells it, in /proc.

Where there is no /proc, or one that is another machine's or another container's, nothing is known and nothing claimed.
psutil reads the same two fields, but gives the start by the wall clock, which may be set, and knows no containers.
"""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PROC = Path("/proc")
_DEAD = ("Z", "X", "x")  # a zombie has ended, and only its parent has not looked yet
_STATE, _STARTED = 0, 19  # of the fields of /proc/<pid>/stat behind the name (proc_pid_stat(5))


@dataclass(frozen=True, slots=True)
class Process:
    """A process that no other one can be taken for: a number is given again, but not at the same time.

    ``host`` stands for the machine since its last start and the container on it, ``started`` is in the kernel's ticks
    since then.
    """

    host: str
    pid: int
    started: int

    @classmethod
    def this(cls) -> Self | None:
        """The process that asks; None where it cannot be told from others."""
        host, stat = _host(), _stat(os.getpid())
        return None if host is None or stat is None else cls(host, os.getpid(), int(stat[_STARTED]))

    @classmethod
    def read(cls, text: str) -> Self | None:
        """What `str` made of one; None where it is something else."""
        match text.split("/"):
            case [host, pid, started] if pid.isdecimal() and started.isdecimal():
                return cls(host, int(pid), int(started))
        return None

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.started}"

    def is_gone(self) -> bool:
        """Whether it is known to have ended. A process that is stopped or hidden, or elsewhere, is not."""
        if self.host != _host():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            return False  # somebody else's
        stat = _stat(self.pid)
        return stat is not None and (stat[_STATE] in _DEAD or int(stat[_STARTED]) != self.started)


def _host() -> str | None:
    """Containers have process numbers of their own, and may have a name and a time in common with their host."""
    try:
        if (_PROC / "self").readlink().name != str(os.getpid()):
            return None  # the /proc of other process numbers than ours
        parts = [socket.gethostname(), (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii")]
    except (OSError, ValueError):
        return None
    for namespace in ("pid", "time"):  # not every kernel has them
        with suppress(OSError):
            parts.append(str((_PROC / "self/ns" / namespace).readlink()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _stat(pid: int) -> list[str] | None:
    """Its state and what follows; None where that is hidden, or it has just ended."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name may hold anything, brackets and spaces too
    return fields if len(fields) > _STARTED else None
