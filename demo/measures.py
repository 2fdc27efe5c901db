"""The figures of the demo, from what was seen. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from demo.annotator import Labeling
from demo.mails import TARGET
from nextlabel.labeling import ModelVersion, QueueVersion, TaskId
from nextlabel.ports.state import ModelRecord, QueueRecord


@dataclass(frozen=True, slots=True)
class Switch:
    """From this moment (monotonic clock) Label Studio served by this version."""

    at: float
    version: QueueVersion


@dataclass(frozen=True, slots=True)
class Learned:
    """What nextlabel has stored: every model and every order, oldest first."""

    models: Sequence[ModelRecord]
    orders: Sequence[QueueRecord]

    def model_of(self, version: QueueVersion) -> ModelRecord | None:
        names = {order.version: order.model for order in self.orders}
        records: dict[ModelVersion, ModelRecord] = {model.version: model for model in self.models}
        return records.get(names[version]) if version in names else None

    def windows(self) -> dict[QueueVersion, tuple[TaskId, ...]]:
        return {order.version: order.window for order in self.orders}

    @property
    def retrainings(self) -> int:
        """Trainings that saw a label, whether or not the model was put in service."""
        return sum(bool(model.trained_on) for model in self.models)

    @property
    def turned_down(self) -> int:
        return sum(model.state == "turned_down" for model in self.models)

    def settled(self, tasks: Collection[TaskId], in_force: QueueVersion) -> bool:
        """Whether the last model has seen a label of all these tasks, and the order in force is its own.

        A model that was turned down makes no order; then the one in force stays right.
        """
        if not self.models:
            return False
        last, serving = self.models[-1], self.model_of(in_force)
        has_seen_all = set(tasks) <= last.trained_on.keys()
        serves = serving is not None and serving.state == "in_service"
        return has_seen_all and serves and (serving == last or last.state == "turned_down")


def served_in_rank_order(labelings: Sequence[Labeling], windows: Mapping[QueueVersion, Sequence[TaskId]]) -> float:
    """The share of tasks that were the best free one of an order in force when asked.

    Free is what the annotator had not labeled yet. A task served while no known order was in force counts as a miss.
    """
    labeled: set[TaskId] = set()
    hits = 0
    for one in labelings:
        best = {next((task for task in windows.get(order, ()) if task not in labeled), None) for order in one.orders}
        hits += one.task in best
        labeled.add(one.task)
    return hits / len(labelings) if labelings else 0.0


def seconds_to_reorder(labelings: Sequence[Labeling], switches: Sequence[Switch], learned: Learned) -> list[float]:
    """For each label, the time from its submit until an order by a model that had learned it was in force.

    Labels that no order has learned yet are left out.
    """
    waits = []
    taught = [(switch.at, learned.model_of(switch.version)) for switch in switches]
    for one in labelings:
        printed = {TARGET.name: one.mail.label}
        times = [at for at, model in taught if model and model.trained_on.get(one.task) == printed]
        if times:
            waits.append(min(times) - one.submitted_at)
    return waits


def middle(values: Sequence[float]) -> float | None:
    """The median; None of nothing."""
    return median(values) if values else None
