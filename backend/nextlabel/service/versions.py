"""Which version serves, where a person wants to decide it: model and order are switched in one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

from nextlabel.errors import ArtifactError, JobQueueUnavailable, NextlabelError, SettingsError, UnknownVersion
from nextlabel.evaluation import accuracy, agreement, beside
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.labeling import ModelVersion, ProjectId, quoted
from nextlabel.loop.turn import ActiveLearning
from nextlabel.ports.state import ModelRecord
from nextlabel.service.connecting import waiting_lease
from nextlabel.service.notes import Notes
from nextlabel.storage.actions import StoredActions
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.database import in_utc
from nextlabel.storage.fences import StoredFences
from nextlabel.storage.model_store import StoredModels

COMMAND_LINE = "command line"
"""Who decides there, as `StoredActions` has it."""

_MOST_NAMED = 5
_PATIENCE_SECONDS = 1.0  # before a decision overtakes the worker that is on the project
_NOT_CHOSEN = "no version was chosen by a person; new ones serve as they come"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which version serves now, whether until a person lifts it, and the job by which a worker puts the queue in its
    order."""

    version: ModelVersion
    chosen: bool
    job: str

    @property
    def sentence(self) -> str:
        return f"{_serves(self.version, chosen=self.chosen)}; a worker puts the queue in its order now"


@dataclass(frozen=True, slots=True)
class Versions:
    """Lists the versions of a project, and puts one of them in service. All raise `NotConnected`. Decisions are noted
    with ``who`` made them."""

    connections: SqlConnections
    models: StoredModels
    fences: StoredFences
    job_queue: RqJobQueue
    loop: ActiveLearning
    actions: StoredActions
    notes: Notes

    def all(self, project: ProjectId) -> Sequence[ModelRecord]:
        """Newest first."""
        self.connections.get(project)
        return list(reversed(self.models.history(project)))

    def page(self, project: ProjectId, size: int, *, before: int | None = None) -> Sequence[ModelRecord]:
        """So many of them, the newest, or those before a number."""
        self.connections.get(project)
        return self.models.newest(project, size, before=before)

    def one(self, project: ProjectId, version: str) -> ModelRecord:
        """Raises `UnknownVersion` where there is none of that name."""
        versions = self.all(project)
        found = next((one for one in versions if one.version == version), None)
        if found is None:
            names = ", ".join(one.version for one in versions[:_MOST_NAMED]) or "none"
            more = " and older ones" if len(versions) > _MOST_NAMED else ""
            raise UnknownVersion(f"Project {project} has no version {version[:80]!r}: it has {names}{more}.")
        return found

    def compare(self, project: ProjectId, one: str, other: str) -> dict[str, Any]:
        """Two versions side by side, in plain values. A figure is ``apart`` where their intervals share nothing; where
        they do, the versions may be alike. Raises `UnknownVersion`."""
        first, second = (values_of(self.one(project, version)) for version in (one, other))
        before, after = dict(_figures(first)), dict(_figures(second))
        figures = [
            {
                "target": target,
                "figure": what,
                "one": (a := before.get((target, what))),
                "other": (b := after.get((target, what))),
                "apart": a is not None and b is not None and _are_apart(a, b),
            }
            for target, what in dict.fromkeys((*before, *after))
        ]
        return {"one": first, "other": second, "figures": figures}

    def promote(self, project: ProjectId, version: str, who: str = COMMAND_LINE) -> str:
        """Have a version serve until another is chosen or `release`; returns in words what came of it.

        Raises `SettingsError` where there is none of that name, it cannot serve any more, or the project is left alone.
        """
        return self._serve(project, self._usable(project, version).version, who, chosen=True)

    def rollback(self, project: ProjectId, who: str = COMMAND_LINE) -> str:
        """`promote` the version that served before the one in service. Raises `SettingsError` where there is none."""
        done = self.promote(project, self._before(project), who)
        self.notes.rolled_back(project, f"{who} rolled back: {done}")
        return done

    def release(self, project: ProjectId, who: str = COMMAND_LINE) -> str:
        """Let new versions serve again, beginning with the newest that was held back."""
        released = self._released(project)
        if released is None:
            return f"project {project}: {_NOT_CHOSEN}"
        return self._serve(project, released, who, chosen=False)

    def ask_promotion(self, project: ProjectId, version: str, who: str) -> Asked:
        """`promote` without waiting for the queue: the version answers from now on, and a worker puts the tasks in its
        order. Raises `SettingsError` as `promote` does."""
        return self._ask(project, version, who, chosen=True)

    def ask_rollback(self, project: ProjectId, who: str) -> Asked:
        """`rollback` likewise."""
        asked = self._ask(project, self._before(project), who, chosen=True)
        self.notes.rolled_back(project, f"{who} rolled back: {asked.sentence}")
        return asked

    def ask_release(self, project: ProjectId, who: str) -> Asked:
        """`release` likewise. Raises `SettingsError` where no version was chosen by a person."""
        released = self._released(project)
        if released is None:
            raise SettingsError(f"Project {project}: {_NOT_CHOSEN}.")
        return self._ask(project, released, who, chosen=False)

    def _before(self, project: ProjectId) -> ModelVersion:
        self.connections.get(project)
        before = self.models.before(project)
        if before is None:
            raise SettingsError(
                f"No version served project {project} before the one in service, which goes on serving. `nextlabel "
                f"models list --project {project}` names those that `nextlabel models promote` can choose."
            )
        return before.version

    def _released(self, project: ProjectId) -> ModelVersion | None:
        """Which version serves once new ones may; None where they may already."""
        versions = self.all(project)
        serving = next((one for one in versions if one.state == "in_service"), None)
        if serving is None or not serving.chosen:
            return None
        since = takewhile(lambda one: one.state not in ("in_service", "retired"), versions)
        held_back = (one for one in since if one.state == "held_back")  # older ones were passed over already
        return next(held_back, serving).version

    def _ask(self, project: ProjectId, version: str, who: str, *, chosen: bool) -> Asked:
        self._check_works(project)
        try:
            wanted = self._usable(project, version).version
        except ArtifactError as error:
            raise SettingsError(str(error)) from error
        job = self.job_queue.request_retraining(project, quiet=0, max_wait=0)  # without Redis nothing is switched
        with suppress(JobQueueUnavailable), waiting_lease(self.job_queue, project, seconds=_PATIENCE_SECONDS):
            pass  # a worker that is just ending publishes first; one that is fitting, for an hour perhaps, is overtaken
        self.models.promote(project, wanted, fence=self.fences.next(project), chosen=chosen)
        self._note(project, wanted, who, chosen=chosen)
        return Asked(wanted, chosen, job)

    def _check_works(self, project: ProjectId) -> None:
        """Nothing is written for a project that is left alone: the order of another version would be."""
        if resting := self.connections.resting(project):
            raise SettingsError(f"{resting}: `nextlabel resume --project {project}` ends it.")

    def _serve(self, project: ProjectId, version: ModelVersion, who: str, *, chosen: bool) -> str:
        self._check_works(project)
        with waiting_lease(self.job_queue, project):
            fence = self.fences.next(project)
            self.models.promote(project, version, fence=fence, chosen=chosen)
            came_of_it = self._order_anew(project, fence)
        self._note(project, version, who, chosen=chosen)
        serving = self.models.in_service(project)  # a newer one, where that was learned now
        version, chosen = (serving.version, serving.chosen) if serving else (version, chosen)
        return f"{_serves(version, chosen=chosen)}; {came_of_it}"

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

    def _note(self, project: ProjectId, version: ModelVersion, who: str, *, chosen: bool) -> None:
        self.actions.add(who, f"{'chose' if chosen else 'released'} {version}", project)

    def _usable(self, project: ProjectId, version: str) -> ModelRecord:
        found = self.one(project, version)
        serving, latest = self.models.in_service(project), self.models.latest(project)
        fitting = [(one.schema_digest, one.learner) for one in (serving, latest) if one]
        if (found.schema_digest, found.learner) not in fitting:
            raise SettingsError(f"{version} was made for another labeling config or model: choose a newer version.")
        self.models.load(project, found.version)  # raises `ArtifactError` where it was let go or is damaged
        return found


def _serves(version: ModelVersion, *, chosen: bool) -> str:
    return f"{version} serves{' until you choose another or `nextlabel models release`' if chosen else ''}"


def _figures(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    """By target and name each figure that has an interval."""
    for target, found in values["accuracy"].items():
        yield (target, "accuracy"), found
    for target, figures in values["figures_for_one_look"].items():
        yield from (((target, name.replace("_", " ")), found) for name, found in figures.items())
    for target, known in values["accuracy_by_class"].items():
        yield from (((target, f"right where it is {quoted(name)}"), found) for name, found in known["classes"].items())


def _are_apart(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return one["high"] < other["low"] or other["high"] < one["low"]


def values_of(one: ModelRecord) -> dict[str, Any]:
    """All that is known of a version, as plain values."""
    return {
        "version": one.version,
        "state": one.state,
        "chosen": one.chosen,
        "anchor": one.anchor,
        "labels": one.labels,
        "reason": one.reason,
        "queue": one.queue_version,
        "created_at": one.created_at and in_utc(one.created_at).isoformat(),
        "learner": one.learner or "built-in",
        "accuracy": {target: asdict(share) for target, share in accuracy.of_version(one.metrics).items()},
        **beside.values_of(one.metrics),
        "agreement_on_tasks_asked": agreement.named(one.metrics),
    }
