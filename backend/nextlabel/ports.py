"""What the loop needs from outside: the protocols that adapters and connectors fulfil."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from nextlabel.errors import PayloadError
from nextlabel.estimators.project import Model
from nextlabel.evaluation.showing import Showing, showing
from nextlabel.labeling import (
    Annotation,
    AnnotationId,
    Cursor,
    Label,
    LabelSchema,
    ModelVersion,
    Prediction,
    ProjectId,
    QueueVersion,
    Task,
    TaskId,
)
from nextlabel.options import ProjectOptions
from nextlabel.ranking import CandidatePool, Ranking

# --- the labeling tool -----------------------------------------------------------------------------------


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


# --- what the tool sends to us -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A webhook as it came over the wire. Header names are lower case."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LabelEvent:
    """Something changed in a project.

    ``train`` is a person's explicit wish to train now. ``project`` means that the project's own settings
    changed; then ``queue_version`` is what it is now, and ``schema_digests`` what stands for the labeling config, so
    that the echo of our own write can be told from a person's change.
    """

    project: ProjectId
    kind: Literal["labels", "tasks", "project", "train"]
    queue_version: QueueVersion | None = None
    schema_digests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SetupRequest:
    """The tool introduces a project. ``options`` are per-project settings, None where it sent none."""

    project: ProjectId
    schema: LabelSchema
    options: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """The tool asks what the model says of some tasks.

    A task of None is one that could not be read; it still gets an answer. ``context`` is what an annotator has just
    drawn, in the tool's own words, where the tool asks while they are at it.
    """

    project: ProjectId
    tasks: tuple[Task | None, ...]
    schema: LabelSchema
    context: Mapping[str, object] | None = None


_ALWAYS_TASKS, _SMALLEST_TASK = 10_000, 250


def check_number_of_tasks(number: int, body: bytes) -> None:
    """Raises `PayloadError` for far more tasks than are worth answering: many, and smaller than any tool's are.

    Label Studio sends all that people select in one request, each with more than 250 bytes around its data; how many of
    those there are is bounded by the size of a request.
    """
    if number > max(_ALWAYS_TASKS, len(body) // _SMALLEST_TASK):
        raise PayloadError(f"The request holds {number:,} tasks: send {_ALWAYS_TASKS:,} at a time.")


class Dialect(Protocol):
    """How one tool words what it sends to us and reads what we answer. Pure translation, no I/O.

    All readers raise `PayloadError` on a body that is not what the tool promises.
    """

    webhook_secret_header: str

    def read_event(self, request: WebhookRequest) -> LabelEvent | None:
        """What a webhook tells; None when it is nothing that matters to the loop."""

    def read_setup(self, body: bytes) -> SetupRequest: ...

    def read_predict(self, body: bytes) -> PredictRequest: ...

    def write_predictions(
        self, request: PredictRequest, predictions: Sequence[Prediction | None], version: QueueVersion
    ) -> list[dict[str, object]]:
        """One result per task of the request, whatever happened to the task (None: nothing to say of it)."""


@runtime_checkable
class ConnectorType(Protocol):
    """What an entry point of the group ``nextlabel.connectors`` names."""

    @property
    def dialect(self) -> Dialect: ...

    def open(self, access: ToolAccess) -> Connector:
        """A connector to the tool at that address; makes no request yet.

        Raises `ToolRejected` for an address that cannot be one.
        """


# --- learning ----------------------------------------------------------------------------------------------


@runtime_checkable
class QueryStrategy(Protocol):
    """Decides which open tasks to ask for next. Found by entry points of the group ``nextlabel.strategies``.

    It may also have ``utilities(probabilities)``: n utilities in [0, 1] from n × k probabilities, each task by itself,
    for tasks outside a ranking. Without it the margin is taken. And ``needs``, a frozen set of `ranking.Needs`: then it
    is refused where a project cannot give these, and never handed a pool without them. Whatever it raises, the default
    order takes its place.
    """

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """The best ``size`` tasks of the pool, best first (fewer where the pool is smaller).

        Deterministic under the pool's seed; leaves the pool untouched.
        """


# --- jobs --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where a job is: ``queued``, ``running``, ``finished``, ``failed`` or ``unknown``; ``detail`` for a person."""

    job: str
    state: Literal["queued", "running", "finished", "failed", "unknown"]
    detail: str = ""


class Lease(Protocol):
    """The right to work on one project, held by one worker at a time."""

    @property
    def held(self) -> bool:
        """False once the lease ran out or was taken over."""


class JobQueue(Protocol):
    """Background jobs. Requests for the same project are coalesced. Raises `JobQueueUnavailable`."""

    def request_retraining(self, project: ProjectId, *, quiet: float, max_wait: float) -> str:
        """Learn what changed once nothing has been requested for ``quiet`` seconds, at the latest ``max_wait``
        seconds after the first request. Returns the id of the one job that will do it."""

    def request_pruning(self, project: ProjectId) -> None:
        """Take orders that are no longer needed out of the tool, slowly."""

    def note_work(self, project: ProjectId) -> None:
        """Somebody is labeling the project's tasks now."""

    def status(self, job: str) -> JobStatus: ...

    def lease(self, project: ProjectId) -> AbstractContextManager[Lease | None]:
        """The project's lease; None when another worker holds it."""


# --- state -------------------------------------------------------------------------------------------------


ConnectionState = Literal["active", "paused", "gone", "disconnected"]


@dataclass(frozen=True, slots=True)
class Connection:
    """A project that nextlabel looks after: which tool holds it, how to get there, and its own settings.

    ``door_url`` is where the tool was told to find nextlabel; "" where it was never told. ``addresses`` are all that it
    was ever told, the latest last. ``before`` are the project's settings in the tool as they were before it was
    connected, by `ToolSetting.name`; None where nobody noted them. Nothing is learned or written while the ``state`` is
    "paused" (a person wants it so), "gone" (the tool no longer has the project) or "disconnected".
    """

    project: ProjectId
    connector: str
    access: ToolAccess
    options: ProjectOptions = field(default_factory=ProjectOptions)
    door_url: str = ""
    state: ConnectionState = "active"
    before: Mapping[str, object] | None = None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credentials:
    """Basic auth for requests, and the secret that stands in a header of each webhook."""

    user: str
    password: str = field(repr=False)
    webhook_secret: str = field(repr=False)


class Connections(Protocol):
    """The projects that were connected, and the credentials that tools must show us."""

    def get(self, project: ProjectId) -> Connection:
        """Raises `NotConnected`, saying how to connect, also for a project that was disconnected."""

    def all(self) -> Sequence[Connection]:
        """Those that are connected."""

    def save(self, connection: Connection) -> None: ...

    def change_state(self, project: ProjectId, new: ConnectionState, *, among: tuple[ConnectionState, ...]) -> bool:
        """Give a connection another state if it is in one of those; returns whether it was."""

    def credentials(self) -> Credentials:
        """What a tool must show us; made at the first call, the same for every process from then on."""


@dataclass(frozen=True, slots=True)
class Labeled:
    """Tasks that have been labeled, and what is in force on each: by target, as the tool told it (`Target.read`).

    ``seconds`` is how long a label of each took on the average, None where the tool does not tell.
    """

    tasks: tuple[Task, ...]
    labels: tuple[Mapping[str, object], ...]
    seconds: tuple[float | None, ...]

    def __len__(self) -> int:
        return len(self.tasks)


class LabelStore(Protocol):
    """What the tool has told us so far: tasks, annotations, and how far we have read."""

    def apply(self, project: ProjectId, page: ChangePage) -> None:
        """Store a page and its cursor together, or nothing at all. Twice is the same as once."""

    def forget_tasks(self, project: ProjectId, tasks: Collection[TaskId]) -> None:
        """They have vanished, and whatever was set aside of them with them."""

    def unreadable(self, project: ProjectId) -> Sequence[Unreadable]:
        """What was set aside, and cannot be read to this day, in a stable order."""

    def cursor(self, project: ProjectId) -> Cursor | None: ...

    def full_pull_at(self, project: ProjectId) -> datetime | None:
        """When everything was last read, from the start to the end; None where it never was, or is to be again."""

    def note_full_pull(self, project: ProjectId, at: datetime | None) -> None: ...

    def pulled_at(self, project: ProjectId) -> datetime | None:
        """When what had changed, or everything, was last read to the end; None where it never was."""

    def note_pull(self, project: ProjectId, at: datetime) -> None: ...

    def task_ids(self, project: ProjectId) -> Collection[TaskId]:
        """All tasks that the tool has told of, even those that cannot be read; counted without being listed."""

    def known(self, project: ProjectId, tasks: Collection[TaskId]) -> Collection[TaskId]:
        """Those of some tasks that the tool has told of."""

    def labeled(self, project: ProjectId) -> Labeled:
        """Tasks with a label of any target in force (the last one wins), in a stable order."""

    def annotated(self, project: ProjectId) -> Sequence[tuple[Task, tuple[Annotation, ...]]]:
        """Tasks with every annotation on them that was not skipped, oldest first, in a stable order."""

    def open(self, project: ProjectId) -> Sequence[Task]:
        """Tasks that nobody has labeled or skipped, in a stable order."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A trained model: what it learned from, how good it is, and whether it serves.

    ``trained_on`` are the exact labels of its training set, by task and target; ``labels_digest`` stands for them.
    ``labels`` is of how many tasks they are; it is told even where they themselves were not read, or are kept no more.
    ``queue_version`` is the latest order that was made with this model. ``reason`` says why it was put in
    service or turned down, or how its training failed: then there is no model, only this record of it. ``learner``
    names what made it: a team's own model as it stood then, or "" for nextlabel's own.
    """

    version: ModelVersion
    labels_digest: str
    schema_digest: str
    trained_on: Mapping[TaskId, Mapping[str, Label]]
    metrics: Mapping[str, float]
    state: Literal["trained", "in_service", "turned_down", "retired", "failed"] = "trained"
    reason: str = ""
    queue_version: QueueVersion | None = None
    created_at: datetime | None = None
    learner: str = ""
    labels: int = 0

    @property
    def announced_version(self) -> QueueVersion:
        """The one version string that the tool hears everywhere while this model serves."""
        return self.queue_version or QueueVersion(self.version)

    def showing(self, options: ProjectOptions) -> Showing:
        """Which of its guesses people see."""
        return showing(options.show_from, self.metrics, labels=self.labels, own=bool(self.learner))


@dataclass(frozen=True, slots=True)
class QueueRecord:
    """An order that was written to the tool: by which model and strategy, and its window, best first.

    Only the newest orders have their window still. ``own_name`` is False for orders of releases before 0.1.1, under
    whose names a team may have predictions too.
    """

    version: QueueVersion
    model: ModelVersion
    strategy: str
    window: tuple[TaskId, ...]
    pool: int
    created_at: datetime | None = None
    own_name: bool = True


class ModelRegistry(Protocol):
    """Trained models and the orders made with them: artifacts, versions, metrics, what is in service.

    Writes take the lease's fence and raise `StaleWorker` when a later one has been handed out.
    """

    def next_fence(self, project: ProjectId) -> int:
        """A number higher than any handed out before for this project."""

    def check_fence(self, project: ProjectId, fence: int) -> None:
        """Raises `StaleWorker` when a later fence has been handed out."""

    def next_version(
        self, project: ProjectId, *, informative: bool, taken: Collection[QueueVersion] = ()
    ) -> ModelVersion:
        """``nextlabel-7``; ``nextlabel-untrained-7`` for a model that knows nothing yet, so that its name says so.

        Never one of ``taken``, the names that the tool already holds predictions under.
        """

    def save(self, project: ProjectId, record: ModelRecord, model: Model, *, fence: int) -> None:
        """Store a model, not yet in service (``record.state`` may be ``turned_down``)."""

    def note_failure(self, project: ProjectId, record: ModelRecord, *, fence: int) -> None:
        """Remember a training that failed, so that it is not begun again until something changes."""

    def forget_failures(self, project: ProjectId) -> None:
        """Somebody wants it tried again."""

    def note_seen(self, project: ProjectId, labels_digest: str, *, fence: int) -> None:
        """The version in service has nothing to learn from these labels: it need not be asked again."""

    def promote(self, project: ProjectId, version: ModelVersion, *, fence: int) -> None:
        """Put a version in service, atomically: everyone sees the old one or the new one.

        Raises `ArtifactError` for one that was let go.
        """

    def in_service(self, project: ProjectId) -> ModelRecord | None: ...

    def load(self, project: ProjectId, version: ModelVersion) -> Model:
        """Raises `ArtifactError` when the artifact is missing, damaged, not trusted, or was let go."""

    def is_intact(self, project: ProjectId, version: ModelVersion) -> bool:
        """Whether the artifact is there, byte for byte as it was written."""

    def latest(self, project: ProjectId) -> ModelRecord | None:
        """The model that was saved last, whatever became of it."""

    def history(self, project: ProjectId, *, with_labels: bool = False) -> Sequence[ModelRecord]:
        """All models, oldest first; what they were trained on only ``with_labels``, for it is large."""

    def reserve_queue(
        self, project: ProjectId, model: ModelVersion, *, fence: int, taken: Collection[QueueVersion] = ()
    ) -> QueueVersion:
        """A version string for an order: none that an earlier attempt has used, nor one of ``taken``.

        From now on what the tool holds under it counts as written by nextlabel, even if the worker dies in between.
        """

    def announce_queue(self, project: ProjectId, queue: QueueRecord, *, fence: int) -> None:
        """The order stands in the tool now."""

    def model_of(self, project: ProjectId, queue: QueueVersion) -> ModelVersion | None:
        """The model that an order was made with; None for a version that is no order of ours."""

    def own_orders(self, project: ProjectId) -> Sequence[OwnOrder]:
        """All orders of which the tool may still hold predictions, and versions that `/predict` answered with, oldest
        first."""

    def old_orders(self, project: ProjectId) -> Sequence[OwnOrder]:
        """Those orders that need not stay in the tool, oldest first.

        To stay are the newest two that were announced, and whatever was begun since: it may be written at this moment.
        """

    def note_removed(self, project: ProjectId, versions: Collection[QueueVersion]) -> None:
        """The tool holds nothing of these orders any more: whatever appears under their names is not nextlabel's."""

    def queues(self, project: ProjectId, *, newest: int | None = None) -> Sequence[QueueRecord]:
        """The orders that were announced, or the ``newest`` so many of them; newest first."""
