"""Webhooks that are lost, told too often, told the wrong way round, or false."""

from __future__ import annotations

import httpx
import orjson

from benchmarks.faults.fault import Fault
from benchmarks.faults.relay import PASSES, Behaviour
from benchmarks.faults.scene import RECONCILE_SECONDS, NotRecovered, Scene
from benchmarks.payloads import annotation_created

_WEBHOOK = "/webhook"
_TAKEN = Behaviour(only=_WEBHOOK, status=201)  # Label Studio is told that all is well


def _nothing(it: Scene) -> None:
    it.label(5)


def _lost(it: Scene) -> str:
    it.postbox.behaviour = _TAKEN
    it.label(5)
    return f"{len(it.postbox.kept)} webhooks lost, one pull every {RECONCILE_SECONDS} s"


def _refused(it: Scene) -> None:
    it.postbox.behaviour = Behaviour(only=_WEBHOOK, status=502, body=b"bad gateway", kind="text/plain")
    it.label(5)
    it.postbox.behaviour = PASSES


def _a_hundred_times(it: Scene) -> str:
    it.postbox.behaviour = _TAKEN
    it.label(5)
    it.postbox.behaviour = PASSES
    kept = list(it.postbox.kept)
    statuses = [status for _ in range(100) for status in it.postbox.deliver(kept)]
    it.label(1)
    if set(statuses) - {200, 201}:
        raise NotRecovered(f"webhooks were answered with {sorted(set(statuses))}")
    return f"{len(statuses)} webhooks"


def _backwards(it: Scene) -> str:
    it.postbox.behaviour = _TAKEN
    it.label(3)
    it.owner.change(it.annotations[-1], "spam")
    it.owner.withdraw(it.annotations[-2])
    it.label(2)
    it.postbox.behaviour = PASSES
    it.postbox.deliver(reversed(it.postbox.kept))
    return "labels, a change and a withdrawal"


def _forged(it: Scene) -> str:
    """They are refused, and no training comes of them."""
    trained = len(it.parts.models.history(it.id))
    for headers in ({}, {"x-nextlabel-secret": ""}, {"x-nextlabel-secret": "guessed"}):
        for n in range(10):
            answer = httpx.post(f"{it.nextlabel.url}{_WEBHOOK}", content=annotation_created(it.id, n), headers=headers)
            if answer.status_code != 401 or "header" not in orjson.loads(answer.content)["error"]:
                raise NotRecovered(f"a forged webhook was answered with {answer.status_code}")
    if len(it.parts.models.history(it.id)) != trained:
        raise NotRecovered("a forged webhook made a training")
    it.label(3)
    return "all 30 refused"


FAULTS = (
    Fault("nothing", "nothing at all, for comparison: five labels", _nothing),
    Fault("webhook-lost", "webhooks never arrive", _lost),
    Fault("webhook-refused", "webhooks are answered with 502 by something in between", _refused),
    Fault("webhook-x100", "every webhook arrives a hundred times", _a_hundred_times),
    Fault("webhook-backwards", "webhooks arrive late and in the wrong order", _backwards, spoils=True),
    Fault("webhook-forged", "webhooks without the secret", _forged),
)
