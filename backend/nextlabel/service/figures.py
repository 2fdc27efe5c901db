"""The figures of an installation as they are at this moment, for a monitoring system: quick, and whatever is down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import redis

from nextlabel.errors import JobQueueUnavailable, StorageError
from nextlabel.jobs.circuits import Circuit, ToolCircuits
from nextlabel.jobs.job_queue import JobCounts, RqJobQueue
from nextlabel.jobs.workers import alive
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import Connection
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.figures import ProjectFigures, StoredFigures


@dataclass(frozen=True, slots=True)
class JobFigures:
    """What Redis knows: workers alive, jobs by RQ's queues, and by project how its tool fails, and for how many seconds
    the oldest label event has waited for a round."""

    workers: int
    jobs: Mapping[str, JobCounts]
    circuits: Mapping[ProjectId, Circuit]
    waiting_seconds: Mapping[ProjectId, float]


@dataclass(frozen=True, slots=True)
class InstallationFigures:
    """All of it. ``jobs`` is None where Redis does not answer, ``projects`` where the database does not."""

    alarm: str
    connections: Sequence[Connection] = ()
    projects: Mapping[ProjectId, ProjectFigures] | None = None
    jobs: JobFigures | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Reads them. The connection to Redis is one that gives up soon."""

    connections: SqlConnections
    stored: StoredFigures
    connection: redis.Redis
    alarm: Callable[[], str]
    _queue: RqJobQueue = field(init=False)
    _circuits: ToolCircuits = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_queue", RqJobQueue(self.connection))
        object.__setattr__(self, "_circuits", ToolCircuits(self.connection))

    def read(self) -> InstallationFigures:
        try:
            connections, projects = self.connections.without_options(), self.stored.all()
        except StorageError:
            connections, projects = [], None
        try:
            jobs = self._jobs(connections)
        except (JobQueueUnavailable, redis.RedisError):
            jobs = None
        return InstallationFigures(self.alarm(), connections, projects, jobs)

    def missing(self) -> list[str]:
        """What keeps nextlabel from learning, in words that tell a stranger nothing; empty where it is ready."""
        return [sentence for check in (self._no_database, self._no_worker) if (sentence := check())]

    def _no_database(self) -> str:
        try:
            self.connections.address()
        except StorageError:
            return "The database cannot be used."
        return ""

    def _no_worker(self) -> str:
        try:
            return "" if alive(self.connection) else "No worker is alive."
        except redis.RedisError:
            return "Redis cannot be reached."

    def _jobs(self, connections: Sequence[Connection]) -> JobFigures:
        now, since = time.time(), self._queue.waiting_since()
        waiting = {project: max(0.0, now - at) for project, at in since.items()}
        return JobFigures(alive(self.connection), self._queue.counts(), self._circuits.states(connections), waiting)
