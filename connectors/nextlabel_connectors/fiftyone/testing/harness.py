"""FiftyOne's people for the connector contract."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count
from typing import Any

from nextlabel.labeling import AnnotationId, TaskId, ToolProjectId
from nextlabel.ports.tool import Connector
from nextlabel.testing import Annotator, Served
from nextlabel_connectors.fiftyone import CONNECTOR
from nextlabel_connectors.fiftyone.testing.server import FiftyOneServer

LABEL = "label"


class FiftyOneHarness:
    """The people of a running `FiftyOneServer`. They work through the saved view, and nobody holds a task."""

    def __init__(self, server: FiftyOneServer) -> None:
        self._server = server
        self._names = count(1)
        self._fields: dict[str, str] = {}

    def create_project(self, labels: Sequence[str], field: str) -> ToolProjectId:
        project = ToolProjectId(f"contract {next(self._names)} {time.time_ns()}")
        self._ask("create", project, label=LABEL, document="Classification", classes=list(labels), texts=[field])
        self._fields[project] = field
        return project

    def add_tasks(self, project: ToolProjectId, texts: Sequence[str]) -> Sequence[TaskId]:
        """Of files that are no pictures, so that the text is all there is to read."""
        names = [f"/no-such-folder/{time.time_ns()}-{n}.txt" for n in range(len(texts))]
        samples = [{"filepath": name, self._fields[project]: text} for name, text in zip(names, texts, strict=True)]
        return [TaskId(sample) for sample in self._ask("add", project, samples=samples)]

    def delete_task(self, project: ToolProjectId, task: TaskId) -> None:
        self._ask("delete_sample", project, sample=task)

    def next_task(self, project: ToolProjectId, by: Annotator) -> Served | None:
        first = self._ask("open_view", project, n=1, field=LABEL)
        return Served(TaskId(first[0][0]), (first[0][1],) if first[0][1] else ()) if first else None

    def submit(self, project: ToolProjectId, task: TaskId, label: str, by: Annotator) -> AnnotationId:
        self._ask("give", project, sample=task, field=LABEL, document="Classification", value=label)
        return AnnotationId(task)

    def change(self, project: ToolProjectId, annotation: AnnotationId, label: str) -> None:
        self.submit(project, TaskId(annotation), label, "ann")

    def withdraw(self, project: ToolProjectId, annotation: AnnotationId) -> None:
        self._ask("give", project, sample=annotation, field=LABEL, document=None, value=None)

    def spoil(self, project: ToolProjectId, task: TaskId) -> None:
        """Two tags that exclude each other."""
        self._ask("tag", project, sample=task, tags=["ham", "spam"])

    def mend(self, project: ToolProjectId, task: TaskId) -> None:
        self._ask("untag", project, sample=task, tags=["ham", "spam"])

    def let_a_day_pass(self, project: ToolProjectId) -> None:
        self._ask("let_a_day_pass", project)

    def choose_another_order(self, project: ToolProjectId) -> None:
        """Somebody deletes the saved view."""
        self._ask("delete_view", project, name="nextlabel")

    def delete_project(self, project: ToolProjectId) -> None:
        self._ask("delete", project)

    def connector(self, project: ToolProjectId) -> Connector:
        return CONNECTOR.open(self._server.access, project)

    def stranger(self, project: ToolProjectId) -> Connector:
        raise NotImplementedError("FiftyOne asks for no token.")

    def unknown_project(self) -> ToolProjectId:
        return ToolProjectId("no such dataset")

    def take_down(self) -> None:
        self._server.stop()

    def bring_up(self) -> None:
        self._server.start()

    def _ask(self, do: str, project: str, **what: object) -> Any:
        return self._server.people(do, project=project, **what)
