"""A labeling tool, as the loop sees it: what connectors fulfil."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from nextlabel.labeling import (
    Annotation,
    AnnotationId,
    Cursor,
    LabelSchema,
    Prediction,
    ProjectId,
    QueueVersion,
    Task,
    TaskId,
)
from nextlabel.labeling.ranking import Ranking
from nextlabel.ports.requests import Dialect


@dataclass(frozen=True, slots=True)
class ToolAccess:
    """Where a tool is and the key to it. The token is a secret: it is kept out of ``repr``.

    ``file_hosts`` are the other hosts that files of its tasks may be read from (`Settings`).
    """

    url: str
    token: str = field(repr=False)
    file_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskSeen:
    """A task as it now stands in the tool, with every annotation in force on it (none: it is open).

    ``closed`` is the tool's own word that nobody will be asked to label it again.
    """

    task: Task
    annotations: tuple[Annotation, ...]
    closed: bool


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A task that the tool tells in a way that cannot be read, or one annotation on it, and what is wrong with it.

    Where it is an annotation, its task is told all the same, with those that can be read.
    """

    task: TaskId
    reason: str
    annotation: AnnotationId | None = None

    @property
    def name(self) -> str:
        """What a person would look for in the tool."""
        return f"task {self.task}" if self.annotation is None else f"annotation {self.annotation} of task {self.task}"


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Some changed tasks, and the cursor to keep once all of them are stored; ``unreadable`` are to be set aside."""

    tasks: tuple[TaskSeen, ...]
    cursor: Cursor
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueReceipt:
    """Proof of a reorder: how many tasks were written, which had vanished meanwhile, and what is served first.

    ``refused`` are tasks whose prediction the tool did not take: they stand in the order, with nothing shown.
    """

    version: QueueVersion
    written: int
    vanished: tuple[TaskId, ...]
    head: tuple[TaskId, ...]
    refused: tuple[TaskId, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """An order that nextlabel wrote to the tool, as its own database recorded it before it did.

    With a ``window`` of None the tool held nothing under the version when nextlabel took that name: all that it holds
    under it is nextlabel's. Otherwise the name may be a team's too: of the predictions under it only those of the
    window's tasks that carry the exact score of their place are nextlabel's.
    """

    version: QueueVersion
    window: tuple[TaskId, ...] | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many predictions were removed, and the orders of which the tool now holds nothing that is nextlabel's."""

    removed: int
    emptied: tuple[QueueVersion, ...] = ()


@dataclass(frozen=True, slots=True)
class Door:
    """How the tool reaches nextlabel: the address as seen from the tool, and the credentials to use.

    ``earlier`` are other addresses that the tool was given before: what stands at one of them is ours too. Where it is
    ``interactive``, a model of the team's own may answer there while an annotator draws.
    """

    url: str
    user: str
    password: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    title: str = "nextlabel"
    earlier: tuple[str, ...] = ()
    interactive: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a connect report. A ``problem`` stops the loop, a ``warning`` weakens it; both say what to do."""

    level: Literal["done", "unchanged", "warning", "problem"]
    message: str


BLANK = "blank"
"""The topic of tasks in which there is nothing to read."""
STRATEGY = "strategy"
"""The topic of a strategy that failed."""
FIELDS = "fields"
"""The topic of fields that the labeling config shows and tasks do not have."""


@dataclass(frozen=True, slots=True)
class ToolSetting:
    """A setting of a project in the tool that `connect` changes: its value now, and all that it may be.

    ``ours`` is whether it stands as nextlabel's order needs it; otherwise somebody else chose it. ``detail`` says more
    of the value to a person, such as how many predictions a version has.
    """

    name: str
    value: str
    choices: tuple[str, ...]
    ours: bool
    detail: str = ""


class Connector(Protocol):
    """A labeling tool, as the loop sees it. Every call may be made twice with the same effect as once.

    All methods raise `ToolUnavailable` when the tool is down or unwell, and `ToolRejected` when it refuses
    (bad token, no permission); `ProjectGone`, which is one, only where the tool itself says that there is no such
    project.
    """

    def label_schema(self, project: ProjectId) -> LabelSchema:
        """What is to be labeled now. Raises `SchemaError` when the labeling config cannot be read."""

    def changed_tasks(self, project: ProjectId, since: Cursor | None, *, whole: bool = False) -> Iterator[ChangePage]:
        """Tasks created, changed, labeled or un-labeled since the cursor (None: all), oldest change first.

        A change may be told twice, never left out; what cannot be read is told by name, and keeps nothing else from
        being read. Deleted tasks are found with `vanished_tasks`. With ``whole`` every annotation comes with
        `Annotation.whole`; after a pull without it everything is told again. Raises `SchemaError` when the labeling
        config cannot be read.
        """

    def vanished_tasks(self, project: ProjectId, known: Collection[TaskId]) -> Collection[TaskId]:
        """Those of the known tasks that are no longer in the tool.

        ``known`` are all tasks told so far, the newest pull and those that cannot be read included, so that equal
        numbers mean equal tasks.
        """

    def reorder(
        self,
        project: ProjectId,
        version: QueueVersion,
        window: Ranking,
        predictions: Iterable[Prediction],
        *,
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        """Serve the window's tasks first, in order, with their predictions shown; then prove that it holds.

        Raises `VersionTaken`, and changes nothing, when the tool holds other predictions under the version.
        ``may_switch`` is asked when all has been written, right before the tool is told to serve it: what it raises is
        raised, and the order in force stays.
        """

    def queue_in_force(self, project: ProjectId, *, standing: int = 1) -> QueueVersion | None:
        """The version whose order the tool serves now; None when it serves some other order, or shows no predictions,
        or fewer than ``standing`` tasks still have their place in the order."""

    def head_of_queue(self, project: ProjectId, n: int) -> Sequence[TaskId]:
        """The next ``n`` open tasks that annotators would get, without taking them from anyone."""

    def predictions_held(self, project: ProjectId) -> Mapping[QueueVersion, int]:
        """How many predictions the tool stores under each version, whoever wrote them."""

    def prune(self, project: ProjectId, old: Sequence[OwnOrder], at_most: int, *, at_rest: bool = False) -> Pruned:
        """Remove predictions of these orders, in their order, at most ``at_most`` in all; nothing else is touched.

        The order in force stays, even when it is among them. No annotator waits for it or gets another task because of
        it, unless ``at_rest`` says that nobody is at work: then it may be done in the quickest way.
        """

    def labels_in(self, schema: LabelSchema, result: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
        """What a result, as models for label-studio-ml write it, says of each target. No request is made."""

    def file(self, project: ProjectId, address: str) -> bytes:
        """What stands at an address that one of the project's tasks names, such as a picture.

        Raises `FileUnavailable` for what is gone, too large, or neither the tool's own nor at a host that was allowed.
        """

    def connect(self, project: ProjectId, door: Door) -> Iterator[Finding]:
        """Make the tool call nextlabel and take its order; idempotent. Yields what was done and what is wrong.

        What nextlabel made at an earlier address is replaced. A refusal is a ``problem`` with its remedy, so that the
        report is whole; only `ToolUnavailable` is raised. Where there is a problem, such as an address at which the
        tool does not find nextlabel, the project is left as it was.
        """

    def settings(self, project: ProjectId, ours: Collection[QueueVersion]) -> Sequence[ToolSetting]:
        """The settings that `connect` and the first order change, as they are now. ``ours`` are the versions of our
        own orders."""

    def disconnect(
        self, project: ProjectId, door: Door, settings: Mapping[str, str], *, similar: bool = False
    ) -> Iterator[Finding]:
        """Take back what `connect` made, and give these settings these values (by `ToolSetting.name`); others stay.

        What carries our secret or stands at one of the door's addresses is ours. What merely resembles it is named, and
        removed only with ``similar``. Predictions stay (`prune`). A value that cannot be set any more is a ``warning``.
        """

    def is_connected(self, project: ProjectId, door: Door) -> bool:
        """Whether the project shows that this installation once connected it: it carries the door's secret."""

    def drift(self, project: ProjectId, door: Door) -> Sequence[Finding]:
        """What somebody has undone since `connect`, with the remedy; empty where all stands as it was made.

        Changes nothing and makes two requests at most, so that it may be asked every minute.
        """


@runtime_checkable
class ConnectorType(Protocol):
    """What an entry point of the group ``nextlabel.connectors`` names."""

    @property
    def dialect(self) -> Dialect: ...

    def open(self, access: ToolAccess) -> Connector:
        """A connector to the tool at that address; makes no request yet.

        Raises `ToolRejected` for an address that cannot be one.
        """
