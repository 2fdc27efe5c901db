"""How far people agreed when that was last computed, in SQL: it takes too long for a page that many look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select

from nextlabel.labeling import ProjectId
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import agreements


class StoredAgreements:
    """By target plain figures, of all projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, project: ProjectId, found: Mapping[str, Mapping[str, Any]]) -> None:
        with self._database.write() as sql:
            sql.execute(delete(agreements).where(agreements.c.project == project))
            if found:
                sql.execute(insert(agreements).values(project=project, figures=found))

    def of(self, project: ProjectId) -> Mapping[str, Mapping[str, Any]]:
        with self._database.read() as sql:
            return sql.execute(select(agreements.c.figures).where(agreements.c.project == project)).scalar() or {}
