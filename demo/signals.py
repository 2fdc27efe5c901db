"""Signals that end the demo: the first one unwinds the stack, whatever comes after that is ignored."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end_on_signals() -> None:
    """From now on Ctrl-C, SIGTERM and a closed terminal raise `Ended` in the main thread."""
    for number in _SIGNALS:
        signal.signal(number, _end)


def ignore_signals() -> None:
    """From now on nothing interrupts."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    ignore_signals()
    raise Ended(number)
