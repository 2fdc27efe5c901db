"""The order that is written, on a Label Studio made of two dictionaries that behaves as measured on version 1.23."""

from __future__ import annotations

import json
import operator
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import httpx
import pytest

from earlier_releases import score_windows_by_place
from nextlabel.errors import ToolRejected, ToolUnavailable, VersionTaken
from nextlabel.labeling import Guess, Prediction, QueueVersion, Span, TaskId, ToolProjectId
from nextlabel.labeling.ranking import RankedTask, Ranking
from nextlabel.ports.tool import OwnOrder, Pruned, ToolAccess
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.connector import LabelStudioConnector
from nextlabel_connectors.label_studio.payloads import window_score

PROJECT = ToolProjectId("1")
CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="kind" toName="text"><Choice value="spam"/><Choice value="ham"/></Choices></View>'
)
COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "equal": operator.eq,
    "greater": operator.gt,
    "less": operator.lt,
    "less_or_equal": operator.le,
}


class Breaks(Exception):
    """Label Studio fails over what it was asked for."""


@dataclass
class FakeQueue:
    """``labeled`` maps each task to whether it is; ``stubborn`` ignores changes of the project's settings. No page is
    answered that a ``broken`` task stands on."""

    labeled: dict[int, bool] = field(default_factory=lambda: dict.fromkeys(range(1, 41), False))
    predictions: dict[int, dict[str, object]] = field(default_factory=dict)
    settings: dict[str, object] = field(
        default_factory=lambda: {
            "sampling": "Sequential sampling",
            "model_version": "",
            "show_collab_predictions": False,
        }
    )
    stubborn: bool = False
    fail_at_switch: bool = False
    broken: set[int] = field(default_factory=set)
    config: str = CONFIG
    data: dict[int, object] = field(default_factory=dict)
    changes: int = 0
    next_id: int = 1
    dropped: list[str] = field(default_factory=list)

    def connector(self, project: ToolProjectId) -> LabelStudioConnector:
        transport = httpx.MockTransport(self._answer)
        return LabelStudioConnector(LabelStudioClient(ToolAccess("http://ls", "x"), transport=transport), project)

    def add(self, task: int, score: float, version: str, result: object = None) -> None:
        self.predictions[self.next_id] = {
            "id": self.next_id,
            "task": task,
            "score": score,
            "model_version": version,
            "result": result or [],
        }
        self.next_id += 1

    def served(self) -> list[str]:
        """What annotators get: open tasks of the version in force by the lowest score."""
        version = self.settings["model_version"]
        best: dict[int, float] = {}
        for p in self.predictions.values():
            task, score = p["task"], p["score"]
            assert isinstance(task, int)
            assert isinstance(score, float)
            if p["model_version"] == version and not self.labeled[task]:
                best[task] = min(score, best.get(task, 1.0))
        return [str(task) for task in sorted(best, key=lambda task: best[task])]

    def versions(self) -> Counter[str]:
        return Counter(str(p["model_version"]) for p in self.predictions.values())

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content or b"null")
        routes: dict[tuple[str, str], Callable[[], object]] = {
            ("GET", "/api/projects/1/"): lambda: {"label_config": self.config, **self.settings},
            ("PATCH", "/api/projects/1/"): lambda: self._change(body),
            ("GET", "/api/projects/1/model-versions"): self._count,
            ("DELETE", "/api/projects/1/model-versions"): lambda: self._drop(body["model_version"]),
            ("POST", "/api/projects/1/import/predictions"): lambda: self._take(body),
            ("GET", "/api/tasks"): lambda: {"tasks": self._list(request.url.params)},
        }
        path = request.url.path
        if path.startswith("/api/predictions/"):
            self.predictions.pop(int(path.split("/")[3]))
            return httpx.Response(204)
        if self.fail_at_switch and request.method == "PATCH":
            return httpx.Response(500, json={"detail": "database is locked"})
        try:
            answer = routes[request.method, path]()
        except Breaks:
            return httpx.Response(500, json={"detail": "month must be in 1..12"})
        return httpx.Response(400 if answer is None else 200, json=answer or {"detail": "Validation error"})

    def _change(self, changes: dict[str, object]) -> object:
        self.changes += 1
        if not self.stubborn:
            self.settings |= changes
        return self.settings

    def _count(self) -> object:
        newest_first = reversed(self.versions().items())
        return {"static": [{"model_version": version, "count": count} for version, count in newest_first]}

    def _drop(self, version: str) -> object:
        self.dropped.append(version)
        if any(p["model_version"] == version and p["task"] in self.broken for p in self.predictions.values()):
            raise Breaks
        self.predictions = {n: p for n, p in self.predictions.items() if p["model_version"] != version}
        return {"dropped": version}

    def _take(self, items: list[dict[str, object]]) -> object:
        if any(item["task"] not in self.labeled for item in items):
            return None
        for item in items:
            self.add(int(str(item["task"])), float(str(item["score"])), str(item["model_version"]), item["result"])
        return {"created": len(items)}

    def _list(self, params: httpx.QueryParams) -> list[dict[str, object]]:
        query = json.loads(params["query"])
        filters = query["filters"]["items"]
        tasks = [task for task in sorted(self.labeled) if all(self._passes(task, one) for one in filters)]
        if query["ordering"] == ["tasks:predictions_score"]:
            means = {task: self._mean(task) for task in tasks if self._mean(task) is not None}
            tasks = sorted(means, key=lambda task: means[task] or 0.0)
        if query["ordering"] == ["-tasks:id"]:
            tasks.reverse()
        page = tasks[: int(params["page_size"])]
        if self.broken.intersection(page):
            raise Breaks
        return [
            {"id": t, "is_labeled": self.labeled[t], "predictions": self._of(t), "data": self.data.get(t, {})}
            for t in page
        ]

    def _passes(self, task: int, condition: dict[str, Any]) -> bool:
        value = condition["value"]
        match condition["filter"].removeprefix("filter:tasks:"), condition["operator"]:
            case "id", "in_list":
                return task in value
            case "id", operator:
                return bool(COMPARISONS[operator](task, int(value)))
            case "is_labeled", _:
                return not self.labeled[task]
            case "predictions_model_versions", _:
                return any(value[0] in str(p["model_version"]) for p in self._of(task))
        return True

    def _of(self, task: int) -> list[dict[str, object]]:
        return [p for p in self.predictions.values() if p["task"] == task]

    def _mean(self, task: int) -> float | None:
        version = self.settings["model_version"]
        scores = [float(str(p["score"])) for p in self._of(task) if p["model_version"] == version]
        return fmean(scores) if scores else None


def window(*tasks: int) -> Ranking:
    return Ranking(tuple(RankedTask(TaskId(str(task)), 0.5) for task in tasks), "margin")


def predictions(*tasks: int, label: str = "spam") -> list[Prediction]:
    guess = (Guess("kind", label, 0.6),)
    return [Prediction(TaskId(str(task)), QueueVersion("0001"), guess, 0.4, 0.5) for task in tasks]


def reorder(tool: FakeQueue, version: str, *tasks: int) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    receipt = tool.connector(PROJECT).place(QueueVersion(version), window(*tasks), predictions(*tasks))
    return receipt.written, receipt.vanished, receipt.head


def prune(tool: FakeQueue, *versions: str, at_most: int = 100, at_rest: bool = False) -> Pruned:
    orders = [OwnOrder(QueueVersion(version)) for version in versions]
    return tool.connector(PROJECT).prune(orders, at_most, at_rest=at_rest)


@pytest.fixture
def tool() -> FakeQueue:
    return FakeQueue()


def test_the_window_is_served_in_its_order(tool: FakeQueue) -> None:
    assert reorder(tool, "0001", 9, 3, 7) == (3, (), ("9", "3", "7"))
    assert tool.served() == ["9", "3", "7"]
    assert tool.connector(PROJECT).queue_in_force() == "0001"


def test_regions_of_a_dialogue_are_written_by_what_the_task_holds_now(tool: FakeQueue) -> None:
    tool.config = (
        '<View><ParagraphLabels name="who" toName="talk"><Label value="PER"/></ParagraphLabels>'
        '<Paragraphs name="talk" value="$talk"/></View>'
    )
    turns = [{"author": "A", "text": "Hi 😀"}, {"author": "B", "text": "Ann here"}]
    tool.data = {9: {"talk": turns}, 3: {"talk": turns[:1]}}
    spans = (Guess("who", (Span(0, 2, "PER"), Span(5, 8, "PER")), 0.6),)
    given = [Prediction(TaskId(str(task)), QueueVersion("0001"), spans, 0.4, 0.5) for task in (9, 3)]
    receipt = tool.connector(PROJECT).place(QueueVersion("0001"), window(9, 3), given)
    assert receipt.head == ("9", "3")
    shown = {one["task"]: [item["value"] for item in one["result"]] for one in tool.predictions.values()}  # type: ignore[attr-defined]
    first = {"start": "0", "end": "0", "startOffset": 0, "endOffset": 2, "paragraphlabels": ["PER"]}
    second = {"start": "1", "end": "1", "startOffset": 0, "endOffset": 3, "paragraphlabels": ["PER"]}
    assert shown == {9: [first, second], 3: [first]}


def test_a_new_version_replaces_the_old_order(tool: FakeQueue) -> None:
    reorder(tool, "0001", 9, 3, 7)
    reorder(tool, "0002", 3, 5)
    assert tool.served() == ["3", "5"]


def test_reordering_twice_is_reordering_once(tool: FakeQueue) -> None:
    first = reorder(tool, "0001", 9, 3, 7)
    assert reorder(tool, "0001", 9, 3, 7) == first
    assert tool.versions() == {"0001": 3}
    assert tool.changes == 1


def test_a_try_that_failed_half_way_is_completed(tool: FakeQueue) -> None:
    tool.fail_at_switch = True
    with pytest.raises(ToolUnavailable, match="database is locked"):
        reorder(tool, "0001", 9, 3, 7)
    tool.fail_at_switch = False
    assert reorder(tool, "0001", 9, 3, 7) == (3, (), ("9", "3", "7"))
    assert tool.versions() == {"0001": 3}


def test_predictions_that_would_disturb_an_order_have_it_take_another_name_and_stay(tool: FakeQueue) -> None:
    tool.add(3, 0.9, "0001")  # of a task in the window
    tool.add(20, 0.1, "0002")  # before the window's end
    for version in ("0001", "0002"):
        with pytest.raises(VersionTaken, match=version):
            reorder(tool, version, 9, 3, 7)
    assert (tool.versions(), tool.changes) == ({"0001": 1, "0002": 1}, 0)


def test_an_answer_to_a_predict_stays_and_comes_after_the_window(tool: FakeQueue) -> None:
    tool.add(20, 0.6, "0001")
    assert reorder(tool, "0001", 9, 3, 7) == (3, (), ("9", "3", "7", "20"))
    assert tool.served() == ["9", "3", "7", "20"]


def test_a_vanished_task_is_passed_over_and_told(tool: FakeQueue) -> None:
    assert reorder(tool, "0001", 9, 99, 7) == (2, ("99",), ("9", "7"))


def test_a_window_of_which_nothing_is_left_leaves_the_queue_as_it_is(tool: FakeQueue) -> None:
    reorder(tool, "0001", 9, 3)
    assert reorder(tool, "0002", 98, 99) == (0, ("98", "99"), ("9", "3"))
    assert reorder(tool, "0003") == (0, (), ("9", "3"))
    assert tool.connector(PROJECT).queue_in_force() == "0001"


def test_tasks_that_were_labeled_meanwhile_do_not_spoil_the_proof(tool: FakeQueue) -> None:
    tool.labeled |= {9: True, 7: True}
    assert reorder(tool, "0001", 9, 3, 7, 4) == (4, (), ("3", "4"))


def test_a_task_that_label_studio_fails_to_list_holds_up_neither_an_order_nor_its_pruning(tool: FakeQueue) -> None:
    tool.broken = {9, 20}
    assert reorder(tool, "0001", 4, 9, 3, 7) == (4, (), ("4", "3", "7"))
    assert reorder(tool, "0002", 4, 9, 3, 99) == (3, ("99",), ("4", "3"))
    reorder(tool, "0003", 3)
    assert [prune(tool, "0001", "0002").removed for _ in range(2)] == [5, 0]
    assert tool.versions() == {"0001": 1, "0002": 1, "0003": 1}  # what stands on the broken task


def test_a_label_that_was_renamed_meanwhile_does_not_spoil_the_order(tool: FakeQueue) -> None:
    old = predictions(9, label="renamed")
    tool.connector(PROJECT).place(QueueVersion("0001"), window(9, 3), old)
    assert tool.served() == ["9", "3"]


def test_an_order_that_is_not_served_is_an_error_and_not_a_hope(tool: FakeQueue) -> None:
    tool.stubborn = True
    with pytest.raises(ToolRejected, match="stands at version ''"):
        reorder(tool, "0001", 9, 3)


def test_no_version_is_in_force_under_an_ml_backends_title_or_another_sampling(tool: FakeQueue) -> None:
    reorder(tool, "0001", 9)
    tool.settings["model_version"] = "nextlabel"
    assert tool.connector(PROJECT).queue_in_force() is None
    tool.settings |= {"model_version": "0001", "sampling": "Sequential sampling"}
    assert tool.connector(PROJECT).queue_in_force() is None
    assert tool.connector(PROJECT).head_of_queue(5) == []


def test_a_whole_order_is_removed_in_one_write_only_when_nobody_is_at_work(tool: FakeQueue) -> None:
    """That write locks all tasks of the order on PostgreSQL, for as long as annotators would notice."""
    for version in ("0001", "0002", "0003"):
        reorder(tool, version, 1, 2, 3)
    assert [prune(tool, "0001", at_most=2) for _ in range(2)] == [Pruned(2), Pruned(1, (QueueVersion("0001"),))]
    assert (tool.versions(), tool.dropped) == ({"0002": 3, "0003": 3}, [])
    assert prune(tool, "0002", at_rest=True) == Pruned(3, (QueueVersion("0002"),))
    assert (tool.versions(), tool.dropped) == ({"0003": 3}, ["0002"])


def test_pruning_takes_an_order_and_not_its_refills(tool: FakeQueue) -> None:
    for version in ("0001", "0001.2", "0001.3"):
        reorder(tool, version, 1, 2)
    assert prune(tool, "0001") == Pruned(2, (QueueVersion("0001"),))
    assert tool.versions() == {"0001.2": 2, "0001.3": 2}


def test_of_two_predictions_that_stand_exactly_like_a_place_neither_is_removed(
    tool: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        score_windows_by_place(before)
        reorder(tool, "0001", 9, 3, 7)
    tool.add(3, window_score(1, 3), "0001")
    reorder(tool, "0002", 1)
    earlier = OwnOrder(QueueVersion("0001"), tuple(map(TaskId, ("9", "3", "7"))))
    assert tool.connector(PROJECT).prune([earlier], 100).removed == 2
    assert tool.versions() == {"0001": 2, "0002": 1}
