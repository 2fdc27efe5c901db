"""A dataset of FiftyOne as the loop sees it: its samples and labels, and a saved view in the order to label them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nextlabel.errors import SchemaError, ToolRejected
from nextlabel.labeling import (
    Annotation,
    AnnotationId,
    Cursor,
    LabelSchema,
    Prediction,
    QueueVersion,
    Task,
    TaskId,
    ToolProjectId,
)
from nextlabel.labeling.ranking import Ranking
from nextlabel.ports.tool import (
    ChangePage,
    Finding,
    OwnOrder,
    QueueReceipt,
    SortedView,
    TaskSeen,
    ToolSetting,
    Unreadable,
)
from nextlabel_connectors.fiftyone import schema
from nextlabel_connectors.fiftyone.files import read_file
from nextlabel_connectors.fiftyone.process import FiftyOne
from nextlabel_connectors.fiftyone.schema import Plan

VIEW, FIELD = "nextlabel", "nextlabel_priority"
_FIRST = "0001-01-01T00:00:00"
# Samples are stamped by the clock of whoever changes them, before the change is stored.
_SETTLING = timedelta(seconds=60)
_PAGE = 1_000
_HEAD = 10


class FiftyOneConnector:
    """A connector to one dataset, by the name of it, or of it and its label field: ``dataset/field``."""

    def __init__(self, fiftyone: FiftyOne, project: ToolProjectId) -> None:
        self._fiftyone, self._project = fiftyone, project

    @property
    def order(self) -> SortedView:
        return SortedView(FIELD, f"the saved view '{VIEW}' of the dataset")

    def label_schema(self) -> LabelSchema:
        return self._plan().schema

    def changed_tasks(self, since: Cursor | None, *, whole: bool = False) -> Iterator[ChangePage]:
        """Samples in the order of their change. Changes of the last minute come again at the next call."""
        plan = self._plan()
        start = _Mark.read(since, plan)
        after: list[str] | None = None
        while True:
            page = self._ask(
                "page", fields=plan.fields, value=plan.value or None, since=start.at, after=after, limit=_PAGE
            )
            if rows := page["rows"]:
                after = [rows[-1]["at"], rows[-1]["id"]]
                settled = (datetime.fromisoformat(page["now"]) - _SETTLING).isoformat()
                yield _changes(rows, plan, _Mark(max(min(after[0], settled), start.at), start.reading))
            if not page["more"]:
                return

    def vanished_tasks(self, known: Collection[TaskId]) -> Collection[TaskId]:
        """Compares the number of samples first; lists all ids only where it differs."""
        if self._ask("count") == len(known):
            return ()
        return set(known).difference(self._ask("ids"))

    def place(
        self,
        version: QueueVersion,
        window: Ranking,
        predictions: Iterable[Prediction],
        *,
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        """Writing is switching here, and done in one go, so ``may_switch`` is asked before anything is written."""
        plan = self._plan()
        self._ask("make", plan=plan.as_asked())
        shown = {one.task: plan.shown(one.guesses) for one in predictions}
        present = set(self._ask("present", samples=list(window.task_ids())))
        rows = [[one.task, one.utility, shown.get(one.task)] for one in window.tasks if one.task in present]
        vanished = tuple(task for task in window.task_ids() if task not in present)
        if not rows:
            return QueueReceipt(version, 0, vanished, tuple(self.head_of_queue(_HEAD)))
        may_switch()
        head = self._ask("write", plan=plan.as_asked(), version=version, window=rows, n=_HEAD)
        place = {row[0]: number for number, row in enumerate(rows)}
        places = [place.get(task, len(rows)) for task in head]
        if places != sorted(places):
            raise ToolRejected(
                f"The saved view '{VIEW}' of '{self._project}' does not show the order of {version}: does somebody "
                f"else write the field '{FIELD}'?"
            )
        return QueueReceipt(version, len(rows), vanished, tuple(map(TaskId, head)))

    def queue_in_force(self, *, standing: int = 1) -> QueueVersion | None:
        order = self._ask("order", plan=self._plan().as_asked())
        enough = order["standing"] >= max(1, standing)
        return QueueVersion(order["version"]) if order["version"] and enough else None

    def head_of_queue(self, n: int) -> Sequence[TaskId]:
        return [TaskId(task) for task in self._ask("head", plan=self._plan().as_asked(), n=n)]

    def file(self, address: str) -> bytes:
        return read_file(address, lambda path: bool(self._ask("holds_file", path=path)))

    def settings(self, ours: Collection[QueueVersion]) -> Sequence[ToolSetting]:
        """Nothing that was there before is changed."""
        self._ask("describe")
        return ()

    def prepare(self) -> Iterator[Finding]:
        try:
            facts = self._facts()
            if not facts["persistent"]:
                yield Finding(
                    "problem",
                    f"FiftyOne deletes the dataset '{facts['name']}' when it starts: set dataset.persistent = True.",
                )
                return
            made = self._ask("make", plan=self._plan(facts).as_asked())
        except (SchemaError, ToolRejected) as error:
            yield Finding("problem", str(error))
            return
        names = ", ".join(f"'{name}'" for name in made)
        yield (
            Finding("done", f"Made in the dataset: {names}.")
            if made
            else Finding("unchanged", f"The saved view '{VIEW}' and its fields are there.")
        )
        yield Finding("unchanged", f"Annotators open /datasets/{facts['name']}?view={VIEW} in the FiftyOne App.")

    def restore(self, settings: Mapping[str, str], orders: Sequence[OwnOrder]) -> Iterator[Finding]:
        removed = ", ".join(f"'{name}'" for name in self._ask("remove"))
        yield (
            Finding("done", f"Removed from the dataset: {removed}.")
            if removed
            else Finding("unchanged", "There is nothing of nextlabel's in the dataset.")
        )

    def _ask(self, do: str, **what: object) -> Any:
        return self._fiftyone.ask(do, {"project": self._project, **what})

    def _facts(self) -> Mapping[str, Any]:
        return dict(self._ask("describe"))

    def _plan(self, facts: Mapping[str, Any] | None = None) -> Plan:
        facts = facts or self._facts()
        field = schema.label_field(facts)
        path = schema.classes_path(facts, field)
        return schema.plan_of(facts, field, self._ask("classes_seen", path=path) if path else ())


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far was read: all changes stamped before ``at``, under the schema named by ``reading``."""

    at: str
    reading: str

    @classmethod
    def read(cls, cursor: Cursor | None, plan: Plan) -> _Mark:
        """From the start where there is no cursor, or where samples are to be read in another way."""
        afresh = cls(_FIRST, f"{plan.schema.digest} {plan.value}")
        try:
            kept = json.loads(cursor or "{}")
            mark = cls(datetime.fromisoformat(kept["at"]).isoformat(), str(kept["reading"]))
        except (ValueError, KeyError, TypeError):
            return afresh
        return mark if mark.reading == afresh.reading else afresh

    def cursor(self) -> Cursor:
        return Cursor(json.dumps({"at": self.at, "reading": self.reading}))


def _changes(rows: Sequence[Mapping[str, Any]], plan: Plan, mark: _Mark) -> ChangePage:
    seen: list[TaskSeen] = []
    unreadable: list[Unreadable] = []
    for row in rows:
        task = TaskId(row["id"])
        if reason := row.get("unreadable") or plan.complaint(row["tags"]):
            unreadable.append(Unreadable(task, reason))
            continue
        label = plan.label_of(row.get("value"), row["tags"])
        seen.append(TaskSeen(Task(task, row["data"]), _annotations(row, label, plan.target.name), label is not None))
    return ChangePage(tuple(seen), mark.cursor(), tuple(unreadable))


def _annotations(row: Mapping[str, Any], label: object, target: str) -> tuple[Annotation, ...]:
    """FiftyOne keeps one label of a sample, and not who gave it when: the last change of the sample stands for that."""
    if label is None:
        return ()
    at = datetime.fromisoformat(row["at"]).isoformat(timespec="microseconds")
    return (Annotation(AnnotationId(row["id"]), {target: label}, f"{at}+00:00"),)
