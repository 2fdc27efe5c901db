"""Labeled tasks that Label Studio serves once more, to somebody else.

A task that wants one annotation more than it has, and is not labeled, is served by its score like any other, to whoever
has not labeled it (seen on 1.23.2). That is so only where the project itself asks for one annotation for each task:
where it asks for several, tasks that were begun come at random before all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nextlabel.labeling import TaskId, ToolProjectId
from nextlabel_connectors.label_studio.client import LabelStudioClient, Refused
from nextlabel_connectors.label_studio.payloads import JsonObject, as_object
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
            "begun at random: set annotations per task to 1 to have labels reviewed in the queue."
        )

    def as_it_is(self, task: TaskId) -> Mapping[str, object] | None:
        found = self._fetch(task)
        if found is None or found.get("is_labeled") is not True or not isinstance(found.get("overlap"), int):
            return None
        return {"overlap": found["overlap"]}

    def ask(self, task: TaskId, before: Mapping[str, object]) -> None:
        self.client.patch(_path(task), {"overlap": _raised(before), "is_labeled": False})

    def settle(self, task: TaskId, before: Mapping[str, object]) -> None:
        found = self._fetch(task)
        if found is not None and found.get("overlap") == _raised(before):
            self.client.patch(_path(task), {"overlap": before["overlap"], "is_labeled": _has_label(found)})

    def _fetch(self, task: TaskId) -> JsonObject | None:
        try:
            return as_object(self.client.get(_path(task)).data, "task")
        except Refused as error:
            if error.status == _GONE:
                return None
            raise


def _raised(before: Mapping[str, object]) -> int:
    overlap = before.get("overlap")
    return (overlap if isinstance(overlap, int) else 1) + 1


def _has_label(task: JsonObject) -> bool:
    """Somebody may have withdrawn it since."""
    number = task.get("total_annotations")
    return isinstance(number, int) and number > 0


def _path(task: TaskId) -> str:
    return f"/api/tasks/{int(task)}/"
