"""Labeled tasks that a tool was asked to serve once more, in SQL, with how the tool had them before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from nextlabel.labeling import ProjectId, TaskId
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import reviews

SUSPECTED = "suspected"
"""Its label is likely wrong."""
WORTH = "worth"
"""Another label of it is worth more than the first of a new task."""


@dataclass(frozen=True, slots=True)
class Review:
    """Why a labeled task is served once more, what the tool had of it ``before`` (`AsksAgain.as_it_is`), and how many
    ``people`` had labeled it then."""

    reason: str
    before: Mapping[str, object]
    people: int


class StoredReviews:
    """The reviews of all projects. One is noted before the tool is changed, and forgotten after it was put back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, project: ProjectId, task: TaskId, review: Review) -> None:
        with self._database.write() as sql:
            sql.execute(delete(reviews).where(reviews.c.project == project, reviews.c.task == task))
            of = {"reason": review.reason, "before": dict(review.before), "people": review.people}
            sql.execute(insert(reviews).values(project=project, task=task, **of))

    def end(self, project: ProjectId, task: TaskId) -> None:
        with self._database.write() as sql:
            sql.execute(delete(reviews).where(reviews.c.project == project, reviews.c.task == task))

    def begun(self, project: ProjectId) -> Mapping[TaskId, Review]:
        """Those that have not ended, by task."""
        with self._database.read() as sql:
            rows = sql.execute(select(reviews).where(reviews.c.project == project).order_by(reviews.c.task)).all()
        return {TaskId(row.task): Review(row.reason, row.before, row.people) for row in rows}

    def waiting(self, project: ProjectId) -> Sequence[TaskId]:
        """Those that have not ended, for whatever reason."""
        return list(self.begun(project))

    def in_doubt(self, project: ProjectId) -> Sequence[TaskId]:
        return [task for task, one in self.begun(project).items() if one.reason != WORTH]
