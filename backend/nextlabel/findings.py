"""What somebody has undone in the tool since it was connected, in SQL: as it was last looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select

from nextlabel.database import Database
from nextlabel.database.tables import findings
from nextlabel.labeling import ProjectId
from nextlabel.ports import Finding


class StandingFindings:
    """The findings of every project that still stand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, project: ProjectId, found: Sequence[Finding]) -> bool:
        """Keep these in place of what was found before; returns whether that was anything else."""
        if list(found) == self.of(project):
            return False
        now = datetime.now(UTC)
        rows = [
            {"project": project, "number": n, "level": one.level, "message": one.message, "at": now}
            for n, one in enumerate(found)
        ]
        with self._database.write() as sql:
            sql.execute(delete(findings).where(findings.c.project == project))
            if rows:
                sql.execute(insert(findings), rows)
        return True

    def of(self, project: ProjectId) -> list[Finding]:
        found = select(findings).where(findings.c.project == project).order_by(findings.c.number)
        with self._database.read() as sql:
            return [Finding(row.level, row.message) for row in sql.execute(found)]
