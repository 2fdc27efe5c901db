"""How tests wait: until it happens. The ceiling is for what never will, and one variable scales it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PATIENCE_VARIABLE = "NEXTLABEL_TEST_PATIENCE"
"""By how much every ceiling is multiplied, for a machine that is busier still."""

PATIENCE = float(os.environ.get(PATIENCE_VARIABLE) or 1)
CEILING_SECONDS = 600.0 * PATIENCE


def wait_for(what: Callable[[], T | None], why: str = "", every: float = 0.1) -> T:
    """Ask ``every`` so many seconds until the answer is true; fails with the last answer."""
    deadline = time.monotonic() + CEILING_SECONDS
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {CEILING_SECONDS:.0f} s {why}"
        time.sleep(every)


def has_ended(pid: int) -> bool:
    """Whether there is no such process any more, or it has ended and only its parent has not looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:  # it may end while it is read
        return True
