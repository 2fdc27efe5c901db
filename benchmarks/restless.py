"""A labeling tool whose labels change all the time, so that every turn of the loop has something to learn.

It needs no server: what it says follows from the clock. The workers of ``nextlabel up`` find it as a plug-in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime

from benchmarks.mails import TWO, mails
from benchmarks.still_tool import StillTool
from nextlabel.labeling import (
    Annotation,
    AnnotationId,
    Cursor,
    Input,
    LabelSchema,
    Prediction,
    QueueVersion,
    Target,
    Task,
    TaskId,
    ToolProjectId,
)
from nextlabel.labeling.ranking import Ranking
from nextlabel.ports.tool import ChangePage, Connector, QueueReceipt, TaskSeen, ToolAccess
from nextlabel_connectors.label_studio import CONNECTOR as LABEL_STUDIO
from nextlabel_connectors.label_studio.testing.people import CONTROL

TARGET = Target(CONTROL, "choice", (Input("text"),), TWO)
_LABELED = 500
_CHANGED = 20


class RestlessTool(StillTool):
    """The demo's mails, the first 500 labeled; each pull finds twenty of the labels changed."""

    def label_schema(self) -> LabelSchema:
        return LabelSchema((TARGET,))

    def changed_tasks(self, since: Cursor | None, *, whole: bool = False) -> Iterator[ChangePage]:
        now = time.time_ns()
        if since is None:
            yield ChangePage(tuple(_seen(n, now, n < _LABELED) for n in range(len(mails()))), Cursor(str(now)))
            return
        first = now // 1000 % (_LABELED - _CHANGED)
        yield ChangePage(tuple(_seen(n, now, True) for n in range(first, first + _CHANGED)), Cursor(str(now)))

    def vanished_tasks(self, known: Collection[TaskId]) -> Collection[TaskId]:
        return ()

    def place(
        self,
        version: QueueVersion,
        window: Ranking,
        predictions: Iterable[Prediction],
        *,
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        return QueueReceipt(version, len(list(predictions)), (), window.task_ids()[:10])

    def queue_in_force(self, *, standing: int = 1) -> QueueVersion | None:
        return None


class _ConnectorType:
    title, address, token = "The restless tool", "any", ""
    webhooks, ml_backend = LABEL_STUDIO.webhooks, LABEL_STUDIO.ml_backend

    def open(self, access: ToolAccess, project: ToolProjectId) -> Connector:
        return RestlessTool()


def _seen(n: int, now: int, labeled: bool) -> TaskSeen:
    """A mail as a task. One label in ten is the wrong one, another one at each pull."""
    text, truth = mails()[n]
    wrong = (n * 31 + now // 1000) % 10 == 0
    label = TWO[1 - TWO.index(truth)] if wrong else truth
    at = datetime.fromtimestamp(now / 1e9, UTC).isoformat()
    annotations = (Annotation(AnnotationId(str(n + 1)), {TARGET.name: label}, at),) if labeled else ()
    return TaskSeen(Task(TaskId(str(n + 1)), {"text": text}), annotations, closed=labeled)


CONNECTOR = _ConnectorType()
