"""The job queue, as the web and the worker use it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from nextlabel.labeling import (
    ProjectId,
)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where a job is: ``queued``, ``running``, ``finished``, ``failed`` or ``unknown``; ``detail`` for a person."""

    job: str
    state: Literal["queued", "running", "finished", "failed", "unknown"]
    detail: str = ""


class Lease(Protocol):
    """The right to work on one project, held by one worker at a time."""

    @property
    def held(self) -> bool:
        """False once the lease ran out or was taken over."""


class JobQueue(Protocol):
    """Background jobs. Requests for the same project are coalesced. Raises `JobQueueUnavailable`."""

    def request_retraining(self, project: ProjectId, *, quiet: float, max_wait: float) -> str:
        """Learn what changed once nothing has been requested for ``quiet`` seconds, at the latest ``max_wait``
        seconds after the first request. Returns the id of the one job that will do it."""

    def request_pruning(self, project: ProjectId) -> None:
        """Take orders that are no longer needed out of the tool, slowly."""

    def note_work(self, project: ProjectId) -> None:
        """Somebody is labeling the project's tasks now."""

    def status(self, job: str) -> JobStatus: ...

    def lease(self, project: ProjectId) -> AbstractContextManager[Lease | None]:
        """The project's lease; None when another worker holds it."""
