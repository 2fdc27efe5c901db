"""What people do in Label Studio while a worker is in the middle of it, and what they put there that is odd."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from benchmarks.faults.fault import Fault
from benchmarks.faults.scene import Scene
from benchmarks.mails import TWO
from nextlabel.errors import ToolError
from nextlabel_connectors.label_studio.testing.people import CONTROL, OBJECT, single_choice


def _another_config(it: Scene) -> None:
    it.train_with("after fit, before save", "wait")
    it.owner.change_project(it.project, label_config=single_choice((*TWO, "other")))
    it.rig.let_go()
    it.mended()
    it.label(2)


def _task_deleted(it: Scene) -> str:
    it.train_with("ranked, before the window", "wait")
    window = [task["id"] for task in it.owner.open_tasks(it.project)][:3]
    for task in (*window, it.labeled[0]):
        it.owner.delete_task(task)
    it.rig.let_go()
    it.mended()
    it.label(2)
    return "three open tasks and a labeled one"


def _withdrawn(it: Scene) -> str:
    it.train_with("before fit", "wait")
    it.owner.withdraw(it.annotations[-1])
    it.owner.withdraw(it.annotations[0])
    it.owner.change(it.annotations[1], "spam")
    it.rig.let_go()
    it.mended()
    it.label(2)
    return "two withdrawn, one changed"


def _region(**changed: object) -> dict[str, object]:
    whole: dict[str, object] = {"from_name": CONTROL, "to_name": OBJECT, "type": "choices"}
    return {**whole, "value": {"choices": ["ham"]}, **changed}


_ODD_RESULTS: tuple[Any, ...] = (
    [_region(value=None)],
    [_region(value={"choices": "ham"})],
    [_region(value={"choices": [5, None, {"a": 1}]})],
    [_region(value={"choices": ["no such label"]})],
    [_region(value={"choices": []})],
    [_region(value={"choices": ["ham", "spam"]})],
    [_region(type="rectanglelabels")],
    [_region(from_name=["label"])],
    [None, 7, "text", []],
    [{}],
)
_ODD_DATA: tuple[Any, ...] = (
    {"text": None},
    {"text": 5},
    {"text": ["a", None]},
    {"text": {"deep": {"deeper": []}}},
    {"text": ""},
    {"text": "\u0000\ufffe\u202e\U0001f480" * 10},
    {"text": "a" * 200_000},
    {"text": "fine", "more": {"nested": [1, {"x": None}]}},
)


def _odd_annotations(it: Scene) -> str:
    taken = 0
    for result in _ODD_RESULTS:
        task = it.owner.next_task(it.project)
        if task is None:
            break
        with suppress(ToolError):
            it.owner.submit_result(task["id"], result)
            taken += 1
    it.mended()
    it.label(2)
    return f"Label Studio took {taken} of {len(_ODD_RESULTS)}"


def _odd_tasks(it: Scene) -> str:
    taken = 0
    for data in _ODD_DATA:
        with suppress(ToolError):
            taken += len(it.owner.import_tasks(it.project, [data]))
    it.mended()
    it.label(2)
    return f"Label Studio took {taken} of {len(_ODD_DATA)}"


FAULTS = (
    Fault("config-changed", "the labeling config is changed in mid-training", _another_config, spoils=True),
    Fault("task-deleted", "tasks are deleted in mid-ranking", _task_deleted, spoils=True),
    Fault("annotation-withdrawn", "annotations are withdrawn and changed in mid-training", _withdrawn, spoils=True),
    Fault("odd-annotations", "annotations that nobody could make in the editor", _odd_annotations, spoils=True),
    Fault("odd-tasks", "tasks whose data is not what the config expects", _odd_tasks, spoils=True),
)
