"""Leaving a project alone for a while, and turning to it again."""

from __future__ import annotations

from dataclasses import dataclass

from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.labeling import ProjectId, QueueVersion
from nextlabel.service.connecting import waiting_lease
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.fences import StoredFences
from nextlabel.storage.model_store import StoredModels


@dataclass(frozen=True, slots=True)
class Pausing:
    """Pauses and resumes projects. Whoever asks for predictions still gets them meanwhile."""

    connections: SqlConnections
    models: StoredModels
    fences: StoredFences
    job_queue: RqJobQueue

    def is_paused(self, project: ProjectId) -> bool:
        """Raises `NotConnected`."""
        return self.connections.get(project).state == "paused"

    def pause(self, project: ProjectId) -> QueueVersion | None:
        """Nothing is read, learned or written any more, once the worker that is on it has stopped; returns the version
        that goes on answering."""
        self.connections.change_state(project, "paused", among=("active", "gone"))
        self.fences.next(project)  # a worker that is on it publishes nothing more; until it has noticed:
        with waiting_lease(self.job_queue, project):
            serving = self.models.in_service(project)
        return serving.announced_version if serving else None

    def resume(self, project: ProjectId) -> bool:
        """Also of a project that was gone from the tool. Returns whether there was anything to end; raises
        `NotConnected`."""
        self.connections.get(project)
        if not self.connections.change_state(project, "active", among=("paused", "gone")):
            return False
        self.job_queue.request_retraining(project, quiet=0, max_wait=0)
        return True
