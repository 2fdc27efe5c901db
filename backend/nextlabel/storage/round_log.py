"""What the loop did and when, in SQL: the story that `nextlabel status` tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, func, insert, select

from nextlabel.labeling import ProjectId
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import rounds

_KEPT, _MOST_GROUPED, _WAITS, _LONGEST_KIND = 500, 2_000, 100, 64
_WAIT = re.compile(r" Asked again in \d+ s\.$")  # differs each time


@dataclass(frozen=True, slots=True)
class LoggedRound:
    """One turn of the loop: when it ended, how long it took, and what happened in words. ``number`` counts up;
    ``waited`` is for how many seconds the oldest label event waited for its end, None where none asked for it."""

    at: datetime
    seconds: float
    summary: str
    failed: bool
    number: int = 0
    waited: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Rounds of a project that failed with the same message: how often, and when last. ``kind`` is the class of the
    error, "" where that is not known."""

    kind: str
    project: ProjectId
    message: str
    times: int
    last: datetime


class RoundLog:
    """The last rounds of every project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        project: ProjectId,
        seconds: float,
        summary: str,
        *,
        failed: bool,
        waited: float | None = None,
        kind: str = "",
    ) -> None:
        values = {"project": project, "at": datetime.now(UTC), "seconds": seconds, "failed": failed}
        values |= {"waited": waited, "kind": kind[:_LONGEST_KIND]}
        with self._database.write() as sql:
            result = sql.execute(insert(rounds).values(summary=summary, **values))
            newest = result.inserted_primary_key[0] if result.inserted_primary_key else 0
            sql.execute(delete(rounds).where(rounds.c.project == project, rounds.c.id <= newest - _KEPT))

    def last(self, project: ProjectId, n: int, *, before: int | None = None) -> Sequence[LoggedRound]:
        """The last n rounds, or those before a number; newest first."""
        found = select(rounds).where(rounds.c.project == project).order_by(rounds.c.id.desc()).limit(n)
        if before is not None:
            found = found.where(rounds.c.id < before)
        with self._database.read() as sql:
            return [
                LoggedRound(row.at, row.seconds, row.summary, row.failed, row.id, row.waited)
                for row in sql.execute(found)
            ]

    def waits(self, project: ProjectId) -> Sequence[float]:
        """Of the last rounds that made an order, for how many seconds a label waited for it, in ascending order."""
        of = rounds.c
        found = select(of.waited).where(of.project == project, ~of.failed, of.waited.is_not(None))
        with self._database.read() as sql:
            return sorted(sql.execute(found.order_by(of.id.desc()).limit(_WAITS)).scalars())

    def failed_since(self, project: ProjectId, at: datetime) -> int:
        """How many rounds of a project have failed since then; what takes no time is a finding, and no round."""
        of = rounds.c
        mine = select(func.count()).where(of.project == project, of.failed, of.seconds > 0, of.at >= at)
        with self._database.read() as sql:
            return sql.execute(mine).scalar() or 0

    def failures(self, n: int) -> Sequence[Failure]:
        """Of all projects, by kind, project and message, those that failed last; n at most, newest first."""
        failed = select(rounds).where(rounds.c.failed).order_by(rounds.c.id.desc()).limit(_MOST_GROUPED)
        found: dict[tuple[str, str, str], list[datetime]] = {}
        with self._database.read() as sql:
            for row in sql.execute(failed):
                found.setdefault((row.kind, row.project, _WAIT.sub("", row.summary)), []).append(row.at)
        grouped = [
            Failure(kind, ProjectId(project), message, len(at), at[0]) for (kind, project, message), at in found.items()
        ]
        return grouped[:n]
