"""Which scores stand in a project of doccano, and whose they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from nextlabel.errors import ToolRejected, VersionTaken
from nextlabel.labeling import QueueVersion, TaskId, counted
from nextlabel.ports.tool import OwnOrder
from nextlabel_connectors.doccano.client import DoccanoClient, Row
from nextlabel_connectors.doccano.scores import DEFAULT_SCORE, Place, place_of, score_of


@dataclass(frozen=True, slots=True)
class Scored:
    """A task that has another score than doccano's default."""

    task: TaskId
    score: float
    confirmed: bool

    @property
    def place(self) -> Place | None:
        return place_of(self.score)


@dataclass(frozen=True)
class Standing:
    """Every task that has a score, the first to be served first."""

    tasks: tuple[Scored, ...]

    @classmethod
    def read(cls, client: DoccanoClient) -> Standing:
        above = takewhile(lambda one: one.score > DEFAULT_SCORE, cls.sorted(client))
        below = takewhile(lambda one: one.score < DEFAULT_SCORE, cls.sorted(client, "score"))
        return cls((*above, *reversed(tuple(below))))

    @staticmethod
    def sorted(client: DoccanoClient, ordering: str = "-score") -> Iterator[Scored]:
        """All tasks by their score, in the order in which they are served."""
        for row in client.rows("examples", {"ordering": ordering}):
            yield Scored(TaskId(str(row["id"])), _score(row), row.get("is_confirmed") is True)

    @cached_property
    def scores(self) -> dict[TaskId, float]:
        return {one.task: one.score for one in self.tasks}

    @property
    def strangers(self) -> list[Scored]:
        """Those whose score somebody else gave."""
        return [one for one in self.tasks if one.place is None]

    @property
    def in_force(self) -> QueueVersion | None:
        place = self.tasks[0].place if self.tasks else None
        return place.version if place else None

    def served(self, number: int) -> list[TaskId]:
        """The first tasks of the order in force that nobody has confirmed."""
        return [one.task for one in self.tasks if one.place and not one.confirmed][:number]

    def of(self, order: OwnOrder) -> list[Scored]:
        """The tasks that still carry the score of their place in the order."""
        if order.window is None:
            return [one for one in self.tasks if one.place and one.place.version == order.version]
        try:
            ours = {task: score_of(order.version, n) for n, task in enumerate(order.window)}
        except ToolRejected:
            return []  # a name under which no order can have been written here
        return [one for one in self.tasks if ours.get(one.task) == one.score]

    def check_room(self, version: QueueVersion, window: Collection[TaskId]) -> None:
        """Raises `VersionTaken`, or `ToolRejected` where the order would not be served first or overwrite a score."""
        if strange := [one for one in self.strangers if one.task in window or one.score > DEFAULT_SCORE]:
            raise ToolRejected(whose_scores(strange))
        ours = {task: score_of(version, n) for n, task in enumerate(window)}
        for one in self.tasks:
            if one.place and one.place.version == version and ours.get(one.task) != one.score:
                raise VersionTaken(f"Other tasks have places in an order {version} already: take another name.")
        highest, first = (self.tasks[0].score, score_of(version, 0)) if self.tasks else (0.0, 1.0)
        if highest > first:
            raise ToolRejected(
                f"Tasks have places in an order {self.in_force}, which comes before {version}: another nextlabel "
                "orders this project too, or one did whose database is gone. Stop it, and give these tasks the score "
                "100 (docs/doccano.md says how)."
            )


def whose_scores(strange: list[Scored]) -> str:
    examples = ", ".join(f"{one.score:g} on task {one.task}" for one in strange[:3])
    return (
        f"{counted(len(strange), 'task')} of this project have scores that nextlabel did not give ({examples}), and it "
        "orders tasks by their score. Keep them elsewhere if you need them, and give these tasks the score 100 "
        "(docs/doccano.md says how)."
    )


def _score(row: Row) -> float:
    score = row.get("score")
    return float(score) if isinstance(score, int | float) else DEFAULT_SCORE
