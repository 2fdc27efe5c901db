"""A project with some tasks in a tool, and short words for what tests do there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import cast

from nextlabel.labeling import (
    AnnotationId,
    Cursor,
    Guess,
    Prediction,
    QueueVersion,
    TaskId,
    ToolProjectId,
    labels_in_force,
)
from nextlabel.labeling.ranking import RankedTask, Ranking
from nextlabel.ports.tool import (
    AsksAgain,
    CallsUs,
    ChangePage,
    ChangesSettings,
    Connector,
    KeepsOldOrders,
    KeepsTabs,
    MLBackendWords,
    QueueReceipt,
    TaskSeen,
    TellsScores,
    ToolSetting,
    Unreadable,
)
from nextlabel.testing.harness import (
    Annotator,
    CallsUsHarness,
    OldOrdersHarness,
    ScoresHarness,
    Served,
    SkippingHarness,
    TabsHarness,
    ToolHarness,
)

LABELS = ("ham", "spam")
FIELD = "text"


@dataclass
class Scene:
    """A project with some tasks in a tool, and a connector to it."""

    harness: ToolHarness
    connector: Connector
    project: ToolProjectId
    tasks: list[TaskId]
    target: str
    received: dict[TaskId, TaskSeen] = field(default_factory=dict)
    set_aside: dict[TaskId, Unreadable] = field(default_factory=dict)
    cursor: Cursor | None = None

    def pull(self) -> list[TaskId]:
        """Read on from the cursor, as the loop does; returns the tasks in the order in which they came."""
        received: list[TaskId] = []
        for page in self.connector.changed_tasks(self.cursor):
            received += [seen.task.id for seen in page.tasks]
            self.note(page)
        return received

    def note(self, page: ChangePage) -> None:
        """Store a page and its cursor, as the loop does."""
        for task in (*(seen.task.id for seen in page.tasks), *(one.task for one in page.unreadable)):
            self.received.pop(task, None)
            self.set_aside.pop(task, None)
        self.received.update((seen.task.id, seen) for seen in page.tasks)
        self.set_aside.update((one.task, one) for one in page.unreadable)
        self.cursor = page.cursor

    def label_of(self, task: TaskId) -> object:
        """The label in force, as far as the connector has read."""
        return labels_in_force(self.received[task].annotations).get(self.target)

    def submit(self, task: TaskId, label: str = "ham", by: Annotator = "ann") -> AnnotationId:
        return self.harness.submit(self.project, task, label, by)

    def rank(
        self,
        version: QueueVersion,
        order: Sequence[TaskId],
        shown: str | None = "ham",
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        """Put the tasks in this order, each with the same label guessed (None: nothing to say)."""
        guesses = (Guess(self.target, shown, 0.9),) if shown else ()
        utilities = [1 - rank / (len(order) + 1) for rank in range(len(order))]
        predictions = [
            Prediction(task, version, guesses, 0.1, utility) for task, utility in zip(order, utilities, strict=True)
        ]
        ranking = Ranking(tuple(map(RankedTask, order, utilities)), "contract")
        return self.connector.place(version, ranking, predictions, may_switch=may_switch)

    def settings(self, ours: Collection[QueueVersion]) -> Sequence[ToolSetting]:
        assert isinstance(self.connector, ChangesSettings)
        return self.connector.settings(ours)

    @property
    def old_orders(self) -> KeepsOldOrders:
        """The connector, which has this ring."""
        assert isinstance(self.connector, KeepsOldOrders)
        return self.connector

    @property
    def calls_us(self) -> CallsUs:
        """The connector, which has this ring."""
        assert isinstance(self.connector, CallsUs)
        return self.connector

    @property
    def words(self) -> MLBackendWords:
        """The connector, which has this ring."""
        assert isinstance(self.connector, MLBackendWords)
        return self.connector

    @property
    def scores(self) -> TellsScores:
        """The connector, which has this ring."""
        assert isinstance(self.connector, TellsScores)
        return self.connector

    @property
    def scorers(self) -> ScoresHarness:
        """The people of a tool in which predictions have scores."""
        return cast(ScoresHarness, self.harness)

    @property
    def tabs(self) -> KeepsTabs:
        """The connector, which has this ring."""
        assert isinstance(self.connector, KeepsTabs)
        return self.connector

    @property
    def again(self) -> AsksAgain:
        """The connector, which has this ring."""
        assert isinstance(self.connector, AsksAgain)
        return self.connector

    @property
    def tab_people(self) -> TabsHarness:
        """The people of a tool in which lists of tasks stand under titles."""
        return cast(TabsHarness, self.harness)

    @property
    def importers(self) -> OldOrdersHarness:
        """The people of a tool that keeps predictions of several versions."""
        return cast(OldOrdersHarness, self.harness)

    @property
    def callers(self) -> CallsUsHarness:
        """The people of a tool that calls nextlabel."""
        return cast(CallsUsHarness, self.harness)

    def skip(self, task: TaskId, by: Annotator = "ann") -> None:
        cast(SkippingHarness, self.harness).skip(self.project, task, by)

    def take(self, by: Annotator = "ann") -> Served | None:
        return self.harness.next_task(self.project, by)

    def work(self, tasks: int, by: Annotator = "ann") -> list[Served]:
        """Take and label up to so many tasks one after the other; returns them as they were served."""
        served: list[Served] = []
        while len(served) < tasks and (task := self.take(by)):
            self.harness.submit(self.project, task.task, LABELS[len(served) % 2], by)
            served.append(task)
        return served


@dataclass(frozen=True, slots=True)
class Crowd:
    """A large project; ``tasks`` as they were imported and ``received`` as the connector gave them then.

    Tests of one class share it and leave their marks on it.
    """

    scene: Scene
    tasks: tuple[TaskId, ...]
    received: tuple[TaskId, ...]


def set_scene(harness: ToolHarness, size: int) -> Scene:
    """A new project with so many tasks, none of them labeled."""
    project = harness.create_project(LABELS, FIELD)
    tasks = list(harness.add_tasks(project, [f"mail number {n}" for n in range(size)]))
    connector = harness.connector(project)
    return Scene(harness, connector, project, tasks, connector.label_schema().targets[0].name)


def ids(served: Sequence[Served]) -> list[TaskId]:
    return [it.task for it in served]
