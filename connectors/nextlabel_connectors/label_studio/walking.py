"""Reading a task listing in the order of ids, around the tasks that Label Studio fails to list.

One row that Label Studio cannot make sense of, such as a date that is none, has it answer 500 for every page that the
row would stand on, whatever is asked of it. Such a page is read in halves, down to the one task that fails alone.
Ids never change, so that nothing is passed over while other tasks do. On a tool that is well this costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from nextlabel.labeling import TaskId
from nextlabel.ports.tool import Unreadable
from nextlabel_connectors.label_studio.client import Failed
from nextlabel_connectors.label_studio.payloads import JsonObject, identifier

Filter = dict[str, object]

_LARGEST_ID, _STRIDE = 2**31, 32
# Of more that fail it is more likely that the tool is unwell than that each of them is broken.
_FEW, _FEW_SHARE = 50, 0.1
_TRIES = 3  # so that a tool that fails now and then has no task set aside


class Ask(Protocol):
    """The first tasks of a project in an order, with always the same columns. Raises `Failed`."""

    def __call__(self, size: int, filters: Sequence[Filter], ordering: str) -> list[JsonObject]: ...


@dataclass(frozen=True, slots=True)
class Page:
    """Some tasks, and those between them that Label Studio fails to list.

    ``up_to`` is the time up to which all changes have been told with this page.
    """

    tasks: Sequence[JsonObject]
    failing: tuple[Unreadable, ...] = ()
    up_to: str = ""


class Walk:
    """The tasks that pass some filters, in the order of their ids."""

    def __init__(self, ask: Ask, filters: Sequence[Filter], page: int) -> None:
        self._ask, self._filters, self._page = ask, filters, page
        self._last = 0
        self._read = self._failing = 0

    def pages(self) -> Iterator[Page]:
        """Raises `Failed` where it is the tool that is unwell, and not a task that is broken."""
        size, doubtful = self._page, 0  # one of so many of the next tasks fails
        while True:
            try:
                tasks = self._next(size)
            except Failed as failure:
                if size == 1:
                    yield self._set_aside(failure)
                    doubtful = 0
                else:
                    size, doubtful = size // 2, size
                continue
            if tasks:
                yield Page(tasks)
                self._last = int(task_id(tasks[-1]))
                self._read += len(tasks)
            if len(tasks) < size:
                return
            doubtful -= size
            size = max(1, doubtful // 2) if doubtful > 0 else min(self._page, 2 * size)

    def _next(self, size: int, *more: Filter) -> list[JsonObject]:
        return self._ask(size, [*self._filters, after(self._last), *more], "tasks:id")

    def _set_aside(self, failure: Failed) -> Page:
        """The next task, which fails alone: again and again, while another one is listed each time."""
        self._failing += 1
        if self._failing > max(_FEW, self._read * _FEW_SHARE):
            raise failure
        task = self._name_next()
        for _ in range(_TRIES):
            if not (task and self._another_is_listed(task) and (reason := self._reason(task))):
                raise failure
        self._last = task
        return Page([], (Unreadable(TaskId(str(task)), reason),))

    def _name_next(self) -> int:
        """The id of the next task, which Label Studio does not tell: up to the one before it nothing is listed.

        0 where nothing comes after it any more.
        """
        empty, step = self._last, 1
        while self._is_empty_up_to(self._last + step):
            empty, step = self._last + step, _STRIDE * step
            if empty > _LARGEST_ID:
                return 0
        fails = self._last + step
        while fails - empty > 1:
            middle = (empty + fails) // 2
            empty, fails = (middle, fails) if self._is_empty_up_to(middle) else (empty, middle)
        return fails

    def _is_empty_up_to(self, task: int) -> bool:
        try:
            return not self._next(1, _number("less_or_equal", task))
        except Failed:
            return False

    def _another_is_listed(self, task: int) -> bool:
        """Whether some other task of the project is: the first or last one, or one of its neighbours."""
        before, behind = _number("less", task), after(task)
        for filters, ordering in (([], "tasks:id"), ([], "-tasks:id"), ([before], "-tasks:id"), ([behind], "tasks:id")):
            with suppress(Failed):
                if self._ask(1, filters, ordering):
                    return True
        return False

    def _reason(self, task: int) -> str:
        """Why the task fails; empty when it does not any more."""
        try:
            self._ask(1, [_number("equal", task)], "tasks:id")
        except Failed as failure:
            return f"Label Studio fails to list it (500). {failure.detail or 'Its log says more.'}"
        return ""


def task_id(task: JsonObject) -> TaskId:
    return TaskId(identifier(task.get("id"), "task's id"))


def after(task: int) -> Filter:
    return _number("greater", task)


def _number(operator: str, task: int) -> Filter:
    return {"filter": "filter:tasks:id", "operator": operator, "type": "Number", "value": str(task)}
