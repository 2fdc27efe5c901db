"""A labeling tool, as the loop sees it: a small core that every connector fulfils, and rings that a tool may have.

The core reads a project and places an order on it. A ring is a protocol of its own: a connector has the ring whose
methods it has, and no connector has a method that only raises.
"""

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
    QueueVersion,
    Result,
    Task,
    TaskId,
    ToolProjectId,
)
from nextlabel.labeling.ranking import Ranking
from nextlabel.ports.requests import MLBackend, Webhooks


@dataclass(frozen=True, slots=True)
class ToolAccess:
    """Where a tool is and the key to it. The token is a secret: it is kept out of ``repr``; "" where a tool needs none.

    ``url`` is what the tool's type calls its address (`ConnectorType.address`), such as a folder. ``file_hosts`` are
    the other hosts that files of its tasks may be read from (`Settings`).
    """

    url: str
    token: str = field(default="", repr=False)
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

    Where it is an annotation, its task comes all the same, with those that can be read.
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
    """What came of placing an order: how many tasks were written, which had vanished meanwhile, what is served first.

    ``refused`` are tasks whose prediction the tool did not take: they stand in the order, with nothing shown. ``proof``
    is how far it was proved that annotators get this order: it was read back from the tool, it is pending because the
    tool works on it later, or the tool offers no way to find out.
    """

    version: QueueVersion
    written: int
    vanished: tuple[TaskId, ...]
    head: tuple[TaskId, ...]
    refused: tuple[TaskId, ...] = ()
    proof: Literal["read back", "pending", "none"] = "read back"


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
class Callback:
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


@dataclass(frozen=True, slots=True)
class Scores:
    """How sure a prediction is that somebody else's model made: its own score (None: it has none), and those of its
    regions that have one; never NaN or infinite."""

    task: TaskId
    score: float | None
    region_scores: tuple[float, ...] = ()


BLANK = "blank"
"""The topic of tasks in which there is nothing to read."""
STRATEGY = "strategy"
"""The topic of a strategy that failed."""
CHECKS = "checks"
"""The topic of sanity checks that a new version did not pass."""
SCORES = "scores"
"""The topic of predictions of others that the order is to go by, and that are not there."""
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


@dataclass(frozen=True, slots=True)
class LivePriority:
    """The tool itself serves tasks by a priority that can be written at any time."""


@dataclass(frozen=True, slots=True)
class SortedView:
    """A field of each task can be written at any time; annotators who open the view that is sorted by it get the order.

    ``where`` tells them where that view is.
    """

    field: str
    where: str


@dataclass(frozen=True, slots=True)
class OrderedFile:
    """The order is a file that is replaced as a whole; whoever reads it gets the order."""

    path: str


Order = LivePriority | SortedView | OrderedFile
"""How a tool takes an order. The loop writes the window whenever it is due; all three may be written at any time."""


class Connector(Protocol):
    """One project of a labeling tool, as the loop sees it. Every call may be made twice with the same effect as once.

    All methods raise `ToolUnavailable` when the tool is down or unwell, and `ToolRejected` when it refuses
    (bad token, no permission); `ProjectGone`, which is one, only where the tool itself says that there is no such
    project.
    """

    @property
    def order(self) -> Order:
        """How the tool takes an order. Makes no request."""

    def label_schema(self) -> LabelSchema:
        """What is to be labeled now. Raises `SchemaError` when the labeling config cannot be read."""

    def changed_tasks(self, since: Cursor | None, *, whole: bool = False) -> Iterator[ChangePage]:
        """Tasks created, changed, labeled or un-labeled since the cursor (None: all), oldest change first.

        A change may come twice, and is never left out; what cannot be read comes by name, and keeps nothing else from
        being read. Deleted tasks are found with `vanished_tasks`; where nothing changed, no page need come. With
        ``whole`` every annotation comes with `Annotation.whole`, and a cursor from a pull without it counts as None;
        without the ring `MLBackendWords` it is ignored. Raises `SchemaError` when the labeling config cannot be read.
        """

    def vanished_tasks(self, known: Collection[TaskId]) -> Collection[TaskId]:
        """Those of the known tasks that are no longer in the tool.

        ``known`` are all tasks that ever came with a page, those of the newest pull and those that cannot be read
        included: to compare the numbers first is allowed, and may miss a task until the next pull.
        """

    def place(
        self,
        version: QueueVersion,
        window: Ranking,
        predictions: Iterable[Prediction],
        *,
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        """Serve the window's tasks first, in order, with their predictions shown; then prove that it holds.

        Where the tool serves another order after all, raise `ToolUnavailable`. A tool that shows no predictions ignores
        them. A priority of the team's own is overwritten only where `ChangesSettings.settings` or a finding of
        `Prepares.prepare` names it; else raise `ToolRejected`. Raises `VersionTaken`, and changes nothing, when the
        tool holds other predictions under the version. ``may_switch`` is asked when all has been written, right before
        the tool is switched to it, or before the first write where writing is serving: what it raises is raised, and
        the order in force stays.
        """

    def queue_in_force(self, *, standing: int = 1) -> QueueVersion | None:
        """The version whose order the tool serves now; None when it serves some other order, or could show predictions
        and shows none, or fewer than ``standing`` tasks still have their place in the order.

        Labeled tasks keep their place and count, deleted ones do not. Where a tool has room for nothing but a number,
        version and place are encoded in it (`nextlabel_connectors.doccano.scores`).
        """

    def head_of_queue(self, n: int) -> Sequence[TaskId]:
        """The next ``n`` open tasks that annotators would get, without taking them from anyone."""


@runtime_checkable
class HasFiles(Protocol):
    """Ring: tasks may name files that the tool keeps, or knows how to reach."""

    def file(self, address: str) -> bytes:
        """What stands at an address that one of the project's tasks names, such as a picture.

        Raises `FileUnavailable` for what is gone, too large, or neither the tool's own nor at a host that was allowed.
        """


@runtime_checkable
class KeepsOldOrders(Protocol):
    """Ring: what an order wrote stays in the tool beside the next ones, until it is removed."""

    def predictions_held(self) -> Mapping[QueueVersion, int]:
        """How many predictions the tool stores under each version, whoever wrote them."""

    def prune(self, old: Sequence[OwnOrder], at_most: int, *, at_rest: bool = False) -> Pruned:
        """Remove predictions of these orders, in their order, at most ``at_most`` in all; nothing else is touched.

        The order in force stays, even when it is among them. No annotator waits for it or gets another task because of
        it, unless ``at_rest`` says that nobody is at work: then it may be done in the quickest way.
        """


def versions_held(connector: Connector) -> Collection[QueueVersion]:
    """The versions under which the tool holds predictions, where it tells; no order may take one of these names."""
    return connector.predictions_held() if isinstance(connector, KeepsOldOrders) else ()


@runtime_checkable
class TellsScores(Protocol):
    """Ring: tasks may carry predictions of models that nextlabel knows nothing of, with scores. They are only read."""

    def scores_mark(self, version: QueueVersion) -> str:
        """Changes with every prediction that comes or goes under the version; "" where it has none. One cheap request,
        however many there are."""

    def scores(self, version: QueueVersion) -> Iterator[Sequence[Scores]]:
        """The scores of each task that has a prediction under the version, by its newest one; some tasks at a time."""


@runtime_checkable
class ShowsOthers(Protocol):
    """Ring: what those models say can be shown by an order of ours; their own predictions stay as they are."""

    def results(self, version: QueueVersion, tasks: Sequence[TaskId]) -> Mapping[TaskId, Result]:
        """What the version's newest prediction says of each of these tasks; not of a task of which it has none, says
        nothing, or says more than can well be written again with every order."""


@runtime_checkable
class HasTitle(Protocol):
    """Ring: people give a project a title in the tool, beside the id that stays the same."""

    def title(self) -> str:
        """The title as it is now; whatever a person may type, of any length."""


@dataclass(frozen=True, slots=True)
class OwnTab:
    """A list of tasks that nextlabel made in a tool: a ``mark`` that stands in it, noted before it was made, and what
    the tool calls it, "" where it may not have been made yet."""

    mark: str
    at_tool: str = ""


@runtime_checkable
class KeepsTabs(Protocol):
    """Ring: lists of tasks can stand in the tool, each under a title, for people to work through."""

    def show_tab(self, tab: OwnTab, title: str, tasks: Sequence[TaskId]) -> OwnTab:
        """Have a tab of ours hold exactly these labeled tasks, at least one; make it where it is not there (any more).

        What people changed of it beside that stays. All other tabs stay as they are.
        """

    def remove_tab(self, tab: OwnTab) -> bool:
        """Remove a tab of ours; returns whether it was there."""


@runtime_checkable
class AsksAgain(Protocol):
    """Ring: a task that somebody has labeled can be served once more, in its place in the order, to somebody else."""

    def why_not_again(self) -> str:
        """Why that cannot be as the project is set up, as a sentence; "" where it can."""

    def as_it_is(self, task: TaskId) -> Mapping[str, object] | None:
        """What `ask_again` changes of a labeled task, in plain values; None where it is gone, or open anyway."""

    def ask_again(self, task: TaskId, before: Mapping[str, object]) -> None:
        """Have it served once more than it was ``before``."""

    def settle(self, task: TaskId, before: Mapping[str, object]) -> None:
        """Have it as it was ``before``, whether or not somebody labeled it once more; what people changed of it since
        stays."""


@runtime_checkable
class MLBackendWords(Protocol):
    """Ring: annotations have a form that models for label-studio-ml read and write."""

    def labels_in(
        self, schema: LabelSchema, result: Sequence[Mapping[str, object]], data: Mapping[str, object]
    ) -> Mapping[str, object]:
        """The label of each target in a result for a task with that data, as models for label-studio-ml write it. No
        request is made."""


@runtime_checkable
class ChangesSettings(Protocol):
    """Ring: `connect` and the first order change settings of the project, which can be given back."""

    def settings(self, ours: Collection[QueueVersion]) -> Sequence[ToolSetting]:
        """Those settings as they are now. ``ours`` are the versions of our own orders."""


@runtime_checkable
class Prepares(ChangesSettings, Protocol):
    """Ring: a tool that never calls nextlabel, and whose project is as it was once nextlabel leaves it.

    Also for a tool that needs nothing made before an order can stand: then `prepare` only checks, and `restore` removes
    what the orders wrote.
    """

    def prepare(self) -> Iterator[Finding]:
        """Make the project ready for an order; idempotent.

        Yields what was done, what is wrong, and where annotators get the order. Where there is a problem, the project
        is left as it was. Only `ToolUnavailable` is raised.
        """

    def restore(self, settings: Mapping[str, str], orders: Sequence[OwnOrder]) -> Iterator[Finding]:
        """Take back what `prepare` made and what these orders wrote, and give these settings these values."""


@runtime_checkable
class CallsUs(ChangesSettings, Protocol):
    """Ring: a tool that calls nextlabel, by webhooks or as its ML backend."""

    def connect(self, callback: Callback) -> Iterator[Finding]:
        """Make the tool call nextlabel and take its order; idempotent. Yields what was done and what is wrong.

        What nextlabel made at an earlier address is replaced. A refusal is a ``problem`` with its remedy, so that the
        report is whole; only `ToolUnavailable` is raised. Where there is a problem, such as an address at which the
        tool does not find nextlabel, the project is left as it was.
        """

    def disconnect(
        self, callback: Callback, settings: Mapping[str, str], *, similar: bool = False
    ) -> Iterator[Finding]:
        """Take back what `connect` made, and give these settings these values (by `ToolSetting.name`); others stay.

        What carries our secret or stands at one of the callback's addresses is ours. What merely resembles it is named,
        and removed only with ``similar``. Predictions stay (`prune`). A value that cannot be set any more is a
        ``warning``.
        """

    def is_connected(self, callback: Callback) -> bool:
        """Whether the project shows that this installation once connected it: it carries the callback's secret."""

    def drift(self, callback: Callback) -> Sequence[Finding]:
        """What somebody has undone since `connect`, with the remedy; empty where all stands as it was made.

        Changes nothing and makes two requests at most, so that it may be asked every minute.
        """


@runtime_checkable
class ConnectorType(Protocol):
    """What an entry point of the group ``nextlabel.connectors`` names."""

    @property
    def title(self) -> str:
        """The tool's name, as its makers write it."""

    @property
    def address(self) -> str:
        """What its address is, in words: "the address that people open" or "a folder"."""

    @property
    def token(self) -> str:
        """What its token is and where to find it, in words; "" where it needs none."""

    @property
    def webhooks(self) -> Webhooks | None:
        """How webhooks of the tool are read; None where it sends none."""

    @property
    def ml_backend(self) -> MLBackend | None:
        """How the tool words its requests to an ML backend; None where it makes none."""

    def open(self, access: ToolAccess, project: ToolProjectId) -> Connector:
        """The way to one project of the tool at that address, by the tool's own id for it; makes no request yet.

        Raises `ToolRejected` for an address, or a project's id, that cannot be one of the tool's.
        """


@runtime_checkable
class HasTaskPages(Protocol):
    """Ring of a `ConnectorType`: each task has an address of its own, which people open in their browser."""

    def task_page(self, access: ToolAccess, project: ToolProjectId, task: TaskId) -> str:
        """The address of a task of that project, by the tool's own ids. Makes no request."""


@dataclass(frozen=True, slots=True)
class TaskList:
    """Some tasks of a project, for people to look through: those with one of the ``annotations``, all that are
    ``labeled``, or all that are not."""

    title: str
    labeled: bool = True
    annotations: Sequence[AnnotationId] | None = None


@runtime_checkable
class HasListPages(Protocol):
    """Ring of a `ConnectorType`: some tasks have an address as a list, for which nothing is made in the tool."""

    def list_page(self, access: ToolAccess, project: ToolProjectId, listed: TaskList) -> str:
        """The address of exactly these tasks, by the tool's own ids. Makes no request."""

    def tab_page(self, access: ToolAccess, project: ToolProjectId, tab: OwnTab) -> str:
        """The address of a tab that nextlabel made (`KeepsTabs`)."""
