"""Which version serves, where a person wants to decide it: model and order are switched in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nextlabel.errors import NextlabelError, SettingsError
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.labeling import ModelVersion, ProjectId
from nextlabel.loop.turn import ActiveLearning
from nextlabel.ports.state import ModelRecord
from nextlabel.service.connecting import waiting_lease
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.fences import StoredFences
from nextlabel.storage.model_store import StoredModels

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Versions:
    """Lists the versions of a project, and puts one of them in service. All raise `NotConnected`."""

    connections: SqlConnections
    models: StoredModels
    fences: StoredFences
    job_queue: RqJobQueue
    loop: ActiveLearning

    def all(self, project: ProjectId) -> Sequence[ModelRecord]:
        """Newest first."""
        self.connections.get(project)
        return list(reversed(self.models.history(project)))

    def one(self, project: ProjectId, version: str) -> ModelRecord:
        """Raises `SettingsError` where there is none of that name."""
        versions = self.all(project)
        found = next((one for one in versions if one.version == version), None)
        if found is None:
            names = ", ".join(one.version for one in versions[:_MOST_NAMED]) or "none"
            more = " and older ones" if len(versions) > _MOST_NAMED else ""
            raise SettingsError(f"Project {project} has no version {version[:80]!r}: it has {names}{more}.")
        return found

    def promote(self, project: ProjectId, version: str) -> str:
        """Have a version serve until another is chosen or `release`; returns in words what came of it.

        Raises `SettingsError` where there is none of that name, or it cannot serve any more.
        """
        return self._serve(project, self._usable(project, version).version, chosen=True)

    def rollback(self, project: ProjectId) -> str:
        """`promote` the version that served before the one in service. Raises `SettingsError` where there is none."""
        before = self.models.before(project)
        if before is None:
            raise SettingsError(f"No version served project {project} before the one in service.")
        return self.promote(project, before.version)

    def release(self, project: ProjectId) -> str:
        """Let new versions serve again, beginning with the newest that was held back."""
        versions = self.all(project)
        serving = next((one for one in versions if one.state == "in_service"), None)
        if serving is None or not serving.chosen:
            return f"project {project}: no version was chosen by a person; new ones serve as they come"
        held_back = (one for one in versions if one.state == "held_back")
        return self._serve(project, next(held_back, serving).version, chosen=False)

    def _serve(self, project: ProjectId, version: ModelVersion, *, chosen: bool) -> str:
        with waiting_lease(self.job_queue, project):
            fence = self.fences.next(project)
            self.models.promote(project, version, fence=fence, chosen=chosen)
            came_of_it = self._order_anew(project, fence)
        serves = "serves until you choose another or `nextlabel models release`" if chosen else "serves"
        return f"{version} {serves}; {came_of_it}"

    def _order_anew(self, project: ProjectId, fence: int) -> str:
        """Have the tool serve the order of the version that serves now; in words what came of it, for that version
        answers already, whatever the tool does."""
        try:
            return self.loop.run(project, fence).sentence()
        except NextlabelError as error:
            self.job_queue.request_retraining(project, quiet=0, max_wait=0)
            return (
                f"it answers from now on, but the tool may still serve the order of before: {error} A worker puts the "
                "tasks in its order as soon as that can be done: `nextlabel status` shows the order in force."
            )

    def _usable(self, project: ProjectId, version: str) -> ModelRecord:
        found = self.one(project, version)
        serving = self.models.in_service(project)
        if serving and (found.schema_digest, found.learner) != (serving.schema_digest, serving.learner):
            raise SettingsError(f"{version} was made for another labeling config or model: choose a newer version.")
        self.models.load(project, found.version)  # raises `ArtifactError` where it was let go or is damaged
        return found
