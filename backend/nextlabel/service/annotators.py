"""Who labeled what of a project, and how far people agree on the tasks that several of them labeled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

import numpy as np

from nextlabel.errors import SettingsError
from nextlabel.evaluation.intervals import Interval, mean_interval
from nextlabel.evaluation.reliability import Ratings, Scale, gwet, krippendorff_interval
from nextlabel.labeling import Annotation, ProjectId, TaskId
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.label_store import SqlLabelStore

FEWEST_SHARED = 20
"""Tasks that others labeled too, below which nothing is said of how far somebody agrees with them."""

_Given = Mapping[TaskId, Mapping[str, object]]
"""By task what each person said of a target: a name, a set of names, or a number."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far people agree about a target, on ``shared`` tasks that several of them labeled; ``alpha`` is
    Krippendorff's, ``ac1`` Gwet's, None for numbers."""

    target: str
    shared: int
    scale: Scale
    alpha: Interval
    ac1: float | None


@dataclass(frozen=True, slots=True)
class Person:
    """What one account labeled; ``seconds`` is the median a task, None where the tool does not tell.

    ``agreement`` is by target how often others gave the same label, where there are `FEWEST_SHARED` tasks of both;
    ``shared`` is by target how many there are. ``longest_run`` is how many labels in a row were the same.
    """

    account: str
    tasks: int
    seconds: float | None
    shared: Mapping[str, int]
    agreement: Mapping[str, Interval]
    longest_run: int


@dataclass(frozen=True, slots=True)
class AnnotatorsReport:
    """All that is said of a project's annotators; ``unknown`` is how many annotations tell nobody's account.

    ``too_few`` is by target how many tasks several people labeled, where that is not enough to say how far they agree.
    """

    agreement: Sequence[Agreement]
    people: Sequence[Person]
    too_few: Mapping[str, int]
    unknown: int


@dataclass(frozen=True, slots=True)
class Annotators:
    """Reads what people labeled from our own store: no tool is asked."""

    connections: SqlConnections
    store: SqlLabelStore

    def report(self, project: ProjectId) -> AnnotatorsReport:
        """Accounts come in their own order: nothing ranks people by speed. Raises `NotConnected`, and `SettingsError`
        where the project wants nothing said about people."""
        if self.connections.get(project).options.annotators == "off":
            raise SettingsError(f"Project {project} wants nothing said about the people who label (annotators=off).")
        annotated = [(task.id, given) for task, given in self.store.annotated(project)]
        latest = {task: {one.by: one for one in given if one.by is not None} for task, given in annotated}
        by_target = _by_target(latest)
        shared = {target: sum(len(said) > 1 for said in given.values()) for target, given in by_target.items()}
        enough = {target: given for target, given in by_target.items() if shared[target] >= FEWEST_SHARED}
        return AnnotatorsReport(
            [_agreement(target, given, shared[target]) for target, given in enough.items()],
            list(_people(latest, by_target)),
            {target: n for target, n in shared.items() if target not in enough},
            sum(one.by is None for _, given in annotated for one in given),
        )


def _by_target(latest: Mapping[TaskId, Mapping[str, Annotation]]) -> dict[str, dict[TaskId, dict[str, object]]]:
    """What each person said of each task. Spans and orders of items are left out: hardly any two are quite the same."""
    found: dict[str, dict[TaskId, dict[str, object]]] = defaultdict(lambda: defaultdict(dict))
    for task, given in latest.items():
        for account, annotation in given.items():
            for target, label in annotation.labels.items():
                if (value := _comparable(label)) is not None:
                    found[target][task][account] = value
    return found


def _comparable(label: object) -> object:
    if isinstance(label, list | tuple):
        return frozenset(label) if all(isinstance(one, str) for one in label) else None
    return float(label) if isinstance(label, int | float) else label


def _agreement(target: str, given: _Given, shared: int) -> Agreement:
    ratings, scale = _ratings(given)
    alpha = krippendorff_interval(ratings, scale)
    return Agreement(target, shared, scale, alpha, gwet(ratings) if scale == "nominal" else None)


def _ratings(given: _Given) -> tuple[Ratings, Scale]:
    rows = [(n, account, value) for n, said in enumerate(given.values()) for account, value in said.items()]
    tasks, accounts, values = zip(*rows, strict=True)
    people = np.unique(accounts, return_inverse=True)[1]
    if all(isinstance(value, float) for value in values):
        return Ratings(np.array(tasks), people, np.array(values)), "interval"
    places = {value: float(n) for n, value in enumerate(dict.fromkeys(values))}
    return Ratings(np.array(tasks), people, np.array([places[value] for value in values])), "nominal"


def _people(latest: Mapping[TaskId, Mapping[str, Annotation]], by_target: Mapping[str, _Given]) -> Iterator[Person]:
    own: dict[str, list[Annotation]] = defaultdict(list)
    for given in latest.values():
        for account, annotation in given.items():
            own[account].append(annotation)
    for account in sorted(own, key=lambda name: (len(name), name)):
        alike = {target: list(_alike(account, given, _width(given))) for target, given in by_target.items()}
        yield Person(
            account,
            len(own[account]),
            median(seconds) if (seconds := [one.seconds for one in own[account] if one.seconds is not None]) else None,
            {target: len(found) for target, found in alike.items()},
            {target: mean_interval(np.array(found)) for target, found in alike.items() if len(found) >= FEWEST_SHARED},
            _longest_run(own[account]),
        )


def _width(given: _Given) -> float:
    """From the lowest to the highest number that anybody gave."""
    numbers = [value for said in given.values() for value in said.values() if isinstance(value, float)]
    return max(numbers) - min(numbers) if numbers else 0.0


def _alike(account: str, given: _Given, width: float) -> Iterator[float]:
    """For each task that others labeled too, how like theirs this one's label is on the average, in [0, 1]."""
    for said in given.values():
        if account in said and len(said) > 1:
            others = [value for name, value in said.items() if name != account]
            yield sum(_likeness(said[account], other, width) for other in others) / len(others)


def _likeness(one: object, other: object, width: float) -> float:
    if isinstance(one, float) and isinstance(other, float):
        return 1 - abs(one - other) / width if width else 1.0
    return float(one == other)


def _longest_run(annotations: Sequence[Annotation]) -> int:
    in_time = sorted(annotations, key=lambda one: one.updated_at)
    return max((len(list(run)) for _, run in groupby(in_time, key=lambda one: one.labels)), default=0)
