"""Who labeled what of a project, how far people agree on the tasks that several of them labeled, and whose labels got
worse."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median
from typing import Any

from nextlabel.errors import NextlabelError, SettingsError
from nextlabel.evaluation.given import FEWEST_SHARED, Given, Latest, Values, by_target, comparable, given_of, latest_of
from nextlabel.evaluation.intervals import Interval
from nextlabel.evaluation.people import Agreement, Standing, agreement, blind, standings
from nextlabel.labeling import Annotation, ProjectId, TaskId
from nextlabel.ports.state import Connection
from nextlabel.storage.agreements import StoredAgreements
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.label_store import SqlLabelStore
from nextlabel.storage.reserves import StoredReserves

log = logging.getLogger("nextlabel.service.annotators")

MOST_SECONDS = 1_800.0
"""Of one label that count: whoever leaves a task open over lunch has not labeled it meanwhile."""


@dataclass(frozen=True, slots=True)
class Person:
    """What one account labeled; ``seconds`` is the median a task (at most `MOST_SECONDS`), None where the tool does not
    tell. ``longest_run`` is how many labels in a row were the same. ``targets`` is by target how they stand."""

    account: str
    tasks: int
    seconds: float | None
    longest_run: int
    targets: Mapping[str, Standing]


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
    reserves: StoredReserves
    agreements: StoredAgreements

    def report(self, project: ProjectId, *, names: bool) -> AnnotatorsReport:
        """Accounts come in their own order: nothing ranks people by speed. Without ``names`` each has a pseudonym, the
        same each time, that only who has the tool's credentials can undo: for whoever may not see who is who. Raises
        `NotConnected`, and `SettingsError` where the project shows nothing about people."""
        connection = self.connections.get(project)
        if connection.options.annotators == "off":
            raise SettingsError(
                f"Project {project} shows nothing about the people who label (annotators=off): `nextlabel connect "
                f"--project {project} --option annotators=on` shows it."
            )
        annotated = [(task.id, given) for task, given in self.store.annotated(project)]
        latest = latest_of(annotated)
        values = by_target(latest)
        given = _given(values, connection)
        found = {target: agreement(target, one) for target, one in given.items()}
        report = AnnotatorsReport(
            [one for one in found.values() if one is not None],
            list(_people(latest, given, self._blind(project, values), connection.options.confidence)),
            {target: given[target].shared for target, one in found.items() if one is None},
            sum(one.by is None for _, some in annotated for one in some),
        )
        return report if names else _without_names(report, self._pseudonyms(connection, report))

    def after_round(self, project: ProjectId, *, learned: bool) -> None:
        """How far people agree is computed and kept, for pages, where the round has ``learned`` something or people
        share other tasks than before: names are no part of it. Whatever fails waits for the next round."""
        try:
            connection, shared = self.connections.get(project), self.store.shared_tasks(project)
            known = {one["of"] for one in self.agreements.of(project).values()}
            if not learned and (shared < FEWEST_SHARED or known == {shared}):
                return
            wanted = connection.options.annotators != "off" and shared >= FEWEST_SHARED
            found = self._agreement(connection) if wanted else {}
            self.agreements.replace(project, {target: one | {"of": shared} for target, one in found.items()})
        except NextlabelError as error:
            log.warning("project %s: the agreement of annotators is as it was: %s", project, error)

    def _agreement(self, connection: Connection) -> dict[str, dict[str, Any]]:
        annotated = [(task.id, given) for task, given in self.store.annotated(connection.project)]
        given = _given(by_target(latest_of(annotated)), connection)
        found = {target: agreement(target, one) for target, one in given.items()}
        return {
            target: {"value": one.alpha.value, "low": one.alpha.low, "high": one.alpha.high, "n": one.shared}
            for target, one in found.items()
            if one is not None
        }

    def _blind(self, project: ProjectId, values: Mapping[str, Values]) -> Mapping[str, Mapping[str, Interval]]:
        """By target and account."""
        predicted: dict[str, dict[TaskId, object]] = defaultdict(dict)
        for one in self.reserves.answers(project):
            if (known := comparable(one.predicted)) is not None:
                predicted[one.target][one.task] = known
        return {target: blind(values[target], some) for target, some in predicted.items() if target in values}

    def _pseudonyms(self, connection: Connection, report: AnnotatorsReport) -> Mapping[str, str]:
        secret = self.connections.credentials()[connection.tool.name].webhook_secret
        key = hashlib.sha256(f"{connection.project}\n{secret}".encode()).digest()
        return {
            one.account: f"annotator {hashlib.blake2b(one.account.encode(), key=key, digest_size=3).hexdigest()}"
            for one in report.people
        }


def _given(values: Mapping[str, Values], connection: Connection) -> dict[str, Given]:
    ordered, confidence = connection.options.ordered, connection.options.confidence
    read = {
        name: given_of(some, ordered.get(name, ()))
        for name, some in values.items()
        if name != confidence  # it is of an annotation: nobody need agree on it
    }
    return {target: one for target, one in read.items() if one is not None}


def _without_names(report: AnnotatorsReport, names: Mapping[str, str]) -> AnnotatorsReport:
    """In the order of their pseudonyms: that of accounts would tell who is who."""
    people = sorted((replace(one, account=names[one.account]) for one in report.people), key=lambda one: one.account)
    agreement = [
        replace(one, pairs=[replace(pair, one=names[pair.one], other=names[pair.other]) for pair in one.pairs])
        for one in report.agreement
    ]
    return replace(report, people=people, agreement=agreement)


def _people(
    latest: Latest, given: Mapping[str, Given], blind: Mapping[str, Mapping[str, Interval]], confidence: str
) -> Iterator[Person]:
    own: dict[str, list[Annotation]] = defaultdict(list)
    for some in latest.values():
        for account, annotation in some.items():
            own[account].append(annotation)
    standing = {target: standings(one, _times(one, latest)) for target, one in given.items()}
    for account in sorted(own, key=lambda name: (len(name), name)):
        seconds = [min(one.seconds, MOST_SECONDS) for one in own[account] if one.seconds is not None]
        targets = {
            target: replace(some[account], blind=blind.get(target, {}).get(account))
            for target, some in standing.items()
            if account in some
        }
        usual, run = median(seconds) if seconds else None, _longest_run(own[account], confidence)
        yield Person(account, len(own[account]), usual, run, targets)


def _times(given: Given, latest: Latest) -> Sequence[str]:
    rows = zip(given.ratings.tasks.tolist(), given.ratings.people.tolist(), strict=True)
    return [latest[given.tasks[task]][given.accounts[person]].updated_at for task, person in rows]


def _longest_run(annotations: Sequence[Annotation], confidence: str) -> int:
    """How sure people say they are, by that control, is no label."""
    in_time = sorted(annotations, key=lambda one: one.updated_at)
    labels = ({name: it for name, it in one.labels.items() if name != confidence} for one in in_time)
    return max((len(list(run)) for _, run in groupby(labels)), default=0)
