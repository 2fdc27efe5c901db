"""A Label Studio that is down, slow or unwell, that refuses, or whose settings somebody changes."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.faults.fault import Fault
from benchmarks.faults.relay import PASSES, Behaviour
from benchmarks.faults.scene import NotRecovered, Scene

_SECONDS, _DOWN_SECONDS = 15.0, 60.0
_HTML = b"<!DOCTYPE html><html><body><h1>We'll be right back</h1></body></html>"


def _answers(behaviour: Behaviour) -> Callable[[Scene], str]:
    """Labels go on meanwhile, for people reach Label Studio on another way."""

    def happens(it: Scene) -> str:
        it.rig.set("after a page was stored", "wait")  # in mid-flight
        it.label(3)
        it.wait(lambda: it.rig.sprung, "no worker read the labels")
        it.tool.behaviour = behaviour
        it.rig.let_go()
        it.label(2)
        time.sleep(_SECONDS)
        if not it.tool.kept and behaviour.status:
            raise NotRecovered("nothing was asked of Label Studio meanwhile")
        it.tool.behaviour = PASSES
        it.mended()
        return f"{len(it.tool.kept)} requests met with it in {_SECONDS:.0f} s" if behaviour.status else ""

    return happens


def _slow(it: Scene) -> str:
    it.tool.behaviour = Behaviour(delay=5.0)
    it.mended()
    it.label(3)
    return "it stays slow until all is right"


def _down(it: Scene) -> str:
    it.rig.set("before fit", "wait")
    it.label(3)
    it.wait(lambda: it.rig.sprung, "no worker read the labels")
    it.server.stop()
    it.rig.let_go()
    time.sleep(_DOWN_SECONDS)
    it.server.start()
    it.mended()
    it.label(2)
    return f"{_DOWN_SECONDS:.0f} s"


def _no_token(it: Scene) -> str:
    it.owner.allow_legacy_tokens(False)
    try:
        it.label(3)
        time.sleep(_SECONDS)
    finally:
        it.owner.allow_legacy_tokens()
    it.mended()
    it.label(1)
    return f"legacy tokens switched off for {_SECONDS:.0f} s"


def _another_order(it: Scene) -> None:
    it.owner.change_project(it.project, sampling="Sequential sampling", model_version="")
    it.mended()
    it.label(2)


def _no_predictions(it: Scene) -> None:
    it.owner.delete_predictions(it.project, [task["id"] for task in it.owner.tasks(it.project)])
    it.mended()
    it.label(1)


def _nothing_calls(it: Scene) -> str:
    it.owner.remove_webhooks(it.project)
    it.owner.remove_ml_backends(it.project)
    it.mended()
    it.label(4)
    return "labels are pulled all the same"


FAULTS = (
    Fault("tool-down", "Label Studio is down", _down, alone=True),
    Fault("tool-slow", "every answer of Label Studio takes 5 s", _slow),
    Fault("tool-500", "Label Studio answers 500", _answers(Behaviour(status=500, body=b'{"detail": "oh"}'))),
    Fault("tool-429", "Label Studio answers 429", _answers(Behaviour(status=429, body=b'{"detail": "slowly"}'))),
    Fault("tool-html", "a page of HTML instead of JSON", _answers(Behaviour(status=200, body=_HTML, kind="text/html"))),
    Fault("tool-cut", "connections are cut in the middle of an answer", _answers(Behaviour(cut=True))),
    Fault("token-revoked", "the token is refused, and then good again", _no_token, alone=True),
    Fault("order-changed", "somebody resets sampling and model version in Label Studio", _another_order),
    Fault("predictions-deleted", "somebody deletes all predictions", _no_predictions),
    Fault("unhooked", "somebody removes the webhook and the ML backend", _nothing_calls, spoils=True),
)
