"""One installation beside five tools at once, each with a project of the same id: each is ordered by its own model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from e2e.running import label_of, texts
from nextlabel.labeling import ProjectId, TaskId, ToolProjectId
from nextlabel.ports.tool import Connector, ConnectorType, ToolAccess
from nextlabel.testing import Served, ToolHarness
from nextlabel.testing.installation import Nextlabel
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.doccano import CONNECTOR as DOCCANO
from nextlabel_connectors.doccano.testing import DoccanoServer
from nextlabel_connectors.doccano.testing.harness import DoccanoHarness
from nextlabel_connectors.fiftyone import CONNECTOR as FIFTYONE
from nextlabel_connectors.fiftyone.testing import FiftyOneServer
from nextlabel_connectors.files import CONNECTOR as FILES
from nextlabel_connectors.label_studio import CONNECTOR as LABEL_STUDIO
from nextlabel_connectors.label_studio.testing import LabelStudioServer
from nextlabel_connectors.label_studio.testing.harness import LabelStudioHarness

LABELS, TASKS, TURNS, EACH = ("winter", "kitchen"), 60, 3, 4


class People(Protocol):
    """Those who label in one tool."""

    def next_task(self) -> TaskId: ...

    def label(self, task: TaskId, label: str) -> None: ...


@dataclass
class Place:
    """A project of one tool, as its people and nextlabel see it."""

    name: str
    type: ConnectorType
    access: ToolAccess
    at_tool: ToolProjectId
    people: People
    texts: dict[TaskId, str]
    project: ProjectId = ProjectId("")  # noqa: RUF009

    @property
    def connector(self) -> Connector:
        return self.type.open(self.access, self.at_tool)

    def work(self, n: int) -> None:
        """Take and label so many tasks, in the order in which the tool serves them."""
        for _ in range(n):
            task = self.people.next_task()
            self.people.label(task, label_of(self.texts[task]))


@dataclass
class InTheTool:
    """People of a tool that has a harness."""

    harness: ToolHarness
    project: ToolProjectId

    def next_task(self) -> TaskId:
        served = self.harness.next_task(self.project, "ann")
        assert isinstance(served, Served), "the queue is empty"
        return served.task

    def label(self, task: TaskId, label: str) -> None:
        self.harness.submit(self.project, task, label, "ann")


@dataclass
class InFiftyOne:
    server: FiftyOneServer
    project: str

    def next_task(self) -> TaskId:
        return TaskId(self.server.people("open_view", project=self.project, n=1, field="label")[0][0])

    def label(self, task: TaskId, label: str) -> None:
        asked = {"field": "label", "document": "Classification", "value": label}
        self.server.people("give", project=self.project, sample=task, **asked)


@dataclass
class InFiles:
    """Somebody who reads the order and appends to the labels."""

    order: Path
    labels: Path

    def next_task(self) -> TaskId:
        with self.order.open(encoding="utf-8") as file:
            rows = (json.loads(line)["id"] for line in file)
            done = self._done()
            return TaskId(next(str(task) for task in rows if str(task) not in done))

    def label(self, task: TaskId, label: str) -> None:
        with self.labels.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"id": task, "label": label}) + "\n")

    def _done(self) -> set[str]:
        if not self.labels.exists():
            return set()
        return {json.loads(line)["id"] for line in self.labels.read_text(encoding="utf-8").splitlines()}


@pytest.fixture
def places(
    label_studio: LabelStudioServer, doccano: DoccanoServer, fiftyone: FiftyOneServer, tmp_path: Path
) -> Iterator[list[Place]]:
    """Five projects of one id: the tools that count theirs make some more until all are there."""
    with ExitStack() as stack:
        another = stack.enter_context(LabelStudioServer())
        studios = [stack.enter_context(LabelStudioHarness(one, one.legacy_access)) for one in (label_studio, another)]
        texts_of_doccano = stack.enter_context(DoccanoHarness(doccano))
        counting: list[ToolHarness] = [*studios, texts_of_doccano]
        numbers = [int(one.create_project(LABELS, "text")) for one in counting]
        while len(set(numbers)) > 1:
            behind = numbers.index(min(numbers))
            numbers[behind] = int(counting[behind].create_project(LABELS, "text"))
        project = ToolProjectId(str(numbers[0]))
        found = [
            _in_the_tool("Label Studio", LABEL_STUDIO, label_studio.legacy_access, studios[0], project, 0),
            _in_the_tool("another Label Studio", LABEL_STUDIO, another.legacy_access, studios[1], project, 100),
            _in_the_tool(
                "doccano", DOCCANO, ToolAccess(doccano.url, texts_of_doccano.bot.token), texts_of_doccano, project, 200
            ),
            _in_fiftyone(fiftyone, project, 300),
            _in_files(tmp_path, project, 400),
        ]
        yield found


def _in_the_tool(
    name: str, kind: ConnectorType, access: ToolAccess, harness: ToolHarness, project: ToolProjectId, start: int
) -> Place:
    some = texts(TASKS, start)
    return Place(
        name,
        kind,
        access,
        project,
        InTheTool(harness, project),
        dict(zip(harness.add_tasks(project, some), some, strict=True)),
    )


def _in_fiftyone(server: FiftyOneServer, project: ToolProjectId, start: int) -> Place:
    some = texts(TASKS, start)
    asked = {"label": "label", "document": "Classification", "classes": list(LABELS), "texts": ["text"]}
    server.people("create", project=project, **asked)
    samples = [{"filepath": f"/no-such-folder/{start + n}.txt", "text": text} for n, text in enumerate(some)]
    ids = server.people("add", project=project, samples=samples)
    return Place(
        "FiftyOne",
        FIFTYONE,
        server.access,
        project,
        InFiftyOne(server, project),
        dict(zip(map(TaskId, ids), some, strict=True)),
    )


def _in_files(folder: Path, project: ToolProjectId, start: int) -> Place:
    some = {TaskId(f"row {n}"): text for n, text in enumerate(texts(TASKS, start))}
    rows = [json.dumps({"id": task, "text": text}) for task, text in some.items()]
    (folder / f"{project}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    people = InFiles(folder / f"{project}.next.jsonl", folder / f"{project}.labels.jsonl")
    return Place("files", FILES, ToolAccess(str(folder)), project, people, some)


KINDS = {"doccano": "doccano", "FiftyOne": "fiftyone", "files": "files"}


def connect(nextlabel: Nextlabel, place: Place) -> ProjectId:
    token = ("--token", place.access.token) if place.access.token else ()
    done = nextlabel.command(
        *("connect", "--url", place.access.url, *token, "--backend-url", nextlabel.url, "--json"),
        *("--project", f"{KINDS[place.name]}:{place.at_tool}" if place.name in KINDS else place.at_tool),
    )
    assert done.returncode == 0, (place.name, done.stderr)
    return ProjectId(json.loads(done.stdout)["project"])


def ordered_by(nextlabel: Nextlabel, place: Place, labels: int) -> Callable[[], bool]:
    """Whether the order in force is of a model of just so many labels."""

    def is_so() -> bool:
        parts = nextlabel.parts()
        serving, orders = parts.models.in_service(place.project), parts.orders.announced(place.project)
        return serving is not None and serving.labels == labels and orders[0].model == serving.version

    return is_so


@pytest.mark.everything
def test_five_tools_with_a_project_of_one_id_are_each_ordered_by_their_own_model(
    nextlabel: Nextlabel, places: Sequence[Place]
) -> None:
    for place in places:
        place.project = connect(nextlabel, place)
    assert len({place.project for place in places}) == len(places)
    assert {place.at_tool for place in places} == {places[0].at_tool}
    for _ in range(TURNS):
        for place in places:
            place.work(EACH)
    for place in places:
        wait_for(
            ordered_by(nextlabel, place, TURNS * EACH), f"{place.name} is not ordered by its own labels", every=0.5
        )
    for place in places:
        order = nextlabel.parts().orders.announced(place.project)[0]
        assert place.connector.queue_in_force() == order.version, place.name
        serving = nextlabel.parts().models.in_service(place.project, with_labels=True)
        assert serving is not None
        assert set(serving.trained_on) | set(order.window) <= set(place.texts), place.name
        assert place.people.next_task() == order.window[0], place.name
