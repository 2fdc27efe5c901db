"""Audit tasks in one turn: which are reserved by now, which of them wait, and where they stand in the order."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from nextlabel.evaluation.reserve import Reserve, Window, interleave, least_of
from nextlabel.labeling import Prediction, ProjectId, Task, TaskId
from nextlabel.labeling.ranking import RankedTask
from nextlabel.ports.state import Draw, Reserves

Placed = TypeVar("Placed", RankedTask, Prediction)


@dataclass(frozen=True, slots=True)
class Audits:
    """The audit tasks of a project: those ``waiting`` are open, in the order in which they are served.

    The first ``sampled`` of these are drawn at random from all tasks; the others were, from the fewer tasks there used
    to be. Without a ``draw`` there are none. Where they are ``off``, those that wait come after all other tasks.
    """

    draw: Draw | None = None
    waiting: tuple[TaskId, ...] = ()
    labeled: frozenset[TaskId] = frozenset()
    off: bool = False
    sampled: int = 0

    def unlabeled(self, still_open: Sequence[Task]) -> Sequence[Task]:
        """Those open tasks that stand for all tasks as the labeled audit tasks do, in the order in which they are
        served."""
        wanted = set(self.waiting[: self.sampled])
        tasks = {task.id: task for task in still_open if task.id in wanted} if wanted else {}
        return [tasks[task] for task in self.waiting[: self.sampled]]

    def others(self, still_open: Sequence[Task]) -> Sequence[Task]:
        """Those open tasks that strategies choose from."""
        waiting = set(self.waiting)
        return [task for task in still_open if task.id not in waiting] if waiting else still_open

    def window(self, ranked: Sequence[TaskId], size: int, seed: int) -> Window:
        """The first ``size`` tasks: ranked ones, and audit tasks among them."""
        if self.draw is None or self.off:
            served = (*ranked, *self.waiting)[:size]
            return Window(served, frozenset(served[len(ranked) :]), frozenset())
        labels = len(self.labeled)
        return interleave(ranked, self.waiting, size=size, audit_labels=labels, salt=self.draw.salt, version=str(seed))


def audits_of(
    project: ProjectId,
    reserves: Reserves,
    everyone: Collection[TaskId],
    still_open: Iterable[TaskId],
    labeled: Collection[TaskId],
    share: float,
) -> Audits:
    """Reserve what is to be reserved by now. Tasks that had a label when they were first read stay out of it."""
    draw = reserves.draw(project)
    if draw is None and (share == 0 or not everyone):
        return Audits()
    least, labeled_before = least_of(len(everyone)), len(labeled)
    draw = draw or reserves.begin(project, share=share, least=least, labeled_before=labeled_before)
    reserve, among = Reserve(draw.salt, draw.share, draw.least), _digest(everyone)
    known, waiting = reserves.tasks(project), set(still_open)
    if draw.among == among:  # nothing is new: of a million tasks only those that are reserved need be hashed
        sample, reserved = reserve.until(draw.last, known), known
    else:
        sample = reserve.sample(everyone, draw.last)
        new = [task for task in sample if task in waiting and task not in known]
        reserves.add(project, new, among=among, last=reserve.end(sample, draw.last))
        reserved = known.union(new)
    sampled = [task for task in sample if task in reserved and task in waiting]
    return Audits(
        draw,
        (*sampled, *sorted(reserved.difference(sample).intersection(waiting))),
        frozenset(task for task in sample if task in known and task in labeled),
        off=share == 0,
        sampled=len(sampled),
    )


def _digest(tasks: Collection[TaskId]) -> str:
    """Stands for these tasks, in whatever order."""
    content = "\n".join([str(len(tasks)), *sorted(tasks)])
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def in_window(window: Window, known: Sequence[Placed], otherwise: Placed) -> list[Placed]:
    """What is known of each task of the window; an audit task gets the mean of its neighbours, so that it looks alike.

    ``otherwise`` stands for neighbours where there are none.
    """
    by_task = {one.task: one for one in known}
    after, following = otherwise, list[Placed]()
    for task in reversed(window.tasks):
        after = by_task.get(task, after)
        following.append(after)
    before, found = following[-1] if following else otherwise, list[Placed]()
    for task, after in zip(window.tasks, reversed(following), strict=True):
        before = by_task.get(task, before)
        found.append(by_task.get(task) or _between(before, after, task))
    return found


def _between(before: Placed, after: Placed, task: TaskId) -> Placed:
    mean = before._replace(task=task, utility=(before.utility + after.utility) / 2)
    if isinstance(mean, Prediction) and isinstance(after, Prediction):
        return mean._replace(guesses=(), uncertainty=(mean.uncertainty + after.uncertainty) / 2)
    return mean
