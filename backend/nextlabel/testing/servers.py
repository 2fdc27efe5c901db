"""What tests need of servers that they start themselves: a free port, and an end with whoever wanted them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

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


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To a program that was started in a session of its own, and to all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def free_port() -> int:
    """A port of this machine at which nothing answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
