"""A labeling tool with as many tasks as asked for, none of them held in memory; only labels are.

Texts are short and distinct: the halves of two real ones, and a number. What a task's label is follows from the first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from benchmarks.mails import TWENTY, TWO, short_texts, topic, truth
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
)
from nextlabel.labeling.ranking import Ranking
from nextlabel.ports.tool import ChangePage, QueueReceipt, TaskSeen

_PAGE = 1000  # tasks, as many as are asked for of Label Studio
_HALF = 40


@dataclass(slots=True)
class PoolTool(StillTool):
    """``size`` tasks, numbered from 1, of which some were ``labeled``, in that order; fulfils `ports.Connector`.

    ``written`` is how many bytes of predictions it was sent.
    """

    size: int
    classes: int
    labeled: Sequence[int]
    in_force: QueueVersion | None = None
    written: int = 0

    def label_schema(self) -> LabelSchema:
        return LabelSchema((Target("label", "choice", (Input("text"),), self._names),))

    @property
    def _names(self) -> tuple[str, ...]:
        return TWO if self.classes == len(TWO) else TWENTY

    def changed_tasks(self, since: Cursor | None, *, whole: bool = False) -> Iterator[ChangePage]:
        received = int(since or 0)
        known = set(self.labeled)
        for start in range(1, self.size + 1, _PAGE) if since is None else ():
            page = range(start, min(start + _PAGE, self.size + 1))
            yield ChangePage(tuple(self._seen(n, n in known) for n in page), Cursor("0"))
        for start in range(received, len(self.labeled), _PAGE):
            numbers = self.labeled[start : start + _PAGE]
            yield ChangePage(tuple(self._seen(n, True) for n in numbers), Cursor(str(start + len(numbers))))

    def _seen(self, n: int, labeled: bool) -> TaskSeen:
        at = (datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=n)).isoformat()
        annotations = (Annotation(AnnotationId(str(n)), {"label": self._label(n)}, at),) if labeled else ()
        return TaskSeen(Task(TaskId(str(n)), {"text": text(n)}), annotations, closed=labeled)

    def _label(self, n: int) -> str:
        first = short_texts()[n % len(short_texts())]
        return truth(first) if self.classes == len(TWO) else topic(first)

    def vanished_tasks(self, known: Collection[TaskId]) -> Collection[TaskId]:
        """As a tool whose own count of tasks tells that none has vanished."""
        if len(known) != self.size:
            raise ValueError(f"{len(known)} tasks are known of {self.size}")
        return ()

    def place(
        self,
        version: QueueVersion,
        window: Ranking,
        predictions: Iterable[Prediction],
        *,
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        shown = list(predictions)
        self.written += sum(len(repr(one)) for one in shown)
        self.in_force = version
        return QueueReceipt(version, len(shown), (), window.task_ids()[:10])

    def queue_in_force(self, *, standing: int = 1) -> QueueVersion | None:
        return self.in_force


def text(n: int) -> str:
    """The text of a task."""
    pieces = short_texts()
    first, second = n % len(pieces), (n + 1 + 37 * (n // len(pieces))) % len(pieces)
    return f"{pieces[first][:_HALF]} {pieces[second][-_HALF:]} {n}"
