"""Active learning on one page: sync → fit → judge → publish → rank → reorder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import joblib
import numpy as np

from nextlabel.candidates import Examples, candidate_pool
from nextlabel.estimators.fitting import Fitted, fit
from nextlabel.estimators.project import Learned, ProjectModel
from nextlabel.evaluation.metrics import metrics_of
from nextlabel.evaluation.promotion import Verdict, judge
from nextlabel.features.encoders import Encoder, encoder_for
from nextlabel.features.source import Source
from nextlabel.labeling import Label, LabelSchema, ModelVersion, ProjectId, Target, Task, TaskId
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
from nextlabel.ranking import Features, Floats

Progress = Callable[[str, int], None]
"""Told what is going on: the step's name, and how many tasks it has come to so far."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one turn of the loop did, for the log and for `nextlabel status`.

    ``set_aside`` counts by target the labels that the labeling config no longer has room for: they are kept, and
    learned again should it change back.
    """

    project: ProjectId
    changed: int
    labels: int
    set_aside: Mapping[str, int] = field(default_factory=dict)
    trained: ModelVersion | None = None
    verdict: Verdict | None = None
    receipt: QueueReceipt | None = None

    def sentence(self) -> str:
        """What happened, in words for a person."""
        said = [f"project {self.project}: {self.changed} changed tasks read, {self.labels} labels in force"]
        said += [f"{n} labels of '{target}' set aside: they no longer fit" for target, n in self.set_aside.items()]
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
        source: Callable[[ProjectId], Source],
        embeddings: str = "",
    ) -> None:
        """``embeddings`` is a folder with a model for texts (`encoder_for`); without one words are counted."""
        self._connections = connections
        self._store = store
        self._registry = registry
        self._open_connector = open_connector
        self._strategy = strategy
        self._source = source
        self._embeddings = embeddings

    def run(self, project: ProjectId, fence: int, progress: Progress = lambda step, n: None) -> Round:
        """One turn: afterwards the model has seen every label, and the tool serves its order.

        Trains only when the labels in force or the schema differ from what the last model was trained on, so
        it may be called at any time. Raises `StaleWorker` when ``fence`` is no longer the latest, and whatever
        the connector raises.
        """
        connection = self._connections.get(project)
        connector = self._open_connector(connection)
        schema = connector.label_schema(project)
        changed, appeared = self._sync(connector, project, progress)
        source = replace(self._source(project), told=lambda done, total: progress("embed", done))
        desk = _Desk(schema, self._store.labeled(project), self._store.open(project), source)
        trained, verdict = None, None
        if self._is_news(project, desk):
            self._registry.check_fence(project, fence)
            progress("fit", len(desk.labels))
            trained, verdict = self._learn(connection, desk, fence)
        receipt = None
        if appeared or self._order_is_due(connection, connector):
            self._registry.check_fence(project, fence)
            receipt = self._reorder(connection, connector, desk, fence, progress)
        return Round(project, changed, len(desk.labels), desk.set_aside, trained, verdict, receipt)

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

    def _is_news(self, project: ProjectId, desk: _Desk) -> bool:
        """Whether the last model saw other labels, had other targets, was never published, or cannot be read."""
        last, serving = self._registry.latest(project), self._registry.in_service(project)
        if last is None or serving is None or not self._registry.is_intact(project, serving.version):
            return True
        # "trained" and no more: the worker died before it could promote it.
        return last.state == "trained" or (last.labels_digest, last.schema_digest) != (desk.digest, desk.schema.digest)

    def _learn(self, connection: Connection, desk: _Desk, fence: int) -> tuple[ModelVersion, Verdict]:
        """Fit a model, judge it against the one in service, and publish it or turn it down."""
        project = connection.project
        learned: dict[str, Learned] = {}
        fitted: dict[str, Fitted] = {}
        for target in desk.schema.targets:
            encoder = encoder_for(target, desk.everyone, desk.source, embeddings=self._embeddings)
            examples = desk.examples(target, encoder)
            space = encoder.space(desk.features(encoder, desk.everyone))
            seed = connection.options.seed
            fitted[target.name] = fit(target, examples.tasks, examples.features, examples.labels, space, seed)
            learned[target.name] = Learned(encoder, fitted[target.name].model)
        model = ProjectModel(learned)
        verdict = self._judge(project, desk, fitted)
        version = self._registry.next_version(project, informative=model.informative)
        record = ModelRecord(
            version=version,
            labels_digest=desk.digest,
            schema_digest=desk.schema.digest,
            trained_on=desk.labels,
            metrics=desk.metrics(fitted),
            state="trained" if verdict.promoted else "turned_down",
            reason=verdict.reason,
        )
        self._registry.save(project, record, model, fence=fence)
        if verdict.promoted:
            self._registry.promote(project, version, fence=fence)
        return version, verdict

    def _judge(self, project: ProjectId, desk: _Desk, fitted: Mapping[str, Fitted]) -> Verdict:
        """By the labels of all targets that the model in service has not seen."""
        serving = self._registry.in_service(project)
        if serving is None or serving.schema_digest != desk.schema.digest:
            return Verdict(True, "the first model of this labeling config")
        if not self._registry.is_intact(project, serving.version):
            return Verdict(True, f"the artifact of {serving.version} is lost or damaged")
        incumbent = self._registry.load(project, serving.version)
        candidate_losses: list[Floats] = [np.empty(0)]
        incumbent_losses: list[Floats] = [np.empty(0)]
        for target in desk.schema.targets:
            out_of_fold, known = fitted[target.name].out_of_fold, incumbent.targets.get(target.name)
            if out_of_fold is None or known is None or not known.estimator.informative:
                continue
            examples = desk.examples(target, known.encoder)
            fresh = [
                row
                for row, (task, label) in enumerate(zip(examples.tasks, examples.labels, strict=True))
                if target.read(serving.trained_on.get(task.id, {}).get(target.name)) != label
            ]
            truth = [examples.labels[row] for row in fresh]
            said = known.estimator.predict([examples.tasks[row] for row in fresh], examples.features[fresh])
            candidate_losses.append(out_of_fold.of(fresh).losses(truth))
            incumbent_losses.append(said.losses(truth))
        return judge(np.concatenate(candidate_losses), np.concatenate(incumbent_losses))

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
        self, connection: Connection, connector: Connector, desk: _Desk, fence: int, progress: Progress
    ) -> QueueReceipt | None:
        """Rank the open tasks by the model in service and have the tool serve the top of that order."""
        project, options = connection.project, connection.options
        serving = self._registry.in_service(project)
        if serving is None or not desk.open:
            return None
        progress("rank", len(desk.open))
        model = self._registry.load(project, serving.version)
        features = {name: desk.features(learned.encoder, desk.open) for name, learned in model.speaking.items()}
        opinions = {
            name: learned.estimator.predict(desk.open, features[name]) for name, learned in model.speaking.items()
        }
        lead = next(target for target in desk.schema.targets if target.name in opinions)
        encoder = model.targets[lead.name].encoder
        pool = candidate_pool(
            desk.open,
            features[lead.name],
            opinions,
            desk.examples(lead, encoder),
            lambda: encoder.space(desk.features(encoder, desk.everyone)),
            order_seed(options.seed, len(desk.labels)),
        )
        chosen = self._strategy(options.strategy)
        # A model that knows next to nothing cannot say what it is unsure of; random order stays random all the same.
        cold = options.strategy != "random" and (not model.informative or len(desk.labels) < options.cold_start)
        window = (self._strategy("diverse") if cold else chosen).rank(pool, options.window)
        version = self._registry.reserve_queue(project, serving.version, fence=fence)
        row = {task.id: n for n, task in enumerate(desk.open)}
        rows = [row[task] for task in window.task_ids()]
        shown = predictions_of(
            [desk.open[n] for n in rows],
            {name: said.of(rows) for name, said in opinions.items()},
            utilities_of(chosen, pool.probabilities[rows]),
            version=version,
            informative=model.informative,
        )
        progress("reorder", len(window))
        self._registry.check_fence(project, fence)
        receipt = connector.reorder(project, version, window, shown)
        queue = QueueRecord(version, serving.version, options.strategy, window.task_ids(), len(desk.open))
        self._registry.announce_queue(project, queue, fence=fence)
        return receipt


class _Desk:
    """What one turn works on: the tasks, what is labeled of each target, and their features, encoded once."""

    def __init__(self, schema: LabelSchema, labeled: Labeled, still_open: Sequence[Task], source: Source) -> None:
        self.schema, self.open, self.source = schema, still_open, source
        tasks = {task.id: task for task in (*labeled.tasks, *still_open)}
        self.everyone = list(tasks.values())
        self.labels: dict[TaskId, dict[str, Label]] = {}
        self.set_aside: dict[str, int] = {}
        self._row = {task: row for row, task in enumerate(tasks)}
        self._encoded: dict[str, Features] = {}
        for task, said in zip(labeled.tasks, labeled.labels, strict=True):
            self._take(task.id, said)

    def _take(self, task: TaskId, said: Mapping[str, object]) -> None:
        """Only what the labeling config still has room for; the rest is kept in the store, not trained on."""
        for target in self.schema.targets:
            if target.name in said:
                label = target.read(said[target.name])
                if label is None:
                    self.set_aside[target.name] = self.set_aside.get(target.name, 0) + 1
                else:
                    self.labels.setdefault(task, {})[target.name] = label

    @cached_property
    def digest(self) -> str:
        """Stands for every label in force."""
        said = sorted((task, sorted(labels.items())) for task, labels in self.labels.items())
        return hashlib.sha256(repr(said).encode()).hexdigest()[:16]

    def features(self, encoder: Encoder, tasks: Sequence[Task]) -> Features:
        key = str(joblib.hash(encoder.state()))
        if key not in self._encoded:
            self._encoded[key] = encoder.encode(self.everyone, self.source)
        everyone = self._encoded[key]
        return everyone if tasks is self.everyone else everyone[[self._row[task.id] for task in tasks]]

    def examples(self, target: Target, encoder: Encoder) -> Examples:
        """What is labeled of a target."""
        tasks = [task for task in self.everyone if target.name in self.labels.get(task.id, ())]
        return Examples(target, tasks, self.labels_of(target), self.features(encoder, tasks))

    def labels_of(self, target: Target) -> list[Label]:
        """In the order of the tasks."""
        return [labels[target.name] for labels in self.labels.values() if target.name in labels]

    def metrics(self, fitted: Mapping[str, Fitted]) -> dict[str, float]:
        """The figures of each target, under its name where there are several."""
        figures: dict[str, float] = {}
        for target in self.schema.targets:
            said = fitted[target.name].out_of_fold
            if said is not None:
                before = f"{target.name}." if len(self.schema.targets) > 1 else ""
                found = metrics_of(said, self.labels_of(target))
                figures |= {before + name: figure for name, figure in found.items()}
        return figures


def order_seed(seed: int, labels: int) -> int:
    """The seed of the order after so many labels: places that are drawn at random must not always be the same."""
    return int(np.random.default_rng([seed, labels]).integers(2**31))
