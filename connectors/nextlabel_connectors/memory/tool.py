"""The in-memory labeling tool: its projects, and everything that people do there."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

import orjson

from nextlabel.errors import ProjectGone, ToolRejected, ToolUnavailable
from nextlabel.labeling import (
    Annotation,
    AnnotationId,
    Input,
    LabelSchema,
    Prediction,
    QueueVersion,
    Target,
    Task,
    TaskId,
    ToolProjectId,
)
from nextlabel.ports.requests import WebhookRequest
from nextlabel.ports.tool import Callback, Scores, TaskSeen, ToolAccess
from nextlabel_connectors.memory.connector import MemoryConnector
from nextlabel_connectors.memory.dialect import SECRET_HEADER

TARGET = "label"
"""The one target of every project."""


@dataclass(slots=True)
class _Row:
    """A task with its annotations and who made each; ``changed`` is the tick of the last change.

    A ``spoiled`` one is told in a way that nobody can read. It is closed by as many labels as are ``wanted``.
    """

    task: Task
    changed: int
    spoiled: bool = False
    wanted: int = 1
    annotations: dict[AnnotationId, Annotation] = field(default_factory=dict)
    annotators: dict[AnnotationId, str] = field(default_factory=dict)

    @property
    def closed(self) -> bool:
        return self.labels >= self.wanted

    @property
    def labels(self) -> int:
        return sum(not annotation.skipped for annotation in self.annotations.values())

    def seen(self) -> TaskSeen:
        return TaskSeen(self.task, tuple(self.annotations.values()), self.closed)


@dataclass(slots=True)
class _Project:
    """``orders`` holds each version's tasks in rank order, with the prediction to show (None: nothing to say).

    ``others`` are predictions that a team imported itself, by version the newest of each task; ``imports`` counts how
    often. ``tabs`` are lists of tasks, each with its title, by a name that whoever makes one chooses.
    """

    schema: LabelSchema
    title: str = ""
    rows: dict[TaskId, _Row] = field(default_factory=dict)
    orders: dict[QueueVersion, dict[TaskId, Prediction | None]] = field(default_factory=dict)
    others: dict[QueueVersion, dict[TaskId, Scores]] = field(default_factory=dict)
    imports: int = 0
    in_force: QueueVersion | None = None
    held: dict[str, TaskId] = field(default_factory=dict)
    callback: Callback | None = None
    tabs: dict[str, tuple[str, list[TaskId]]] = field(default_factory=dict)

    @property
    def order(self) -> Mapping[TaskId, Prediction | None]:
        return self.orders[self.in_force] if self.in_force is not None else {}

    def queue(self) -> Iterator[TaskId]:
        """Open tasks as they are served: the ranked ones by rank, then the others, oldest first."""
        order = self.order
        for task in (*order, *(task for task in self.rows if task not in order)):
            if task in self.rows and not self.rows[task].closed:
                yield task

    def row_of(self, annotation: AnnotationId) -> _Row:
        return next(row for row in self.rows.values() if annotation in row.annotations)


class MemoryTool:
    """A labeling tool in this process. Every call is atomic, so threads can play several annotators.

    An annotator who asks for a task holds it until they submit, skip or leave; no one else gets it meanwhile.
    One label closes a task; a skipped one stays open to others. ``sent`` keeps the webhooks, which are sent
    only for projects that were connected. At an ``unreachable`` address it finds nobody.
    """

    def __init__(self, *, page_size: int = 500, up: bool = True) -> None:
        self.access = ToolAccess("memory:", secrets.token_hex(20))
        self.sent: list[WebhookRequest] = []
        self.unreachable: set[str] = set()
        self.page_size = page_size
        self._projects: dict[ToolProjectId, _Project] = {}
        self._ticks = count(1)
        self._up = up
        self._lock = threading.RLock()

    def connector(self, project: ToolProjectId) -> MemoryConnector:
        return MemoryConnector(self, self.access.token, project)

    # --- what people do ------------------------------------------------------------------------------------

    def create_project(self, labels: Sequence[str], field: str = "text") -> ToolProjectId:
        with self._lock:
            project = ToolProjectId(f"p{next(self._ticks)}")
            target = Target(TARGET, "choice", (Input(field),), tuple(labels))
            self._projects[project] = _Project(LabelSchema((target,), shown=target.inputs))
            return project

    def rename(self, project: ToolProjectId, title: str) -> None:
        with self.opened(project) as it:
            it.title = title

    def delete_project(self, project: ToolProjectId) -> None:
        with self._lock:
            del self._projects[project]

    @contextmanager
    def without(self, project: ToolProjectId) -> Iterator[None]:
        """The project is gone meanwhile, as when it is deleted and then restored from a backup."""
        with self._lock:
            found = self._projects.pop(project)
        yield
        self._projects[project] = found

    def add_tasks(self, project: ToolProjectId, texts: Sequence[str | Mapping[str, object]]) -> tuple[TaskId, ...]:
        """A task for each text, or for each fields by name."""
        with self.opened(project) as it:
            field = it.schema.targets[0].inputs[0].field
            rows = [
                _Row(Task(TaskId(f"t{tick}"), {field: text} if isinstance(text, str) else text), tick)
                for text, tick in zip(texts, self._ticks, strict=False)
            ]
            it.rows.update((row.task.id, row) for row in rows)
            self._report(project, "tasks")
            return tuple(row.task.id for row in rows)

    def delete_task(self, project: ToolProjectId, task: TaskId) -> None:
        with self.opened(project) as it:
            del it.rows[task]
            it.held = {by: held for by, held in it.held.items() if held != task}
            self._report(project, "tasks")

    def spoil(self, project: ToolProjectId, task: TaskId) -> None:
        """What is stored of a task is damaged: from now on it cannot be read."""
        self._damage(project, task, spoiled=True)

    def mend(self, project: ToolProjectId, task: TaskId) -> None:
        self._damage(project, task, spoiled=False)

    def _damage(self, project: ToolProjectId, task: TaskId, *, spoiled: bool) -> None:
        with self.opened(project) as it:
            row = it.rows[task]
            row.spoiled, row.changed = spoiled, next(self._ticks)

    def take_next(self, project: ToolProjectId, by: str) -> tuple[TaskId, Prediction | None] | None:
        """The task this annotator holds, else the first in the queue that nobody holds, with its prediction."""
        with self.opened(project) as it:
            taken = {task for annotator, task in it.held.items() if annotator != by}
            queue = [it.held[by]] if by in it.held else it.queue()
            for task in queue:
                if task not in taken and by not in it.rows[task].annotators.values():
                    it.held[by] = task
                    return task, it.order.get(task)
            return None

    def submit(
        self,
        project: ToolProjectId,
        task: TaskId,
        label: str | Mapping[str, object],
        by: str,
        *,
        seconds: float | None = None,
    ) -> AnnotationId:
        """A label of the target that a project is made with, or what is said of several targets by name; ``seconds`` is
        how long it took."""
        return self._annotate(project, task, {TARGET: label} if isinstance(label, str) else label, by, seconds)

    def skip(self, project: ToolProjectId, task: TaskId, by: str) -> None:
        self._annotate(project, task, {}, by)

    def _annotate(
        self, project: ToolProjectId, task: TaskId, labels: Mapping[str, object], by: str, seconds: float | None = None
    ) -> AnnotationId:
        with self.opened(project) as it:
            tick, row = next(self._ticks), it.rows[task]
            annotation = Annotation(
                AnnotationId(f"a{tick}"), labels, _time(tick), skipped=not labels, seconds=seconds, by=by
            )
            row.annotations[annotation.id], row.annotators[annotation.id], row.changed = annotation, by, tick
            it.held.pop(by, None)
            self._report(project, "labels")
            return annotation.id

    def change(self, project: ToolProjectId, annotation: AnnotationId, label: str) -> None:
        with self.opened(project) as it:
            row, tick = it.row_of(annotation), next(self._ticks)
            changed = replace(row.annotations[annotation], labels={TARGET: label}, updated_at=_time(tick))
            row.annotations[annotation], row.changed = changed, tick
            self._report(project, "labels")

    def withdraw(self, project: ToolProjectId, annotation: AnnotationId) -> None:
        with self.opened(project) as it:
            row = it.row_of(annotation)
            del row.annotations[annotation], row.annotators[annotation]
            row.changed = next(self._ticks)
            self._report(project, "labels")

    @contextmanager
    def without_a_trace(self, project: ToolProjectId) -> Iterator[None]:
        """What people do meanwhile moves no time of change, as when a database is restored from a backup."""
        with self.opened(project) as it:
            before = {task: row.changed for task, row in it.rows.items()}
            yield
            for task, row in it.rows.items():
                row.changed = before.get(task, 1)

    def choose_another_order(self, project: ToolProjectId) -> None:
        """Somebody switches the queue back to oldest first."""
        with self.opened(project) as it:
            it.in_force = None
            self._report(project, "project")

    def delete_predictions(self, project: ToolProjectId, tasks: Sequence[TaskId]) -> None:
        with self.opened(project) as it:
            for order in it.orders.values():
                for task in tasks:
                    order.pop(task, None)

    def disconnect(self, project: ToolProjectId) -> None:
        """Somebody removes what makes the tool call nextlabel."""
        with self.opened(project) as it:
            it.callback = None

    def calls(self, project: ToolProjectId) -> list[str]:
        with self.opened(project) as it:
            return [it.callback.url] if it.callback else []

    def predictions_held(self, project: ToolProjectId) -> dict[QueueVersion, int]:
        with self.opened(project) as it:
            versions = dict.fromkeys((*it.orders, *it.others))
            held = {one: len(it.orders.get(one, ())) + len(it.others.get(one, ())) for one in versions}
            return {version: number for version, number in held.items() if number}

    def import_predictions(self, project: ToolProjectId, version: QueueVersion, tasks: Sequence[TaskId]) -> None:
        """Somebody imports predictions of a model of their own."""
        self.import_scores(project, version, [Scores(task, 0.3) for task in tasks])

    def import_scores(self, project: ToolProjectId, version: QueueVersion, scores: Sequence[Scores]) -> None:
        """Such predictions, of which only the scores are told."""
        with self.opened(project) as it:
            it.others.setdefault(version, {}).update({one.task: one for one in scores})
            it.imports += 1

    def make_tab(self, project: ToolProjectId, title: str, tasks: Sequence[TaskId]) -> None:
        """Somebody makes a tab of their own."""
        with self.opened(project) as it:
            it.tabs[f"{title} by somebody"] = title, list(tasks)

    def tabs(self, project: ToolProjectId) -> Mapping[str, frozenset[TaskId]]:
        """The tasks in each, by title."""
        with self.opened(project) as it:
            return {title: frozenset(tasks) for title, tasks in it.tabs.values()}

    def take_down(self) -> None:
        self._up = False

    def bring_up(self) -> None:
        self._up = True

    # --- what programs do ----------------------------------------------------------------------------------

    @contextmanager
    def opened(self, project: ToolProjectId, token: str | None = None) -> Iterator[_Project]:
        """The project, for one atomic piece of work; refuses as a tool does (a token of None is a person's)."""
        with self._lock:
            if not self._up:
                raise ToolUnavailable("The in-memory tool is down: bring it up and try again.")
            if token is not None and not secrets.compare_digest(token, self.access.token):
                raise ToolRejected("The in-memory tool does not know this token: use the one in `access`.")
            if project not in self._projects:
                raise ProjectGone(f"The in-memory tool has no project '{project}'.")
            yield self._projects[project]

    def reorder(self, project: ToolProjectId, version: QueueVersion, order: dict[TaskId, Prediction | None]) -> None:
        it = self._projects[project]
        it.orders[version], it.in_force = order, version
        self._report(project, "project")

    def _report(self, project: ToolProjectId, kind: str) -> None:
        it = self._projects[project]
        if it.callback is None:
            return
        digests = [it.schema.digest, it.schema.source_digest]
        body = {"event": kind, "project": project, "queue_version": it.in_force, "schema": digests}
        headers = {"content-type": "application/json", SECRET_HEADER: it.callback.webhook_secret}
        self.sent.append(WebhookRequest(orjson.dumps(body), headers))


def _time(tick: int) -> str:
    return (datetime(2025, 1, 1, tzinfo=UTC) + timedelta(microseconds=tick)).isoformat(timespec="microseconds")
