"""The figures of all projects in a handful of statements, so that a scrape is quick however many projects there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select

from nextlabel.labeling import ProjectId
from nextlabel.storage.counts import NO_COUNTS, Counts, counts_of, newest
from nextlabel.storage.database import Database, in_utc
from nextlabel.storage.database.tables import connections as projects
from nextlabel.storage.database.tables import cursors, models, queue_checks, rounds


@dataclass(frozen=True, slots=True)
class VersionFigures:
    """The version in service: how many labels it learned from, when it was made, and its figures by name."""

    version: str
    labels: int
    created_at: datetime
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """The last round: when it ended, how long it took in seconds, and whether it failed."""

    at: datetime
    seconds: float
    failed: bool


@dataclass(frozen=True, slots=True)
class ProjectFigures:
    """What is counted of a project, as `nextlabel status` shows it, and what happened last.

    ``is_followed`` is whether the tool served the newest order when that was last read back; None until then.
    """

    counts: Counts = NO_COUNTS
    pulled_at: datetime | None = None
    serving: VersionFigures | None = None
    last_round: RoundFigures | None = None
    is_followed: bool | None = None


NO_FIGURES = ProjectFigures()
"""Of a project of which nothing is known yet."""


class StoredFigures:
    """The figures of every project, read in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[ProjectId, ProjectFigures]:
        """Of the projects that are connected."""
        with self._database.read() as sql:
            serving = {row.project: _version(row) for row in sql.execute(_serving())}
            last = {
                row.project: RoundFigures(in_utc(row.at), row.seconds, row.failed) for row in sql.execute(_rounds())
            }
            read_at = select(cursors.c.project, func.coalesce(cursors.c.pulled_at, cursors.c.full_at))
            pulled = {row[0]: row[1] for row in sql.execute(read_at)}
            checked = {row.project: row.serves for row in sql.execute(select(queue_checks))}
            return {
                name: ProjectFigures(
                    counts,
                    pulled_at=in_utc(pulled[name]) if pulled.get(name) else None,
                    serving=serving.get(name),
                    last_round=last.get(name),
                    is_followed=checked.get(name),
                )
                for name, counts in counts_of(sql).items()
            }


def _serving() -> Select[Any]:
    of = models.c
    return select(of.project, of.version, of.labels, of.created_at, of.metrics).where(of.state == "in_service")


def _rounds() -> Select[Any]:
    """The last round of each project; what takes no time is a finding, and no round."""
    of = rounds.alias()
    last = newest(of.c.id, of.c.seconds > 0)
    return select(rounds).select_from(projects.join(rounds, rounds.c.id == last))


def _version(row: Row[Any]) -> VersionFigures:
    return VersionFigures(row.version, row.labels, in_utc(row.created_at), row.metrics)
