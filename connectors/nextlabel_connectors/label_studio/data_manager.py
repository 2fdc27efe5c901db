"""Label Studio's task listing (its Data Manager): filtered, ordered, and read so that nothing is passed over.

The listing has no snapshot: tasks change while it is read. Pages are therefore never counted off; each request
asks anew from the last value that was seen (keyset paging), so that a task that moves can be met twice but not
missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from nextlabel.labeling import ProjectId, TaskId
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.payloads import JsonObject, as_list, as_object, identifier, utc

Filter = dict[str, object]

# A page of 1000 tasks with their annotations takes Label Studio 0.3 to 0.5 s, and far less memory than all.
_PAGE = 1000
_IDS_PAGE = 5000
# Ids stand in the address of the request, whose length servers limit to 8 kB or so.
_IDS_IN_ADDRESS = 300

OPEN: Filter = {"filter": "filter:tasks:is_labeled", "operator": "equal", "type": "Boolean", "value": "false"}
# Only the predictions of the version in force have a score here, and scores never exceed 1.
HAS_SCORE: Filter = {
    "filter": "filter:tasks:predictions_score",
    "operator": "less_or_equal",
    "type": "Number",
    "value": "1",
}


def with_version(version: str) -> Filter:
    """Tasks with a prediction whose version *contains* this text; Label Studio offers nothing stricter."""
    return {
        "filter": "filter:tasks:predictions_model_versions",
        "operator": "contains",
        "type": "List",
        "value": [version],
    }


@dataclass(frozen=True, slots=True)
class TaskListing:
    """One project's tasks. Raises what the client raises, and `PayloadError` on an answer that makes no sense."""

    client: LabelStudioClient
    project: ProjectId

    def first(
        self, size: int, include: str, filters: Iterable[Filter] = (), ordering: str = "tasks:id"
    ) -> list[JsonObject]:
        """The first ``size`` tasks in an order, with the columns of ``include`` only: the others cost time."""
        query = {"filters": {"conjunction": "and", "items": list(filters)}, "ordering": [ordering]}
        params: dict[str, str | int] = {
            "project": self.project,
            "page_size": size,
            "include": include,
            "resolve_uri": "false",
            "query": orjson.dumps(query).decode(),
        }
        if "annotations" in include or "predictions" in include.split(","):
            params["fields"] = "all"
        answer = as_object(self.client.get("/api/tasks", params).data, "list of tasks")
        return [as_object(task, "task") for task in as_list(answer.get("tasks"), "tasks")]

    def changed_since(self, since: str | None, include: str, page: int = _PAGE) -> Iterator[list[JsonObject]]:
        """Pages of tasks whose ``updated_at`` is ``since`` or later (None: all), in the order of change."""
        bound = [_time("greater_or_equal", since)] if since else []
        told: set[tuple[object, object]] = set()
        while True:
            tasks = self.first(page, include, bound, "tasks:updated_at")
            full = len(tasks) == page
            last = utc(tasks[-1].get("updated_at")) if tasks else ""
            if full and utc(tasks[0].get("updated_at")) == last:
                # A bulk action: more tasks share this very moment than fit a page.
                yield from self.by_id(include, page, [_time("equal", last)])
                bound, told = [_time("greater", last)], set()
                continue
            if fresh := [task for task in tasks if _state(task) not in told]:
                yield fresh
            if not full:
                return
            bound = [_time("greater_or_equal", last)]
            told = {_state(task) for task in tasks if utc(task.get("updated_at")) == last}

    def ids(self) -> Iterator[TaskId]:
        for tasks in self.by_id("id", _IDS_PAGE, []):
            yield from map(task_id, tasks)

    def among(self, ids: Sequence[TaskId], include: str) -> Iterator[JsonObject]:
        """Those of the tasks that are still there."""
        for start in range(0, len(ids), _IDS_IN_ADDRESS):
            some = [int(task) for task in ids[start : start + _IDS_IN_ADDRESS]]
            yield from self.first(len(some), include, [_ids(some)])

    def by_id(self, include: str, page: int, filters: list[Filter]) -> Iterator[list[JsonObject]]:
        """Pages of tasks in the order of their ids."""
        last = 0
        while tasks := self.first(page, include, [*filters, _after(last)], "tasks:id"):
            yield tasks
            if len(tasks) < page:
                return
            last = int(task_id(tasks[-1]))


def task_id(task: JsonObject) -> TaskId:
    return TaskId(identifier(task.get("id"), "task's id"))


def _state(task: JsonObject) -> tuple[object, object]:
    return task.get("id"), task.get("updated_at")


def _time(operator: str, moment: str) -> Filter:
    return {"filter": "filter:tasks:updated_at", "operator": operator, "type": "Datetime", "value": moment}


def _after(task: int) -> Filter:
    return {"filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": str(task)}


def _ids(ids: Sequence[int]) -> Filter:
    return {"filter": "filter:tasks:id", "operator": "in_list", "type": "List", "value": list(ids)}
