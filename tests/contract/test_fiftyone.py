"""The FiftyOne connector keeps every promise on a real FiftyOne."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from nextlabel.errors import FileUnavailable, ToolRejected, ToolUnavailable
from nextlabel.labeling import (
    Guess,
    Input,
    Prediction,
    QueueVersion,
    TaskId,
    ToolProjectId,
    labels_in_force,
)
from nextlabel.labeling.ranking import RankedTask, Ranking
from nextlabel.ports.tool import QueueReceipt, ToolAccess
from nextlabel.testing import ToolHarness
from nextlabel.testing.contract import CoreContract, PredictionsContract, UnreadableContract
from nextlabel.testing.waiting import has_ended, wait_for
from nextlabel_connectors.fiftyone import CONNECTOR
from nextlabel_connectors.fiftyone.connector import FiftyOneConnector
from nextlabel_connectors.fiftyone.process import FiftyOne
from nextlabel_connectors.fiftyone.testing import FiftyOneServer
from nextlabel_connectors.fiftyone.testing.harness import FiftyOneHarness


@pytest.fixture(scope="module")
def server(fiftyone: FiftyOneServer) -> FiftyOneServer:
    return fiftyone


@pytest.fixture(scope="module")
def harness(server: FiftyOneServer) -> ToolHarness:
    return FiftyOneHarness(server)


class TestFiftyOneConnector(CoreContract, PredictionsContract, UnreadableContract):
    pass


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Of a new dataset."""
    return f"{request.node.name} {time.time_ns()}"


def opened(server: FiftyOneServer, project: str) -> FiftyOneConnector:
    connector = CONNECTOR.open(server.access, ToolProjectId(project))
    assert isinstance(connector, FiftyOneConnector)
    return connector


def made(
    server: FiftyOneServer, name: str, document: str = "Classification", samples: int = 4, suffix: str = "txt"
) -> tuple[FiftyOneConnector, list[TaskId]]:
    """A new dataset with a text for each sample, and a field ``truth`` for labels."""
    asked = {"label": "truth", "document": document, "classes": ["cat", "dog", "owl"], "texts": ["caption"]}
    server.people("create", project=name, **asked)
    given = [{"filepath": f"/no-such-folder/{n}.{suffix}", "caption": f"number {n}"} for n in range(samples)]
    return opened(server, name), [TaskId(one) for one in server.people("add", project=name, samples=given)]


def placed(
    connector: FiftyOneConnector, tasks: Sequence[TaskId], guess: Guess | None = None, version: str = "nextlabel-1"
) -> QueueReceipt:
    predictions = [Prediction(task, QueueVersion(version), (guess,) if guess else (), 0.1, 0.2) for task in tasks]
    ranking = Ranking(tuple(RankedTask(task, 1 / (n + 1)) for n, task in enumerate(tasks)), "test")
    return connector.place(QueueVersion(version), ranking, predictions)


def labels(connector: FiftyOneConnector) -> dict[TaskId, object]:
    """The label of each task that is closed."""
    seen = [one for page in connector.changed_tasks(None) for one in page.tasks]
    target = connector.label_schema().targets[0].name
    return {one.task.id: labels_in_force(one.annotations)[target] for one in seen if one.closed}


KINDS: Mapping[str, tuple[str, object, Guess, object]] = {
    "Classification": ("choice", "owl", Guess("truth", "dog", 0.9), "dog"),
    "Classifications": ("choices", ["owl", "cat"], Guess("truth", ("cat", "dog"), 0.9, (0.8, 0.7)), ["cat", "dog"]),
    "Detections": ("choices", ["owl", "owl"], Guess("truth", ("cat",), 0.9), ["cat"]),
    "Regression": ("number", 3.5, Guess("truth", 2.5, 0.9), None),
}
"""Type of the label field → kind of the target, a label that a person gives, a prediction and what is seen of it."""


@pytest.mark.parametrize("document", KINDS)
def test_each_type_of_label_is_read_predicted_and_left_as_it_was(
    document: str, server: FiftyOneServer, name: str
) -> None:
    kind, given, guess, shown = KINDS[document]
    connector, tasks = made(server, name, document)
    server.people("give", project=name, sample=tasks[1], field="truth", document=document, value=given)
    before = server.people("everything", project=name)
    target = connector.label_schema().targets[0]
    assert (target.name, target.kind, labels(connector)) == ("truth", kind, {tasks[1]: given})
    assert target.read(given) is not None
    assert [one.level for one in connector.prepare()] == ["done", "unchanged"]
    order = [tasks[n] for n in (3, 0, 2)]
    assert list(placed(connector, order, guess).head) == order
    assert server.people("open_view", project=name, n=9, field="truth") == [[task, shown] for task in order]
    assert labels(connector) == {tasks[1]: given}
    assert [one.level for one in connector.restore({}, ())] == ["done"]
    assert server.people("everything", project=name) == before
    assert [one.level for one in connector.restore({}, ())] == ["unchanged"]


def test_no_things_in_a_picture_is_a_label_too(server: FiftyOneServer, name: str) -> None:
    connector, tasks = made(server, name, "Detections")
    server.people("give", project=name, sample=tasks[0], field="truth", document="Detections", value=[])
    placed(connector, tasks)
    assert labels(connector) == {tasks[0]: []}
    assert connector.head_of_queue(9) == tasks[1:]


def test_a_tag_that_is_a_class_is_a_label_until_there_is_one_in_the_field(server: FiftyOneServer, name: str) -> None:
    connector, tasks = made(server, name)
    placed(connector, tasks)
    server.people("tag", project=name, sample=tasks[0], tags=["owl", "holiday"])
    server.people("tag", project=name, sample=tasks[1], tags=["holiday"])
    assert labels(connector) == {tasks[0]: "owl"}
    assert connector.head_of_queue(9) == tasks[1:]
    server.people("give", project=name, sample=tasks[0], field="truth", document="Classification", value="dog")
    assert labels(connector) == {tasks[0]: "dog"}


def test_without_a_field_of_labels_tags_are_all_there_is(server: FiftyOneServer, name: str) -> None:
    connector, tasks = made(server, name, "")
    target = connector.label_schema().targets[0]
    assert (target.name, target.kind, target.labels) == ("tags", "choice", ("cat", "dog", "owl"))
    placed(connector, tasks[::-1])
    server.people("tag", project=name, sample=tasks[3], tags=["owl"])
    assert labels(connector) == {tasks[3]: "owl"}
    assert connector.head_of_queue(9) == tasks[2::-1]


def test_pictures_are_inputs_beside_texts(server: FiftyOneServer, name: str) -> None:
    connector, _ = made(server, name, suffix="png")
    assert connector.label_schema().targets[0].inputs == (Input("filepath", "image"), Input("caption"))
    (page,) = connector.changed_tasks(None)
    assert page.tasks[2].task.data == {"filepath": "/no-such-folder/2.png", "caption": "number 2"}


def test_of_several_fields_of_labels_one_has_to_be_named(server: FiftyOneServer, name: str) -> None:
    connector, tasks = made(server, name)
    server.people("give", project=name, sample=tasks[0], field="machine", document="Classification", value="owl")
    assert f"'{name}/truth', '{name}/machine'" in problem(connector).replace(" or ", ", ")
    named = opened(server, f"{name}/machine")
    assert (named.label_schema().targets[0].name, labels(named)) == ("machine", {tasks[0]: "owl"})
    assert "no field of labels" in problem(opened(server, f"{name}/caption"))


def test_classes_that_the_dataset_does_not_list_are_those_that_were_given(server: FiftyOneServer, name: str) -> None:
    server.people("create", project=name, label="truth", document="Classification", classes=[], texts=["caption"])
    tasks = server.people("add", project=name, samples=[{"filepath": f"/{n}.txt", "caption": "a"} for n in range(3)])
    assert "dataset.default_classes" in problem(opened(server, name))
    for task, value in zip(tasks, ("owl", "cat"), strict=False):
        server.people("give", project=name, sample=task, field="truth", document="Classification", value=value)
    assert opened(server, name).label_schema().targets[0].labels == ("cat", "owl")


def test_a_dataset_that_fiftyone_would_delete_is_a_problem(server: FiftyOneServer, name: str) -> None:
    asked = {"label": "truth", "document": "Classification", "classes": ["a", "b"], "texts": ["caption"]}
    server.people("create", project=name, persistent=False, **asked)
    assert "persistent = True" in problem(opened(server, name))


@pytest.mark.parametrize("foreign", ["field", "view"])
def test_what_somebody_else_made_under_our_name_is_left_alone(foreign: str, server: FiftyOneServer, name: str) -> None:
    connector, tasks = made(server, name)
    if foreign == "field":
        server.people("add_field", project=name, name="nextlabel_prediction")
    else:
        server.people("save_view", project=name, name="nextlabel", field="caption", description="my own")
    before = server.people("everything", project=name)
    assert "rename it" in problem(connector)
    with pytest.raises(ToolRejected, match="rename it"):
        placed(connector, tasks)
    assert connector.queue_in_force() is None
    assert [one.level for one in connector.restore({}, ())] == ["unchanged"]
    assert server.people("everything", project=name) == before


def test_a_saved_view_that_somebody_changed_serves_no_order_until_it_is_written_again(
    server: FiftyOneServer, name: str
) -> None:
    connector, tasks = made(server, name)
    placed(connector, tasks, version="nextlabel-1")
    assert (connector.queue_in_force(standing=4), connector.queue_in_force(standing=5)) == ("nextlabel-1", None)
    note = "Made by nextlabel: the order nextlabel-1 of open samples."
    server.people("save_view", project=name, name="nextlabel", field="caption", description=note)
    assert (connector.queue_in_force(), connector.head_of_queue(9)) == (None, [])
    placed(connector, tasks[::-1], version="nextlabel-1.2")
    assert (connector.queue_in_force(), connector.head_of_queue(9)) == ("nextlabel-1.2", tasks[::-1])


def test_a_text_that_is_too_long_and_a_number_that_is_none_do_not_end_the_pull(
    server: FiftyOneServer, name: str
) -> None:
    connector, tasks = made(server, name)
    server.people("set_field", project=name, sample=tasks[0], field="caption", value="x" * 1_000_001)
    server.people("set_field", project=name, sample=tasks[1], field="weight", value=math.nan)
    (page,) = connector.changed_tasks(None)
    assert [(one.task, "1,000,000" in one.reason) for one in page.unreadable] == [(tasks[0], True)]
    assert {one.task.id for one in page.tasks} == set(tasks[1:])


def test_an_order_is_no_change_of_the_samples(server: FiftyOneServer, name: str) -> None:
    connector, tasks = made(server, name)
    server.people("let_a_day_pass", project=name)
    server.people("set_field", project=name, sample=tasks[2], field="caption", value="the latest change")
    server.people("let_a_day_pass", project=name)
    (first,) = connector.changed_tasks(None)

    def changed() -> list[TaskId]:
        return [one.task.id for page in connector.changed_tasks(first.cursor) for one in page.tasks]

    assert changed() == [tasks[2]]
    placed(connector, tasks, Guess("truth", "cat", 0.9))
    assert changed() == [tasks[2]]
    server.people("tag", project=name, sample=tasks[1], tags=["owl"])
    assert changed() == [tasks[2], tasks[1]]


def problem(connector: FiftyOneConnector) -> str:
    (finding,) = connector.prepare()
    assert finding.level == "problem"
    return finding.message


# --- files -----------------------------------------------------------------------------------------------------


def test_only_pictures_of_samples_are_read(server: FiftyOneServer, name: str, tmp_path: Path) -> None:
    made(server, name, suffix="png")
    paths = {one: tmp_path / one for one in ("own.png", "stranger.png", "large.png", "pipe.png", "gone.png", "key.txt")}
    for path in paths.values():
        path.write_bytes(b"content")
    paths["large.png"].write_bytes(bytes(20_000_001))
    paths["gone.png"].unlink()
    paths["pipe.png"].unlink()
    os.mkfifo(paths["pipe.png"])
    own = [{"filepath": str(path)} for one, path in paths.items() if one not in ("stranger.png", "key.txt")]
    server.people("add", project=name, samples=own)
    connector = opened(server, name)
    assert connector.file(str(paths["own.png"])) == b"content"
    reasons = {
        "stranger": "no sample",
        "large": "larger than 20 MB",
        "pipe": "no regular file",
        "gone": "cannot be read",
    }
    for one, reason in {
        **{f"{key}.png": why for key, why in reasons.items()},
        "key.txt": "no path of a picture",
    }.items():
        with pytest.raises(FileUnavailable, match=reason):
            connector.file(str(paths[one]))
    with pytest.raises(FileUnavailable, match="no sample"):
        connector.file(str(tmp_path / "sub" / ".." / "own.png"))


# --- the process that FiftyOne runs in -------------------------------------------------------------------------


def helpers(script: str = "helper.py") -> set[int]:
    """The processes of this one that run it."""
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", script], capture_output=True, text=True, check=False)
    return {int(line) for line in found.stdout.split()}


def test_a_helper_that_was_killed_is_started_again_by_the_next_question(server: FiftyOneServer, name: str) -> None:
    connector, tasks = made(server, name)
    placed(connector, tasks)
    (before,) = helpers()
    os.kill(before, signal.SIGKILL)
    assert connector.head_of_queue(1) == tasks[:1]
    (after,) = helpers()
    assert after != before


def test_a_helper_that_hangs_is_unavailable_and_replaced(server: FiftyOneServer, name: str) -> None:
    made(server, name)
    fiftyone = FiftyOne(str(server.python), server.database)
    assert fiftyone.ask("count", {"project": name}) == 4
    (hanging,) = helpers()
    os.kill(hanging, signal.SIGSTOP)
    with pytest.raises(ToolUnavailable, match="did not answer in 1 seconds"):
        fiftyone.ask("count", {"project": name}, 1.0)
    assert fiftyone.ask("count", {"project": name}) == 4
    assert hanging not in helpers()


def test_a_forked_process_asks_a_helper_of_its_own_and_leaves_ours(server: FiftyOneServer, name: str) -> None:
    connector, tasks = made(server, name)
    placed(connector, tasks)
    before = helpers()
    child = os.fork()
    if not child:
        os._exit(0 if connector.head_of_queue(9) == tasks and helpers() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert connector.head_of_queue(9) == tasks
    assert helpers() == before


_ASKS = """
import sys, time
from nextlabel.labeling import ToolProjectId
from nextlabel.ports.tool import ToolAccess
from nextlabel_connectors.fiftyone import CONNECTOR
CONNECTOR.open(ToolAccess(*sys.argv[1:3]), ToolProjectId(sys.argv[3])).label_schema()
print("asked", flush=True)
time.sleep(600)
"""


def test_the_helper_ends_with_whoever_asked_even_by_kill_9(server: FiftyOneServer, name: str) -> None:
    made(server, name)
    command = [sys.executable, "-c", _ASKS, server.access.url, server.access.token, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asker:
        assert asker.stdout is not None
        assert asker.stdout.readline() == "asked\n"
        found = subprocess.run(["pgrep", "-P", str(asker.pid)], capture_output=True, text=True, check=True)
        asker.kill()
    helper = int(found.stdout)
    wait_for(lambda: has_ended(helper))


def test_what_is_no_python_with_fiftyone_is_rejected_with_the_remedy(server: FiftyOneServer) -> None:
    def reason(url: str) -> str:
        with pytest.raises(ToolRejected) as rejected:
            CONNECTOR.open(ToolAccess(url, server.database), ToolProjectId("any")).label_schema()
        return str(rejected.value)

    assert "no absolute path" in reason("http://localhost:5151")
    assert "cannot be run" in reason("/no/such/folder")
    assert "no Python that has FiftyOne" in reason(sys.executable)


def test_secrets_of_the_service_do_not_reach_fiftyone(
    server: FiftyOneServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEXTLABEL_SECRET", "s3cret")
    monkeypatch.setenv("FIFTYONE_DATABASE_NAME", "kept")
    script = tmp_path / "prints.py"
    script.write_text("import os, sys\nprint(sorted(os.environ), sys.argv, os.environ['FIFTYONE_DATABASE_URI'])\n")
    with pytest.raises(ToolUnavailable) as ended:
        FiftyOne(sys.executable, "mongodb://user:hunter2@host", script).ask("anything", {})
    assert "FIFTYONE_DATABASE_NAME" in str(ended.value)
    assert "NEXTLABEL_SECRET" not in str(ended.value)
    assert "hunter2" not in str(ended.value) + repr(FiftyOne(sys.executable, "mongodb://user:hunter2@host"))
