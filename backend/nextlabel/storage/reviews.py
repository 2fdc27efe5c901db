"""Labeled tasks that a tool was asked to serve once more, in SQL, with how the tool had them before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert, select

from nextlabel.labeling import ProjectId, TaskId
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import reviews


class StoredReviews:
    """The reviews of all projects. One is noted before the tool is changed, and forgotten after it was put back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, project: ProjectId, task: TaskId, before: Mapping[str, object]) -> None:
        """``before`` is what the tool has of it now (`AsksAgain.as_it_is`)."""
        with self._database.write() as sql:
            sql.execute(delete(reviews).where(reviews.c.project == project, reviews.c.task == task))
            sql.execute(insert(reviews).values(project=project, task=task, before=dict(before)))

    def end(self, project: ProjectId, task: TaskId) -> None:
        with self._database.write() as sql:
            sql.execute(delete(reviews).where(reviews.c.project == project, reviews.c.task == task))

    def begun(self, project: ProjectId) -> Mapping[TaskId, Mapping[str, object]]:
        """What the tool had of each task of which no review has ended."""
        with self._database.read() as sql:
            rows = sql.execute(select(reviews).where(reviews.c.project == project).order_by(reviews.c.task)).all()
        return {TaskId(row.task): row.before for row in rows}

    def waiting(self, project: ProjectId) -> Sequence[TaskId]:
        return list(self.begun(project))
