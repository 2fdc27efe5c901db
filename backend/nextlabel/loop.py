"""Active learning on one page: sync → fit → judge → publish → rank → reorder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from nextlabel.errors import ArtifactError, HostedModelError
from nextlabel.estimators.project import Model
from nextlabel.evaluation.promotion import Verdict
from nextlabel.features.source import Source
from nextlabel.hosting.hosts import Hosts
from nextlabel.labeling import LabelSchema, ModelVersion, ProjectId
from nextlabel.learning.hosted import HostedWorkbench
from nextlabel.learning.scoring import Scorer
from nextlabel.learning.targets import TargetsWorkbench
from nextlabel.learning.workbench import Incumbent, Workbench, order_seed
from nextlabel.ports import (
    Connection,
    Connections,
    Connector,
    LabelStore,
    ModelRecord,
    ModelRegistry,
    QueryStrategy,
    QueueReceipt,
    QueueRecord,
    Unreadable,
)
from nextlabel.predictions import predictions_of, utilities_of
from nextlabel.pulling import pull
from nextlabel.work import InPlace, Progress, Shards

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Round:
    """What one turn of the loop did, for the log and for `nextlabel status`.

    ``set_aside`` counts by target the labels that the labeling config no longer has room for: they are kept, and
    learned again should it change back. ``unreadable`` is what the tool told and cannot be read, ``read_again`` whether
    all tasks were read, changed or not. ``failure`` is how the team's own model failed: what served before still does.
    """

    project: ProjectId
    changed: int
    labels: int
    set_aside: Mapping[str, int] = field(default_factory=dict)
    trained: ModelVersion | None = None
    verdict: Verdict | None = None
    receipt: QueueReceipt | None = None
    failure: str = ""
    unreadable: Sequence[Unreadable] = ()
    read_again: bool = False

    def sentence(self) -> str:
        """What happened, in words for a person."""
        read = f"all {self.changed} tasks read again" if self.read_again else f"{self.changed} changed tasks read"
        said = [f"project {self.project}: {read}, {self.labels} labels in force"]
        said += [f"{n} labels of '{target}' set aside: they no longer fit" for target, n in self.set_aside.items()]
        if self.unreadable:
            said.append(f"{len(self.unreadable)} set aside, because they cannot be read: {_named(self.unreadable)}")
        if self.trained is not None and self.verdict is not None:
            said.append(
                f"model {self.trained} {'serves' if self.verdict.promoted else 'turned down'}: {self.verdict.reason}"
            )
        if self.failure:
            said.append(f"nothing was learned, what served before still does: {self.failure}")
        if self.receipt is not None:
            refused = f", {len(self.receipt.refused)} of them with nothing shown" if self.receipt.refused else ""
            said.append(f"queue {self.receipt.version}: {self.receipt.written} tasks in order{refused}")
        if self.trained is None and self.receipt is None and not self.failure:
            said.append("nothing new to learn, the order stands")
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of learning: a version with its model, or a failure, or neither."""

    version: ModelVersion | None = None
    verdict: Verdict | None = None
    model: Model | None = None
    failure: str = ""


class ActiveLearning:
    """The loop over one project at a time. Every step may run twice; nothing is published on a lost lease."""

    def __init__(
        self,
        *,
        connections: Connections,
        store: LabelStore,
        registry: ModelRegistry,
        open_connector: Callable[[Connection], Connector],
        strategy: Callable[[str], QueryStrategy],
        source: Callable[[ProjectId], Source],
        hosts: Hosts,
        shards: Shards = InPlace(),  # noqa: B008
        embeddings: str = "",
        full_pull_every: timedelta = timedelta(days=1),
    ) -> None:
        """``shards`` has other workers help; ``embeddings`` is a folder with a model for texts (`encoder_for`), without
        one words are counted."""
        self._connections = connections
        self._store = store
        self._registry = registry
        self._open_connector = open_connector
        self._strategy = strategy
        self._source = source
        self._hosts = hosts
        self._shards = shards
        self._embeddings = embeddings
        self._full_pull_every = full_pull_every

    def run(self, project: ProjectId, fence: int, progress: Progress = lambda step, n: None) -> Round:
        """One turn: afterwards the model has seen every label, and the tool serves its order.

        Trains only when the labels in force or the schema differ from what the last model was trained on, so
        it may be called at any time. Raises `StaleWorker` when ``fence`` is no longer the latest, and whatever
        the connector raises.
        """
        connection = self._connections.get(project)
        connector = self._open_connector(connection)
        schema = connector.label_schema(project)
        hosted = self._hosts.chosen(connection.options.model)
        pulled = pull(
            connector,
            self._store,
            project,
            whole=bool(hosted),
            full_every=self._full_pull_every,
            progress=progress,
        )
        bench = self._workbench(connection, connector, schema, hosted, progress)
        outcome = _Outcome()
        if self._is_news(project, bench):
            self._registry.check_fence(project, fence)
            progress("fit", len(bench.labels))
            outcome = self._learn(connection, bench, fence)
        receipt = None
        if pulled.appeared or self._order_is_due(connection, connector, bench):
            self._registry.check_fence(project, fence)
            receipt = self._reorder(connection, connector, bench, outcome, fence, progress)
        return Round(
            project,
            pulled.changed,
            len(bench.labels),
            bench.set_aside,
            outcome.version,
            outcome.verdict,
            receipt,
            outcome.failure,
            self._store.unreadable(project),
            pulled.again,
        )

    def _workbench(
        self, connection: Connection, connector: Connector, schema: LabelSchema, hosted: str, progress: Progress
    ) -> Workbench:
        project, options = connection.project, connection.options
        source = replace(self._source(project), told=lambda done, total: progress("embed", done))
        still_open = self._store.open(project)
        if hosted:
            return HostedWorkbench(
                project,
                hosted,
                self._hosts,
                schema=schema,
                annotated=self._store.annotated(project),
                still_open=still_open,
                source=source,
                options=options,
                labels_in=partial(connector.labels_in, schema),
                embeddings=self._embeddings,
            )
        labeled = self._store.labeled(project)
        return TargetsWorkbench(schema, labeled, still_open, source, seed=options.seed, embeddings=self._embeddings)

    def _is_news(self, project: ProjectId, bench: Workbench) -> bool:
        """Whether the last model saw other labels, was made otherwise, was never published, or cannot be read."""
        last, serving = self._registry.latest(project), self._registry.in_service(project)
        if last is None or (serving is None and last.state != "failed"):
            return True
        if serving is not None and not self._registry.is_intact(project, serving.version):
            return True
        # "trained" and no more: the worker died before it could promote it.
        return last.state == "trained" or not _made_by(last, bench) or last.labels_digest != bench.digest

    def _learn(self, connection: Connection, bench: Workbench, fence: int) -> _Outcome:
        """Fit a model, judge it against the one in service, and publish it or turn it down."""
        project = connection.project
        try:
            lesson = bench.learn(self._incumbent(project, bench))
        except HostedModelError as error:
            return self._failed(project, bench, error, fence)
        if lesson is None:
            return _Outcome()
        version = self._registry.next_version(project, informative=lesson.model.informative)
        verdict = lesson.verdict
        record = ModelRecord(
            version=version,
            labels_digest=bench.digest,
            schema_digest=bench.schema_digest,
            trained_on=bench.labels,
            metrics=lesson.metrics,
            state="trained" if verdict.promoted else "turned_down",
            reason=verdict.reason,
            learner=bench.learner,
        )
        self._registry.save(project, record, lesson.model, fence=fence)
        if verdict.promoted:
            self._registry.promote(project, version, fence=fence)
        return _Outcome(version, verdict, lesson.model)

    def _incumbent(self, project: ProjectId, bench: Workbench) -> Incumbent | None:
        serving = self._registry.in_service(project)
        if serving is None:
            return None
        model = None
        if _made_by(serving, bench):
            with suppress(ArtifactError):  # lost or damaged: what is learned now takes its place
                model = self._registry.load(project, serving.version)
        return Incumbent(model, serving.trained_on, _made_by(serving, bench))

    def _failed(self, project: ProjectId, bench: Workbench, error: HostedModelError, fence: int) -> _Outcome:
        """It is not tried again with the same labels: it may take an hour, and would most likely fail again."""
        record = ModelRecord(
            version=self._registry.next_version(project, informative=True),
            labels_digest=bench.digest,
            schema_digest=bench.schema_digest,
            trained_on={},
            metrics={},
            state="failed",
            reason=str(error),
            learner=bench.learner,
        )
        self._registry.note_failure(project, record, fence=fence)
        return _Outcome(failure=str(error))

    def _order_is_due(self, connection: Connection, connector: Connector, bench: Workbench) -> bool:
        """Whether the tool serves another order than the right one, or its window is running low."""
        project, options = connection.project, connection.options
        serving, queues = self._registry.in_service(project), self._registry.queues(project, newest=1)
        if serving is None or not bench.understands(serving.learner):
            return False
        if not queues or queues[0].model != serving.version or queues[0].strategy != bench.ordered_by(options.strategy):
            return True
        if len(bench.open) > queues[0].pool:  # tasks came that this order does not know
            return True
        window = set(queues[0].window)
        left = sum(task.id in window for task in bench.open)
        full = options.window if bench.ranks_all else min(options.window, len(queues[0].window))
        if left < min(len(bench.open), full / 2):
            return True
        # Labeled tasks keep their place too: fewer places than that, and somebody has deleted predictions.
        standing = len(self._store.known(project, queues[0].window))
        return bool(left) and connector.queue_in_force(project, standing=standing) != queues[0].version

    def _reorder(
        self,
        connection: Connection,
        connector: Connector,
        bench: Workbench,
        outcome: _Outcome,
        fence: int,
        progress: Progress,
    ) -> QueueReceipt | None:
        """Rank the open tasks by the model in service and have the tool serve the top of that order."""
        project, options = connection.project, connection.options
        serving = self._registry.in_service(project)
        if serving is None or not bench.understands(serving.learner) or not bench.open:
            return None
        fresh = outcome.model if outcome.version == serving.version else None
        model = fresh or self._registry.load(project, serving.version)
        chosen = self._strategy(options.strategy)
        seed = order_seed(options.seed, len(bench.labels))
        scorer = Scorer(project, serving.version, self._shards, options.rank_seconds, seed, progress)
        candidates = bench.candidates(model, scorer)
        # A model that knows next to nothing cannot say what it is unsure of; random order stays random all the same.
        cold = options.strategy != "random" and bench.is_cold(model, options.cold_start)
        window = (self._strategy("diverse") if cold else chosen).rank(candidates.pool, options.window)
        version = self._registry.reserve_queue(project, serving.version, fence=fence)
        asked = set(window.task_ids())
        row = {task.id: n for n, task in enumerate(candidates.tasks) if task.id in asked}
        rows = [row[task] for task in window.task_ids()]
        shown = predictions_of(
            [candidates.tasks[n] for n in rows],
            {name: said.of(rows) for name, said in candidates.opinions.items()},
            utilities_of(chosen, candidates.pool.probabilities[rows]),
            version=version,
            informative=model.informative,
        )
        progress("reorder", len(window))
        mine = partial(self._registry.check_fence, project, fence)
        mine()
        receipt = connector.reorder(project, version, window, shown, may_switch=mine)
        strategy = bench.ordered_by(options.strategy)
        queue = QueueRecord(version, serving.version, strategy, window.task_ids(), len(bench.open))
        self._registry.announce_queue(project, queue, fence=fence)
        return receipt


def _named(unreadable: Sequence[Unreadable]) -> str:
    """The first few by name and reason: there may be thousands."""
    said = [f"{one.name} ({one.reason.rstrip('.')})" for one in unreadable[:_NAMED]]
    return ", ".join(said) + (" and others" if len(unreadable) > _NAMED else "")


def _made_by(record: ModelRecord, bench: Workbench) -> bool:
    """Whether a model was made by the same learner for the same labeling config."""
    return (record.learner, record.schema_digest) == (bench.learner, bench.schema_digest)
