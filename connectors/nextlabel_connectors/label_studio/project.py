"""One Label Studio project: its settings, as far as nextlabel needs them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from nextlabel.errors import PayloadError, ProjectGone, ToolRejected
from nextlabel.labeling import ToolProjectId
from nextlabel.ports.tool import TaskSeen
from nextlabel_connectors.label_studio.client import LabelStudioClient, Refused
from nextlabel_connectors.label_studio.dialect import UNCERTAINTY_SAMPLING
from nextlabel_connectors.label_studio.label_config import LabelConfig, parse_label_config
from nextlabel_connectors.label_studio.payloads import JsonObject, as_object, as_text

_COLUMNS = (
    "id,title,label_config,task_number,sampling,model_version,show_collab_predictions,maximum_annotations,"
    "overlap_cohort_percentage,show_overlap_first,skip_queue,evaluate_predictions_automatically"
)
_READ = 3  # changes when more is read of each task than in the releases before
_TO_OTHERS = "REQUEUE_FOR_OTHERS"
# A change of one of these closes or opens tasks again without a word in the tasks' own `updated_at`.
_CLOSING = ("maximum_annotations", "overlap_cohort_percentage", "skip_queue")


@dataclass(frozen=True)
class Project:
    """A project as Label Studio tells it, and the time on Label Studio's clock when it did."""

    raw: JsonObject
    server_time: datetime

    @cached_property
    def config(self) -> LabelConfig:
        """Raises `SchemaError` when it cannot be read."""
        return parse_label_config(as_text(self.raw.get("label_config"), "label_config"))

    @property
    def title(self) -> str:
        return as_text(self.raw.get("title") or "", "title")

    @property
    def version(self) -> str:
        """The version of the predictions that are shown; it may also be an ML backend's title, or ''."""
        return as_text(self.raw.get("model_version") or "", "model_version")

    @property
    def by_uncertainty(self) -> bool:
        return self.raw.get("sampling") == UNCERTAINTY_SAMPLING

    @property
    def shows_predictions(self) -> bool:
        return self.raw.get("show_collab_predictions") is True

    @property
    def task_number(self) -> int | None:
        number = self.raw.get("task_number")
        return number if isinstance(number, int) else None

    def as_served(self, seen: TaskSeen) -> TaskSeen:
        """Closed too where it was skipped, and Label Studio gives what one person skipped to nobody else."""
        to_others = self.raw.get("skip_queue") in (None, _TO_OTHERS)
        return seen if to_others or not any(one.skipped for one in seen.annotations) else replace(seen, closed=True)

    def reading(self) -> str:
        """Twelve hex digits that change when every task must be read again: other targets or closing rules."""
        state = (_READ, self.config.schema.digest, *(self.raw.get(name) for name in _CLOSING))
        return hashlib.sha256(repr(state).encode()).hexdigest()[:12]


def fetch_project(client: LabelStudioClient, project: ToolProjectId) -> Project:
    """Raises `ProjectGone` when there is no such project."""
    try:
        answer = client.get(project_path(project), {"include": _COLUMNS})
    except Refused as error:
        if error.status != 404:
            raise
        kind = ProjectGone if error.genuine and _is_well(client) else ToolRejected
        raise kind(
            f"Label Studio at {client.url} has no project {project}, or the token's owner may not see it: the number "
            "stands in the project's address, …/projects/<number>."
        ) from error
    return Project(as_object(answer.data, "project"), answer.server_time)


def _is_well(client: LabelStudioClient) -> bool:
    """Whether Label Studio answers something else as it should. Raises `ToolUnavailable` where nothing does."""
    try:
        return isinstance(as_object(client.get("/api/version").data, "version").get("release"), str)
    except (Refused, PayloadError):
        return False


def update_project(client: LabelStudioClient, project: ToolProjectId, changes: Mapping[str, object]) -> None:
    client.patch(project_path(project), changes)


def project_path(project: ToolProjectId) -> str:
    if not (project.isascii() and project.isdigit()):
        raise ToolRejected(f"{project!r} is no project of Label Studio: its projects are numbers, e.g. 1.")
    return f"/api/projects/{project}/"
