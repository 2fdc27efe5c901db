"""What one turn of the loop works on: a project's tasks and labels, and a way to learn from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np

from nextlabel.errors import SettingsError
from nextlabel.estimators.project import Model
from nextlabel.evaluation.promotion import Promotion
from nextlabel.evaluation.savings import Predict
from nextlabel.labeling import Label, ModelVersion, Target, Task, TaskId
from nextlabel.labeling.ranking import CandidatePool, Floats, RankedTask, Ranking, complaint_of
from nextlabel.learning.pools import pool_by
from nextlabel.learning.predictions import overall_uncertainty, utilities_of
from nextlabel.learning.scoring import Scorer
from nextlabel.learning.weights import Weights
from nextlabel.measures.out_of_fold import OutOfFold
from nextlabel.measures.target_predictions import Rows, TargetPredictions
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.strategies.needs import check_pool


class Answer(NamedTuple):
    """How right a model is, in [0, 1], about a target of a task, whether that can only be 0 or 1, and what it
    predicted."""

    target: str
    task: TaskId
    correctness: float
    whole: bool
    predicted: Label | None


Labels = Mapping[TaskId, Mapping[str, Label]]


@dataclass(frozen=True, slots=True)
class Champion:
    """The model in service, and the labels that it was trained on; ``model`` is None where its artifact is lost.

    ``same_kind`` is whether it was made by the same learner for the same labeling config.
    """

    version: ModelVersion
    model: Model | None
    trained_on: Labels
    same_kind: bool
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Challenger:
    """A new model, the figures about it, and whether it shall serve.

    ``out_of_fold`` is by target what models that had not seen its labels predict for them, where that is known.
    """

    model: Model
    metrics: Mapping[str, float]
    promotion: Promotion
    out_of_fold: Mapping[str, OutOfFold] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compared:
    """What a version predicts about one target, for whoever asks whether labeling may stop.

    ``predicted`` is of the stop set; ``error`` is how likely it takes itself to be wrong there. ``unseen`` are its
    predictions for audit tasks, and for the ``others``, the first tasks of the stop set. Of what is labeled, ``error``
    and ``unseen`` are by models that had not seen it. ``truth`` are the labels of audit tasks, and ``alone`` fits
    models on some of these alone (`savings.Predict`, by the places in ``truth`` and in ``others``; None where that
    takes too long).
    """

    target: Target
    predicted: Mapping[TaskId, Label]
    error: float
    unseen: Mapping[TaskId, Label]
    others: Sequence[TaskId]
    truth: Mapping[TaskId, Label]
    alone: Predict | None


@dataclass(frozen=True, slots=True)
class Candidates:
    """Open tasks to choose from, and what the model says of them; row by row the same task everywhere.

    ``weights`` is how much each target counts in the order; ``outside`` is what another model says of them, by which
    they are ordered then.

    The ``pool`` ends before the tasks in which there is nothing to read: whatever the strategy, they come last.
    """

    tasks: Sequence[Task]
    target_predictions: Mapping[str, TargetPredictions]
    pool: CandidatePool
    weights: Weights = field(default_factory=dict)
    outside: TargetPredictions | None = None

    def by(self, outside: TargetPredictions | None) -> Candidates:
        """The same tasks, ordered by what another model says of them; None: as before."""
        if outside is None:
            return self
        return replace(self, pool=pool_by(self.pool, outside.uncertainty[: len(self.pool)]), outside=outside)

    def ranked(self, strategy: QueryStrategy, size: int) -> Ranking:
        """The first ``size`` tasks in the order of the strategy.

        Raises what the strategy raises, and `SettingsError` where it cannot rank this pool, or what it gives is no
        ranking of it.
        """
        chosen = self._by(strategy, size) if len(self.pool) else Ranking((), "")
        last = (RankedTask(task.id, 0.0) for task in self.tasks[len(self.pool) :])
        return Ranking((*chosen.tasks, *last)[:size], chosen.strategy)

    def _by(self, strategy: QueryStrategy, size: int) -> Ranking:
        name = str(getattr(strategy, "name", type(strategy).__name__))
        check_pool(strategy, name, self.pool)
        ranking = strategy.rank(self.pool, size)
        if complaint := complaint_of(ranking, self.pool, size):
            raise SettingsError(f"The strategy '{name}' {complaint}")
        return ranking

    def utilities(self, strategy: QueryStrategy | None, rows: Sequence[int]) -> Floats:
        """Of these tasks one by one, by the margin without a strategy; 0 where there is nothing to read. Raises what
        `utilities_of` raises."""
        found, asked = np.zeros(len(rows)), np.asarray(rows, dtype=np.intp)
        known = asked < len(self.pool)
        found[known] = utilities_of(strategy, self._predicted(asked[known]), self.weights)
        return found

    def uncertainty(self, rows: Rows) -> Floats:
        """How unsure the model is of these tasks, in [0, 1], of all targets together."""
        return overall_uncertainty(self._predicted(rows), self.weights)

    def _predicted(self, rows: Rows) -> dict[str, TargetPredictions]:
        """What tasks are ordered by."""
        predicted = {"": self.outside} if self.outside is not None else self.target_predictions
        return {name: one.of(rows) for name, one in predicted.items()}


class Workbench(Protocol):
    """One turn's work on one project."""

    @property
    def learner(self) -> str:
        """What makes the models here (`ModelRecord.learner`)."""

    @property
    def schema_digest(self) -> str:
        """Stands for the labeling config, as far as the learner minds it."""

    @property
    def targets(self) -> Sequence[Target]:
        """What is learned by nextlabel's own estimators."""

    @property
    def labels(self) -> Labels:
        """Every label in force, by task and target."""

    @property
    def set_aside(self) -> Mapping[str, int]:
        """How many labels of each target the labeling config no longer has room for."""

    @property
    def digest(self) -> str:
        """Stands for every label in force."""

    @property
    def open(self) -> Sequence[Task]:
        """Tasks that nobody has labeled, and that somebody has not skipped."""

    @property
    def everyone(self) -> Sequence[Task]:
        """All tasks that something is known of: those that are labeled, and those that are open."""

    @property
    def ranks_all(self) -> bool:
        """Whether every open task is a candidate, or only as many as there is time for."""

    @property
    def blank(self) -> Sequence[Task] | None:
        """Open tasks in which there is nothing to read; None before `candidates`."""

    def understands(self, learner: str, schema_digest: str) -> bool:
        """Whether what that learner has made for such a labeling config can be asked here, even if it would be made
        otherwise now."""

    def ordered_by(self, strategy: str) -> str:
        """The name of the orders that it makes with a strategy: changes with whatever makes another order."""

    def learn(
        self, champion: Champion | None, meanwhile: Callable[[], object], anchor: Champion | None = None
    ) -> Challenger | None:
        """A model of the labels in force; None where there is nothing to be learned beyond the one in service.

        It is held to the champion, and to the ``anchor``, the last version that audit labels spoke for.
        ``meanwhile`` is called now and then where that takes minutes; what it raises is raised.
        """

    def answers(self, champion: Champion, audits: Collection[TaskId]) -> Sequence[Answer]:
        """How right the champion is, in [0, 1], about each target of those audit tasks whose label it has not seen."""

    def compare(self, model: Model, tasks: Sequence[TaskId]) -> Sequence[Compared]:
        """What the model that was just learned predicts of a stop set and of audit tasks, target by target; nothing of
        those that it knows nothing about."""

    def trusting(self) -> Mapping[str, OutOfFold]:
        """By target what models predict that have seen neither the label nor any that is in doubt by those of the model
        that was just learned; nothing of targets of which that is not known."""

    def is_cold(self, model: Model, cold_start: int) -> bool:
        """Whether the model cannot yet tell what it is unsure of; ``cold_start`` is from how many labels on it can."""

    def candidates(self, model: Model, scorer: Scorer) -> Candidates:
        """What the model says of the open tasks, or of as many as there is time for; ``scorer`` asks where that takes
        long, and has the seed of this order."""


def order_seed(seed: int, labels: int) -> int:
    """The seed of the order after so many labels: places that are drawn at random must not always be the same."""
    return int(np.random.default_rng([seed, labels]).integers(2**31))
