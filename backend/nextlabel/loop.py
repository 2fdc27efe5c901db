"""Active learning on one page: sync → fit → judge → publish → rank → reorder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, vstack

from nextlabel.estimators.fitting import Fitted, fit
from nextlabel.estimators.learners import TextLearner
from nextlabel.evaluation.metrics import out_of_fold_metrics
from nextlabel.evaluation.promotion import Verdict, judge, log_losses
from nextlabel.features.cache import TextFeatureCache
from nextlabel.features.text import read_text
from nextlabel.labeling import ModelVersion, ProjectId, Target, Task
from nextlabel.ports import (
    Connection,
    Connections,
    Connector,
    Labeled,
    LabelStore,
    ModelRecord,
    ModelRegistry,
    QueryStrategy,
    QueueReceipt,
    QueueRecord,
)
from nextlabel.predictions import predictions_of, utilities_of
from nextlabel.ranking import CandidatePool

Progress = Callable[[str, int], None]
"""Told what is going on: the step's name, and how many tasks it has come to so far."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one turn of the loop did, for the log and for `nextlabel status`."""

    project: ProjectId
    changed: int
    labels: int
    trained: ModelVersion | None = None
    verdict: Verdict | None = None
    receipt: QueueReceipt | None = None

    def sentence(self) -> str:
        """What happened, in words for a person."""
        said = [f"project {self.project}: {self.changed} changed tasks read, {self.labels} labels in force"]
        if self.trained is not None and self.verdict is not None:
            said.append(
                f"model {self.trained} {'serves' if self.verdict.promoted else 'turned down'}: {self.verdict.reason}"
            )
        if self.receipt is not None:
            said.append(f"queue {self.receipt.version}: {self.receipt.written} tasks in order")
        if self.trained is None and self.receipt is None:
            said.append("nothing new to learn, the order stands")
        return "; ".join(said)


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
        features: Callable[[ProjectId], TextFeatureCache],
    ) -> None:
        self._connections = connections
        self._store = store
        self._registry = registry
        self._open_connector = open_connector
        self._strategy = strategy
        self._features = features

    def run(self, project: ProjectId, fence: int, progress: Progress = lambda step, n: None) -> Round:
        """One turn: afterwards the model has seen every label, and the tool serves its order.

        Trains only when the labels in force or the schema differ from what the last model was trained on, so
        it may be called at any time. Raises `StaleWorker` when ``fence`` is no longer the latest, and whatever
        the connector raises.
        """
        connection = self._connections.get(project)
        connector = self._open_connector(connection)
        target, schema_digest = _target(connector, project)
        changed, appeared = self._sync(connector, project, progress)
        labeled = _of_known_labels(self._store.labeled(project, target.name), target)
        trained, verdict = None, None
        if self._is_news(project, labeled, schema_digest):
            self._registry.check_fence(project, fence)
            progress("fit", len(labeled))
            trained, verdict = self._learn(connection, target, schema_digest, labeled, fence)
        receipt = None
        if appeared or self._order_is_due(connection, connector):
            self._registry.check_fence(project, fence)
            receipt = self._reorder(connection, connector, target, fence, progress)
        return Round(project, changed, len(labeled), trained, verdict, receipt)

    def _sync(self, connector: Connector, project: ProjectId, progress: Progress) -> tuple[int, bool]:
        """Pull what changed; returns how many tasks, and whether open tasks appeared that were unknown."""
        known = set(self._store.task_ids(project))
        changed, appeared = 0, False
        for page in connector.changed_tasks(project, self._store.cursor(project)):
            self._store.apply(project, page)
            changed += len(page.tasks)
            appeared = appeared or any(seen.task.id not in known and not seen.closed for seen in page.tasks)
            progress("sync", changed)
        vanished = connector.vanished_tasks(project, self._store.task_ids(project))
        if vanished:
            self._store.forget_tasks(project, vanished)
        return changed + len(vanished), appeared

    def _is_news(self, project: ProjectId, labeled: Labeled, schema_digest: str) -> bool:
        """Whether the last model saw other labels, had other targets, was never published, or cannot be read."""
        last, serving = self._registry.latest(project), self._registry.in_service(project)
        if last is None or serving is None or not self._registry.is_intact(project, serving.version):
            return True
        # "trained" and no more: the worker died before it could promote it.
        return last.state == "trained" or (last.labels_digest, last.schema_digest) != (_digest(labeled), schema_digest)

    def _learn(
        self, connection: Connection, target: Target, schema_digest: str, labeled: Labeled, fence: int
    ) -> tuple[ModelVersion, Verdict]:
        """Fit a model, judge it against the one in service, and publish it or turn it down."""
        project = connection.project
        counts = self._counts(project, target, labeled.tasks)
        pool = self._counts(project, target, self._store.open(project))
        fitted = fit(target, counts, labeled.labels, vstack([counts, pool], format="csr"), connection.options.seed)
        columns = [target.labels.index(label) for label in labeled.labels]
        metrics = {} if fitted.out_of_fold is None else out_of_fold_metrics(fitted.out_of_fold, columns)
        verdict = self._judge(project, schema_digest, labeled, columns, counts, fitted)
        version = self._registry.next_version(project, informative=fitted.model.informative)
        record = ModelRecord(
            version=version,
            labels_digest=_digest(labeled),
            schema_digest=schema_digest,
            trained_on={task.id: label for task, label in zip(labeled.tasks, labeled.labels, strict=True)},
            metrics=metrics,
            state="trained" if verdict.promoted else "turned_down",
            reason=verdict.reason,
        )
        self._registry.save(project, record, fitted.model, fence=fence)
        if verdict.promoted:
            self._registry.promote(project, version, fence=fence)
        return version, verdict

    def _judge(
        self,
        project: ProjectId,
        schema_digest: str,
        labeled: Labeled,
        columns: Sequence[int],
        counts: csr_matrix,
        fitted: Fitted,
    ) -> Verdict:
        serving = self._registry.in_service(project)
        if serving is None or serving.schema_digest != schema_digest:
            return Verdict(True, "the first model of this labeling config")
        if not self._registry.is_intact(project, serving.version):
            return Verdict(True, f"the artifact of {serving.version} is lost or damaged")
        if fitted.out_of_fold is None:
            return Verdict(True, "too few labels to judge by: the newer model serves")
        known = serving.trained_on
        fresh = [
            row
            for row, (task, label) in enumerate(zip(labeled.tasks, labeled.labels, strict=True))
            if known.get(task.id) != label
        ]
        truth = [columns[row] for row in fresh]
        incumbent = self._registry.load(project, serving.version).predict_proba_features(counts[fresh])
        return judge(log_losses(fitted.out_of_fold[fresh], truth), log_losses(incumbent, truth))

    def _order_is_due(self, connection: Connection, connector: Connector) -> bool:
        """Whether the tool serves another order than the right one, or its window is running low."""
        project = connection.project
        serving, queues = self._registry.in_service(project), self._registry.queues(project)
        if serving is None:
            return False
        if not queues or queues[0].model != serving.version or queues[0].strategy != connection.options.strategy:
            return True
        still_open = {task.id for task in self._store.open(project)}
        if len(still_open) > queues[0].pool:  # tasks came that this order does not know
            return True
        left = sum(task in still_open for task in queues[0].window)
        if left < min(len(still_open), connection.options.window / 2):
            return True
        return bool(left) and connector.queue_in_force(project) != queues[0].version

    def _reorder(
        self, connection: Connection, connector: Connector, target: Target, fence: int, progress: Progress
    ) -> QueueReceipt | None:
        """Rank the open tasks by the model in service and have the tool serve the top of that order."""
        project, options = connection.project, connection.options
        serving = self._registry.in_service(project)
        open_tasks = self._store.open(project)
        if serving is None or not open_tasks:
            return None
        progress("rank", len(open_tasks))
        model = self._registry.load(project, serving.version)
        counts = self._counts(project, target, open_tasks)
        p = model.predict_proba_features(counts)
        labeled = _of_known_labels(self._store.labeled(project, target.name), target)
        labeled_counts = self._counts(project, target, labeled.tasks)
        pool = CandidatePool(
            [task.id for task in open_tasks],
            p,
            counts,
            labeled_features=labeled_counts,
            labels=np.array([target.labels.index(label) for label in labeled.labels], dtype=np.intp),
            learner=TextLearner(vstack([labeled_counts, counts], format="csr"), len(target.labels)),
            seed=order_seed(options.seed, len(labeled)),
        )
        chosen = self._strategy(options.strategy)
        # A model that knows next to nothing cannot say what it is unsure of; random order stays random all the same.
        cold = options.strategy != "random" and (not model.informative or len(labeled) < options.cold_start)
        window = (self._strategy("diverse") if cold else chosen).rank(pool, options.window)
        version = self._registry.reserve_queue(project, serving.version, fence=fence)
        row = {task.id: n for n, task in enumerate(open_tasks)}
        rows = [row[task] for task in window.task_ids()]
        shown = predictions_of(
            [open_tasks[n] for n in rows],
            p[rows],
            utilities_of(chosen, p[rows]),
            classes=model.classes_,
            target=target.name,
            version=version,
            informative=model.informative,
        )
        progress("reorder", len(window))
        self._registry.check_fence(project, fence)
        receipt = connector.reorder(project, version, window, shown)
        queue = QueueRecord(version, serving.version, options.strategy, window.task_ids(), len(open_tasks))
        self._registry.announce_queue(project, queue, fence=fence)
        return receipt

    def _counts(self, project: ProjectId, target: Target, tasks: Sequence[Task]) -> csr_matrix:
        return self._features(project).features([read_text(task.data, target.inputs) for task in tasks])


def order_seed(seed: int, labels: int) -> int:
    """The seed of the order after so many labels: places that are drawn at random must not always be the same."""
    return int(np.random.default_rng([seed, labels]).integers(2**31))


def _target(connector: Connector, project: ProjectId) -> tuple[Target, str]:
    """What is learned of this project, and the digest of its schema."""
    schema = connector.label_schema(project)
    return schema.targets[0], schema.digest


def _of_known_labels(labeled: Labeled, target: Target) -> Labeled:
    """Only labels that the labeling config still has; the others are kept in the store, not trained on."""
    rows = [n for n, label in enumerate(labeled.labels) if label in target.labels]
    return Labeled(tuple(labeled.tasks[n] for n in rows), tuple(labeled.labels[n] for n in rows))


def _digest(labeled: Labeled) -> str:
    pairs = sorted(zip((task.id for task in labeled.tasks), labeled.labels, strict=True))
    return hashlib.sha256(repr(pairs).encode()).hexdigest()[:16]
