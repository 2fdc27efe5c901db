"""Tasks, and how the value of a field is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field  # for an Input has a field
from functools import lru_cache

from nextlabel.labeling.ids import TaskId

_STEP, _INDEX = re.compile(r"[^.\[\]]+"), re.compile(r"0|[1-9][0-9]{0,9}")  # of a name that leads into a field


@dataclass(frozen=True, slots=True)
class Task:
    """An item to label: the tool's id and whatever fields the team imported.

    ``whole`` is the task as the tool has sent it with a request for a prediction, for models for label-studio-ml.
    """

    id: TaskId
    data: Mapping[str, object]
    whole: Mapping[str, object] | None = dataclass_field(default=None, compare=False, repr=False)


def read_field(data: Mapping[str, object], name: str) -> object:
    """The value of a task's field; None where there is none.

    Where no field has just this name it leads into another one: ``data.text``, ``items[0].text``.
    """
    if name in data:
        return data[name]
    steps = _steps_into(name)
    if steps in ((), (name,)):
        return None
    value: object = data
    for step in steps:
        value = _inner(value, step)
    return value


@lru_cache(maxsize=1024)
def _steps_into(name: str) -> tuple[str, ...]:
    return tuple(_STEP.findall(name))


def _inner(value: object, step: str) -> object:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list) and _INDEX.fullmatch(step):
        return value[int(step)] if int(step) < len(value) else None
    return None
