"""Orders of a list's items: as Label Studio's editor writes them, and as it can show them.

It shows those items that a prediction names and no others, and breaks at one that the task does not have: an order is
written only where it names just the items of the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from nextlabel.labeling import Label, Placed, Target, Task, TaskId
from nextlabel_connectors.label_studio.values import Data, Form, Value, texts_in

LEFT_IN_THE_LIST = "_"
"""Where the editor keeps what was put into no bucket."""


def ranking_form(target: Target) -> Form:
    """How the order of a task's items stands in results: their ids under the control's own name, or under each bucket's
    name; what was put into none of them under "_"."""

    def for_task(data: Data) -> Form:
        offered = tuple(target.offered(Task(TaskId(""), data)))
        return Form("ranker", lambda value: _read(value, target, offered), lambda label: _write(label, target, offered))

    return Form("ranker", lambda value: _read(value, target, ()), lambda label: [], for_task=for_task)


def _key(target: Target, bucket: str) -> str:
    return bucket or (LEFT_IN_THE_LIST if any(target.labels) else target.name)


def _read(value: Value, target: Target, offered: tuple[str, ...]) -> Label | None:
    """None where nothing is in any order. What the editor has put nowhere is in no bucket, where that can be."""
    stated = value.get("ranker")
    if not isinstance(stated, Mapping):
        return None
    lists = {name: texts_in(items) for name, items in stated.items()}
    if None in lists.values():
        return None
    unplaced = _key(target, "")
    placed = [Placed("" if name == unplaced else name, item) for name, items in lists.items() for item in items or ()]
    named = {one.item for one in placed}
    left = [Placed("", item) for item in offered if item not in named] if "" in target.labels else []
    return (*placed, *left) or None


def _write(label: Label, target: Target, offered: tuple[str, ...]) -> list[dict[str, object]]:
    placed = cast("tuple[Placed, ...]", label)
    if not placed or sorted(one.item for one in placed) != sorted(offered):
        return []
    lists: dict[str, list[str]] = {_key(target, bucket): [] for bucket in target.labels or ("",)}
    for bucket, item in placed:
        lists[_key(target, bucket)].append(item)
    return [{"ranker": lists}]
