"""The sanity checks of a new version, from what a turn of the loop has at hand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nextlabel.estimators.by_kind import Fitted
from nextlabel.estimators.project import Learned, ProjectModel
from nextlabel.evaluation import sanity
from nextlabel.evaluation.sanity import Check
from nextlabel.features.encoders import Encoder
from nextlabel.features.matrices import rows_of
from nextlabel.labeling import KINDS, Task, TaskId
from nextlabel.labeling.ranking import Features
from nextlabel.learning.pools import Examples
from nextlabel.learning.workbench import Champion

_LEAST_AUDITS = 50  # for what is measured on audit tasks
_SETTLED = 50  # labels, before which a version that gives other labels to many tasks is only learning


@dataclass(frozen=True, slots=True)
class Evidence:
    """One target of a new version: what it was fitted to and came to, and some ``open`` tasks.

    ``encoded`` has the features of those by an encoder, ``encoder`` is the version's. ``audits`` are the labeled audit
    tasks, ``metrics`` the figures of the version.
    """

    fitted: Fitted
    examples: Examples
    open: Sequence[Task]
    encoder: Encoder
    encoded: Callable[[Encoder], Features]
    audits: Collection[TaskId]
    metrics: Mapping[str, float]


def checks(new: Evidence, champion: Champion | None) -> Iterator[Check]:
    """Each check for which there is enough to go by."""
    target = new.examples.target
    shown = {repr([task.data.get(one.field) for one in target.inputs]) for task in new.open}
    alike = sanity.alike(target.name, new.encoded(new.encoder), differ=len(shown) > 1)
    yield alike
    yield from _of_audits(new)
    if champion is None or not champion.same_kind:
        return
    given = (labels.get(target.name) for labels in champion.trained_on.values())
    before = [label for label in map(target.read, given) if label is not None]
    yield sanity.vanished(target.name, target.kind, before, new.examples.labels)
    yield sanity.fell(target.name, new.metrics, champion.metrics, same=_same(new, champion))
    yield sanity.constant(target.name, alike, champion.metrics)
    if len(before) >= _SETTLED and (estimator := _informative(champion, target.name)):
        yield from _drift(new, estimator)


def _same(new: Evidence, champion: Champion) -> int:
    """Of how many audit tasks the label is the one that the champion had seen."""
    target, known = new.examples.target, champion.trained_on
    return sum(
        task.id in new.audits and target.read(known.get(task.id, {}).get(target.name)) == label
        for task, label in zip(new.examples.tasks, new.examples.labels, strict=True)
    )


def _informative(champion: Champion, target: str) -> Learned | None:
    """What the champion has learned of a target, where that says anything."""
    known = champion.model.targets.get(target) if isinstance(champion.model, ProjectModel) else None
    return known if known and known.estimator.informative else None


def _of_audits(new: Evidence) -> Iterator[Check]:
    target, tasks = new.examples.target, new.examples.tasks
    is_audit = np.array([task.id in new.audits for task in tasks], dtype=np.bool_)
    rows, others = np.flatnonzero(is_audit), np.flatnonzero(~is_audit)
    if len(rows) < _LEAST_AUDITS:
        return
    features = new.examples.features
    yield sanity.duplicates(target.name, rows_of(features, rows), rows_of(features, others))
    if new.fitted.out_of_fold is not None and target.kind == "choice":
        predicted = new.fitted.out_of_fold.of(rows)
        correctness = predicted.correctness([new.examples.labels[row] for row in rows.tolist()])
        yield sanity.miscalibrated(target.name, predicted.confidence, correctness)


def _drift(new: Evidence, known: Learned) -> Iterator[Check]:
    """Of labels, by what both versions guess about some open tasks; not where asking takes long."""
    target, kind = new.examples.target, KINDS[new.examples.target.kind]
    if kind.names is None or kind.slow or not new.open:
        return
    both = (new.fitted.model, new.encoder), (known.estimator, known.encoder)
    first, second = (
        [guess.label for guess in estimator.predict(new.open, new.encoded(encoder)).guesses(target.name)]
        for estimator, encoder in both
    )
    yield sanity.drift(target.name, first, second)
