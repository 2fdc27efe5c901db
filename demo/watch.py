"""Two background threads: one notes the moment of each switch of the order, one examines each new model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import httpx

from demo.errors import DemoFailed
from demo.mails import TARGET, Mail, accuracy
from demo.measures import Learned, Switch
from demo.stage import OrderInForce
from nextlabel.labeling import ProjectId, QueueVersion
from nextlabel.wiring import Parts

_CHECK_SECONDS = 0.03
_EXAMINE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Examined:
    """How many held-out mails the model behind a version got right, and how many labels it had seen."""

    version: QueueVersion
    labels: int
    accuracy: float


class Examiner:
    """Asks the running backend over HTTP what it says of the held-out mails."""

    def __init__(self, url: str, credentials: dict[str, Any], project: ProjectId, held_out: list[Mail]) -> None:
        self._http = httpx.Client(base_url=url, auth=(credentials["user"], credentials["password"]), timeout=60.0)
        self._path = f"/api/projects/{project}/uncertainty"
        self._held_out = held_out

    def accuracy_of(self, version: QueueVersion) -> float | None:
        """The share of right answers; None when the backend does not answer by that version (yet, or any more)."""
        # A single mail first: until every process of the backend has noticed a new model, asking should cost little.
        if self._ask(self._held_out[:1])[0] != version:
            return None
        answered, printed = self._ask(self._held_out)
        return accuracy(printed, self._held_out) if answered == version else None

    def _ask(self, mails: list[Mail]) -> tuple[QueueVersion, list[str | None]]:
        tasks = [{"id": mail.id, "data": {"text": mail.text}} for mail in mails]
        response = self._http.post(self._path, json={"tasks": tasks})
        if response.is_error:
            raise DemoFailed(f"nextlabel answered {self._path} with {response.status_code}: {response.text[:300]}")
        printed = response.json()
        return QueueVersion(printed["model_version"]), [
            one["targets"].get(TARGET.name, {}).get("label") for one in printed["results"]
        ]


class Watch:
    """What happens to the order while annotators work. Lists only ever grow; oldest first."""

    def __init__(
        self,
        order: OrderInForce,
        examiner: Examiner,
        parts: Parts,
        project: ProjectId,
        report: Callable[[Examined], None],
    ) -> None:
        self.switches: list[Switch] = []
        self.examined: list[Examined] = []
        self._order = order
        self._examiner = examiner
        self._registry, self._orders = parts.models, parts.orders
        self._project = project
        self._report = report
        self._stopped = Event()
        self._failure: Exception | None = None
        self._threads = [
            Thread(target=self._guarded, args=(work,), name=work.__name__, daemon=True)
            for work in (self._look, self._examine)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def check(self) -> None:
        """Raises `DemoFailed` when one of the threads has failed."""
        if self._failure is not None:
            raise DemoFailed(f"The demo lost sight of the servers: {self._failure}") from self._failure

    def in_force(self) -> QueueVersion:
        return self.switches[-1].version if self.switches else QueueVersion("")

    def learned(self) -> Learned:
        """What nextlabel has stored by now."""
        models = self._registry.history(self._project, with_labels=True)
        return Learned(models, self._orders.announced(self._project)[::-1])

    def has_examined(self, version: QueueVersion) -> bool:
        return any(one.version == version for one in self.examined)

    def _look(self) -> None:
        while not self._stopped.wait(_CHECK_SECONDS):
            version = self._order.now()
            if version and version != self.in_force():
                self.switches.append(Switch(time.monotonic(), version))

    def _examine(self) -> None:
        while not self._stopped.wait(_EXAMINE_SECONDS):
            version = self.in_force()
            if not version or self.has_examined(version):
                continue
            accuracy_now = self._examiner.accuracy_of(version)
            model = self.learned().model_of(version)
            if accuracy_now is not None and model is not None:
                examined = Examined(version, len(model.trained_on), accuracy_now)
                self.examined.append(examined)
                self._report(examined)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # handed to the main thread by `check`
            if not self._stopped.is_set():
                self._failure = error
