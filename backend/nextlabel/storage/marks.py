"""Whether anything was learned, read or decided since: what changes with all that is shown of projects, read in a
millisecond."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table, func, select

from nextlabel.labeling import ProjectId
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import connections, counters, cursors, findings, queue_checks, rounds


class ProjectMarks:
    """A mark for each project, and one for all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, project: ProjectId | None = None) -> str:
        """Another one once there is a turn, a decision, a finding or an option that is new in the project; in any
        project, where none is given."""
        marks = [_of(table, project, *columns) for table, *columns in _MARKS]
        with self._database.read() as sql:
            return repr([[tuple(row) for row in sql.execute(one)] for one in marks])


def _of(table: Table, project: ProjectId | None, *columns: Any) -> Select[Any]:
    found = select(*columns).select_from(table)
    return found if project is None else found.where(table.c.project == project)


_MARKS: tuple[tuple[Any, ...], ...] = (
    (counters, func.sum(counters.c.fence), func.sum(counters.c.model)),  # every turn and decision takes a fence
    (cursors, func.max(cursors.c.pulled_at)),
    (rounds, func.max(rounds.c.id)),
    (queue_checks, func.max(queue_checks.c.at)),
    (findings, func.count(), func.max(findings.c.at)),
    (connections, connections.c.state, connections.c.options),
)
