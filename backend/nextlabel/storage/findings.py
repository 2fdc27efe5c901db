"""What a person should know of a project, by topic, in SQL: as it was last looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, func, insert, select

from nextlabel.labeling import ProjectId
from nextlabel.ports.tool import Finding
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import findings


class StandingFindings:
    """The findings of every project that still stand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, project: ProjectId, found: Sequence[Finding], topic: str = "drift") -> bool:
        """Keep these in place of what was found on the topic before; returns whether that was anything else."""
        if list(found) == self.of(project, topic):
            return False
        mine, now = findings.c.project == project, datetime.now(UTC)
        with self._database.write() as sql:
            sql.execute(delete(findings).where(mine, findings.c.topic == topic))
            last = sql.execute(select(func.max(findings.c.number)).where(mine)).scalar()
            first = 0 if last is None else last + 1
            rows = [
                {
                    "project": project,
                    "number": first + n,
                    "level": one.level,
                    "message": one.message,
                    "at": now,
                    "topic": topic,
                }
                for n, one in enumerate(found)
            ]
            if rows:
                sql.execute(insert(findings), rows)
        return True

    def of(self, project: ProjectId, topic: str | None = None) -> list[Finding]:
        """The findings on a topic; on all of them without one."""
        found = select(findings).where(findings.c.project == project).order_by(findings.c.number)
        if topic is not None:
            found = found.where(findings.c.topic == topic)
        with self._database.read() as sql:
            return [Finding(row.level, row.message) for row in sql.execute(found)]
