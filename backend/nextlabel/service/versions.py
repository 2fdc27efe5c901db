"""Which version serves, where a person wants to decide it: model and order are switched in one call."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from nextlabel.errors import JobQueueUnavailable, NextlabelError, SettingsError
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.labeling import ModelVersion, ProjectId
from nextlabel.loop.turn import ActiveLearning
from nextlabel.ports.state import ModelRecord
from nextlabel.service.connecting import waiting_lease
from nextlabel.storage.actions import StoredActions
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.fences import StoredFences
from nextlabel.storage.model_store import StoredModels

_MOST_NAMED = 5
_PATIENCE_SECONDS = 1.0  # before a decision overtakes the worker that is on the project


@dataclass(frozen=True, slots=True)
class By:
    """Who decides. Whoever ``waits`` gets the queue in order before the call returns; otherwise a worker puts it in
    order, and a worker that is learning meanwhile publishes nothing."""

    name: str
    waits: bool = True


COMMAND_LINE = By("command line")


@dataclass(frozen=True, slots=True)
class Versions:
    """Lists the versions of a project, and puts one of them in service. All raise `NotConnected`."""

    connections: SqlConnections
    models: StoredModels
    fences: StoredFences
    job_queue: RqJobQueue
    loop: ActiveLearning
    actions: StoredActions

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

    def promote(self, project: ProjectId, version: str, by: By = COMMAND_LINE) -> str:
        """Have a version serve until another is chosen or `release`; returns in words what came of it.

        Raises `SettingsError` where there is none of that name, or it cannot serve any more.
        """
        return self._serve(project, self._usable(project, version).version, by, chosen=True)

    def rollback(self, project: ProjectId, by: By = COMMAND_LINE) -> str:
        """`promote` the version that served before the one in service. Raises `SettingsError` where there is none."""
        self.connections.get(project)
        before = self.models.before(project)
        if before is None:
            raise SettingsError(f"No version served project {project} before the one in service.")
        return self.promote(project, before.version, by)

    def release(self, project: ProjectId, by: By = COMMAND_LINE) -> str:
        """Let new versions serve again, beginning with the newest that was held back."""
        versions = self.all(project)
        serving = next((one for one in versions if one.state == "in_service"), None)
        if serving is None or not serving.chosen:
            return f"project {project}: no version was chosen by a person; new ones serve as they come"
        held_back = (one for one in versions if one.state == "held_back")
        return self._serve(project, next(held_back, serving).version, by, chosen=False)

    def _serve(self, project: ProjectId, version: ModelVersion, by: By, *, chosen: bool) -> str:
        switch = self._switch_with_order if by.waits else self._switch_at_once
        done = switch(project, version, chosen=chosen)
        self.actions.add(by.name, f"{'chose' if chosen else 'released'} {version}", project)
        serves = "serves until you choose another or `nextlabel models release`" if chosen else "serves"
        return f"{version} {serves}; {done}"

    def _switch_with_order(self, project: ProjectId, version: ModelVersion, *, chosen: bool) -> str:
        with waiting_lease(self.job_queue, project):
            fence = self.fences.next(project)
            self.models.promote(project, version, fence=fence, chosen=chosen)
            return self._order_anew(project, fence)

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

    def _switch_at_once(self, project: ProjectId, version: ModelVersion, *, chosen: bool) -> str:
        with suppress(JobQueueUnavailable), waiting_lease(self.job_queue, project, seconds=_PATIENCE_SECONDS):
            return self._switch(project, version, chosen=chosen)
        return self._switch(project, version, chosen=chosen)  # a fit may take an hour: it is overtaken

    def _switch(self, project: ProjectId, version: ModelVersion, *, chosen: bool) -> str:
        self.job_queue.request_retraining(project, quiet=0, max_wait=0)  # first: without Redis nothing is switched
        self.models.promote(project, version, fence=self.fences.next(project), chosen=chosen)
        return "a worker puts the queue in its order now"

    def _usable(self, project: ProjectId, version: str) -> ModelRecord:
        found = self.one(project, version)
        serving = self.models.in_service(project)
        if serving and (found.schema_digest, found.learner) != (serving.schema_digest, serving.learner):
            raise SettingsError(f"{version} was made for another labeling config or model: choose a newer version.")
        self.models.load(project, found.version)  # raises `ArtifactError` where it was let go or is damaged
        return found
