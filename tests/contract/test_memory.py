"""The in-memory connector keeps every promise, which shows that every promise can be kept."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import orjson
import pytest

from nextlabel.errors import PayloadError, ToolUnavailable
from nextlabel.labeling import Guess, Input, Prediction, QueueVersion, Target, Task, TaskId, ToolProjectId
from nextlabel.ports.requests import WebhookRequest, Webhooks
from nextlabel.ports.tool import Callback, Connector, ConnectorType, ToolAccess
from nextlabel.testing import Annotator, Served, ToolHarness
from nextlabel.testing.contract import (
    AsksAgainContract,
    CallsUsContract,
    CoreContract,
    LiveQueueContract,
    OldOrdersContract,
    PredictionsContract,
    ScoresContract,
    SkippingContract,
    TabsContract,
    TitleContract,
    TokenContract,
    UnreadableContract,
)
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.memory import CONNECTOR, JsonDialect, MemoryConnectorType, MemoryTool

DIALECT = JsonDialect()


class MemoryHarness(MemoryTool):
    """The tool has its people built in; what is left is how the contract wants to see them."""

    webhooks: Webhooks = DIALECT

    def next_task(self, project: ToolProjectId, by: Annotator) -> Served | None:
        taken = self.take_next(project, by)
        if taken is None:
            return None
        task, prediction = taken
        return Served(task, tuple(str(guess.label) for guess in prediction.guesses) if prediction else ())

    def let_a_day_pass(self, project: ToolProjectId) -> None:
        """The tool counts changes, not seconds."""

    def callback(self) -> Callback:
        return Callback("memory:nextlabel", "nextlabel", "password", "webhook-secret")

    def dead_callback(self) -> Callback:
        self.unreachable.add("memory:nobody")
        return replace(self.callback(), url="memory:nobody")

    def arrivals(self, act: Callable[[], object]) -> Sequence[WebhookRequest]:
        before = len(self.sent)
        act()
        return self.sent[before:]

    def malformed_events(self) -> Sequence[WebhookRequest]:
        bodies = (b"{}", b'{"event": "labels"}', b'{"project": "p1"}')
        return [WebhookRequest(body, {"content-type": "application/json"}) for body in bodies]

    def stranger(self, project: ToolProjectId) -> Connector:
        return MemoryConnectorType(self).open(ToolAccess(self.access.url, "no such token"), project)

    def unknown_project(self) -> ToolProjectId:
        return ToolProjectId("p999999")


@pytest.fixture(scope="module")
def harness() -> ToolHarness:
    return MemoryHarness()


class TestMemoryConnector(
    AsksAgainContract,
    CallsUsContract,
    CoreContract,
    LiveQueueContract,
    OldOrdersContract,
    PredictionsContract,
    ScoresContract,
    SkippingContract,
    TabsContract,
    TitleContract,
    TokenContract,
    UnreadableContract,
):
    pass


def test_the_entry_point_names_a_connector_type_without_a_tool() -> None:
    assert isinstance(CONNECTOR, ConnectorType)
    with pytest.raises(ToolUnavailable):
        CONNECTOR.open(ToolAccess("memory:", "any"), ToolProjectId("p1")).label_schema()


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns so often that a missing lock shows."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless_threads")
def test_threads_that_ask_at_the_same_moment_never_get_the_same_task() -> None:
    tool = MemoryTool()
    project = tool.create_project(["ham", "spam"])
    tasks = tool.add_tasks(project, ["mail"] * 400)
    together = threading.Barrier(4)

    def work(by: str) -> list[TaskId]:
        done = []
        for _ in range(len(tasks) // 4):
            together.wait(CEILING_SECONDS)
            taken = tool.take_next(project, by)
            assert taken
            together.wait(CEILING_SECONDS)
            tool.submit(project, taken[0], "ham", by)
            done.append(taken[0])
        return done

    with ThreadPoolExecutor(4) as people:
        done = [task for each in people.map(work, "abcd") for task in each]
    assert sorted(done) == sorted(tasks)


SCHEMA = {"label": {"inputs": ["text"], "labels": ["ham", "spam"]}}


def test_an_introduction_names_project_schema_and_options() -> None:
    body = orjson.dumps({"project": "p1", "schema": SCHEMA, "options": {"window": 50}})
    setup = DIALECT.read_setup(body)
    target = Target("label", "choice", (Input("text"),), ("ham", "spam"))
    assert (setup.project, setup.schema.targets, setup.options) == ("p1", (target,), {"window": 50})


def test_every_task_of_a_request_gets_an_answer_even_one_that_cannot_be_read() -> None:
    tasks = [{"id": "t1", "data": {"text": "win a prize"}}, "not a task"]
    request = DIALECT.read_predict(orjson.dumps({"project": "p1", "schema": SCHEMA, "tasks": tasks}))
    assert request.tasks == (Task(TaskId("t1"), {"text": "win a prize"}), None)
    guess = Prediction(TaskId("t1"), QueueVersion("0001"), (Guess("label", "spam", 0.9),), 0.1, 0.2)
    answers = DIALECT.write_predictions(request, [guess], QueueVersion("0001"))
    assert [answer["labels"] for answer in answers] == [{"label": "spam"}, {}]


@pytest.mark.parametrize("change", [{"project": None}, {"schema": "label"}, {"schema": {"label": {}}}, {"tasks": 3}])
def test_a_request_that_is_not_what_it_should_be_is_a_payload_error(change: dict[str, object]) -> None:
    body = {"project": "p1", "schema": SCHEMA, "tasks": [], **change}
    with pytest.raises(PayloadError):
        DIALECT.read_predict(orjson.dumps(body))
