"""The predictions that Label Studio stores for a project: counted, found, written and removed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from nextlabel.errors import ToolRejected
from nextlabel.labeling import QueueVersion, Result, TaskId, ToolProjectId, number_in
from nextlabel.ports.tool import Scores
from nextlabel_connectors.label_studio.client import LabelStudioClient, Refused, write_json
from nextlabel_connectors.label_studio.data_manager import TaskListing, with_version
from nextlabel_connectors.label_studio.payloads import JsonObject, as_list, as_object, identifier
from nextlabel_connectors.label_studio.project import project_path
from nextlabel_connectors.label_studio.walking import task_id

Item = dict[str, object]

# Label Studio writes a chunk at once: small enough that others wait for less than a second.
_CHUNK = 500
_PAGE = 500
_SCORED_PAGE, _MOST_REGIONS = 100, 10_000  # tasks whose predictions may hold many regions; more regions than count
_MOST_SHOWN, _MOST_BYTES_SHOWN = 500, 100_000  # regions of a task, which each order holds once more


@dataclass(frozen=True, slots=True)
class Stored:
    """A prediction that Label Studio holds."""

    id: str
    task: TaskId
    score: float
    result: object


@dataclass(frozen=True, slots=True)
class Written:
    """What became of an import: all was written but of tasks that have vanished; of those refused only their place."""

    vanished: list[TaskId] = field(default_factory=list)
    refused: list[TaskId] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Predictions:
    """One project's predictions."""

    client: LabelStudioClient
    project: ToolProjectId

    @property
    def listing(self) -> TaskListing:
        return TaskListing(self.client, self.project)

    def counts(self) -> dict[QueueVersion, int]:
        """How many predictions each version has; the version that was written longest ago comes first."""
        counts: dict[QueueVersion, int] = {}
        for entry in self._held():
            version, count = entry.get("model_version"), entry.get("count")
            if isinstance(version, str) and isinstance(count, int):
                counts[QueueVersion(version)] = count
        return counts

    def mark(self, version: QueueVersion) -> str:
        """How many predictions the version has, and when the latest was written; "" where there is none."""
        held = (entry for entry in self._held() if entry.get("model_version") == version and entry.get("count"))
        return next((f"{entry['count']} {entry.get('latest')}" for entry in held), "")

    def _held(self) -> Iterator[JsonObject]:
        answer = as_object(self.client.get(self._versions, {"extended": "true"}).data, "model versions")
        for raw in reversed(as_list(answer.get("static"), "model versions")):
            yield as_object(raw, "model version")

    def scores(self, version: QueueVersion) -> Iterator[list[Scores]]:
        """By task the scores of its newest prediction of the version, a page of tasks at a time."""
        for found in self.listing.by_id("id,predictions", _SCORED_PAGE, [with_version(version)]):
            newest = (_newest(task, version) for task in found.tasks)
            yield list({one.task: one for one in newest if one is not None}.values())

    def results(self, version: QueueVersion, tasks: Sequence[TaskId]) -> dict[TaskId, Result]:
        """By task what its newest prediction of the version says, if that is small enough to be written again."""
        pages = (tasks[start : start + _SCORED_PAGE] for start in range(0, len(tasks), _SCORED_PAGE))
        found = (task for page in pages for task in self.listing.among(page, "id,predictions"))
        said = ((task_id(task), _said(task, version)) for task in found)
        return {task: result for task, result in said if result is not None}

    def of_version(self, version: QueueVersion, page: int = _PAGE) -> Iterator[Stored]:
        """The version's predictions, read a page of tasks at a time."""
        last = TaskId("")
        for found in self.listing.by_id("id,predictions", page, [with_version(version)]):
            for task in found.tasks:
                if task_id(task) != last:  # a task is listed once for each prediction that matches
                    yield from stored(task, version)
                last = task_id(task)

    def write(self, items: Sequence[Item]) -> Written:
        """Import predictions. Raises `ToolRejected` when Label Studio drops even a place in the order."""
        written = [self._write_chunk(items[start : start + _CHUNK]) for start in range(0, len(items), _CHUNK)]
        return Written(
            [task for one in written for task in one.vanished], [task for one in written for task in one.refused]
        )

    def remove(self, stored: Iterable[Stored]) -> int:
        """Remove predictions one by one, each in a short write of its own; returns how many were still there."""
        removed = 0
        for prediction in stored:
            try:
                self.client.delete(f"/api/predictions/{prediction.id}/")
            except Refused as error:
                if error.status != 404:
                    raise
            else:
                removed += 1
        return removed

    def remove_version(self, version: QueueVersion) -> None:
        """Remove a whole version in one write: 12 to 16 ms for each prediction, while SQLite takes no other."""
        self.client.delete(self._versions, {"model_version": version})

    @property
    def _versions(self) -> str:
        return f"{project_path(self.project)}model-versions"

    def _write_chunk(self, items: Sequence[Item]) -> Written:
        try:
            created = self._import(items)
        except Refused as error:
            if error.status != 400 or not (gone := self._gone(items)):
                raise
            # One vanished task makes Label Studio refuse the whole chunk, and nothing of it is written.
            rest = [item for item in items if _task(item) not in gone]
            more = self._write_chunk(rest) if rest else Written()
            return Written([*gone, *more.vanished], more.refused)
        if created == len(items):
            return Written()
        gone = self._gone(items)
        if created + len(gone) == len(items):
            return Written(gone)
        refused = self._write_bare(items, set(gone))
        return Written(gone, refused)

    def _write_bare(self, items: Sequence[Item], gone: Collection[TaskId]) -> list[TaskId]:
        """Those that were dropped, once more: only their place in the order, with nothing shown.

        Label Studio drops what does not fit the labeling config: it may have changed meanwhile, and a team's own model
        may say anything. Neither must take a task out of the order.
        """
        version = str(items[0]["model_version"])
        there = self.listing.among([_task(item) for item in items], "id,predictions")
        stored_ones = {task_id(task) for task in there if any(stored(task, version))}
        dropped = [item for item in items if _task(item) not in stored_ones and _task(item) not in gone]
        created = self._import([{**item, "result": []} for item in dropped])
        if created != len(dropped):
            raise ToolRejected(
                f"Label Studio took only {created} of {len(dropped)} bare predictions for project {self.project} and "
                "dropped the others without a word; its log says more ('Prediction validation failed')."
            )
        return [_task(item) for item in dropped]

    def _import(self, items: Sequence[Item]) -> int:
        answer = self.client.post(f"{project_path(self.project)}import/predictions", items)
        created = as_object(answer.data, "answer to the import").get("created")
        return created if isinstance(created, int) else 0

    def _gone(self, items: Sequence[Item]) -> list[TaskId]:
        tasks = [_task(item) for item in items]
        there = self.listing.there(tasks)
        return [task for task in tasks if task not in there]


def stored(task: JsonObject, version: str) -> Iterator[Stored]:
    """The predictions of one version that a listed task carries; a score of null counts as the last."""
    for prediction in _under(task, version):
        score = prediction.get("score")
        yield Stored(
            identifier(prediction.get("id"), "prediction's id"),
            task_id(task),
            float(score) if isinstance(score, int | float) else 1.0,
            prediction.get("result"),
        )


def _under(task: JsonObject, version: str) -> list[JsonObject]:
    predictions = [as_object(raw, "prediction") for raw in as_list(task.get("predictions") or [], "task's predictions")]
    return [prediction for prediction in predictions if prediction.get("model_version") == version]


def _latest(task: JsonObject, version: str) -> JsonObject | None:
    """A version may have predicted a task several times; ids rise."""
    return max(_under(task, version), key=lambda one: int(identifier(one.get("id"), "prediction's id")), default=None)


def _said(task: JsonObject, version: str) -> Result | None:
    """None of what says nothing, is no list of regions, or is too large."""
    result = (_latest(task, version) or {}).get("result")
    if not isinstance(result, list) or not 0 < len(result) <= _MOST_SHOWN:
        return None
    if any(not isinstance(one, dict) for one in result) or len(write_json(result)) > _MOST_BYTES_SHOWN:
        return None
    return Result(tuple(result))


def _newest(task: JsonObject, version: str) -> Scores | None:
    """What is no region has no score."""
    if (newest := _latest(task, version)) is None:
        return None
    result = newest.get("result")
    regions = [one for one in result[:_MOST_REGIONS] if isinstance(one, dict)] if isinstance(result, list) else []
    scores = [number_in(region.get("score")) for region in regions]
    return Scores(task_id(task), number_in(newest.get("score")), tuple(one for one in scores if one is not None))


def _task(item: Item) -> TaskId:
    return TaskId(str(item["task"]))
