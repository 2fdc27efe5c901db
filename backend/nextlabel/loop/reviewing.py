"""Labeled tasks that are served once more, to somebody else, among the open ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nextlabel.labeling import Prediction, QueueVersion, TaskId
from nextlabel.labeling.ranking import RankedTask, Ranking

EVERY = 20
"""One of so many places of a window is a review; where open tasks run out, all that are left come at its end."""


def with_reviews(window: Ranking, reviews: Sequence[TaskId], every: int = EVERY) -> Ranking:
    """The window with reviews between its tasks, at every so manieth place."""
    return Ranking(tuple(_among(window.tasks, list(reviews), every)), window.strategy)


def _among(tasks: Sequence[RankedTask], waiting: list[TaskId], every: int) -> Iterator[RankedTask]:
    last = 0.0
    for n, one in enumerate(tasks, start=1):
        last = one.utility
        yield one
        if n % (every - 1) == 0 and waiting:
            yield RankedTask(waiting.pop(0), last)
    for task in waiting:
        yield RankedTask(task, last)


def blank(reviews: Sequence[TaskId], version: QueueVersion) -> list[Prediction]:
    """Nothing is shown with them: whoever sees what is suspected agrees with it."""
    return [Prediction(task, version, (), 1.0, 0.0) for task in reviews]
