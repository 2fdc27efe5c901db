"""What /api/v1 answers, each shape once: the service writes it, the client reads it, the OpenAPI document describes it.

Times are ISO 8601 in UTC. A figure that is no number (NaN) is null.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, field

MOST_AT_ONCE, USUAL = 200, 50
MOST_TASKS = 10_000
LONGEST_CURSOR = 200


class Page(Struct, frozen=True):
    """Which part of a list: so many items, from where the part before ended (its ``next``)."""

    limit: Annotated[int, Meta(ge=1, le=MOST_AT_ONCE)] = USUAL
    cursor: Annotated[str, Meta(max_length=LONGEST_CURSOR)] = ""


class Problem(Struct, frozen=True):
    """An error (RFC 9457): ``detail`` is a sentence that says what to do. ``request`` is its id in the log."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    request: str = ""


class ProjectSummary(Struct, frozen=True):
    """A project that is connected: nextlabel's own id, ``tool:id``, what people call it in the tool ("" where that is
    not known), the connector, and whether it is worked on."""

    project: str
    name: str
    title: str
    connector: str
    state: str
    url: str


class Projects(Struct, frozen=True):
    """A part of the projects, by id. ``next`` is null at the end."""

    items: list[ProjectSummary]
    next: str | None = None


class Interval(Struct, frozen=True):
    """A figure taken from ``n`` labels, and from where to where the truth may lie; ``method`` names how."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str


class Classes(Struct, frozen=True):
    """The accuracy of each class with enough audit labels; ``untold`` names the others in words."""

    classes: dict[str, Interval]
    untold: str


class Audits(Struct, frozen=True):
    """Audit tasks: how many there are, how many have a label, or have none because they were skipped, and how many
    other tasks had a label before they were drawn. ``notes`` are what a person should know of what is measured."""

    tasks: int
    labeled: int
    skipped: int
    labeled_before: int
    notes: list[str]


class PreAnnotations(Struct, frozen=True):
    """Of each target which predictions people see, and when in words."""

    shown: dict[str, Any]
    when: str


class ToolFails(Struct, frozen=True):
    """How the labeling tool fails: so many times in a row, since when and why; left alone for so many seconds more."""

    failures: int
    since: str
    reason: str
    left_alone_seconds: float


class Finding(Struct, frozen=True):
    """What a person should know of a project; ``level`` is "problem" or "warning"."""

    level: str
    message: str


class Findings(Struct, frozen=True):
    items: list[Finding]


class QueueVerified(Struct, frozen=True):
    """Whether the tool serves the order in force, ``queue``, and when that was last read from it (null: not yet);
    ``lost_at`` is when it last served another order."""

    queue: str | None
    at: str | None
    serves: bool | None
    lost_at: str | None
    sentence: str


class FromOrder(Struct, frozen=True):
    """Of the last ``n`` labels of which it is known, how many were of tasks in the window of the order in force, or of
    the one before, when they came; ``by_chance`` is the share if people took any open task."""

    labels: int
    n: int
    share: float | None
    by_chance: float | None
    sentence: str


class Gain(Struct, frozen=True):
    """By how much a version of ``labels`` chosen labels is more accurate than models of as many random ones, on audit
    tasks. ``shown`` is whether its interval is narrow enough; ``needed`` is about how many audit labels that
    takes, ``now`` how many labels there are."""

    labels: int
    value: float
    low: float
    high: float
    audits: int
    needed: int
    now: int
    shown: bool
    sentence: str


class Recall(Struct, frozen=True):
    """Which share of all tasks of the class `recall_class` the version in service finds: ``found`` of ``labels`` audit
    tasks of it. ``low`` and ``high`` are bounds of 95 % each. ``holds`` is whether ``wanted`` is reached (null: not
    known), ``more`` about how many more audit tasks of it that takes (null: no number is enough)."""

    name: str = field(name="class")
    wanted: float
    target: str | None
    found: int | None
    labels: int | None
    value: float | None
    low: float | None
    high: float | None
    holds: bool | None
    more: int | None
    sentence: str


class Saved(Struct, frozen=True):
    """How many labels chosen ones saved on audit tasks: ``chosen`` of them are worth ``random`` ones (null: more than
    there are). ``shown`` is whether its interval is narrow enough; ``needed`` is about how many audit labels
    that takes."""

    random: int
    chosen: int | None
    low: int
    high: int | None
    audits: int
    labels: int
    needed: int
    shown: bool
    sentence: str


class Forecast(Struct, frozen=True):
    """How many points of accuracy are expected, as a share of 1, and the bounds of an interval of 80 %."""

    value: float
    low: float
    high: float


class Criterion(Struct, frozen=True):
    """A reason to stop: whether it ``holds`` (null: not known, or not asked for), and its figure."""

    name: str
    holds: bool | None
    figure: float | None
    sentence: str


class Stopping(Struct, frozen=True):
    """Whether labeling may stop (null: no advice), and why."""

    stop: bool | None
    budget_spent: bool
    criteria: list[Criterion]
    sentence: str


class AtATime(Struct, frozen=True):
    """How many tasks to label at a time, how many to keep in order, and by target the labels that are rare so far."""

    least: int
    most: int
    window: int
    rare: dict[str, dict[str, int]]
    sentence: str


class Speed(Struct, frozen=True):
    """Labels that came or were changed, the median of the seconds that people took for one, the rounds that
    ``label_to_queue`` is of (by percent of them, in how many seconds a label reached the order), and failed ones."""

    last_hour: int
    last_day: int
    median_seconds: float | None
    rounds: int
    failed_of_a_day: int
    label_to_queue: dict[str, float] | None


class Suspects(Struct, frozen=True):
    """Labels that are likely wrong by models of ``version``, and how many suspected ones were reviewed."""

    waiting: int
    reviewed: int
    version: str | None


class Agreement(Struct, frozen=True):
    """Krippendorff's alpha of ``n`` tasks that several people labeled."""

    value: float
    low: float
    high: float
    n: int


class Project(Struct, frozen=True):
    """A project as `nextlabel status` shows it. Figures are by target.

    ``model`` is the version in service, which learned from ``labels`` labels; ``window_left`` are the open tasks of the
    order in force; ``unreadable`` is how many tasks and annotations could not be read. ``title`` is what people call it
    in the tool. ``labeled`` tasks have a label now; ``waiting_since`` is since when the oldest label event waits for a
    round. ``lists`` is by name where people open these tasks in their tool (null: nowhere).
    """

    project: str
    name: str
    title: str
    connector: str
    state: str
    url: str
    tool_fails: ToolFails | None
    findings: list[Finding]
    options: dict[str, Any]
    tasks: int
    open: int
    labeled: int
    pulled_at: str | None
    all_read_at: str | None
    unreadable: int
    learner: str
    model: str | None
    labels: int
    agreement_on_tasks_asked: dict[str, float | None]
    accuracy: dict[str, Interval]
    accuracy_by_class: dict[str, Classes]
    figures_for_one_look: dict[str, dict[str, Interval]]
    accuracy_of_answers: dict[str, Interval]
    audits: Audits
    pre_annotations: PreAnnotations
    queue: str | None
    queue_verified: QueueVerified
    from_order: FromOrder
    gain_over_random: dict[str, Gain]
    recall: Recall | None
    window_left: int
    stopping: Stopping
    gain_of_next_100: dict[str, Forecast]
    labels_saved: dict[str, Saved]
    at_a_time: AtATime
    speed: Speed
    waiting_since: str | None
    suspects: Suspects
    agreement: dict[str, Agreement]
    lists: dict[str, str | None]


class UncertaintyPart(Struct, frozen=True):
    """How many tasks the model is unsure of by at least ``low`` and less than ``high``, in [0, 1]."""

    low: float
    high: float
    tasks: int


class ClassBalance(Struct, frozen=True):
    """How many tasks have the label, and how many of the open ones are expected to be of it (null: not known)."""

    label: str
    labeled: int
    expected: float | None


class Queue(Struct, frozen=True):
    """The order in force: its window, how much of it is left, ``how`` it was made, and what the model expected of the
    ``asked`` open tasks then. ``classes`` is by target."""

    queue: str | None
    model: str | None
    strategy: str | None
    window: int
    left: int
    how: str
    asked: int
    uncertainty: list[UncertaintyPart]
    classes: dict[str, list[ClassBalance]]


class Version(Struct, frozen=True):
    """A model version: what became of it and why, and its figures by target.

    ``chosen`` is whether a person has it serve, ``anchor`` whether new ones are held to it.
    """

    version: str
    state: str
    chosen: bool
    anchor: bool
    labels: int
    reason: str
    queue: str | None
    created_at: str | None
    learner: str
    accuracy: dict[str, Interval]
    accuracy_by_class: dict[str, Classes]
    figures_for_one_look: dict[str, dict[str, Interval]]
    agreement_on_tasks_asked: dict[str, float | None]


class Versions(Struct, frozen=True):
    """A part of a project's versions, newest first. ``next`` is null at the end."""

    items: list[Version]
    next: str | None = None


class Switched(Struct, frozen=True):
    """The version that answers from now on, and the id of the job that puts the queue in its order."""

    version: str
    job: str


class Round(Struct, frozen=True):
    """One round: when it ended, how many seconds it took, what happened in words, and whether it failed."""

    at: str
    seconds: float
    summary: str
    failed: bool


class Rounds(Struct, frozen=True):
    """A part of a project's rounds, newest first. ``next`` is null at the end."""

    items: list[Round]
    next: str | None = None


class Part(Struct, frozen=True):
    """A part of the installation: whether it runs (null: that cannot be known), and a sentence."""

    name: str
    runs: bool | None
    message: str


class Running(Struct, frozen=True):
    """What runs; ``alarm`` is what keeps anything from being kept, such as a full disk."""

    alarm: str | None
    parts: list[Part]


class AnyTask(Struct, frozen=True):
    """A task that the project need not have; without an ``id`` it is known by its place."""

    data: dict[str, Any]
    id: str | int | None = None


class Tasks(Struct, frozen=True):
    tasks: Annotated[list[AnyTask], Meta(max_length=MOST_TASKS)]


class TargetUncertainty(Struct, frozen=True):
    """How unsure the model is of one target: in [0, 1]; ``label`` is null while it has not learned the target."""

    label: Any
    confidence: float | None
    uncertainty: float | None


class TaskUncertainty(Struct, frozen=True):
    """How unsure the model is of a task, by several measures in [0, 1]; higher is less sure."""

    id: str
    utility: float | None
    least_confidence: float | None
    margin: float | None
    entropy: float | None
    targets: dict[str, TargetUncertainty]


class Uncertainties(Struct, frozen=True):
    """In the order of the tasks."""

    model_version: str
    results: list[TaskUncertainty]
