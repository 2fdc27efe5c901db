"""Label Studio as the loop sees it: what changed there, and the order in which it serves tasks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import orjson

from nextlabel.errors import PayloadError, ToolUnavailable
from nextlabel.labeling import Cursor, LabelSchema, Prediction, QueueVersion, Result, TaskId, ToolProjectId
from nextlabel.labeling.ranking import Ranking
from nextlabel.ports.tool import (
    Callback,
    ChangePage,
    Finding,
    LivePriority,
    OwnOrder,
    OwnTab,
    Pruned,
    QueueReceipt,
    Scores,
    ToolSetting,
)
from nextlabel_connectors.label_studio import undoing
from nextlabel_connectors.label_studio.again import Again
from nextlabel_connectors.label_studio.client import LabelStudioClient, Refused
from nextlabel_connectors.label_studio.data_manager import TaskListing
from nextlabel_connectors.label_studio.drift import drift
from nextlabel_connectors.label_studio.files import fetch_file
from nextlabel_connectors.label_studio.label_config import parse_label_config
from nextlabel_connectors.label_studio.ours import Listed, list_webhooks
from nextlabel_connectors.label_studio.payloads import read_labels, read_tasks_seen, utc
from nextlabel_connectors.label_studio.predictions import Predictions
from nextlabel_connectors.label_studio.project import Project, fetch_project
from nextlabel_connectors.label_studio.queue import Queue
from nextlabel_connectors.label_studio.setup import connect
from nextlabel_connectors.label_studio.tabs import Tabs
from nextlabel_connectors.label_studio.walking import Page

# A change is stamped before it is committed: what is younger than this may still be on its way.
_SETTLING = timedelta(seconds=15)
# From `result` on they are of the annotations: Label Studio prunes what is nested by the same list.
_COLUMNS = (
    "id,data,annotations,is_labeled,updated_at,result,was_cancelled,lead_time,ground_truth,updated_by,completed_by"
)
_WHOLE = f"{_COLUMNS},created_at"


class LabelStudioConnector:
    """A connector to one project of a Label Studio server; makes its first request when first asked.

    ``file_hosts`` are the other hosts that files may be read from (`fetch_file`).
    """

    def __init__(self, client: LabelStudioClient, project: ToolProjectId, file_hosts: Collection[str] = ()) -> None:
        self._client, self._project, self._file_hosts = client, project, file_hosts

    @property
    def order(self) -> LivePriority:
        return LivePriority()

    def label_schema(self) -> LabelSchema:
        with self._understood():
            return fetch_project(self._client, self._project).config.schema

    def title(self) -> str:
        with self._understood():
            return fetch_project(self._client, self._project).title

    def changed_tasks(self, since: Cursor | None, *, whole: bool = False) -> Iterator[ChangePage]:
        """Tasks in the order of their change. Changes of the last seconds come again at the next call.

        A task that Label Studio fails to list (500), while it lists others, comes as one that cannot be read.
        """
        with self._understood():
            now = fetch_project(self._client, self._project)
            start = _Mark.read(since, now, whole=whole)
            for page in TaskListing(self._client, self._project).changed_since(start.at, _WHOLE if whole else _COLUMNS):
                yield _changes(page, now, start, whole=whole)

    def vanished_tasks(self, known: Collection[TaskId]) -> Collection[TaskId]:
        """Compares the number of tasks first, which is cheap; lists all ids only where it differs."""
        with self._understood():
            if fetch_project(self._client, self._project).task_number == len(known):
                return ()
            return set(known).difference(TaskListing(self._client, self._project).ids())

    def place(
        self,
        version: QueueVersion,
        window: Ranking,
        predictions: Iterable[Prediction],
        *,
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        with self._understood():
            return self._queue().reorder(version, window, predictions, may_switch)

    def queue_in_force(self, *, standing: int = 1) -> QueueVersion | None:
        with self._understood():
            return self._queue().in_force(standing)

    def head_of_queue(self, n: int) -> Sequence[TaskId]:
        with self._understood():
            return self._queue().head(n)

    def predictions_held(self) -> Mapping[QueueVersion, int]:
        with self._understood():
            return Predictions(self._client, self._project).counts()

    def scores_mark(self, version: QueueVersion) -> str:
        with self._understood():
            return Predictions(self._client, self._project).mark(version)

    def scores(self, version: QueueVersion) -> Iterator[Sequence[Scores]]:
        with self._understood():
            yield from Predictions(self._client, self._project).scores(version)

    def results(self, version: QueueVersion, tasks: Sequence[TaskId]) -> Mapping[TaskId, Result]:
        with self._understood():
            return Predictions(self._client, self._project).results(version, tasks)

    def prune(self, old: Sequence[OwnOrder], at_most: int, *, at_rest: bool = False) -> Pruned:
        """One by one, or ``at_rest`` whole orders at once, which locks all of their tasks for a second or two."""
        with self._understood():
            return self._queue().prune(old, at_most, at_rest=at_rest)

    def labels_in(
        self, schema: LabelSchema, result: Sequence[Mapping[str, object]], data: Mapping[str, object]
    ) -> Mapping[str, object]:
        return read_labels(result, parse_label_config(schema.source), data)

    def file(self, address: str) -> bytes:
        return fetch_file(self._client, self._project, address, self._file_hosts)

    def connect(self, callback: Callback) -> Iterator[Finding]:
        with self._understood():
            yield from connect(self._client, self._project, callback)

    def settings(self, ours: Collection[QueueVersion]) -> Sequence[ToolSetting]:
        with self._understood():
            return undoing.settings(self._client, self._project, ours)

    def disconnect(
        self, callback: Callback, settings: Mapping[str, str], *, similar: bool = False
    ) -> Iterator[Finding]:
        with self._understood():
            yield from undoing.disconnect(self._client, self._project, callback, settings, similar=similar)

    def show_tab(self, tab: OwnTab, title: str, tasks: Sequence[TaskId]) -> OwnTab:
        with self._understood():
            return Tabs(self._client, self._project).show(tab, title, tasks)

    def remove_tab(self, tab: OwnTab) -> bool:
        with self._understood():
            return Tabs(self._client, self._project).remove(tab)

    def why_not_again(self) -> str:
        with self._understood():
            return Again(self._client, self._project).why_not()

    def as_it_is(self, task: TaskId) -> Mapping[str, object] | None:
        with self._understood():
            return Again(self._client, self._project).as_it_is(task)

    def ask_again(self, task: TaskId, before: Mapping[str, object]) -> None:
        with self._understood():
            Again(self._client, self._project).ask(task, before)

    def settle(self, task: TaskId, before: Mapping[str, object]) -> None:
        with self._understood():
            Again(self._client, self._project).settle(task, before)

    def is_connected(self, callback: Callback) -> bool:
        with self._understood():
            return any(map(Listed(callback, (), ()).shows_secret, list_webhooks(self._client, self._project)))

    def drift(self, callback: Callback) -> Sequence[Finding]:
        with self._understood():
            return list(drift(self._client, self._project, callback))

    def _queue(self) -> Queue:
        return Queue(self._client, self._project)

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """An answer that makes no sense is a tool that is not well, or not the tool at all; a refusal may be for want
        of the project, which not every answer says."""
        try:
            yield
        except PayloadError as error:
            raise ToolUnavailable(
                f"Label Studio at {self._client.url} answered something that nextlabel does not understand: {error} "
                "Is it really Label Studio, of version 1.13 or later?"
            ) from error
        except Refused as error:
            if error.status in (400, 404):
                fetch_project(self._client, self._project)  # raises `ProjectGone` where there is none
            raise


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far was read: all changes stamped before ``at``, under the project settings named by ``reading``."""

    at: str | None
    reading: str

    @classmethod
    def read(cls, cursor: Cursor | None, now: Project, *, whole: bool) -> _Mark:
        """From the start where there is no cursor, or where every task must be looked at in another way."""
        afresh = cls(None, f"{now.reading()}{' whole' if whole else ''}")
        try:
            kept = orjson.loads(cursor or "{}")
            mark = cls(utc(kept["at"]), kept["reading"])
        except (orjson.JSONDecodeError, PayloadError, KeyError, TypeError):
            return afresh
        return mark if mark.reading == afresh.reading else afresh

    def cursor(self) -> Cursor:
        return Cursor(orjson.dumps({"at": self.at, "reading": self.reading}).decode())


def _changes(page: Page, now: Project, start: _Mark, *, whole: bool) -> ChangePage:
    settled = utc((now.server_time - _SETTLING).isoformat())
    mark = _Mark(max(min(page.up_to, settled), start.at or "") or None, start.reading)
    received, unreadable = read_tasks_seen(page.tasks, now.config, whole=whole)
    return ChangePage(tuple(map(now.as_served, received)), mark.cursor(), (*page.failing, *unreadable))
