"""Label Studio's task listing (its Data Manager): filtered, ordered, and read so that nothing is passed over.

The listing has no snapshot: tasks change while it is read. Pages are therefore never counted off; each request
asks anew from the last value that was seen (keyset paging), so that a task that moves can be met twice but not
missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import orjson

from nextlabel.labeling import TaskId, ToolProjectId
from nextlabel_connectors.label_studio.client import Failed, LabelStudioClient
from nextlabel_connectors.label_studio.payloads import JsonObject, as_list, as_object, utc
from nextlabel_connectors.label_studio.walking import Filter, Page, Walk, task_id

# A page of 1000 tasks with their annotations takes Label Studio 0.3 to 0.5 s, and far less memory than all.
_PAGE = 1000
_IDS_PAGE = 5000
# Ids stand in the address of the request, whose length servers limit to 8 kB or so.
_IDS_IN_ADDRESS = 300
_ALWAYS = "9999-12-31T23:59:59.999999Z"

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
    project: ToolProjectId

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

    def changed_since(self, since: str | None, include: str, page: int = _PAGE) -> Iterator[Page]:
        """Tasks whose ``updated_at`` is ``since`` or later (None: all), in the order of change.

        From a page on that Label Studio fails to list, the rest comes in the order of ids.
        """
        bound, up_to = [_time("greater_or_equal", since)] if since else [], since or ""
        received: set[tuple[object, object]] = set()
        while True:
            try:
                tasks = self.first(page, include, bound, "tasks:updated_at")
            except Failed:
                yield from (replace(one, up_to=up_to) for one in self.by_id(include, page, bound))
                yield Page([], up_to=_ALWAYS)
                return
            full = len(tasks) == page
            last = utc(tasks[-1].get("updated_at")) if tasks else ""
            if full and utc(tasks[0].get("updated_at")) == last:
                # A bulk action: more tasks share this very moment than fit a page.
                yield from (replace(one, up_to=last) for one in self.by_id(include, page, [_time("equal", last)]))
                bound, up_to, received = [_time("greater", last)], last, set()
                continue
            if fresh := [task for task in tasks if _state(task) not in received]:
                yield Page(fresh, up_to=last)
            if not full:
                return
            bound, up_to = [_time("greater_or_equal", last)], last
            received = {_state(task) for task in tasks if utc(task.get("updated_at")) == last}

    def ids(self) -> Iterator[TaskId]:
        return _all_ids(self.by_id("id", _IDS_PAGE))

    def among(self, ids: Sequence[TaskId], include: str) -> Iterator[JsonObject]:
        """Those of the tasks that are still there and can be listed."""
        return (task for page in self._pages_among(ids, include) for task in page.tasks)

    def there(self, ids: Sequence[TaskId]) -> set[TaskId]:
        """Those of the tasks that are still there."""
        return set(_all_ids(self._pages_among(ids, "id")))

    def by_id(self, include: str, page: int, filters: Sequence[Filter] = ()) -> Iterator[Page]:
        """Tasks in the order of their ids."""

        def ask(size: int, filters: Sequence[Filter], ordering: str) -> list[JsonObject]:
            return self.first(size, include, filters, ordering)

        return Walk(ask, filters, page).pages()

    def _pages_among(self, ids: Sequence[TaskId], include: str) -> Iterator[Page]:
        for start in range(0, len(ids), _IDS_IN_ADDRESS):
            some = [int(task) for task in ids[start : start + _IDS_IN_ADDRESS]]
            yield from self.by_id(include, len(some) + 1, [_ids(some)])


def _all_ids(pages: Iterable[Page]) -> Iterator[TaskId]:
    for page in pages:
        yield from map(task_id, page.tasks)
        yield from (one.task for one in page.failing)


def _state(task: JsonObject) -> tuple[object, object]:
    return task.get("id"), task.get("updated_at")


def _time(operator: str, moment: str) -> Filter:
    return {"filter": "filter:tasks:updated_at", "operator": operator, "type": "Datetime", "value": moment}


def _ids(ids: Sequence[int]) -> Filter:
    return {"filter": "filter:tasks:id", "operator": "in_list", "type": "List", "value": list(ids)}
