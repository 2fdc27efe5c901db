"""Reading tasks so that none is passed over, and writing predictions so that none is lost unnoticed."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextlabel.errors import ToolRejected, ToolUnavailable
from nextlabel.labeling import TaskId, ToolProjectId
from nextlabel.ports.tool import ToolAccess
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.data_manager import TaskListing
from nextlabel_connectors.label_studio.predictions import Predictions

PROJECT = ToolProjectId("1")
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

_COMPARISONS: dict[str, Callable[[object, object], bool]] = {
    "equal": operator.eq,
    "greater": operator.gt,  # type: ignore[dict-item]
    "greater_or_equal": operator.ge,  # type: ignore[dict-item]
    "less": operator.lt,  # type: ignore[dict-item]
    "less_or_equal": operator.le,  # type: ignore[dict-item]
    "in_list": lambda one, many: one in many,  # type: ignore[operator]
}


@dataclass
class FakeLabelStudio:
    """A Label Studio made of a list of tasks: just the listing and the import, as measured on version 1.23.

    ``tasks`` maps ids to times of change; ``meanwhile`` runs after each listing, as other people would. ``dropping`` is
    what it drops without a word: predictions that say something, or every first one. It answers 500 for a page that a
    ``broken`` task stands on, ``listings`` counts the pages that it was asked for.
    """

    tasks: dict[int, str] = field(default_factory=dict)
    dropping: Literal["", "what says something", "the first"] = ""
    imported: list[dict[str, object]] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    broken: set[int] = field(default_factory=set)
    listings: int = 0

    def client(self) -> LabelStudioClient:
        return LabelStudioClient(ToolAccess("http://ls", "x"), transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/tasks":
            page = self._page(request.url.params)
            self.listings += 1
            self.meanwhile()
            if any(row["id"] in self.broken for row in page):
                return httpx.Response(500, json={"detail": "month must be in 1..12"})
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
        ordering = query["ordering"][0]
        rows.sort(key=operator.itemgetter(ordering.removeprefix("-").removeprefix("tasks:")))
        if ordering.startswith("-"):
            rows.reverse()
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


def received(tool: FakeLabelStudio, since: str | None, page: int) -> list[int]:
    pages = TaskListing(tool.client(), PROJECT).changed_since(since, "id,updated_at", page)
    return [int(str(task["id"])) for one in pages for task in one.tasks]


times = st.lists(st.integers(0, 5), max_size=30)


@relaxed
@given(times, st.integers(1, 7), st.none() | st.integers(0, 6))
def test_every_task_changed_since_then_is_told_however_many_changed_at_once(
    seconds: list[int], page: int, since: int | None
) -> None:
    tool = FakeLabelStudio({n + 1: moment(second) for n, second in enumerate(seconds)})
    wanted = {n + 1 for n, second in enumerate(seconds) if second >= (since or 0)}
    assert set(received(tool, None if since is None else moment(since), page)) == wanted


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
    assert set(received(tool, None, page)) == set(tool.tasks)


def set_aside(tool: FakeLabelStudio, since: str | None, page: int) -> tuple[set[int], set[int]]:
    """The tasks that are told, and those that are set aside."""
    pages = list(TaskListing(tool.client(), PROJECT).changed_since(since, "id,updated_at", page))
    tasks = {int(str(task["id"])) for one in pages for task in one.tasks}
    return tasks, {int(one.task) for page in pages for one in page.failing}


@relaxed
@given(
    st.dictionaries(st.integers(1, 10_000), st.integers(0, 5), min_size=1, max_size=40),
    st.sets(st.integers(0, 39), max_size=6),
    st.integers(1, 9),
    st.lists(st.integers(0, 39), max_size=20),
)
def test_a_task_that_fails_to_list_is_set_aside_and_no_other_is_passed_over_while_some_change(
    seconds: dict[int, int], breaking: set[int], page: int, changing: list[int]
) -> None:
    ids = sorted(seconds)
    broken = {ids[n] for n in breaking if 0 < n < len(ids)}  # the first one is well: else it may be the tool
    tool = FakeLabelStudio({task: moment(second) for task, second in seconds.items()}, broken=broken)
    changes = iter(enumerate(changing))

    def meanwhile() -> None:
        if (change := next(changes, None)) is not None and change[1] < len(ids):
            tool.tasks[ids[change[1]]] = moment(100 + change[0])

    tool.meanwhile = meanwhile
    assert set_aside(tool, None, page) == (set(ids) - broken, broken)


@relaxed
@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.sets(st.integers(2, 40), max_size=4), st.integers(1, 9))
def test_the_cursor_steps_over_no_task_that_is_neither_told_nor_set_aside(
    seconds: list[int], broken: set[int], page: int
) -> None:
    tool = FakeLabelStudio({n + 1: moment(second) for n, second in enumerate(seconds)}, broken=broken)
    left = dict(tool.tasks)
    for one in TaskListing(tool.client(), PROJECT).changed_since(None, "id,updated_at", page):
        for task in (*(str(task["id"]) for task in one.tasks), *(broken.task for broken in one.failing)):
            left.pop(int(task), None)
        assert all(changed >= one.up_to for changed in left.values())
    assert not left


@pytest.mark.parametrize("others", [{2}, {1, 2}, {1000}, set(range(400, 420)), set()])
def test_reading_around_a_broken_task_takes_a_few_dozen_requests(others: set[int]) -> None:
    tool = FakeLabelStudio({n: moment(n) for n in range(1, 1001)}, broken={500, *others})
    assert set_aside(tool, None, 1000) == (set(tool.tasks) - tool.broken, tool.broken)
    assert tool.listings < 36 * len(tool.broken)


def test_wherever_a_broken_task_stands_the_page_is_halved_down_to_it_and_doubled_again() -> None:
    asked = []
    for broken in range(1, 128, 3):
        tool = FakeLabelStudio({n: moment(n) for n in range(1, 129)}, broken={broken})
        set_aside(tool, None, 128)
        asked.append(tool.listings)
    assert max(asked) <= 2 * 7 + 14  # halves and doubles of 128, and what it takes to be sure of the one


def test_a_broken_task_of_a_project_that_is_young_is_named_in_a_few_dozen_requests() -> None:
    """Ids count through all projects of a Label Studio."""
    tool = FakeLabelStudio({1_000_000: moment(0), 1_000_001: moment(1)}, broken={1_000_000})
    assert set_aside(tool, None, 1000) == ({1_000_001}, {1_000_000})
    assert tool.listings < 60


def test_a_tool_that_is_well_is_asked_no_more_than_for_its_pages() -> None:
    tool = FakeLabelStudio({n: moment(n) for n in range(1, 1001)})
    received(tool, None, 300)
    assert tool.listings == 4


@pytest.mark.parametrize("n", [1, 2, 3, 1500])
def test_when_every_page_fails_the_tool_is_unwell_and_no_task_is_set_aside(n: int) -> None:
    tool = FakeLabelStudio({task: moment(task) for task in range(1, n + 1)}, broken=set(range(1, n + 1)))
    listing = TaskListing(tool.client(), PROJECT).changed_since(None, "id,updated_at", 1000)
    with pytest.raises(ToolUnavailable, match="500"):
        next(listing)
    assert tool.listings < 36


def test_when_more_tasks_fail_than_could_all_be_broken_the_tool_is_unwell() -> None:
    tool = FakeLabelStudio({task: moment(task) for task in range(1, 301)}, broken=set(range(2, 300)))
    with pytest.raises(ToolUnavailable):
        set_aside(tool, None, 100)


def test_a_failure_that_passes_sets_no_task_aside() -> None:
    tool = FakeLabelStudio({task: moment(task) for task in range(1, 301)}, broken={120})
    tool.meanwhile = lambda: tool.broken.clear() if tool.listings > 12 else None
    with suppress(ToolUnavailable):
        assert set_aside(tool, None, 100) == (set(tool.tasks), set())


@pytest.mark.parametrize("often", [0.2, 0.5])
def test_a_tool_that_fails_now_and_then_has_no_task_set_aside(often: float) -> None:
    given_up = 0
    for seed in range(40):
        tool = FakeLabelStudio({task: moment(task) for task in range(1, 40)})
        tool.meanwhile = partial(fail_now_and_then, tool, often, random.Random(seed))
        try:
            assert set_aside(tool, None, 4) == (set(tool.tasks), set())
        except ToolUnavailable:
            given_up += 1
    assert given_up > 0  # single tasks did fail


def fail_now_and_then(tool: FakeLabelStudio, often: float, chance: random.Random) -> None:
    tool.broken = set(tool.tasks) if chance.random() < often else set()


def test_ids_are_told_of_broken_tasks_too() -> None:
    tool = FakeLabelStudio({task: moment(0) for task in range(1, 40)}, broken={7, 8})
    listing = TaskListing(tool.client(), PROJECT)
    assert sorted(map(int, listing.ids())) == sorted(tool.tasks)
    asked = [TaskId(str(task)) for task in (6, 7, 99)]
    assert listing.there(asked) == {TaskId("6"), TaskId("7")}
    assert [task["id"] for task in listing.among(asked, "id")] == [6]


def test_a_task_is_told_once_when_nothing_changes_meanwhile() -> None:
    tool = FakeLabelStudio({n: moment(n // 3) for n in range(1, 50)})
    assert received(tool, None, 7) == list(range(1, 50))


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
