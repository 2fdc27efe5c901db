"""The order that the tool serves: whether it is the right one, and how it becomes that."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from nextlabel.errors import StorageError, VersionTaken
from nextlabel.estimators.project import Model
from nextlabel.evaluation.showing import showing
from nextlabel.features.work import Progress, Shards
from nextlabel.labeling import ModelVersion, Prediction, QueueVersion, TaskId
from nextlabel.labeling.ranking import RankedTask, Ranking
from nextlabel.learning.choosing import DEFAULT, Choosing
from nextlabel.learning.predictions import predictions_of
from nextlabel.learning.scoring import Scorer
from nextlabel.learning.workbench import order_seed
from nextlabel.loop.auditing import in_window
from nextlabel.loop.explaining import order_facts
from nextlabel.loop.reading import Read
from nextlabel.loop.relabeling import EVERY as AGAIN_EVERY
from nextlabel.loop.relabeling import worth_again
from nextlabel.loop.reviewing import blank, with_reviews
from nextlabel.measures.target_predictions import TargetPredictions
from nextlabel.ports.state import (
    Connection,
    Fences,
    LabelStore,
    ModelRecord,
    ModelRegistry,
    OrderFacts,
    OrderRegistry,
    QueueRecord,
    Reserves,
)
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.ports.tool import AsksAgain, Connector, QueueReceipt, ShowsOthers, versions_held

log = logging.getLogger("nextlabel.loop.ordering")

_NAMES = 5  # that are tried for one order
_CROWDED, _FEW_PLACES = 100, 50  # old orders in the tool, and the places of a new one then
_LONGEST_NAME = 200  # of how an order was made


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What a strategy chose of the open tasks, what is shown of them, and why the strategy failed if it did."""

    ranking: Ranking
    shown: Callable[[QueueVersion], Sequence[Prediction]]
    failure: str = ""
    facts: Callable[[], OrderFacts] | None = None
    predicted: Mapping[str, TargetPredictions] = field(default_factory=dict)
    """Of these tasks, where the model knows something."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """The order of one project, in the hands of a worker with that fence."""

    connection: Connection
    connector: Connector
    fence: int
    store: LabelStore
    registry: ModelRegistry
    orders: OrderRegistry
    reserves: Reserves
    fences: Fences
    strategy: Callable[[str], QueryStrategy]
    shards: Shards
    progress: Progress
    reviews: Callable[[], Sequence[TaskId]]
    """Labeled tasks that are served once more for another reason than that it is worth it."""
    report: Callable[[str], None] = lambda failure: None
    """Called whenever tasks were ranked: with why the project's strategy did not order them, "" where it did."""
    report_again: Callable[[Sequence[TaskId]], None] = lambda tasks: None
    """Called whenever tasks were ranked: with the labeled ones among them that are worth another label."""

    def renew(self, read: Read, *, appeared: bool, fresh: Mapping[ModelVersion, Model] = {}) -> QueueReceipt | None:
        """Have the tool serve the order of the model in service, where it does not or open tasks ``appeared``.

        ``fresh`` are models that need not be loaded. Raises `StaleWorker` before the tool is switched to it, and what
        the connector raises.
        """
        if not (appeared or self._is_due(read)):
            return None
        self._check_fence()
        serving = self._serving(read)
        if serving is None or not read.number_open:
            return None
        model = fresh.get(serving.version) or self.registry.load(self.connection.project, serving.version)
        return self._reorder(read, serving, model)

    def _serving(self, read: Read) -> ModelRecord | None:
        """The version in service, where it can be asked about what was read."""
        found = self.registry.in_service(self.connection.project)
        return found if found and read.workbench.understands(found.learner, found.schema_digest) else None

    def _is_due(self, read: Read) -> bool:
        """Whether the tool serves another order than the right one, or its window is running low."""
        project, options = self.connection.project, self.connection.options
        serving, queues = self._serving(read), self.orders.announced(project, newest=1)
        if serving is None:
            return False
        strategies = options.strategy, _instead_of(options.strategy)
        names = [self._name(read, serving, one) for one in strategies]
        if not queues or queues[0].model != serving.version or queues[0].strategy not in names:
            return True
        if not queues[0].own_name:  # from before 0.1.1: under its name others' predictions may be served too
            return True
        if read.number_open > queues[0].pool:  # tasks came that this order does not know
            return True
        window = set(queues[0].window)
        left = sum(task in window for task in read.open)
        full = self._places() if read.workbench.ranks_all else min(options.window, len(queues[0].window))
        if left < min(read.number_open, full / 2):
            return True
        # Labeled tasks keep their place too: fewer places than that, and somebody has deleted predictions.
        standing = len(self.store.known(project, queues[0].window))
        return bool(left) and not self._is_served(queues[0].version, standing)

    def _is_served(self, version: QueueVersion, standing: int) -> bool:
        serves = self.connector.queue_in_force(standing=standing) == version
        self.orders.note_check(self.connection.project, version, serves=serves)
        return serves

    def _reorder(self, read: Read, serving: ModelRecord, model: Model) -> QueueReceipt:
        """Rank the open tasks by the model in service and have the tool serve the top of that order."""
        project, strategy = self.connection.project, self.connection.options.strategy
        seed, places = order_seed(self.connection.options.seed, len(read.workbench.labels)), self._places()
        chosen = self._choose(read, serving, model, places, seed)
        served = read.audits.window(chosen.ranking.task_ids(), places, seed)
        ranking = Ranking(
            tuple(in_window(served, chosen.ranking.tasks, RankedTask(TaskId(""), 0.0))), chosen.ranking.strategy
        )
        again, under_review = self._once_more(chosen)
        ranking = with_reviews(with_reviews(ranking, again, AGAIN_EVERY), under_review)
        reviews = [*again, *under_review]

        def shown(version: QueueVersion) -> Sequence[Prediction]:
            predictions = in_window(served, chosen.shown(version), Prediction(TaskId(""), version, (), 1.0, 0.0))
            known = [one._replace(guesses=()) if one.task in served.blank else one for one in predictions]
            return [*known, *blank(reviews, version)]

        self.progress("reorder", len(ranking))
        receipt = self._write(serving.version, ranking, shown)
        strategy = self._name(read, serving, _instead_of(strategy) if chosen.failure else strategy)
        queue = QueueRecord(receipt.version, serving.version, strategy, ranking.task_ids(), read.number_open)
        self.orders.announce(project, queue, fence=self.fence)
        if receipt.proof == "read back":
            self.orders.note_check(project, receipt.version, serves=True)
        if chosen.facts is not None:
            self._explain(receipt.version, chosen.facts)
        if read.audits.draw is not None:
            self.reserves.note_blank(project, served.blank - served.audits)
        return receipt

    def _once_more(self, chosen: _Chosen) -> tuple[Sequence[TaskId], Sequence[TaskId]]:
        """Labeled tasks that are to be labeled once more because that is worth it, and those under review for other
        reasons. The former have their places from this order on; the tool serves them once it is asked to
        (`nextlabel.service.reviewing`), which also ends the reviews that have no place here.

        A task whose label was withdrawn is open: it stands among the open tasks or not at all. One that was deleted
        stands nowhere.
        """
        project, options = self.connection.project, self.connection.options
        if not (options.serves_again and isinstance(self.connector, AsksAgain)):
            return [], []
        why_not = self.connector.why_not_again()
        if why_not:
            log.warning("project %s: the order holds no labeled task: %s", project, why_not)
        again: Sequence[TaskId] = []
        if options.relabel == "auto":
            if not why_not:
                again = worth_again(project, options, self.store, self.registry, self.reserves, chosen.predicted)
            self.report_again(again)
        waiting = [] if why_not or options.suspects != "queue" else self.reviews()
        given = self.store.annotations_of(project, waiting)
        labeled = {task for task, some in given.items() if any(not one.skipped for one in some)}
        return again, [task for task in waiting if task in labeled.difference(again)]

    def _explain(self, version: QueueVersion, facts: Callable[[], OrderFacts]) -> None:
        """Keep why tasks stand where they do. The order stands: whatever fails here undoes nothing."""
        project = self.connection.project
        try:
            self.orders.note_facts(project, version, facts())
        except StorageError:
            raise
        except Exception:
            log.exception("project %s: it is not known why the tasks of %s stand where they do", project, version)

    def _choose(self, read: Read, serving: ModelRecord, model: Model, places: int, seed: int) -> _Chosen:
        """The top of the order of the project's strategy, and what is shown of each of these tasks."""
        project, options, workbench = self.connection.project, self.connection.options, read.workbench
        if not workbench.open:
            return _Chosen(Ranking((), options.strategy), lambda version: ())
        scorer = Scorer(project, serving.version, self.shards, options.rank_seconds, seed, self.progress)
        candidates, outside = workbench.candidates(model, scorer), read.pulled.outside
        candidates = candidates.by(outside.predictions(candidates.tasks) if outside else None)
        # A model that knows next to nothing cannot say what it is unsure of; random order stays random all the same.
        cold = options.strategy != "random" and workbench.is_cold(model, options.cold_start)
        cold = cold and candidates.outside is None
        choosing = Choosing(options.strategy, self.strategy, candidates)
        ranking = choosing.window(places, cold=cold)
        asked = set(ranking.task_ids())
        row = {task.id: n for n, task in enumerate(candidates.tasks) if task.id in asked}
        rows = [row[task] for task in ranking.task_ids()]
        utilities, unsure = choosing.utilities(rows), candidates.uncertainty(rows)
        self.report(choosing.failure)

        def shown(version: QueueVersion) -> Sequence[Prediction]:
            predictions = predictions_of(
                [candidates.tasks[n] for n in rows],
                {name: predicted.of(rows) for name, predicted in candidates.target_predictions.items()},
                utilities,
                version=version,
                informative=model.informative,
                least=serving.showing(options).least,
                unsure=unsure,
            )
            if outside is None or candidates.outside is None or not isinstance(self.connector, ShowsOthers):
                return predictions
            results = self.connector.results(outside.version, ranking.task_ids())
            return outside.shown(predictions, results, showing(options.show_from, {}, own=True).least(""))

        facts = partial(
            order_facts,
            candidates,
            rows,
            ranking,
            cold=cold,
            informative=model.informative,
            labels=workbench.labels,
            seed=seed,
        )
        known = candidates.target_predictions if model.informative and not outside else {}
        predicted = {name: one.of(rows) for name, one in known.items()}
        return _Chosen(ranking, shown, choosing.failure, facts, predicted)

    def _name(self, read: Read, serving: ModelRecord, strategy: str) -> str:
        """What tells the orders of one model apart: how they are ranked, what is among them, and which guesses they
        show."""
        names = (
            read.workbench.ordered_by(strategy),
            read.pulled.outside.name if read.pulled.outside else "",
            serving.showing(self.connection.options).name,
            "without audits" if read.audits.off else "",
            "with labeled tasks" if self.connection.options.relabel == "auto" else "",
        )
        return ", ".join(filter(None, names))[:_LONGEST_NAME]

    def _write(
        self, model: ModelVersion, window: Ranking, shown: Callable[[QueueVersion], Sequence[Prediction]]
    ) -> QueueReceipt:
        """Have the tool serve the window under a name that is nobody else's: what the tool holds is asked for first.

        Somebody may still take the name before it is used: then another one is tried.
        """
        project, taken = self.connection.project, set(versions_held(self.connector))
        for _ in range(_NAMES):
            version = self.orders.reserve(project, model, fence=self.fence, taken=taken)
            try:
                return self.connector.place(version, window, shown(version), may_switch=self._check_fence)
            except VersionTaken as error:
                self.orders.note_removed(project, [version])  # what stands there is not ours
                taken.add(version)
                refused = error
        raise refused

    def _places(self) -> int:
        """How many tasks an order holds: fewer than wanted while many old orders wait until nobody is at work, so that
        they are not written faster than they can be removed."""
        crowded = len(self.orders.old(self.connection.project)) > _CROWDED
        return min(self.connection.options.window, _FEW_PLACES if crowded else self.connection.options.window)

    def _check_fence(self) -> None:
        self.fences.check(self.connection.project, self.fence)


def _instead_of(strategy: str) -> str:
    """What an order is noted by where the strategy failed: it is tried again with the next version."""
    return f"{DEFAULT} instead of {strategy}"
