"""The way to the in-memory tool: every promise of a connector, kept in the simplest way."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from nextlabel.errors import VersionTaken
from nextlabel.labeling import Cursor, LabelSchema, Prediction, QueueVersion, TaskId, ToolProjectId
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
    Unreadable,
)

if TYPE_CHECKING:
    from nextlabel_connectors.memory.tool import MemoryTool, _Project

_HEAD = 5


class MemoryConnector:
    """The way to a `MemoryTool`; see `nextlabel.ports.tool.Connector` for the promises."""

    def __init__(self, tool: MemoryTool, token: str, project: ToolProjectId) -> None:
        self._tool, self._token, self._project = tool, token, project

    @property
    def order(self) -> LivePriority:
        return LivePriority()

    def label_schema(self) -> LabelSchema:
        with self._opened() as it:
            return it.schema

    def title(self) -> str:
        with self._opened() as it:
            return it.title

    def changed_tasks(self, since: Cursor | None, *, whole: bool = False) -> Iterator[ChangePage]:
        """A task that changes while pages are read moves behind the last page, and so is told again, never missed."""
        cursor = int(since or 0)
        while True:
            with self._opened() as it:
                changed = sorted((row for row in it.rows.values() if row.changed > cursor), key=lambda r: r.changed)
                page = changed[: self._tool.page_size]
                received = tuple(row.seen() for row in page if not row.spoiled)
            if not page:
                return
            cursor = page[-1].changed
            spoiled = tuple(Unreadable(row.task.id, "It is damaged.") for row in page if row.spoiled)
            yield ChangePage(received, Cursor(str(cursor)), spoiled)

    def vanished_tasks(self, known: Collection[TaskId]) -> Collection[TaskId]:
        with self._opened() as it:
            return {task for task in known if task not in it.rows}

    def place(
        self,
        version: QueueVersion,
        window: Ranking,
        predictions: Iterable[Prediction],
        *,
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        shown = {prediction.task: prediction for prediction in predictions}
        with self._opened() as it:
            ranked = window.task_ids()
            if it.others.get(version):
                raise VersionTaken(f"Project '{self._project}' holds other predictions under the version {version}.")
            order = {task: shown.get(task) for task in ranked if task in it.rows}
            may_switch()
            self._tool.reorder(self._project, version, order)
            vanished = tuple(task for task in ranked if task not in it.rows)
            return QueueReceipt(version, len(order), vanished, tuple(islice(it.queue(), _HEAD)))

    def queue_in_force(self, *, standing: int = 1) -> QueueVersion | None:
        with self._opened() as it:
            return it.in_force if sum(task in it.rows for task in it.order) >= standing else None

    def head_of_queue(self, n: int) -> Sequence[TaskId]:
        with self._opened() as it:
            return list(islice(it.queue(), n))

    def predictions_held(self) -> Mapping[QueueVersion, int]:
        with self._opened():
            return self._tool.predictions_held(self._project)

    def scores_mark(self, version: QueueVersion) -> str:
        with self._opened() as it:
            return f"{it.imports} {version}" if it.others.get(version) else ""

    def scores(self, version: QueueVersion) -> Iterator[Sequence[Scores]]:
        with self._opened() as it:
            yield list(it.others.get(version, {}).values())

    def prune(self, old: Sequence[OwnOrder], at_most: int, *, at_rest: bool = False) -> Pruned:
        with self._opened() as it:
            ours = [(one.version, _own_tasks(one, it.orders)) for one in old if one.version != it.in_force]
            doomed = list(islice(((version, task) for version, tasks in ours for task in tasks), at_most))
            for version, task in doomed:
                del it.orders[version][task]
            left = {version: set(tasks) & set(it.orders.get(version, ())) for version, tasks in ours}
            return Pruned(len(doomed), tuple(version for version, tasks in left.items() if not tasks))

    def show_tab(self, tab: OwnTab, title: str, tasks: Sequence[TaskId]) -> OwnTab:
        with self._opened() as it:
            it.tabs[tab.mark] = it.tabs.get(tab.mark, (title, []))[0], list(tasks)
        return OwnTab(tab.mark, tab.mark)

    def remove_tab(self, tab: OwnTab) -> bool:
        with self._opened() as it:
            return it.tabs.pop(tab.mark, None) is not None

    def why_not_again(self) -> str:
        return ""

    def as_it_is(self, task: TaskId) -> Mapping[str, object] | None:
        with self._opened() as it:
            row = it.rows.get(task)
            return {"wanted": row.wanted, "labels": row.labels} if row and row.closed else None

    def ask_again(self, task: TaskId, before: Mapping[str, object]) -> None:
        with self._opened() as it:
            if task in it.rows:
                it.rows[task].wanted = max(_number(before["wanted"]), _number(before["labels"])) + 1

    def settle(self, task: TaskId, before: Mapping[str, object]) -> None:
        with self._opened() as it:
            if task in it.rows:
                it.rows[task].wanted = _number(before["wanted"])

    def connect(self, callback: Callback) -> Iterator[Finding]:
        with self._opened() as it:
            finding: Finding = Finding("unchanged", f"Webhooks go to {callback.url}.")
            if callback.url in self._tool.unreachable:
                finding = Finding("problem", f"Nothing answers at {callback.url}: start nextlabel there.")
            elif it.callback is None or not _same(it.callback, callback):
                it.callback = callback
                finding = Finding("done", f"Webhooks now go to {callback.url}.")
        yield finding

    def settings(self, ours: Collection[QueueVersion]) -> Sequence[ToolSetting]:
        with self._opened() as it:
            version = it.in_force or ""
            detail = f"{len(it.order)} predictions" if version else ""
            return [ToolSetting("model_version", version, ("", *it.orders), version in ("", *ours), detail)]

    def disconnect(
        self, callback: Callback, settings: Mapping[str, str], *, similar: bool = False
    ) -> Iterator[Finding]:
        """There is nothing here that could resemble what is ours."""
        found: list[Finding] = []
        with self._opened() as it:
            if it.callback is not None and (
                _same_secret(it.callback, callback) or it.callback.url in (callback.url, *callback.earlier)
            ):
                found.append(Finding("done", f"Webhooks no longer go to {it.callback.url}."))
                it.callback = None
            if "model_version" in settings:
                wanted = QueueVersion(settings["model_version"]) or None
                if wanted is not None and wanted not in it.orders:
                    found.append(Finding("warning", f"The order '{wanted}' is there no more: oldest first."))
                    wanted = None
                if it.in_force != wanted:
                    found.append(Finding("done", f"Tasks are served by {wanted or 'age'}."))
                it.in_force = wanted
        yield from found or [Finding("unchanged", "There is nothing of nextlabel's here.")]

    def is_connected(self, callback: Callback) -> bool:
        with self._opened() as it:
            return it.callback is not None and _same_secret(it.callback, callback)

    def drift(self, callback: Callback) -> Sequence[Finding]:
        with self._opened() as it:
            return [] if it.callback is not None and _same(it.callback, callback) else [_undone(callback.url)]

    def _opened(self) -> AbstractContextManager[_Project]:
        return self._tool.opened(self._project, self._token)


def _same(one: Callback, other: Callback) -> bool:
    return replace(one, earlier=()) == replace(other, earlier=())


def _same_secret(one: Callback, other: Callback) -> bool:
    return secrets.compare_digest(one.webhook_secret, other.webhook_secret)


def _own_tasks(order: OwnOrder, orders: Mapping[QueueVersion, Mapping[TaskId, object]]) -> list[TaskId]:
    """The tasks that still have their place in an order; others' predictions are kept apart from orders here."""
    written = orders.get(order.version, {})
    return [task for task in written if order.window is None or task in order.window]


def _undone(callback_url: str) -> Finding:
    return Finding("warning", f"Webhooks no longer go to {callback_url}: run `nextlabel connect` again.")


def _number(noted: object) -> int:
    return noted if isinstance(noted, int) else 1
