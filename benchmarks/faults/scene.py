"""Where a fault happens: a project of real texts, nextlabel beside it, and a person who labels what is served."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import redis
from sqlalchemy.exc import SQLAlchemyError

from benchmarks.faults.relay import Relay
from benchmarks.faults.rigged import Action, Rig
from benchmarks.faults.verdict import Verdict, look
from benchmarks.mails import TWO, mails, truth
from benchmarks.processes import parts_of, plugged_in
from nextlabel.errors import NextlabelError, ToolUnavailable
from nextlabel.jobs.embedded_redis import EmbeddedRedis
from nextlabel.labeling import ProjectId
from nextlabel.ports.tool import ToolAccess
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.servers import free_port
from nextlabel.wiring import Parts
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice

RECONCILE_SECONDS = 10
_TASKS, _CHARACTERS = 120, 80
_FEW = 40  # open tasks: too few for another fault
_FIRST_LABELS = 8
_PATIENCE = 150.0
_CALM_SECONDS = 2.0  # that it must stay right, lest a worker thought dead come after it
# Without audit tasks: what is served is held to the model's own order.
_OPTIONS = ("strategy=margin", "cold_start=0", "quiet_seconds=0.3", "max_wait_seconds=3", "audit_share=0")


class NotPossible(Exception):
    """The fault cannot be made on this machine; the message says why."""


class NotRecovered(Exception):
    """It went wrong; the message says what."""


@dataclass
class Scene:
    """A connected project. ``tool`` is on the way from nextlabel to Label Studio, ``postbox`` on the way back."""

    server: LabelStudioServer
    owner: LabelStudioPerson
    nextlabel: Nextlabel
    tool: Relay
    postbox: Relay
    project: int
    parts: Parts
    rig: Rig
    annotations: list[int] = field(default_factory=list)
    labeled: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    mended_at: float = 0.0

    @property
    def id(self) -> ProjectId:
        return ProjectId(str(self.project))

    @property
    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(EmbeddedRedis(self.nextlabel.home).url)

    def label(self, n: int = 3) -> None:
        """So many labels, of the tasks that Label Studio serves, one after the other."""
        for _ in range(n):
            task = self._patiently(lambda: self.owner.next_task(self.project))
            if task is None:
                raise NotRecovered("Label Studio serves no task any more")
            label = truth(str(task["data"]["text"]))
            self.annotations.append(self._patiently(lambda: self.owner.submit(task["id"], label)))  # noqa: B023
            self.labeled.append(task["id"])
            self.said.append(label)

    def train_with(self, step: str, action: Action) -> None:
        """Have a trap at that step of the loop, and labels that make a worker come by."""
        self.rig.set(step, action)
        self.label()
        self.wait(lambda: self.rig.sprung, f"nobody came to the step '{step}'")

    @property
    def is_worn(self) -> bool:
        """Whether hardly any task is left to label."""
        return len(self.owner.open_tasks(self.project)) < _FEW

    def freshen(self) -> None:
        """Nothing is left of the fault before."""
        self.tool.reset()
        self.postbox.reset()
        self.mended_at = 0.0

    def kill_redis(self) -> None:
        os.kill(int(self.redis.info("server")["process_id"]), signal.SIGKILL)

    def kill(self, name: str) -> int:
        """kill -9 of all processes of nextlabel's with that text in their command; how many there were."""
        found = self.nextlabel.processes(name)
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            raise NotRecovered(f"there was no process '{name}' to kill")
        return len(found)

    def wait(self, for_what: Callable[[], object], otherwise: str, seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while not for_what():
            if time.monotonic() > deadline:
                raise NotRecovered(f"{otherwise} within {seconds:.0f} s")
            time.sleep(0.1)

    def mended(self) -> None:
        """From now on nothing is in the way: recovery is timed from here."""
        self.mended_at = time.monotonic()

    def recover(self, patience: float = _PATIENCE) -> tuple[Verdict, float]:
        """The verdict once all is right and stays so, or after ``patience``; the seconds since it was mended."""
        start, verdict = self.mended_at or time.monotonic(), None
        while time.monotonic() < start + patience:
            verdict = self._look() or verdict
            if verdict is not None and verdict.right:
                took = time.monotonic() - start
                time.sleep(_CALM_SECONDS)
                if (still := self._look()) is not None and still.right:
                    return self._ask_for_next(still), took
            time.sleep(0.5)
        if verdict is None:
            raise NotRecovered("nothing could be read")
        return verdict, time.monotonic() - start

    def _ask_for_next(self, verdict: Verdict) -> Verdict:
        """Whether an annotator gets the top of the window; the person holds no other task now.

        Nobody gets a task twice: of some odd annotations Label Studio keeps one, fails, and leaves the task open.
        """
        queue = self.parts.orders.announced(self.id)[0]
        still_open = {str(task["id"]) for task in self.owner.open_tasks(self.project) if not task["annotations"]}
        first = next((task for task in queue.window if task in still_open), None)
        task = self.owner.next_task(self.project)
        if task is not None and str(task["id"]) == first:
            return verdict
        wrong = f"an annotator gets task {task and task['id']}, the window has {first}"
        return Verdict(verdict.in_tool, verdict.trained_on, verdict.lost, verdict.double, wrong)

    def _look(self) -> Verdict | None:
        with suppress(NextlabelError, SQLAlchemyError, httpx.HTTPError):
            return look(self.owner, self.project, self.parts)
        return None

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        """Label Studio's own database may be locked for a moment while several projects are at work."""
        for _ in range(5):
            with suppress(ToolUnavailable):
                return ask()
            time.sleep(1)
        return ask()


@contextmanager
def scene(server: LabelStudioServer, settings: Mapping[str, str], disk_mb: int | None, log: Path) -> Iterator[Scene]:
    """A project that has learned its first labels, its nextlabel in a folder of its own, of ``disk_mb`` if given; what
    nextlabel had to say is kept in ``log``."""
    with tempfile.TemporaryDirectory(prefix="nextlabel-faults-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        home.mkdir()
        with _disk(home, disk_mb):
            one = Nextlabel(home, _environ(Path(folder), settings), port=free_port())
            try:
                one.start()
                with Relay(server.url) as tool, Relay(one.url) as postbox:
                    it = _set_up(server, one, tool, postbox)
                    yield it
                    it.parts.database.dispose()
            finally:
                one.stop()
                shutil.copy(Path(folder) / "up.log", log)


def _environ(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    return {
        "NEXTLABEL_CONNECTOR": "benchmark",
        "NEXTLABEL_RECONCILE_SECONDS": str(RECONCILE_SECONDS),
        "PYTHONPATH": plugged_in(folder / "plugin", "benchmarks.faults.rigged:CONNECTOR"),
        **settings,
    }


def _set_up(server: LabelStudioServer, nextlabel: Nextlabel, tool: Relay, postbox: Relay) -> Scene:
    owner = server.owner
    project = owner.create_project(nextlabel.home.parent.name, single_choice(TWO))
    owner.import_tasks(project, [{"text": text[:_CHARACTERS]} for text, _ in mails()[:_TASKS]])
    access, flags = ToolAccess(tool.url, server.legacy_access.token), [p for o in _OPTIONS for p in ("--option", o)]
    findings(
        nextlabel.command(
            *("connect", "--url", access.url, "--token", access.token, "--project", str(project)),
            *("--backend-url", postbox.url, "--json", *flags),
        )
    )
    parts = parts_of(nextlabel.home)
    it = Scene(server, owner, nextlabel, tool, postbox, project, parts, Rig(nextlabel.home))
    it.label(_FIRST_LABELS)
    while min(it.said.count(label) for label in TWO) < 2:
        it.label(1)
    verdict, _ = it.recover()
    if not verdict.right:
        raise NotRecovered(f"it was not right before anything had happened: {verdict}")
    return it


@contextmanager
def _disk(folder: Path, megabytes: int | None) -> Iterator[None]:
    """A disk of its own for that folder."""
    if megabytes is None:
        yield
        return
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "nextlabel-faults", str(folder)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise NotPossible(f"no small disk can be made here ({made.stderr.strip()})")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)  # noqa: S607
