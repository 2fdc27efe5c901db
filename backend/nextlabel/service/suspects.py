"""Which labels of a project are likely wrong, and the tab of the tool in which people review them.

Nothing is relabeled. Audit tasks stay out of it: to review only those labels that the model contradicts, and to see
what it says instead, makes it look better than it is. The worker finds them after each round that has learned
something, from what models predicted that had not seen the labels; whoever asks reads what was found.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from nextlabel.errors import NextlabelError, SettingsError
from nextlabel.evaluation.agreed import agreed_labels
from nextlabel.evaluation.suspects import FEWEST, Doubts, doubts_of, kind_of
from nextlabel.labeling import (
    KINDS,
    Label,
    ProjectId,
    Result,
    TaskId,
    counted,
    label_in_words,
)
from nextlabel.measures.out_of_fold import OutOfFold
from nextlabel.ports.state import Connection, ModelRecord
from nextlabel.ports.tool import Connector, Finding, KeepsTabs, TaskList
from nextlabel.service.addresses import MOST_LISTED, list_of, page_of, tab_of
from nextlabel.storage.actions import StoredActions
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.label_store import SqlLabelStore
from nextlabel.storage.model_store import StoredModels
from nextlabel.storage.reserves import StoredReserves
from nextlabel.storage.reviews import SUSPECTED, StoredReviews
from nextlabel.storage.suspects import Counted, StoredSuspects, Suspect

log = logging.getLogger("nextlabel.service.suspects")

MOST = 1_000
"""Of a target, at a time: the most doubtful."""
TAB = "suspects"
_TITLE = "nextlabel: suspected labels"


@dataclass(frozen=True, slots=True)
class SuspectsReport:
    """The labels that are suspected, the most doubtful first, and how many were reviewed. ``labels`` is by target how
    many were looked into, by models of the ``version``; ``too_few`` of how many that is too little to go by;
    ``under_review`` how many tasks the tool serves once more for it."""

    version: str
    labels: Mapping[str, int]
    too_few: Mapping[str, int]
    suspects: Sequence[Suspect]
    reviewed: int
    under_review: int = 0


@dataclass(frozen=True, slots=True)
class Suspects:
    """Finds suspected labels, and shows them in the tool. All raise `NotConnected`."""

    connections: SqlConnections
    store: SqlLabelStore
    models: StoredModels
    reserves: StoredReserves
    suspects: StoredSuspects
    reviews: StoredReviews
    open_connector: Callable[[Connection], Connector]
    actions: StoredActions

    def report(self, project: ProjectId) -> SuspectsReport:
        """As of the newest version whose out-of-fold predictions are kept. Raises `SettingsError` where there is none
        or the project wants none found, and `ArtifactError` where they are damaged."""
        _check_wanted(self.connections.get(project))
        known = self.models.out_of_fold(project)
        if known is None:
            raise SettingsError(
                f"Project {project} has no version yet that was tried on labels it had not seen: that takes some "
                "labels, and a model of nextlabel's own. See `nextlabel status`."
            )
        return self._found(project, *known)

    def shown(self, project: ProjectId) -> dict[str, Any]:
        """Those that wait for a review, as they were last found, in plain values: nothing is looked into again. None
        where the project wants none found.

        ``list`` is the address of exactly these tasks in the tool, of the most doubtful 300 where there are more;
        ``tab`` that of the tab, which may hold others until it is renewed. ``blind`` is whether people review them
        among other tasks, and should not know which they are.
        """
        connection, tab = self.connections.get(project), self.suspects.tab(project, TAB)
        off = connection.options.suspects == "off"
        found, known = ([], Counted()) if off else (self.suspects.waiting(project), self.suspects.counted(project))
        tasks = list(dict.fromkeys(one.task for one in found))
        return {
            "off": off,
            "blind": connection.options.serves_again,
            "version": known.version or None,
            "reviewed": known.reviewed,
            "suspects": [
                asdict(one)
                | {
                    "given": label_in_words(one.given),
                    "instead": label_in_words(one.instead),
                    "url": page_of(connection, one.task),
                }
                for one in found
            ],
            "listed": min(len(tasks), MOST_LISTED),
            "list": self._list(connection, tasks[:MOST_LISTED]),
            "tab": tab_of(connection, tab),
            "has_tab": tab is not None,
            "keeps_tabs": self._keeps_tabs(connection),
        }

    def _list(self, connection: Connection, tasks: Sequence[TaskId]) -> str | None:
        given = self.store.annotations_of(connection.project, tasks)
        first = (one.id for task in tasks for one in islice((it for it in given.get(task, ()) if not it.skipped), 1))
        return list_of(connection, TaskList(_TITLE, annotations=list(first))) if tasks else None

    def _keeps_tabs(self, connection: Connection) -> bool:
        with suppress(NextlabelError):
            return isinstance(self.open_connector(connection), KeepsTabs)
        return False

    def ask_tab(self, project: ProjectId, who: str) -> str:
        """`show`, and it is noted who asked for it; in words what came of it."""
        came_of_it = self.show(project).message
        self.actions.add(who, "had the tab of suspected labels made", project)
        return came_of_it

    def after_round(self, project: ProjectId, *, learned: bool) -> None:
        """What a round has ``learned`` is looked into; where the project wants it, the tab is renewed, and where it
        wants none found any more, the tab is removed. Whatever fails waits for the next round: the labels themselves
        are safe."""
        try:
            connection = self.connections.get(project)
            wanted = connection.options.suspects
            if wanted == "off" and self.suspects.tab(project, TAB) is not None:
                list(self.remove_tab(project, self.open_connector(connection)))
            known = self.models.out_of_fold(project) if learned and wanted != "off" else None
            if known is not None:
                self._found(project, *known)
            if wanted == "tab" and known is not None:
                self.show(project)
        except NextlabelError as error:
            log.warning("project %s: suspected labels are as they were: %s", project, error)

    def show(self, project: ProjectId) -> Finding:
        """Have a tab of the tool hold the tasks of those labels that wait for a review. Raises what the connector
        raises, and `SettingsError` where the tool has no tabs or the project wants no suspected labels."""
        connection = self.connections.get(project)
        _check_wanted(connection)
        connector = self.open_connector(connection)
        if not isinstance(connector, KeepsTabs):
            raise SettingsError(
                f"{connection.tool.kind} has no tabs that a program may make: `nextlabel suspects` lists the tasks."
            )
        tasks = list(dict.fromkeys(one.task for one in self.suspects.waiting(project)))
        if not tasks:
            return next(self.remove_tab(project, connector), Finding("unchanged", "No label is suspected: no tab."))
        tab = connector.show_tab(self.suspects.begin_tab(project, TAB), _TITLE, tasks)
        self.suspects.note_tab(project, TAB, tab)
        return Finding("done", f"The tab '{_TITLE}' holds {counted(len(tasks), 'task')}.")

    def remove_tab(self, project: ProjectId, connector: Connector) -> Iterator[Finding]:
        """What `show` has made; nothing is yielded where there is nothing."""
        tab = self.suspects.tab(project, TAB)
        if tab is None or not isinstance(connector, KeepsTabs):
            return
        removed = connector.remove_tab(tab)
        self.suspects.note_tab(project, TAB, None)
        if removed:
            yield Finding("done", f"The tab '{_TITLE}' removed.")

    def _found(self, project: ProjectId, record: ModelRecord, by_target: Mapping[str, OutOfFold]) -> SuspectsReport:
        """Found anew, and kept."""
        audits = self.reserves.tasks(project)
        found = [one for name, kept in by_target.items() for one in _of_target(name, kept, record, audits)]
        annotated = self.store.annotations_of(project, {one.task for one in found})
        in_force = agreed_labels(annotated)  # what the model learns, not only the latest label
        still = [one for one in found if _stands(one, in_force.get(one.task, {}), by_target)]
        latest = {task: max(one.updated_at for one in given) for task, given in annotated.items() if given}
        self.suspects.replace(project, record.version, still, latest)
        labels = {name: len(kept.tasks) for name, kept in by_target.items()}
        return SuspectsReport(
            record.version,
            {name: len(set(by_target[name].tasks) - audits) for name, n in labels.items() if n >= FEWEST},
            {name: n for name, n in labels.items() if n < FEWEST},
            self.suspects.waiting(project),
            self.suspects.counted(project).reviewed,
            sum(one.reason == SUSPECTED for one in self.reviews.begun(project).values()),
        )


def _check_wanted(connection: Connection) -> None:
    """Raises `SettingsError` where the project wants no suspected labels."""
    if connection.options.suspects == "off":
        raise SettingsError(
            f"Project {connection.project} finds no suspected labels (suspects=off): `nextlabel connect --project "
            f"{connection.project} --option suspects=list` has them found."
        )


def _of_target(name: str, kept: OutOfFold, record: ModelRecord, left_out: Collection[TaskId]) -> Iterator[Suspect]:
    """The most doubtful first."""
    truth = _truth(name, kept, record)
    doubts = doubts_of(kept.predicted, truth)
    worst = [row for row in doubts.worst if kept.tasks[row] not in left_out][:MOST] if doubts else []
    guesses = kept.predicted.of(worst).guesses(name) if worst else []
    for row, guess in zip(worst, guesses, strict=True):
        yield _suspect(name, kept.tasks[row], truth[row], guess.label, doubts, row)  # type: ignore[arg-type]


def _truth(name: str, kept: OutOfFold, record: ModelRecord) -> list[Label]:
    """The labels that the version was trained on, as they were kept with it."""
    read = KINDS[kind_of(kept.predicted)].read
    labels = [read(record.trained_on[task][name], None, None) for task in kept.tasks]
    return [label for label in labels if label is not None]


def _suspect(name: str, task: TaskId, given: Label, instead: Label, doubts: Doubts, row: int) -> Suspect:
    likely, gain = float(doubts.self_confidence[row]), float(doubts.gain[row])
    return Suspect(name, task, _plain(given), _plain(instead), likely, gain)


def _plain(label: Label) -> object:
    """As JSON has it."""
    if isinstance(label, Result):
        return None
    return [list(one) if isinstance(one, tuple) else one for one in label] if isinstance(label, tuple) else label


def _stands(one: Suspect, in_force: Mapping[str, object], by_target: Mapping[str, OutOfFold]) -> bool:
    """Whether the label is still the one that the version was trained on."""
    read = KINDS[kind_of(by_target[one.target].predicted)].read
    return read(in_force.get(one.target), None, None) == read(one.given, None, None)
