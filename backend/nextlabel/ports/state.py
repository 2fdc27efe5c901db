"""What the loop keeps between two turns: connections, labels, models and orders."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal, Protocol

from nextlabel.estimators.project import Model
from nextlabel.evaluation.forecast import Forecast
from nextlabel.evaluation.savings import Gain, Saved
from nextlabel.evaluation.showing import Showing, showing
from nextlabel.evaluation.stopping import Checked
from nextlabel.labeling import (
    Annotation,
    Cursor,
    Label,
    ModelVersion,
    ProjectId,
    QueueVersion,
    Task,
    TaskId,
    ToolProjectId,
)
from nextlabel.measures.out_of_fold import OutOfFold
from nextlabel.options import ProjectOptions
from nextlabel.ports.tool import ChangePage, OwnOrder, ToolAccess, Unreadable

ConnectionState = Literal["active", "paused", "gone", "disconnected"]


NO_PREDICTIONS: Mapping[str, OutOfFold] = MappingProxyType({})
"""Where nothing is known of labels that a model has not seen."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One server of a labeling tool, or one folder of files: ``kind`` is the connector's name, ``name`` this one's own.

    Projects of one tool share the way to it, and the credentials that it must show to nextlabel.
    """

    name: str
    kind: str
    access: ToolAccess


@dataclass(frozen=True, slots=True)
class Connection:
    """A project that nextlabel looks after: which tool holds it, what it is called there, and its own settings.

    ``callback_url`` is the address of nextlabel that the tool was given; "" where it has none. ``addresses`` are all
    that it was ever given, the latest last. ``before`` are the project's settings in the tool as they were before it
    was connected, by `ToolSetting.name`; None where nobody noted them. ``title`` is what people called it there when
    that was last read, "" where it is not known. Nothing is learned or written while the ``state`` is "paused" (a
    person wants it so), "gone" (the tool no longer has the project) or "disconnected".
    """

    project: ProjectId
    tool: Tool
    at_tool: ToolProjectId
    options: ProjectOptions = field(default_factory=ProjectOptions)
    callback_url: str = ""
    state: ConnectionState = "active"
    before: Mapping[str, object] | None = None
    addresses: tuple[str, ...] = ()
    title: str = ""

    @property
    def name(self) -> str:
        """The project as people address it by its tool."""
        return f"{self.tool.name}:{self.at_tool}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one tool must show: basic auth for requests, and the secret that its webhooks carry."""

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

    def find(self, tools: Collection[str], at_tool: ToolProjectId) -> ProjectId:
        """Our id of a project of one of these tools. Raises `NotConnected`."""

    def tools(self) -> Sequence[Tool]:
        """All tools that a project was ever connected to."""

    def credentials(self) -> Mapping[str, Credentials]:
        """What each tool must show, by its name; made at the first call, the same for every process from then on.

        Those of the installation's own connector are there before any tool is.
        """


@dataclass(frozen=True, slots=True)
class Labeled:
    """Tasks that have been labeled, and what is in force on each: by target, as the tool has it (`Target.read`).

    ``seconds`` is how long a label of each took on the average, None where the tool does not tell.
    """

    tasks: tuple[Task, ...]
    labels: tuple[Mapping[str, object], ...]
    seconds: tuple[float | None, ...]

    def __len__(self) -> int:
        return len(self.tasks)


class LabelStore(Protocol):
    """What the tool has given us so far: tasks, annotations, and how far we have read."""

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
        """All tasks that the tool has listed, even those that cannot be read; counted without being listed."""

    def known(self, project: ProjectId, tasks: Collection[TaskId]) -> Collection[TaskId]:
        """Those of some tasks that the tool has listed."""

    def scores_mark(self, project: ProjectId) -> str:
        """What `keep_uncertainties` was given last; "" before."""

    def keep_uncertainties(self, project: ProjectId, mark: str, found: Mapping[TaskId, float]) -> None:
        """How unsure another model is of tasks, in place of all that was kept; ``mark`` tells one such reading from
        another."""

    def uncertainties(self, project: ProjectId) -> Mapping[TaskId, float]: ...

    def labeled(self, project: ProjectId) -> Labeled:
        """Tasks with a label of any target in force (`agreed_labels`), in a stable order."""

    def annotated(self, project: ProjectId) -> Sequence[tuple[Task, tuple[Annotation, ...]]]:
        """Tasks with every annotation on them that was not skipped, oldest first, in a stable order."""

    def annotations_of(self, project: ProjectId, tasks: Collection[TaskId]) -> Mapping[TaskId, tuple[Annotation, ...]]:
        """Every annotation on each of these tasks, skipped ones too."""

    def open(self, project: ProjectId) -> Sequence[Task]:
        """Tasks that nobody has labeled, and that somebody at work has not skipped, in a stable order."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A trained model: what it learned from, how good it is, and whether it serves.

    ``trained_on`` are the exact labels of its training set, by task and target; ``labels_digest`` stands for them.
    ``labels`` is of how many tasks they are; it is told even where they themselves were not read, or are kept no more.
    ``queue_version`` is the latest order that was made with this model. ``reason`` says why it was put in
    service or turned down, or how its training failed: then there is no model, only this record of it. ``learner``
    names what made it: a team's own model as it stood then, or "" for nextlabel's own. A version is "held back" while
    one that a person has ``chosen`` serves. The ``anchor`` is the last that was held to enough audit labels.
    """

    version: ModelVersion
    labels_digest: str
    schema_digest: str
    trained_on: Mapping[TaskId, Mapping[str, Label]]
    metrics: Mapping[str, float]
    state: Literal["trained", "in_service", "turned_down", "held_back", "retired", "failed"] = "trained"
    reason: str = ""
    queue_version: QueueVersion | None = None
    created_at: datetime | None = None
    learner: str = ""
    labels: int = 0
    anchor: bool = False
    chosen: bool = False

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


@dataclass(frozen=True, slots=True)
class QueueCheck:
    """Whether the tool served the announced order, ``queue``, when that was last read from it.

    ``lost_at`` is when it last served another one; None where it was never seen to.
    """

    queue: QueueVersion
    at: datetime
    serves: bool
    lost_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What an order knew of one of its tasks.

    ``answers`` are what the model hesitates between, about the ``target`` that it is least sure of, with their chances:
    two classes, or one label that may be given or not; none where answers have no names. ``uncertainty`` is in [0, 1].
    ``nearest`` is how like it the most similar labeled task is, in [0, 1] (None: not known), and ``unlike`` whether
    three quarters of the open tasks have a labeled one that is more like them. It ``explores`` where the strategy chose
    it for another reason than the model's doubts.
    """

    uncertainty: float
    target: str = ""
    answers: Sequence[tuple[str, float]] = ()
    nearest: float | None = None
    unlike: bool = False
    explores: bool = False


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """Why tasks of an order stand where they do, and what was expected of the open tasks when it was made.

    ``how`` is whether it was made by the ``strategy``, by what another model says ("outside"), or by what stands for
    the others, for want of labels ("cold"). The model was ``asked`` about so many open tasks, unless it is not
    ``informative``: ``histogram`` counts them by their uncertainty, in as many equal parts of [0, 1], and ``expected``
    by target how many of them are of each class; ``labeled`` are so many tasks with each label. ``tasks`` are the first
    of the window, without audit tasks.
    """

    how: Literal["strategy", "outside", "cold"]
    strategy: str
    informative: bool
    asked: int
    histogram: Sequence[int]
    expected: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    labeled: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    tasks: Mapping[TaskId, TaskFacts] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Draw:
    """How a project's audit tasks are drawn (`nextlabel.evaluation.reserve`), from its first turn on.

    ``labeled_before`` is how many tasks had a label then: these are no audit tasks. ``blank`` are the other tasks of
    the newest order that show no prediction. ``among`` stands for the tasks among which they were last drawn, and
    ``last`` is the last of that sample (`Reserve.until`).
    """

    salt: str = field(repr=False)
    share: float
    least: int = 0
    labeled_before: int = 0
    blank: frozenset[TaskId] = frozenset()
    among: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True)
class AuditProgress:
    """How many audit tasks there are, and how many of them have a label, or have none because they were skipped."""

    tasks: int
    labeled: int
    skipped: int


@dataclass(frozen=True, slots=True)
class AuditAnswer:
    """How right the version in service was, in [0, 1], about a target of an audit task, before its first label came.

    ``whole`` is whether it can only be 0 or 1. ``predicted`` is the answer, as labels are stored: None of spans and
    orders of items, and where it was not kept.
    """

    target: str
    task: TaskId
    correctness: float
    whole: bool
    version: ModelVersion
    predicted: object = None


class Reserves(Protocol):
    """The audit tasks of projects. What was added is never taken back, whatever the settings."""

    def draw(self, project: ProjectId) -> Draw | None:
        """None where no task was ever reserved."""

    def begin(self, project: ProjectId, *, share: float, least: int, labeled_before: int) -> Draw:
        """Reserve that share, and at ``least`` so many, from now on, unless the project has a reserve already.

        Returns the one in force.
        """

    def tasks(self, project: ProjectId, among: Collection[TaskId] | None = None) -> frozenset[TaskId]:
        """The audit tasks, or those among some tasks."""

    def progress(self, project: ProjectId) -> AuditProgress: ...

    def add(self, project: ProjectId, tasks: Collection[TaskId], *, among: str, last: str) -> None:
        """Further audit tasks, and `Draw.among` and `Draw.last` of the sample that they are from."""

    def note_blank(self, project: ProjectId, tasks: Collection[TaskId]) -> None:
        """The other tasks of the newest order that show no prediction."""

    def answers(self, project: ProjectId) -> Sequence[AuditAnswer]:
        """In the order in which they were noted."""

    def note_answers(self, project: ProjectId, answers: Sequence[AuditAnswer]) -> None:
        """Only the first answer about a target of a task counts."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A version that was checked for whether labeling may stop: what was found, and what it predicted.

    ``predicted`` is by target what it predicts of the stop set, kept as long as others are compared to it; ``unseen``
    is by target what it predicts of audit tasks and of some of the stop set, labeled ones by models that had not seen
    them. Labels are as they are stored. ``forecasts``, ``saved`` and ``gains`` over random order are by target, where
    anything is known.
    """

    version: ModelVersion
    checked: Checked
    predicted: Mapping[str, Mapping[TaskId, object]] = field(default_factory=dict, repr=False)
    unseen: Mapping[str, Mapping[TaskId, object]] = field(default_factory=dict, repr=False)
    forecasts: Mapping[str, Forecast] = field(default_factory=dict)
    saved: Mapping[str, Saved] = field(default_factory=dict)
    gains: Mapping[str, Gain] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditsAlone:
    """Models of a target that were fitted on ``audits`` audit labels alone (`savings.Alone`): of ``labels`` each, what
    they have ``predicted`` of tasks that they had not seen, and how their accuracy varies."""

    target: str
    audits: int
    labels: int
    variance: float
    predicted: Mapping[TaskId, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class StopSet:
    """The ``tasks`` that versions are compared on, which were drawn ``among`` so many."""

    tasks: Sequence[TaskId]
    among: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where labeling stands after the last version was learned: of how many tasks there are ``labels``, and by target
    which classes have too few of them."""

    labels: int = 0
    rare: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Checkpoints(Protocol):
    """What whether to stop is told from. All of a project is begun anew where its labeling config has changed.

    Writes that take a fence raise `StaleWorker` when a later one was handed out.
    """

    def stop_set(self, project: ProjectId, schema: str) -> StopSet | None:
        """The tasks that versions are compared on; None where they were not drawn yet for that config."""

    def draw(self, project: ProjectId, schema: str, drawn: StopSet, *, fence: int) -> None:
        """Fix the stop set, and forget what was found under another config."""

    def note_standing(self, project: ProjectId, standing: Standing) -> None: ...

    def standing(self, project: ProjectId) -> Standing: ...

    def figures(self, project: ProjectId) -> Sequence[Checkpoint]:
        """Oldest first, without what they predicted."""

    def predicted(self, project: ProjectId, version: ModelVersion) -> Mapping[str, Mapping[TaskId, object]]:
        """What that version predicted of the stop set; nothing where that was let go."""

    def unseen(self, project: ProjectId) -> Sequence[Mapping[str, Mapping[TaskId, object]]]:
        """What each version predicted of audit tasks and others (`Checkpoint.unseen`), in the order of `figures`."""

    def add(self, project: ProjectId, checkpoint: Checkpoint, *, fence: int) -> None:
        """Also lets go of predictions that no version will be compared to."""

    def alone(self, project: ProjectId, target: str) -> AuditsAlone | None:
        """The latest models of audit labels alone."""

    def note_alone(self, project: ProjectId, found: AuditsAlone) -> None: ...


class Fences(Protocol):
    """Numbers that workers get when they take over a project: only the holder of the latest may publish."""

    def next(self, project: ProjectId) -> int:
        """A number higher than any handed out before for this project."""

    def check(self, project: ProjectId, fence: int) -> None:
        """Raises `StaleWorker` when a later fence has been handed out."""


class Reviews(Protocol):
    """Labeled tasks that the tool was asked to serve once more."""

    def in_doubt(self, project: ProjectId) -> Sequence[TaskId]:
        """Those of which that has not ended, but for those that an order chose, as worth another label."""


class ModelRegistry(Protocol):
    """Trained models: artifacts, versions, metrics, what is in service.

    Writes take the lease's fence and raise `StaleWorker` when a later one has been handed out.
    """

    def next_version(
        self, project: ProjectId, *, informative: bool, taken: Collection[QueueVersion] = ()
    ) -> ModelVersion:
        """``nextlabel-7``; ``nextlabel-untrained-7`` for a model that knows nothing yet, so that its name says so.

        Never one of ``taken``, the names that the tool already holds predictions under.
        """

    def save(
        self,
        project: ProjectId,
        record: ModelRecord,
        model: Model,
        *,
        fence: int,
        out_of_fold: Mapping[str, OutOfFold] = NO_PREDICTIONS,
    ) -> None:
        """Store a model, not yet in service (``record.state`` may be ``turned_down``), and by target what models that
        had not seen its labels predicted for them, where there is any."""

    def keep_trusting(
        self, project: ProjectId, version: ModelVersion, predicted: Mapping[str, OutOfFold], *, fence: int
    ) -> None:
        """In place of what is kept of its out-of-fold predictions: those of models that saw no label in doubt."""

    def out_of_fold(self, project: ProjectId) -> tuple[ModelRecord, Mapping[str, OutOfFold]] | None:
        """The newest version of which that is kept, with it by target; None where there is none. Raises `ArtifactError`
        where it is missing or damaged."""

    def note_failure(self, project: ProjectId, record: ModelRecord, *, fence: int) -> None:
        """Remember a training that failed, so that it is not begun again until something changes."""

    def forget_failures(self, project: ProjectId) -> None:
        """Somebody wants it tried again."""

    def note_seen(self, project: ProjectId, labels_digest: str, *, fence: int) -> None:
        """The version in service has nothing to learn from these labels: it need not be asked again."""

    def promote(self, project: ProjectId, version: ModelVersion, *, fence: int, chosen: bool = False) -> None:
        """Put a version in service, atomically: everyone sees the old one or the new one.

        Where a person has ``chosen`` it, it serves until another is promoted. Raises `ArtifactError` for one that was
        let go.
        """

    def make_anchor(self, project: ProjectId, version: ModelVersion, *, fence: int) -> None:
        """From now on new versions are held to this one."""

    def anchor(self, project: ProjectId, *, with_labels: bool = False) -> ModelRecord | None: ...

    def in_service(self, project: ProjectId, *, with_labels: bool = False) -> ModelRecord | None:
        """What it was trained on is read only ``with_labels``, here and elsewhere: it is large."""

    def load(self, project: ProjectId, version: ModelVersion) -> Model:
        """Raises `ArtifactError` when the artifact is missing, damaged, not trusted, or was let go."""

    def is_intact(self, project: ProjectId, version: ModelVersion) -> bool:
        """Whether the artifact is there, byte for byte as it was written."""

    def latest(self, project: ProjectId, *, with_labels: bool = False) -> ModelRecord | None:
        """The model that was saved last, whatever became of it."""

    def history(self, project: ProjectId, *, with_labels: bool = False) -> Sequence[ModelRecord]:
        """All models, oldest first; what they were trained on only ``with_labels``, for it is large."""


class OrderRegistry(Protocol):
    """The orders made with models. Writes that take a fence raise `StaleWorker` when a later one was handed out."""

    def reserve(
        self, project: ProjectId, model: ModelVersion, *, fence: int, taken: Collection[QueueVersion] = ()
    ) -> QueueVersion:
        """A version string for an order: none that an earlier attempt has used, nor one of ``taken``.

        From now on what the tool holds under it counts as written by nextlabel, even if the worker dies in between.
        """

    def announce(self, project: ProjectId, queue: QueueRecord, *, fence: int) -> None:
        """The order stands in the tool now."""

    def note_check(self, project: ProjectId, queue: QueueVersion, *, serves: bool) -> None:
        """The tool was asked just now whether it serves the order that was announced last."""

    def note_facts(self, project: ProjectId, queue: QueueVersion, facts: OrderFacts) -> None:
        """Why its tasks stand where they do; those of the newest two orders are kept."""

    def model_of(self, project: ProjectId, queue: QueueVersion) -> ModelVersion | None:
        """The model that an order was made with; None for a version that is no order of ours."""

    def own(self, project: ProjectId) -> Sequence[OwnOrder]:
        """All orders of which the tool may still hold predictions, and versions that `/predict` answered with, oldest
        first."""

    def old(self, project: ProjectId) -> Sequence[OwnOrder]:
        """Those orders that need not stay in the tool, oldest first.

        To stay are the newest two that were announced, and whatever was begun since: it may be written at this moment.
        """

    def note_removed(self, project: ProjectId, versions: Collection[QueueVersion]) -> None:
        """The tool holds nothing of these orders any more: whatever appears under their names is not nextlabel's."""

    def announced(self, project: ProjectId, *, newest: int | None = None) -> Sequence[QueueRecord]:
        """The orders that were announced, or the ``newest`` so many of them; newest first."""
