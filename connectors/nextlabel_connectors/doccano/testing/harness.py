"""doccano's people for the connector contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from types import TracebackType
from typing import Self
from uuid import uuid4

from nextlabel.labeling import AnnotationId, TaskId, ToolProjectId
from nextlabel.ports.tool import Connector, ToolAccess
from nextlabel.testing import Annotator, Served
from nextlabel_connectors.doccano.client import DoccanoClient
from nextlabel_connectors.doccano.connector import DoccanoConnector
from nextlabel_connectors.doccano.scores import DEFAULT_SCORE
from nextlabel_connectors.doccano.testing.people import DoccanoPerson
from nextlabel_connectors.doccano.testing.server import DoccanoServer


class DoccanoHarness:
    """The people of a running `DoccanoServer`, and an account for nextlabel that is an admin of each project.

    An annotation is what all give to one task together, with doccano's confirmation.
    """

    def __init__(self, server: DoccanoServer) -> None:
        self._server, owner = server, server.owner
        self._numbers = count(1)
        names = ("nextlabel", "ann", "ben")
        self.bot, self.ann, self.ben = (owner.create_account(server.url, f"{name}-{uuid4().hex[:8]}") for name in names)
        self._people = {"ann": self.ann, "ben": self.ben}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing of it outlives the server."""

    def create_project(
        self, labels: Sequence[str], field: str, kind: str = "DocumentClassification", **settings: object
    ) -> ToolProjectId:
        """doccano keeps what is labeled in one field, ``text``."""
        owner = self._server.owner
        project = owner.create_project(f"contract {next(self._numbers)}", labels, kind, **settings)
        owner.add_member(project, self.bot, "project_admin")
        for person in self._people.values():
            owner.add_member(project, person, "annotator")
        return ToolProjectId(str(project))

    def add_tasks(self, project: ToolProjectId, texts: Sequence[str]) -> Sequence[TaskId]:
        """Into its database, as its import from a file does it: that needs another process of doccano's."""
        now, names = datetime.now(UTC), [uuid4().hex for _ in texts]
        times = [str((now + timedelta(microseconds=n)).replace(tzinfo=None)) for n in range(len(texts))]
        rows = [(name, text, at, at, int(project)) for name, text, at in zip(names, texts, times, strict=True)]
        self._server.execute(
            "INSERT INTO examples_example (uuid, text, created_at, updated_at, project_id, meta, filename, upload_name,"
            "score) VALUES (?, ?, ?, ?, ?, '{}', '.', '', 100)",
            rows,
        )
        found = self._server.ask("SELECT uuid, id FROM examples_example WHERE project_id = ?", int(project))
        ids = {str(name): TaskId(str(number)) for name, number in found}
        return [ids[name] for name in names]

    def delete_task(self, project: ToolProjectId, task: TaskId) -> None:
        self._server.owner.delete_task(int(project), int(task))

    def spoil(self, project: ToolProjectId, task: TaskId) -> None:
        self._server.owner.change_task(int(project), int(task), meta="damaged")

    def mend(self, project: ToolProjectId, task: TaskId) -> None:
        self._server.owner.change_task(int(project), int(task), meta={})

    def next_task(self, project: ToolProjectId, by: Annotator) -> Served | None:
        person = self._people[by]
        task = person.next_task(int(project))
        if task is None:
            return None
        texts = {number: text for text, number in person.types(int(project)).items()}
        shown = person.labels(int(project), task["id"])
        return Served(TaskId(str(task["id"])), tuple(texts[one["label"]] for one in shown))

    def submit(self, project: ToolProjectId, task: TaskId, label: str, by: Annotator) -> AnnotationId:
        person = self._people[by]
        person.give(int(project), int(task), label)
        person.confirm(int(project), int(task))
        return AnnotationId(str(task))

    def change(self, project: ToolProjectId, annotation: AnnotationId, label: str) -> None:
        self.ann.give(int(project), int(annotation), label)

    def withdraw(self, project: ToolProjectId, annotation: AnnotationId) -> None:
        for label in self.ann.labels(int(project), int(annotation)):
            self.ann.take_back(int(project), int(annotation), label["id"])
        self.ann.confirm(int(project), int(annotation), confirmed=False)

    def let_a_day_pass(self, project: ToolProjectId) -> None:
        for time in ("created_at", "updated_at"):
            older = f"UPDATE examples_example SET {time} = date({time}, '-1 day') || substr({time}, 11) "  # noqa: S608
            self._server.execute(f"{older} WHERE project_id = ?", [[int(project)]])

    def choose_another_order(self, project: ToolProjectId) -> None:
        owner = self._server.owner
        for task in owner.tasks(int(project)):
            owner.change_task(int(project), task["id"], score=DEFAULT_SCORE)

    def rename(self, project: ToolProjectId, title: str) -> None:
        self._server.owner.change_project(int(project), name=title)

    def delete_project(self, project: ToolProjectId) -> None:
        self._server.owner.delete_project(int(project))

    @property
    def owner(self) -> DoccanoPerson:
        return self._server.owner

    @property
    def access(self) -> ToolAccess:
        return self.access_of(self.bot)

    def access_of(self, person: DoccanoPerson) -> ToolAccess:
        return ToolAccess(self._server.url, person.token)

    def connector(self, project: ToolProjectId) -> Connector:
        """Nobody has a page open while the contract orders tasks."""
        return DoccanoConnector(DoccanoClient(self.access, project), on_screens=0)

    def stranger(self, project: ToolProjectId) -> Connector:
        client = DoccanoClient(ToolAccess(self._server.url, "0" * len(self.bot.token)), project)
        return DoccanoConnector(client)

    def unknown_project(self) -> ToolProjectId:
        return ToolProjectId("999999")

    def take_down(self) -> None:
        self._server.stop()

    def bring_up(self) -> None:
        self._server.start()
