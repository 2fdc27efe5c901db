"""Reading tasks so that none is passed over, and writing predictions so that none is lost unnoticed."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextlabel.errors import ToolRejected
from nextlabel.labeling import ProjectId, TaskId
from nextlabel.ports import ToolAccess
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.data_manager import TaskListing
from nextlabel_connectors.label_studio.predictions import Predictions

PROJECT = ProjectId("1")
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

_COMPARISONS: dict[str, Callable[[object, object], bool]] = {
    "equal": operator.eq,
    "greater": operator.gt,  # type: ignore[dict-item]
    "greater_or_equal": operator.ge,  # type: ignore[dict-item]
    "in_list": lambda one, many: one in many,  # type: ignore[operator]
}


@dataclass
class FakeLabelStudio:
    """A Label Studio made of a list of tasks: just the listing and the import, as measured on version 1.23.

    ``tasks`` maps ids to times of change; ``meanwhile`` runs after each listing, as other people would. ``dropping`` is
    what it drops without a word: predictions that say something, or every first one.
    """

    tasks: dict[int, str] = field(default_factory=dict)
    dropping: Literal["", "what says something", "the first"] = ""
    imported: list[dict[str, object]] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def client(self) -> LabelStudioClient:
        return LabelStudioClient(ToolAccess("http://ls", "x"), transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/tasks":
            page = self._page(request.url.params)
            self.meanwhile()
            return httpx.Response(200, json={"tasks": page})
        return self._import(orjson.loads(request.content))

    def _page(self, params: httpx.QueryParams) -> list[dict[str, object]]:
        query = orjson.loads(params["query"])
        held = {item["task"]: item for item in self.imported}
        rows: list[dict[str, object]] = [
            {"id": task, "updated_at": time, "predictions": [{"id": task, **held[task]}] if task in held else []}
            for task, time in self.tasks.items()
        ]
        for item in query["filters"]["items"]:
            column = item["filter"].removeprefix("filter:tasks:")
            value = float(item["value"]) if item["type"] == "Number" else item["value"]
            rows = [row for row in rows if _COMPARISONS[item["operator"]](row[column], value)]
        rows.sort(key=operator.itemgetter(query["ordering"][0].removeprefix("tasks:")))
        return rows[: int(params["page_size"])]

    def _import(self, items: list[dict[str, object]]) -> httpx.Response:
        if any(item["task"] not in self.tasks for item in items):
            return httpx.Response(400, json={"detail": "Validation error"})
        dropped = {"": [], "the first": items[:1], "what says something": [item for item in items if item["result"]]}
        taken = [item for item in items if item not in dropped[self.dropping]]
        self.imported += taken
        return httpx.Response(201, json={"created": len(taken)})


def moment(second: int) -> str:
    return f"2026-11-22T06:42:46.{second:06d}Z"


def told(tool: FakeLabelStudio, since: str | None, page: int) -> list[int]:
    pages = TaskListing(tool.client(), PROJECT).changed_since(since, "id,updated_at", page)
    return [int(str(task["id"])) for tasks in pages for task in tasks]


times = st.lists(st.integers(0, 5), max_size=30)


@relaxed
@given(times, st.integers(1, 7), st.none() | st.integers(0, 6))
def test_every_task_changed_since_then_is_told_however_many_changed_at_once(
    seconds: list[int], page: int, since: int | None
) -> None:
    tool = FakeLabelStudio({n + 1: moment(second) for n, second in enumerate(seconds)})
    wanted = {n + 1 for n, second in enumerate(seconds) if second >= (since or 0)}
    assert set(told(tool, None if since is None else moment(since), page)) == wanted


@relaxed
@given(times, st.integers(1, 7), st.lists(st.integers(0, 29), max_size=20))
def test_no_task_is_passed_over_while_others_change_between_two_pages(
    seconds: list[int], page: int, changing: list[int]
) -> None:
    tool = FakeLabelStudio({n + 1: moment(second) for n, second in enumerate(seconds)})
    changes = iter(range(len(changing)))

    def meanwhile() -> None:
        if (change := next(changes, None)) is not None and changing[change] + 1 in tool.tasks:
            tool.tasks[changing[change] + 1] = moment(100 + change)

    tool.meanwhile = meanwhile
    assert set(told(tool, None, page)) == set(tool.tasks)


def test_a_task_is_told_once_when_nothing_changes_meanwhile() -> None:
    tool = FakeLabelStudio({n: moment(n // 3) for n in range(1, 50)})
    assert told(tool, None, 7) == list(range(1, 50))


def items(*tasks: int) -> list[dict[str, object]]:
    return [{"task": task, "result": [], "score": 0.1, "model_version": "0001"} for task in tasks]


def test_a_vanished_task_is_passed_over_and_the_others_are_written() -> None:
    tool = FakeLabelStudio(dict.fromkeys(range(1, 1200), moment(0)))
    written = [*range(1, 700), 5000, *range(700, 1200), 6000]
    assert Predictions(tool.client(), PROJECT).write(items(*written)).vanished == [TaskId("5000"), TaskId("6000")]
    assert [item["task"] for item in tool.imported] == list(range(1, 1200))


def test_predictions_that_label_studio_drops_without_a_word_are_noticed() -> None:
    tool = FakeLabelStudio({1: moment(0), 2: moment(0)}, dropping="the first")
    with pytest.raises(ToolRejected, match="only 0 of 1 bare predictions"):
        Predictions(tool.client(), PROJECT).write(items(1, 2))


def test_a_prediction_that_label_studio_does_not_take_keeps_its_place_with_nothing_shown() -> None:
    tool = FakeLabelStudio(dict.fromkeys(range(1, 4), moment(0)), dropping="what says something")
    odd = {**items(2)[0], "result": [{"type": "no such control"}], "score": 0.2}
    written = Predictions(tool.client(), PROJECT).write([*items(1), odd, *items(3, 9)])
    assert (written.vanished, written.refused) == ([TaskId("9")], [TaskId("2")])
    assert {item["task"]: (item["score"], item["result"]) for item in tool.imported} == {
        1: (0.1, []),
        2: (0.2, []),
        3: (0.1, []),
    }


def test_nothing_is_written_when_every_task_has_vanished() -> None:
    tool = FakeLabelStudio()
    assert Predictions(tool.client(), PROJECT).write(items(1, 2)).vanished == [TaskId("1"), TaskId("2")]
    assert tool.imported == []
