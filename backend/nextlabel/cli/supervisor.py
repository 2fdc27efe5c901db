"""A few child processes kept alive together, and taken down together."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from nextlabel.cli import EXIT_CONFIGURATION
from nextlabel.errors import ConfigurationError, NextlabelError
from nextlabel.jobs.embedded_redis import end_with_parent

log = logging.getLogger("nextlabel.supervisor")

_RESTART_SECONDS = 1.0
_STANDS_AFTER_SECONDS = 10.0
_TICK_SECONDS = 0.1
_HOPELESS_AFTER = 5  # starts in a row that lived less than ten seconds, of a child that never lived longer
_LONGEST_PAUSE_SECONDS = 10.0
_LAST_GRACE_SECONDS = 10.0  # at least, for what ends last, where the others have used up the time


class ChildFailed(NextlabelError):
    """A child process does not stay up."""


class ChildMisconfigured(ChildFailed, ConfigurationError):
    """A child process says that a person must change something first."""


@dataclass(slots=True)
class _Child:
    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes]
    started: float
    ends_last: bool
    short_lives: int = 0
    has_stood: bool = False
    again_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Runs ``nextlabel`` sub-commands as children until SIGTERM or SIGINT, restarting those that die.

    Children end with this process even when it is killed with -9 (on Linux). ``grace`` is how long they may take to
    finish what they are doing; those that end last have ten seconds of their own. A child that has never stood is given
    up after a few starts; one that has is started again for as long as it takes, for what ails it (a full disk, say)
    will be over.
    """

    environ: Mapping[str, str]
    grace: float = 30.0
    _children: list[_Child] = field(default_factory=list)
    _stopping: bool = False

    def start(self, name: str, *arguments: str, ends_last: bool = False) -> None:
        """Start ``nextlabel <arguments>`` as a child of that name. One that others need ``ends_last``."""
        self._children.append(_Child(name, arguments, self._spawn(arguments), time.monotonic(), ends_last))

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        """Watch the children, calling ``tick`` ten times a second. Raises `ChildFailed` when one does not come up."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            while not self._stopping:
                for child in self._children:
                    self._revive(child)
                tick()
                time.sleep(_TICK_SECONDS)
        finally:
            self.end()

    def end(self) -> None:
        """Tell all children to end, wait, and kill those that do not; then those that end last."""
        deadline = time.monotonic() + self.grace
        self._end([child for child in self._children if not child.ends_last], deadline)
        least = time.monotonic() + _LAST_GRACE_SECONDS
        self._end([child for child in self._children if child.ends_last], max(deadline, least))

    def _end(self, children: Sequence[_Child], deadline: float) -> None:
        began = time.monotonic()
        for child in children:
            child.process.terminate()
        for child in children:
            try:
                child.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("%s did not end in %.0f s and was killed", child.name, time.monotonic() - began)
                child.process.kill()
                child.process.wait()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _revive(self, child: _Child) -> None:
        code, now = child.process.poll(), time.monotonic()
        if code is None:
            child.has_stood = child.has_stood or now - child.started >= _STANDS_AFTER_SECONDS
        elif child.again_at is None:
            self._plan(child, code, now)
        elif now >= child.again_at:
            child.process, child.started, child.again_at = self._spawn(child.arguments), now, None

    def _plan(self, child: _Child, code: int, now: float) -> None:
        """When to start it again: at once if it lived long, else ever later. Raises `ChildFailed` if it is hopeless."""
        child.short_lives = child.short_lives + 1 if now - child.started < _STANDS_AFTER_SECONDS else 0
        if not child.has_stood and (child.short_lives >= _HOPELESS_AFTER or code == EXIT_CONFIGURATION):
            failed = ChildMisconfigured if code == EXIT_CONFIGURATION else ChildFailed
            raise failed(f"The {child.name} process does not stay up (exit code {code}): see the messages above.")
        log.warning("%s ended (exit code %s) and is started again", child.name, code)
        pause = _RESTART_SECONDS * 2 ** (child.short_lives - 1) if child.short_lives else 0.0
        child.again_at = now + min(pause, _LONGEST_PAUSE_SECONDS)

    def _spawn(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        # -P: of the folder that somebody happens to stand in nothing is imported, be it called gunicorn.py.
        command = [sys.executable, "-P", "-m", "nextlabel", *arguments]
        return subprocess.Popen(  # noqa: S603 - ourselves, no shell
            command,
            env={**os.environ, **self.environ},
            stdin=subprocess.DEVNULL,
            preexec_fn=end_with_parent(),
            # A session of its own: Ctrl-C reaches this process only, which then ends the children in order.
            start_new_session=True,
        )
