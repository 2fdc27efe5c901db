"""Active learning on one page: sync → fit → judge → publish → rank → reorder."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from nextlabel.errors import ArtifactError, HostedModelError, NextlabelError, StaleWorker
from nextlabel.estimators.project import Model
from nextlabel.evaluation.given import comparable
from nextlabel.evaluation.promotion import Promotion
from nextlabel.evaluation.sanity import Check, of_figures
from nextlabel.features.model_folders import NO_EMBEDDINGS, Embeddings
from nextlabel.features.source import Source
from nextlabel.features.work import InPlace, Progress, Shards
from nextlabel.hosting.hosts import Hosts
from nextlabel.labeling import Label, LabelSchema, ModelVersion, ProjectId, Task, TaskId, counted
from nextlabel.learning.fields import missing_fields
from nextlabel.learning.outside import Outside
from nextlabel.learning.workbench import Champion, Workbench
from nextlabel.loop.ordering import Ordering
from nextlabel.loop.reading import Read, Reading
from nextlabel.loop.stopping import Stopping
from nextlabel.ports.state import (
    AuditAnswer,
    Checkpoints,
    Connection,
    Connections,
    Fences,
    LabelStore,
    ModelRecord,
    ModelRegistry,
    OrderRegistry,
    Reserves,
    Reviews,
)
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.ports.tool import (
    BLANK,
    CHECKS,
    FIELDS,
    SCORES,
    STRATEGY,
    Connector,
    Finding,
    QueueReceipt,
    Unreadable,
    versions_held,
)

log = logging.getLogger("nextlabel.loop.turn")

_HELD_BACK = "held back"
_NAMED = 3
_QUICKLY_FITTED = 1_000  # labels, up to which models are fitted twice after each round; above when a check is due
_LONG_SECONDS = 5.0  # of learning


@dataclass(frozen=True, slots=True)
class Round:
    """What one turn of the loop did, for the log and for `nextlabel status`.

    ``set_aside`` counts by target the labels that the labeling config no longer has room for: they are kept, and
    learned again should it change back. ``unreadable`` is what the tool has and cannot be read, ``read_again`` whether
    all tasks were read, changed or not. ``failure`` is how the team's own model failed: what served before still does.
    ``blank`` are open tasks in which there is nothing to read; None where nobody had to find out. ``fallback`` is why
    the default order took the place of the strategy's; "" where it did not, None where nothing was ranked. ``missing``
    is what a person should know of fields that tasks do not have. ``outside`` is what another model says of tasks,
    where they are ordered by that, and ``open`` are the tasks in question. ``checks`` are those of the version
    ``trained``. ``again`` are labeled tasks that are worth another label more than new ones, as of the order that was
    made; None where none was.
    """

    project: ProjectId
    changed: int
    labels: int
    set_aside: Mapping[str, int] = field(default_factory=dict)
    trained: ModelVersion | None = None
    promotion: Promotion | None = None
    receipt: QueueReceipt | None = None
    failure: str = ""
    unreadable: Sequence[Unreadable] = ()
    read_again: bool = False
    blank: Sequence[Task] | None = None
    fallback: str | None = None
    missing: Sequence[Finding] = ()
    outside: Outside | None = None
    open: Sequence[Task] = ()
    checks: Sequence[Check] = ()
    again: Sequence[TaskId] | None = None

    @property
    def held_back(self) -> bool:
        """Whether the new version does not serve only because a person chose another."""
        return self.promotion is not None and _is_held_back(self.promotion)

    @property
    def changes_something(self) -> bool:
        """Whether there is a new model or a new order now, or one that could not be learned."""
        return bool(self.trained or self.receipt or self.failure)

    def findings(self) -> dict[str, Sequence[Finding]]:
        """What a person should know, by topic; nothing of a topic that this turn did not look into."""
        scores = self.outside.missing(self.open) if self.outside else ()
        found: dict[str, Sequence[Finding]] = {FIELDS: self.missing, SCORES: scores}
        if self.blank is not None:
            found[BLANK] = [Finding("warning", _nothing_in(self.blank))] if self.blank else []
        if self.trained is not None:
            found[CHECKS] = [
                Finding("warning", f"{self.trained}, {one.sentence}.") for one in self.checks if not one.passed
            ]
        if self.fallback is not None:
            found[STRATEGY] = [Finding("warning", self.fallback)] if self.fallback else []
        return found

    def sentence(self) -> str:
        """What happened, in words for a person."""
        everything = f"{'all ' if self.changed > 1 else ''}{counted(self.changed, 'task')} read again"
        read = everything if self.read_again else f"{counted(self.changed, 'changed task')} read"
        clauses = [f"project {self.project}: {read}, {counted(self.labels, 'label')} in force"]
        for target, n in self.set_aside.items():
            fit = "it no longer fits" if n == 1 else "they no longer fit"
            clauses.append(f"{counted(n, 'label')} of '{target}' set aside: {fit}")
        if n := len(self.unreadable):
            named = _named(self.unreadable)
            clauses.append(f"{n} set aside, because {'it' if n == 1 else 'they'} cannot be read: {named}")
        if self.trained is not None and self.promotion is not None:
            came_of_it = "serves" if self.promotion.promoted else "turned down"
            clauses.append(f"model {self.trained} {came_of_it}: {self.promotion.reason}")
        if self.failure:
            clauses.append(f"nothing was learned, what served before still does: {self.failure}")
        if self.receipt is not None:
            refused = f", {len(self.receipt.refused)} of them with nothing shown" if self.receipt.refused else ""
            clauses.append(f"queue {self.receipt.version}: {counted(self.receipt.written, 'task')} in order{refused}")
            if self.again:
                clauses.append(f"{counted(len(self.again), 'labeled task')} to be labeled once more")
            if self.outside is not None and self.outside.uncertainty:
                clauses.append(self.outside.sentence(self.open))
        if not self.changes_something:
            clauses.append("nothing new to learn, the order stands")
        return "; ".join(clauses)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of learning: a version with its model, or a failure, or neither."""

    version: ModelVersion | None = None
    promotion: Promotion | None = None
    model: Model | None = None
    failure: str = ""
    checks: Sequence[Check] = ()

    @property
    def fresh(self) -> dict[ModelVersion, Model]:
        return {self.version: self.model} if self.version and self.model else {}


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a turn works with. ``read`` pulls what has changed since it was called last; ``fallbacks`` and ``again`` are
    what orders have reported (`Ordering`), the latest last."""

    connection: Connection
    connector: Connector
    schema: LabelSchema
    read: Callable[..., Read]
    queue: Ordering
    fallbacks: Sequence[str]
    again: Sequence[Sequence[TaskId]]


class ActiveLearning:
    """The loop over one project at a time. Every step may run twice; nothing is published on a lost lease."""

    def __init__(
        self,
        *,
        connections: Connections,
        store: LabelStore,
        registry: ModelRegistry,
        orders: OrderRegistry,
        reserves: Reserves,
        checkpoints: Checkpoints,
        fences: Fences,
        reviews: Reviews,
        open_connector: Callable[[Connection], Connector],
        strategy: Callable[[str], QueryStrategy],
        source: Callable[[ProjectId], Source],
        hosts: Hosts,
        shards: Shards = InPlace(),  # noqa: B008
        embeddings: Embeddings = NO_EMBEDDINGS,
        full_pull_every: timedelta = timedelta(days=1),
    ) -> None:
        """``shards`` has other workers help; ``embeddings`` are ready-made models (`encoder_for`)."""
        self._connections = connections
        self._store = store
        self._registry, self._orders, self._reserves, self._fences = registry, orders, reserves, fences
        self._stopping, self._reviews = Stopping(checkpoints), reviews
        self._open_connector = open_connector
        self._strategy = strategy
        self._shards = shards
        self._reading = Reading(store, orders, reserves, source, hosts, embeddings, full_pull_every)

    def run(self, project: ProjectId, fence: int, progress: Progress = lambda step, n: None) -> Round:
        """One turn: afterwards the model has seen every label, and the tool serves its order.

        Trains only when the labels in force or the schema differ from what the last model was trained on, so
        it may be called at any time. Raises `StaleWorker` when ``fence`` is no longer the latest, and whatever
        the connector raises.
        """
        turn = self._begin(project, fence, progress)
        read = now = turn.read()

        def read_tool() -> Read:
            nonlocal now
            now = turn.read()
            return now

        workbench = read.workbench
        outcome, appeared, took = _Outcome(), read.pulled.appeared, 0.0
        if self._is_news(project, workbench):
            self._fences.check(project, fence)
            progress("fit", len(workbench.labels))
            began = time.monotonic()
            meanwhile = partial(_keep_order_going, read_tool, turn.queue)
            outcome = self._learn(turn.connection, turn.connector, read, fence, meanwhile)
            took = time.monotonic() - began
            if took > _LONG_SECONDS:  # what was open then is not what is open now
                now = turn.read(before=now)
                appeared = appeared or now.pulled.appeared
        receipt = turn.queue.renew(now, appeared=appeared, fresh=outcome.fresh)
        with suppress(StaleWorker):  # what was published stays so
            is_due = self._check_whether_to_stop(project, workbench, outcome, fence)
            if is_due or (took <= _LONG_SECONDS and len(workbench.labels) <= _QUICKLY_FITTED):
                self._leave_out_what_is_in_doubt(turn.connection, workbench, outcome, fence)
        return self._round(turn, read, now, receipt, outcome)

    def reorder(self, project: ProjectId, fence: int, progress: Progress = lambda step, n: None) -> Round:
        """Have the tool serve the order of the model in service once more, whatever it serves now; nothing is learned.

        Raises as `run` does.
        """
        turn = self._begin(project, fence, progress)
        read = turn.read()
        receipt = turn.queue.renew(read, appeared=True)
        return self._round(turn, read, read, receipt, _Outcome())

    def _begin(self, project: ProjectId, fence: int, progress: Progress) -> _Turn:
        connection = self._connections.get(project)
        connector = self._open_connector(connection)
        schema = connector.label_schema()
        fallbacks, again = list[str](), list[Sequence[TaskId]]()
        queue = Ordering(
            connection,
            connector,
            fence,
            self._store,
            self._registry,
            self._orders,
            self._reserves,
            self._fences,
            self._strategy,
            self._shards,
            progress,
            partial(self._reviews.in_doubt, project),
            fallbacks.append,
            again.append,
        )
        read = partial(self._reading.read, connection, connector, schema, progress)
        return _Turn(connection, connector, schema, read, queue, fallbacks, again)

    def _round(self, turn: _Turn, read: Read, now: Read, receipt: QueueReceipt | None, outcome: _Outcome) -> Round:
        """``read`` was learned from, ``now`` is what was ordered."""
        missing = missing_fields(turn.schema, now.workbench.everyone)
        return Round(
            turn.connection.project,
            read.pulled.changed,
            len(read.workbench.labels),
            read.workbench.set_aside,
            outcome.version,
            outcome.promotion,
            receipt,
            outcome.failure,
            self._store.unreadable(turn.connection.project),
            read.pulled.again,
            _blank(now.workbench, missing),
            turn.fallbacks[-1] if turn.fallbacks else None,
            missing,
            now.pulled.outside,
            now.workbench.open,
            outcome.checks,
            turn.again[-1] if turn.again else None,
        )

    def _check_whether_to_stop(self, project: ProjectId, workbench: Workbench, outcome: _Outcome, fence: int) -> bool:
        """Last, for nobody who labels waits for it. Returns whether the version was checked."""
        if not outcome.version:
            return False
        serves = outcome.promotion is not None and outcome.promotion.promoted
        model = outcome.model if serves else None
        return self._stopping.note(project, workbench, outcome.version, model, fence=fence)

    def _leave_out_what_is_in_doubt(
        self, connection: Connection, workbench: Workbench, outcome: _Outcome, fence: int
    ) -> None:
        """Fit once more without the labels that are in doubt, so that wrong ones cannot vouch for each other: by that
        labels are suspected (`nextlabel.evaluation.suspects`)."""
        if not outcome.version or connection.options.suspects == "off":
            return
        if found := workbench.trusting():
            self._registry.keep_trusting(connection.project, outcome.version, found, fence=fence)

    def _is_news(self, project: ProjectId, workbench: Workbench) -> bool:
        """Whether these labels are new to the last model and to the one in service, or they were made otherwise, and
        whether the last was never published, or cannot be read."""
        last, serving = self._registry.latest(project), self._registry.in_service(project)
        if last is None or (serving is None and last.state != "failed"):
            return True
        if serving is not None and not self._registry.is_intact(project, serving.version):
            return True
        if serving and last.state != "failed" and not workbench.understands(serving.learner, serving.schema_digest):
            return True
        # "trained" and no more: the worker died before it could promote it.
        seen = [one.labels_digest for one in (last, serving) if one is not None and _made_by(one, workbench)]
        return last.state == "trained" or workbench.digest not in seen

    def _learn(
        self,
        connection: Connection,
        connector: Connector,
        read: Read,
        fence: int,
        meanwhile: Callable[[], object],
    ) -> _Outcome:
        """Fit a model, judge it against the one in service, and publish it or turn it down."""
        project, workbench = connection.project, read.workbench
        champion = self._champion(project, workbench)
        if champion is not None:
            self._note_answers(project, workbench, champion, read.audits.labeled)
        try:
            challenger = workbench.learn(champion, meanwhile, self._anchor(project, workbench, champion))
        except HostedModelError as error:
            return self._failed(project, workbench, error, fence)
        if challenger is None:
            self._registry.note_seen(project, workbench.digest, fence=fence)
            return _Outcome()
        taken = versions_held(connector)
        version = self._registry.next_version(project, informative=challenger.model.informative, taken=taken)
        serving = self._registry.in_service(project)
        lost = champion is not None and champion.same_kind and champion.model is None
        promotion = _unless_chosen(challenger.promotion, serving, workbench, lost=lost)
        record = ModelRecord(
            version=version,
            labels_digest=workbench.digest,
            schema_digest=workbench.schema_digest,
            trained_on=workbench.labels,
            metrics=challenger.metrics,
            state="trained" if promotion.promoted else "held_back" if _is_held_back(promotion) else "turned_down",
            reason=promotion.reason,
            learner=workbench.learner,
        )
        self._registry.save(project, record, challenger.model, fence=fence, out_of_fold=challenger.out_of_fold)
        if promotion.promoted:
            self._registry.promote(project, version, fence=fence)
        if promotion.anchors:
            self._registry.make_anchor(project, version, fence=fence)
        anchor = self._registry.anchor(project) if promotion.to_anchor else None
        if anchor and serving and anchor.version != serving.version:
            self._registry.promote(project, anchor.version, fence=fence)
        return _Outcome(version, promotion, challenger.model, checks=list(of_figures(challenger.metrics)))

    def _note_answers(
        self, project: ProjectId, workbench: Workbench, champion: Champion, labeled: Collection[TaskId]
    ) -> None:
        """Of audit tasks of which none is noted yet, or none about a target that somebody has labeled since: a model
        that never learns would be asked again and again."""
        known: dict[TaskId, set[str]] = {}
        for one in self._reserves.answers(project):
            known.setdefault(one.task, set()).add(one.target)
        learned = {target.name for target in workbench.targets}
        unanswered = {
            task
            for task in labeled
            if task not in known or learned.intersection(workbench.labels.get(task, ())) - known[task]
        }
        if unanswered:
            answers = workbench.answers(champion, unanswered)
            noted = [
                AuditAnswer(one.target, one.task, one.correctness, one.whole, champion.version, _kept(one.predicted))
                for one in answers
            ]
            self._reserves.note_answers(project, noted)

    def _champion(self, project: ProjectId, workbench: Workbench) -> Champion | None:
        serving = self._registry.in_service(project, with_labels=True)
        return None if serving is None else self._loaded(project, serving, workbench)

    def _anchor(self, project: ProjectId, workbench: Workbench, champion: Champion | None) -> Champion | None:
        """None where new versions are held to none yet, or the one they were held to is of no use any more."""
        record = self._registry.anchor(project, with_labels=True)
        if record is None or champion is None or not _made_by(record, workbench):
            return None
        anchor = champion if record.version == champion.version else self._loaded(project, record, workbench)
        return anchor if anchor.model else None

    def _loaded(self, project: ProjectId, record: ModelRecord, workbench: Workbench) -> Champion:
        model = None
        if _made_by(record, workbench):
            try:
                model = self._registry.load(project, record.version)
            except ArtifactError as error:  # lost, damaged or outdated: what is learned now takes its place
                log.warning("project %s: its model is learned again: %s", project, error)
        return Champion(record.version, model, record.trained_on, _made_by(record, workbench), record.metrics)

    def _failed(self, project: ProjectId, workbench: Workbench, error: HostedModelError, fence: int) -> _Outcome:
        """It is not tried again with the same labels: it may take an hour, and would most likely fail again."""
        record = ModelRecord(
            version=self._registry.next_version(project, informative=True),
            labels_digest=workbench.digest,
            schema_digest=workbench.schema_digest,
            trained_on={},
            metrics={},
            state="failed",
            reason=str(error),
            learner=workbench.learner,
        )
        self._registry.note_failure(project, record, fence=fence)
        return _Outcome(failure=str(error))


def _kept(predicted: Label | None) -> object:
    """As labels are stored, where two may well be the same."""
    return None if comparable(list(predicted) if isinstance(predicted, tuple) else predicted) is None else predicted


def _unless_chosen(promotion: Promotion, serving: ModelRecord | None, workbench: Workbench, *, lost: bool) -> Promotion:
    """What a person chose to serve goes on serving until they lift it, or something else is asked than it can answer,
    or it is ``lost`` and answers nothing.

    What does not pass checks and gate stays turned down: it is not to serve once they lift it.
    """
    if serving is None or not serving.chosen:
        return promotion
    if not workbench.understands(serving.learner, serving.schema_digest):
        return replace(promotion, reason=f"{promotion.reason}; {serving.version}, chosen by a person, does not fit it")
    if lost:
        return replace(promotion, reason=f"{promotion.reason}; {serving.version} was chosen by a person")
    if not promotion.promoted:
        return promotion.without_anchor(serving.version)
    lift = "`nextlabel models release` lets newer ones serve again"
    return Promotion(False, f"{_HELD_BACK}, because a person chose {serving.version}: {lift}")


def _is_held_back(promotion: Promotion) -> bool:
    return promotion.reason.startswith(_HELD_BACK)


def _keep_order_going(read_tool: Callable[[], Read], queue: Ordering) -> None:
    """While a model is being fitted for long annotators go on: their labels are read, and the window is refilled by the
    version in service. What fails is tried again soon enough; only who was overtaken stops.
    """
    try:
        read = read_tool()
        receipt = queue.renew(read, appeared=read.pulled.appeared)
    except StaleWorker:
        raise
    except NextlabelError as error:
        log.warning("the order stays as it is while a model is being fitted: %s", error)
    else:
        if receipt:
            written = counted(receipt.written, "task")
            log.info("queue %s: %s in order, while a model is being fitted", receipt.version, written)


def _blank(workbench: Workbench, missing: Sequence[Finding]) -> Sequence[Task] | None:
    """Open tasks with nothing in them. Where that is all of them and a field is missing, that says it already."""
    blank = workbench.blank if workbench.open else ()
    return () if blank and missing and len(blank) == len(workbench.open) else blank


def _nothing_in(blank: Sequence[Task]) -> str:
    names = ", ".join(f"task {task.id}" for task in blank[:_NAMED]) + (" …" if blank[_NAMED:] else "")
    hold, they, them = ("holds", "It comes", "it") if len(blank) == 1 else ("hold", "They come", "them")
    return (
        f"{counted(len(blank), 'open task')} {hold} nothing to read, neither text nor number nor picture that can be "
        f"had: {names}. {they} last; fill {them} in, or delete {them}."
    )


def _named(unreadable: Sequence[Unreadable]) -> str:
    """The first few by name and reason: there may be thousands."""
    names = [f"{one.name} ({one.reason.rstrip('.')})" for one in unreadable[:_NAMED]]
    return ", ".join(names) + (" and others" if len(unreadable) > _NAMED else "")


def _made_by(record: ModelRecord, workbench: Workbench) -> bool:
    """Whether a model was made by the same learner for the same labeling config."""
    return (record.learner, record.schema_digest) == (workbench.learner, workbench.schema_digest)
