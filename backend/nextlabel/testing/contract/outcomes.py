"""What becomes of every call that a connector has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from nextlabel.errors import NextlabelError, PayloadError, ToolRejected, ToolUnavailable
from nextlabel.ports.tool import CallsUs, ChangesSettings, KeepsOldOrders, OwnOrder
from nextlabel.testing.contract.versions import V1, V3
from nextlabel.testing.scene import Scene

Calls = Mapping[str, Callable[[Scene], object]]

_CORE: Calls = {
    "label_schema": lambda it: it.connector.label_schema(),
    "changed_tasks": lambda it: list(it.connector.changed_tasks(None)),
    "vanished_tasks": lambda it: it.connector.vanished_tasks(it.tasks[:1]),
    "place": lambda it: it.rank(V3, it.tasks[:2]),
    "queue_in_force": lambda it: it.connector.queue_in_force(),
    "head_of_queue": lambda it: it.connector.head_of_queue(2),
}
_RINGS: Mapping[type, Calls] = {
    KeepsOldOrders: {
        "predictions_held": lambda it: it.old_orders.predictions_held(),
        "prune": lambda it: it.old_orders.prune([OwnOrder(V1)], 10),
    },
    ChangesSettings: {"settings": lambda it: it.settings(())},
    CallsUs: {
        "drift": lambda it: it.calls_us.drift(it.callers.callback()),
        "disconnect": lambda it: list(it.calls_us.disconnect(it.callers.callback(), {})),
        "is_connected": lambda it: it.calls_us.is_connected(it.callers.callback()),
    },
}


def calls(scene: Scene) -> Calls:
    """Every call of the core, and of the rings that the connector has."""
    found = dict(_CORE)
    for ring, more in _RINGS.items():
        if isinstance(scene.connector, ring):
            found |= more
    return found


def outcomes(scene: Scene, *kept_apart: type[NextlabelError]) -> dict[str, object]:
    """What becomes of each call of the connector."""
    return {name: outcome(partial(call, scene), *kept_apart) for name, call in calls(scene).items()}


def outcome(call: Callable[[], object], *kept_apart: type[NextlabelError]) -> object:
    """What a call returns, or what kind of error it raises."""
    try:
        return call()
    except NextlabelError as error:
        kinds = (*kept_apart, ToolUnavailable, ToolRejected, PayloadError)
        return next((kind for kind in kinds if isinstance(error, kind)), type(error))
