"""Label Studio's connector, rigged: a plug-in by which a process is killed, or waits, at one step of the loop.

`nextlabel up` starts its own processes as always; each of them loads the connector, and with it the traps. A trap is a
file in the home's ``rig`` folder that names a step and what is to happen there; it springs once. A ``clock`` file there
moves `time.time` by so many seconds.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any, Literal

from nextlabel.labeling import ToolProjectId
from nextlabel.learning.targets import TargetsWorkbench
from nextlabel.ports.requests import MLBackend, Webhooks
from nextlabel.ports.tool import Connector, ToolAccess
from nextlabel.storage.label_store import SqlLabelStore
from nextlabel.storage.model_store import StoredModels
from nextlabel.storage.orders import StoredOrders
from nextlabel_connectors.label_studio import CONNECTOR as LABEL_STUDIO
from nextlabel_connectors.label_studio import predictions
from nextlabel_connectors.label_studio.connector import LabelStudioConnector
from nextlabel_connectors.label_studio.predictions import Predictions
from nextlabel_connectors.label_studio.queue import Queue

Action = Literal["child", "parent", "both", "wait"]
"""Who is killed with -9: the process that RQ forked for the job, the worker that it was forked from, or both.
Or nobody: the job waits until it may go on."""

_STEPS: dict[str, tuple[type, str, Literal["before", "after"]]] = {
    "before the pull": (LabelStudioConnector, "changed_tasks", "before"),
    "after a page was stored": (SqlLabelStore, "apply", "after"),
    "before fit": (TargetsWorkbench, "learn", "before"),
    "after fit, before save": (StoredModels, "save", "before"),
    "after save, before promote": (StoredModels, "promote", "before"),
    "after promote, before reorder": (StoredModels, "promote", "after"),
    "ranked, before the window": (StoredOrders, "reserve", "before"),
    "in the middle of the window": (Predictions, "_import", "after"),
    "after the window, before the switch": (Queue, "_switch", "before"),
    "after the switch, before announce": (StoredOrders, "announce", "before"),
    "after announce": (StoredOrders, "announce", "after"),
}
STEPS = tuple(_STEPS)
_CHUNK = 20  # so that a window of sixty tasks has a middle


class Rig:
    """The traps of one home, as those who set them see it."""

    def __init__(self, home: Path) -> None:
        self._folder = home.parent / "rig"

    def set(self, step: str, action: Action) -> None:
        """At that step, once."""
        self._folder.mkdir(exist_ok=True)
        for old in ("sprung", "go"):
            (self._folder / old).unlink(missing_ok=True)
        (self._folder / "new").write_text(json.dumps([step, action]))
        (self._folder / "new").rename(self._trap)

    @property
    def sprung(self) -> bool:
        return (self._folder / "sprung").exists()

    def let_go(self) -> None:
        """Whoever waits at the trap goes on."""
        (self._folder / "go").touch()

    def move_clock(self, seconds: float) -> None:
        """From now on the processes' `time.time` is off by so much. Redis's and RQ's own clocks are not."""
        self._folder.mkdir(exist_ok=True)
        (self._folder / "clock").write_text(str(seconds))

    @property
    def _trap(self) -> Path:
        return self._folder / "trap"

    def spring(self, step: str) -> None:
        """In the process that comes to the step."""
        try:
            wanted, action = json.loads(self._trap.read_text())
            if wanted != step:
                return
            self._trap.rename(self._folder / "sprung")  # only one process can
        except FileNotFoundError:
            return
        if action in ("parent", "both"):
            os.kill(os.getppid(), signal.SIGKILL)
        if action in ("child", "both"):
            os.kill(os.getpid(), signal.SIGKILL)
        while action == "wait" and self._folder.exists() and not (self._folder / "go").exists():
            time.sleep(0.02)

    def shift(self) -> float:
        try:
            return float((self._folder / "clock").read_text() or 0)
        except FileNotFoundError:
            return 0.0


class RiggedLabelStudio:
    """What the plug-in's entry point names: every process asks for the title or the webhooks first."""

    title, address, token = LABEL_STUDIO.title, LABEL_STUDIO.address, LABEL_STUDIO.token

    @property
    def webhooks(self) -> Webhooks | None:
        _rig()
        return LABEL_STUDIO.webhooks

    @property
    def ml_backend(self) -> MLBackend | None:
        _rig()
        return LABEL_STUDIO.ml_backend

    def open(self, access: ToolAccess, project: ToolProjectId) -> Connector:
        _rig()
        return LABEL_STUDIO.open(access, project)


@cache
def _rig() -> None:
    rig = Rig(Path(os.environ["NEXTLABEL_HOME"]))
    for step, (owner, name, moment) in _STEPS.items():
        setattr(owner, name, _trapped(getattr(owner, name), rig, step, moment))
    predictions._CHUNK = _CHUNK
    true_time = time.time
    time.time = lambda: true_time() + rig.shift()


def _trapped(whole: Callable[..., Any], rig: Rig, step: str, moment: str) -> Callable[..., Any]:
    @wraps(whole)
    def trapped(*args: Any, **kwargs: Any) -> Any:
        if moment == "before":
            rig.spring(step)
        done = whole(*args, **kwargs)
        if moment == "after":
            rig.spring(step)
        return done

    return trapped


CONNECTOR = RiggedLabelStudio()
