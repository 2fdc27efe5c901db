"""Files keep the promises of a tool: nothing that is appended is lost, nothing is double, whoever else writes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from nextlabel.labeling import AnnotationId, Cursor, QueueVersion, TaskId, ToolProjectId
from nextlabel.ports.tool import Connector, ConnectorType, HasFiles, Prepares, ToolAccess
from nextlabel.testing import Annotator, Served, ToolHarness
from nextlabel.testing.contract import (
    CoreContract,
    LiveQueueContract,
    PredictionsContract,
    SkippingContract,
    UnreadableContract,
)
from nextlabel.testing.scene import set_scene
from nextlabel_connectors.files import CONNECTOR, append_label
from nextlabel_connectors.files import connector as reading
from nextlabel_connectors.files.entries import read_book


class FilesHarness:
    """People who keep tasks in a file, label from the order and append what they say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = 0
        self._held: dict[tuple[ToolProjectId, str], TaskId] = {}

    def path(self, project: ToolProjectId, ending: str) -> Path:
        return self.folder / f"{project}{ending}"

    def create_project(self, labels: Sequence[str], field: str) -> ToolProjectId:
        self._number += 1
        project = ToolProjectId(f"mails-{self._number}")
        target = {"name": "kind", "kind": "choice", "labels": list(labels), "inputs": [field]}
        self.path(project, ".schema.json").write_text(json.dumps({"targets": [target]}))
        self.path(project, ".jsonl").touch()
        return project

    def add_tasks(self, project: ToolProjectId, texts: Sequence[str]) -> Sequence[TaskId]:
        start = len(self.path(project, ".jsonl").read_bytes())
        tasks = [TaskId(f"t{start + number}") for number in range(len(texts))]
        rows = ({"id": task, "text": text} for task, text in zip(tasks, texts, strict=True))
        self._append(self.path(project, ".jsonl"), *rows)
        return tasks

    def delete_task(self, project: ToolProjectId, task: TaskId) -> None:
        self._rewrite(project, lambda line: None if f'"{task}"' in line else line)

    def spoil(self, project: ToolProjectId, task: TaskId) -> None:
        self._rewrite(project, lambda line: line.replace('"text":', '"text"') if f'"{task}"' in line else line)

    def mend(self, project: ToolProjectId, task: TaskId) -> None:
        self._rewrite(project, lambda line: line.replace('"text" ', '"text": ') if f'"{task}"' in line else line)

    def next_task(self, project: ToolProjectId, by: Annotator) -> Served | None:
        order = self.path(project, ".next.jsonl")
        ordered = [json.loads(line) for line in order.open()] if order.exists() else []
        rows = {row["id"]: row for row in (*self._rows(project), *ordered)}
        here = [row["id"] for row in self._rows(project)]
        queue = [TaskId(task) for task in dict.fromkeys([*(row["id"] for row in ordered), *here]) if task in here]
        done = [line for line in self._labels(project) if not line.get("skipped") or line["by"] == by]
        taken = {line["id"] for line in done}.union(
            t for (p, who), t in self._held.items() if p == project != by != who
        )
        free = (task for task in queue if task not in taken)
        held = self._held.get((project, by)) or next(free, None)
        if held is None:
            return None
        self._held[project, by] = held
        shown = rows[held].get("nextlabel", {}).get("prediction", {})
        return Served(held, tuple(one["label"] for one in shown.values()))

    def submit(self, project: ToolProjectId, task: TaskId, label: str, by: Annotator) -> AnnotationId:
        self._label(project, task, by, label=label)
        return AnnotationId(f"{task} {by}")

    def skip(self, project: ToolProjectId, task: TaskId, by: Annotator) -> None:
        self._label(project, task, by, skipped=True)

    def change(self, project: ToolProjectId, annotation: AnnotationId, label: str) -> None:
        task, by = annotation.split()
        self._label(project, TaskId(task), by, label=label)

    def withdraw(self, project: ToolProjectId, annotation: AnnotationId) -> None:
        task, by = annotation.split()
        self._label(project, TaskId(task), by, withdrawn=True)

    def let_a_day_pass(self, project: ToolProjectId) -> None:
        """What counts is the order of lines."""

    def choose_another_order(self, project: ToolProjectId) -> None:
        self.path(project, ".next.jsonl").unlink()

    def delete_project(self, project: ToolProjectId) -> None:
        self.path(project, ".jsonl").unlink()

    def connector(self, project: ToolProjectId) -> Connector:
        return CONNECTOR.open(ToolAccess(str(self.folder)), project)

    def stranger(self, project: ToolProjectId) -> Connector:
        return self.connector(project)  # files know no tokens

    def unknown_project(self) -> ToolProjectId:
        return ToolProjectId("mails-999999")

    def take_down(self) -> None:
        self.folder.rename(self.folder.with_suffix(".away"))

    def bring_up(self) -> None:
        self.folder.with_suffix(".away").rename(self.folder)

    def _label(self, project: ToolProjectId, task: TaskId, by: str, **what: object) -> None:
        given = {"labels": {"kind": what["label"]}} if "label" in what else what
        self._append(self.path(project, ".labels.jsonl"), {"id": task, "by": by, **given})
        self._held.pop((project, by), None)

    def _labels(self, project: ToolProjectId) -> list[dict[str, Any]]:
        path = self.path(project, ".labels.jsonl")
        lines = [json.loads(line) for line in path.open()] if path.exists() else []
        last = {(line["id"], line["by"]): line for line in lines}
        return [line for line in last.values() if not line.get("withdrawn")]

    def _rows(self, project: ToolProjectId) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path(project, ".jsonl").open()]

    def _append(self, path: Path, *rows: dict[str, Any]) -> None:
        with path.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    def _rewrite(self, project: ToolProjectId, change: Any) -> None:
        path = self.path(project, ".jsonl")
        lines = [change(line) for line in path.read_text().splitlines(keepends=True)]
        written = path.with_suffix(".new")
        written.write_text("".join(line for line in lines if line))
        written.replace(path)


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> ToolHarness:
    return FilesHarness(tmp_path_factory.mktemp("files"))


class TestFiles(CoreContract, LiveQueueContract, PredictionsContract, SkippingContract, UnreadableContract):
    pass


def test_the_entry_point_names_a_connector_type_whose_connectors_have_files_and_are_prepared(tmp_path: Path) -> None:
    assert isinstance(CONNECTOR, ConnectorType)
    connector = CONNECTOR.open(ToolAccess(str(tmp_path)), ToolProjectId("mails"))
    assert isinstance(connector, HasFiles)
    assert isinstance(connector, Prepares)


# --- whoever else writes ---------------------------------------------------------------------------------------


class Labels(RuleBasedStateMachine):
    """A file of labels to which people append, whole lines and halves, and that is cut and replaced; and now and then
    nextlabel reads on from its cursor, or is stopped while it does."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.tasks, self.labels = Path(self.folder.name) / "mails.jsonl", Path(self.folder.name) / "mails.labels.jsonl"
        self.tasks.write_text("".join(_task(number) for number in range(7)))
        self.labels.touch()
        self.connector = CONNECTOR.open(ToolAccess(self.folder.name), ToolProjectId("mails"))
        self.store: dict[TaskId, list[tuple[str, object]]] = {}
        self.cursor: Cursor | None = None
        self.rest = ""

    def teardown(self) -> None:
        self.folder.cleanup()

    def _append(self, text: str) -> None:
        with self.labels.open("a") as file:
            file.write(text)

    @rule(number=st.integers(0, 9), by=st.sampled_from("ab"), label=st.sampled_from(["ham", "spam", None]))
    def append(self, number: int, by: str, label: str | None) -> None:
        what: dict[str, object] = {"label": label} if label else {"withdrawn": True}
        self._append(self.rest + json.dumps({"id": f"t{number}", "by": by, "text": "é{", **what}) + "\n")
        self.rest = ""

    @precondition(lambda self: not self.rest)
    @rule(number=st.integers(0, 9), part=st.floats(0.01, 0.99))
    def append_a_half(self, number: int, part: float) -> None:
        line = json.dumps({"id": f"t{number}", "by": "a", "label": "ham"}) + "\n"
        cut = max(1, int(len(line) * part))
        self._append(line[:cut])
        self.rest = line[cut:]

    @precondition(lambda self: self.rest)
    @rule()
    def die_in_the_middle(self) -> None:
        self._append("\n")
        self.rest = ""

    @rule(part=st.floats(0, 1))
    def truncate(self, part: float) -> None:
        content = self.labels.read_bytes()
        at = content.rfind(b"\n", 0, int(len(content) * part)) + 1
        self.labels.open("r+b").truncate(at)
        self.rest = ""

    @rule(swap=st.booleans())
    def replace_by_another_of_the_same_size(self, swap: bool) -> None:
        """In place, or under another name that is then given its own."""
        content = self.labels.read_bytes().replace(b"spam", b"maps")
        if swap:
            self.labels.with_suffix(".new").write_bytes(content)
            self.labels.with_suffix(".new").replace(self.labels)
        else:
            self.labels.write_bytes(content)

    @rule(number=st.integers(7, 9))
    def add_a_task(self, number: int) -> None:
        with self.tasks.open("a") as file:
            file.write(_task(number))

    @rule(after=st.integers(1, 3))
    def read_and_be_stopped(self, after: int) -> None:
        """Whoever reads stores pages with their cursors; what comes after that is lost."""
        for number, page in enumerate(self.connector.changed_tasks(self.cursor), 1):
            self._store(page)
            if number == after:
                return

    @rule()
    def read(self) -> None:
        for page in self.connector.changed_tasks(self.cursor):
            self._store(page)
        for task in self.connector.vanished_tasks(self.store):
            del self.store[task]
        assert self._labels_stored() == self._labels_written()

    def _store(self, page: Any) -> None:
        for seen in page.tasks:
            self.store[seen.task.id] = [(one.id, one.labels["label"]) for one in seen.annotations]
        for one in page.unreadable:
            self.store[one.task] = []
        self.cursor = page.cursor

    def _labels_stored(self) -> dict[TaskId, list[str]]:
        assert all(len({name for name, _ in given}) == len(given) for given in self.store.values())
        return {task: sorted(map(str, dict(given).values())) for task, given in self.store.items() if given}

    def _labels_written(self) -> dict[TaskId, list[str]]:
        here = {json.loads(line)["id"] for line in self.tasks.open()}
        found: dict[TaskId, dict[str, object]] = {}
        for line in self.labels.read_text().split("\n"):
            try:
                data = json.loads(line)
            except json.JSONDecodeError:
                continue
            found.setdefault(data["id"], {})[data["by"]] = data.get("label")
        kept = {task: [str(one) for one in given.values() if one] for task, given in found.items() if task in here}
        return {task: sorted(given) for task, given in kept.items() if given}


def _task(number: int) -> str:
    return json.dumps({"id": f"t{number}", "text": f"mail {number}"}) + "\n"


TestLabels = Labels.TestCase


@pytest.fixture(autouse=True)
def small_pages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.cls is TestLabels:
        monkeypatch.setattr(reading, "_PAGE", 3)


def test_two_processes_that_append_at_once_lose_no_label_while_nextlabel_reads(tmp_path: Path) -> None:
    (tmp_path / "mails.jsonl").write_text("".join(_task(number) for number in range(600)))
    program = (
        "import sys; from pathlib import Path; from nextlabel_connectors.files import append_label\n"
        "for n in range(300): append_label(Path(sys.argv[1]), f't{int(sys.argv[2]) + n}', f'a{n}', by=sys.argv[2])"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "mails.labels.jsonl")]
    writers = [subprocess.Popen([*argv, start]) for start in ("0", "300")]
    connector = CONNECTOR.open(ToolAccess(str(tmp_path)), ToolProjectId("mails"))
    labels: dict[str, object] = {}
    cursor: Cursor | None = None
    going = True
    while going:
        going = any(writer.poll() is None for writer in writers)
        for page in connector.changed_tasks(cursor):
            assert not page.unreadable
            labels |= {seen.task.id: one.labels["label"] for seen in page.tasks for one in seen.annotations}
            cursor = page.cursor
    assert [writer.returncode for writer in writers] == [0, 0]
    assert labels == {f"t{number}": f"a{number % 300}" for number in range(600)}


def test_a_label_that_comes_while_labels_are_read_comes_with_this_pull_or_the_next(
    harness: FilesHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = set_scene(harness, 4)
    scene.pull()
    scene.submit(scene.tasks[0], "ham")
    late = list(scene.tasks[:2])

    def read_while_somebody_labels(*given: Any, **more: Any) -> Any:
        while late:
            scene.submit(late.pop(), "spam", by="ben")
        return read_book(*given, **more)

    monkeypatch.setattr(reading, "read_book", read_while_somebody_labels)
    scene.pull()
    assert [scene.label_of(task) for task in scene.tasks] == ["ham", None, None, None]
    scene.pull()
    assert [scene.label_of(task) for task in scene.tasks] == ["spam", "spam", None, None]


def test_an_order_of_which_tasks_were_labeled_or_skipped_is_not_the_one_to_label_from(harness: FilesHarness) -> None:
    scene = set_scene(harness, 4)
    scene.rank(QueueVersion("order-1"), scene.tasks[:3])
    assert scene.connector.queue_in_force(standing=3) == "order-1"
    scene.submit(scene.tasks[0])
    assert scene.connector.queue_in_force(standing=3) is None
    assert scene.connector.queue_in_force(standing=2) == "order-1"
    scene.skip(scene.tasks[1])
    assert scene.connector.queue_in_force(standing=2) is None


def test_a_label_begins_on_a_line_of_its_own_where_somebody_died_in_the_middle_of_theirs(tmp_path: Path) -> None:
    (tmp_path / "mails.labels.jsonl").write_text('{"id": "t1", "la')
    append_label(tmp_path / "mails.labels.jsonl", "t2", "ham", by="ann", seconds=3)
    torn, line = (tmp_path / "mails.labels.jsonl").read_text().splitlines()
    assert torn == '{"id": "t1", "la'
    assert {name: value for name, value in json.loads(line).items() if name != "at"} == {
        "id": "t2",
        "by": "ann",
        "label": "ham",
        "seconds": 3,
    }


def test_labels_that_are_cut_away_after_reading_was_stopped_are_taken_back(
    harness: FilesHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_PAGE", 1)
    scene = set_scene(harness, 4)
    scene.pull()
    for task in scene.tasks[:2]:
        scene.submit(task, "ham")
    scene.note(next(scene.connector.changed_tasks(scene.cursor)))
    assert scene.label_of(scene.tasks[0]) == "ham"
    harness.path(scene.project, ".labels.jsonl").write_text("")
    scene.pull()
    assert [scene.label_of(task) for task in scene.tasks] == [None] * 4


def test_whoever_reads_the_order_has_one_order_as_a_whole_at_any_moment(harness: FilesHarness) -> None:
    scene = set_scene(harness, 300)
    scene.rank(QueueVersion("order-0"), scene.tasks)
    over, seen = threading.Event(), list[tuple[int, set[str]]]()

    def read() -> None:
        while not over.is_set():
            rows = harness.path(scene.project, ".next.jsonl").read_text().split("\n")
            versions = {
                row[row.index('"version":') :].split(",")[0] if '"rank"' in row else "part" for row in rows[:-1]
            }
            seen.append((len(rows), versions))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 30):
        scene.rank(QueueVersion(f"order-{number}"), scene.tasks[number:] + scene.tasks[:number])
    over.set()
    reader.join()
    assert {(number, len(versions)) for number, versions in seen} == {(301, 1)}
    assert len(set[str]().union(*(versions for _, versions in seen))) > 1
    assert not list(harness.folder.glob(".*"))


def test_a_label_that_follows_a_torn_one_on_its_line_is_read_and_the_torn_one_is_named(harness: FilesHarness) -> None:
    scene = set_scene(harness, 3)
    first, second, third = scene.tasks
    torn = f'{{"id": "{first}", "labels": {{"ki'
    whole = [json.dumps({"id": task, "labels": {"kind": "spam"}}) for task in (second, third)]
    harness.path(scene.project, ".labels.jsonl").write_text(torn + whole[0] + whole[1] + "\n")
    scene.pull()
    assert [scene.label_of(task) for task in scene.tasks] == [None, "spam", "spam"]
    assert ["Line 1 of" in one.reason for one in scene.set_aside.values()] == [True]
    harness.path(scene.project, ".labels.jsonl").write_text("")
    scene.pull()
    gone = scene.connector.vanished_tasks({*scene.received, *scene.set_aside})
    assert set(gone) == set(scene.set_aside)


def test_tasks_and_labels_stay_as_they_were_when_nextlabel_comes_and_goes(harness: FilesHarness) -> None:
    scene = set_scene(harness, 4)
    scene.submit(scene.tasks[0])
    before = _contents(harness.folder)
    connector = scene.connector
    assert isinstance(connector, Prepares)
    assert {one.level for one in connector.prepare()} == {"done", "unchanged"}
    assert {one.level for one in connector.prepare()} == {"unchanged"}
    assert [json.loads(line)["id"] for line in harness.path(scene.project, ".next.jsonl").open()] == scene.tasks[1:]
    scene.rank(QueueVersion("nextlabel-1"), scene.tasks)
    assert [(one.value, one.ours) for one in scene.settings((QueueVersion("nextlabel-1"),))] == [("nextlabel-1", True)]
    assert {one.level for one in connector.restore({"order": ""}, [])} == {"done"}
    assert {one.level for one in connector.restore({"order": ""}, [])} == {"unchanged"}
    assert _contents(harness.folder) == before


def test_a_file_in_the_place_of_the_order_that_nextlabel_did_not_write_stays(harness: FilesHarness) -> None:
    scene = set_scene(harness, 4)
    path = harness.path(scene.project, ".next.jsonl")
    path.write_text('{"id": "t1"}\n')
    connector = scene.connector
    assert isinstance(connector, Prepares)
    assert [one.level for one in connector.prepare()] == ["problem"]
    with pytest.raises(Exception, match="was not written by nextlabel: move it away"):
        scene.rank(QueueVersion("nextlabel-1"), scene.tasks)
    assert [one.level for one in connector.restore({"order": ""}, [])] == ["unchanged"]
    assert path.read_text() == '{"id": "t1"}\n'
    assert connector.queue_in_force() is None


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
