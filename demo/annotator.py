"""A simulated annotator: takes whatever Label Studio serves next and submits the true label."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from demo.mails import Mail
from demo.stage import OrderInForce, Project
from nextlabel.labeling import QueueVersion, TaskId
from nextlabel_connectors.label_studio.testing import LabelStudioPerson
from nextlabel_connectors.label_studio.testing.people import labels_in

_MEDIAN_SECONDS = 1.0
_SPREAD = 0.6  # of the logarithm: two thirds of the pauses are between 0.55 and 1.8 s


@dataclass(frozen=True, slots=True)
class Labeling:
    """One task as it was served and labeled.

    ``orders`` are the versions in force just before and just after the request: the order may be switched while
    it is answered. ``guess`` is the pre-annotation that the annotator saw. ``submitted_at`` is on the monotonic
    clock, taken before the submit is sent.
    """

    task: TaskId
    mail: Mail
    orders: frozenset[QueueVersion]
    guess: str | None
    confidence: float | None
    submitted_at: float


class Annotator:
    """Reads for a while, then labels, without regard to what the system is doing.

    The pauses are a person's, irregular, only shorter (log-normal, median one second): some last longer than
    nextlabel's quiet period of one second, so trainings start while labeling goes on, and several labels share one.
    """

    def __init__(self, person: LabelStudioPerson, project: Project, order: OrderInForce, seed: int = 0) -> None:
        self._person = person
        self._project = project
        self._order = order
        self._pauses = np.random.default_rng(seed)

    def label_one(self) -> Labeling | None:
        """Open the next task, think, submit. None when nothing is left."""
        before = self._order.now()
        served = self._person.next_task(self._project.id)
        after = self._order.now()
        if served is None:
            return None
        mail = self._project.mails[TaskId(str(served["id"]))]
        guess, confidence = _shown(served["predictions"])
        seconds = float(self._pauses.lognormal(np.log(_MEDIAN_SECONDS), _SPREAD))
        time.sleep(seconds)
        submitted_at = time.monotonic()
        self._person.submit(served["id"], mail.label, seconds=seconds)
        orders = frozenset(version for version in (before, after) if version)
        return Labeling(TaskId(str(served["id"])), mail, orders, guess, confidence, submitted_at)


def _shown(predictions: list[dict[str, object]]) -> tuple[str | None, float | None]:
    """The label that Label Studio shows before the annotator has chosen, and how sure the model is of it."""
    for prediction in predictions:
        regions = prediction["result"]
        labels = labels_in(regions) if isinstance(regions, list) else []
        if labels and isinstance(regions, list):
            return labels[0], regions[0].get("score")
    return None, None
