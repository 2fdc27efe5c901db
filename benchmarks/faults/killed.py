"""Processes that are killed with -9: at each step of the loop, and at any time."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.faults.fault import Fault
from benchmarks.faults.rigged import STEPS, Action
from benchmarks.faults.scene import Scene

_WHO: dict[Action, str] = {
    "child": "the worker's child is killed {}",
    "parent": "the worker is killed {}; its child goes on",
    "both": "the worker and its child are killed {}",
}
_BOTH = ("before fit", "after promote, before reorder", "in the middle of the window")


def _killed(step: str, who: Action) -> Callable[[Scene], None]:
    def happens(it: Scene) -> None:
        it.train_with(step, who)
        it.mended()
        it.label(2)

    return happens


def _fault(step: str, who: Action) -> Fault:
    slug = step.replace(",", "").replace(" ", "-")
    return Fault(f"{who}-killed-{slug}", _WHO[who].format(step), _killed(step, who))


def _backend(it: Scene) -> str:
    it.label(2)
    killed = it.kill("\0serve\0")
    it.label(3)
    it.mended()
    return f"{killed} processes"


def _everything(it: Scene) -> None:
    it.rig.set("before fit", "wait")
    it.label(2)
    it.kill("-m\0nextlabel")
    it.label(3)
    it.rig.let_go()
    it.nextlabel.process = None
    it.nextlabel.start()
    it.mended()


FAULTS = (
    *(_fault(step, "child") for step in STEPS),
    *(_fault(step, "parent") for step in STEPS),
    *(_fault(step, "both") for step in _BOTH),
    Fault("backend-killed", "the backend is killed, all its processes", _backend),
    Fault(
        "all-killed",
        "nextlabel is killed, all its processes (its Redis ends with them), and started again",
        _everything,
    ),
)
