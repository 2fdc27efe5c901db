"""Labeled tasks that Label Studio serves once more, to somebody else.

A task that wants one annotation more than it has, and is not labeled, is served by its score like any other, to whoever
has not labeled it (seen on 1.23.2); one that has as many as it wants is served to nobody, labeled or not. That is so
only where the project itself asks for one annotation for each task: where it asks for several, tasks that were begun
come at random before all others.

Of a project whose annotations per task are raised while some tasks have an overlap above 1, only these are changed
(seen on 1.23.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nextlabel.labeling import TaskId, ToolProjectId
from nextlabel_connectors.label_studio.client import LabelStudioClient, Refused
from nextlabel_connectors.label_studio.payloads import JsonObject, as_list, as_object
from nextlabel_connectors.label_studio.project import fetch_project

_GONE = 404


@dataclass(frozen=True, slots=True)
class Again:
    """The tasks of one project. Raises what the client raises, and `PayloadError` on an answer that makes no sense."""

    client: LabelStudioClient
    project: ToolProjectId

    def why_not(self) -> str:
        annotations = fetch_project(self.client, self.project).raw.get("maximum_annotations")
        if annotations == 1:
            return ""
        return (
            f"The project asks for {annotations} annotations per task, so that Label Studio serves tasks that were "
            "begun at random: set annotations per task to 1 to have labels reviewed in the queue. If that was "
            "changed while labels were under review, Label Studio changed only their tasks: for all others, set it to "
            f"1 and then to {annotations} once more."
        )

    def as_it_is(self, task: TaskId) -> Mapping[str, object] | None:
        found = self._fetch(task)
        if found is None or found.get("is_labeled") is not True or not isinstance(found.get("overlap"), int):
            return None
        return {"overlap": found["overlap"], "annotations": sum(not one.get("was_cancelled") for one in _given(found))}

    def ask(self, task: TaskId, before: Mapping[str, object]) -> None:
        self.client.patch(_path(task), {"overlap": _raised(before), "is_labeled": False})

    def settle(self, task: TaskId, before: Mapping[str, object]) -> None:
        """An overlap that is not the one `ask` wrote is the team's, and so is every one since the project asks for
        several annotations: then only the task's state is made what Label Studio itself would have of it."""
        found = self._fetch(task)
        if found is None:
            return
        project = fetch_project(self.client, self.project).raw
        if found.get("overlap") == _raised(before) and project.get("maximum_annotations") == 1:
            labeled = _people(found, project) > 0  # somebody may have withdrawn it since
            self.client.patch(_path(task), {"overlap": before["overlap"], "is_labeled": labeled})
        elif found.get("is_labeled") is False and _people(found, project) >= _overlap(found):
            self.client.patch(_path(task), {"is_labeled": True})

    def _fetch(self, task: TaskId) -> JsonObject | None:
        try:
            return as_object(self.client.get(_path(task)).data, "task")
        except Refused as error:
            if error.status == _GONE:
                return None
            raise


def _raised(before: Mapping[str, object]) -> int:
    """What was noted by 0.4.0 has no annotations: it had as many as it wanted."""
    given = before.get("annotations")
    return max(_overlap(before), given if isinstance(given, int) else 0) + 1


def _overlap(task: Mapping[str, object]) -> int:
    overlap = task.get("overlap")
    return overlap if isinstance(overlap, int) else 1


def _people(task: JsonObject, project: Mapping[str, object]) -> int:
    """How many have labeled it, as Label Studio counts them."""
    skips_count = project.get("skip_queue") == "IGNORE_SKIPPED"
    return len({str(one.get("completed_by")) for one in _given(task) if skips_count or not one.get("was_cancelled")})


def _given(task: JsonObject) -> list[JsonObject]:
    return [as_object(one, "annotation") for one in as_list(task.get("annotations") or [], "annotations")]


def _path(task: TaskId) -> str:
    return f"/api/tasks/{int(task)}/"
