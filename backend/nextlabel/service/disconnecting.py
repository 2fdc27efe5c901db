"""Taking back what `connect` made: a project as it was before nextlabel."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Protocol

from nextlabel.errors import ProjectGone, SettingsError
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import (
    CallsUs,
    ChangesSettings,
    Connector,
    Finding,
    KeepsOldOrders,
    OwnOrder,
    Prepares,
    ToolSetting,
)
from nextlabel.service import connecting
from nextlabel.service.connecting import our_versions, waiting_lease
from nextlabel.service.pruning import remove_all
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.fences import StoredFences
from nextlabel.storage.findings import StandingFindings
from nextlabel.storage.orders import StoredOrders
from nextlabel.storage.retention import Retention

NONE = "none"
"""What a person types for a setting that is to be empty."""


class Report(connecting.Report, Protocol):
    """Where it goes what was done and found."""

    def removed(self, number: int, total: int) -> None:
        """How many predictions have been removed so far, of how many."""


class Person(Protocol):
    """Somebody who can be asked."""

    def explain(self, why: str) -> None:
        """Why the next questions are asked."""

    def setting(self, one: ToolSetting) -> str:
        """What a setting was before nextlabel: one of its choices, or `NONE`."""

    def wants_removed(self, number: int) -> bool:
        """Whether so many predictions of nextlabel's are to be removed from the tool."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was typed; ``settings`` by `ToolSetting.name`, and None where nothing was said."""

    settings: Mapping[str, str | None]
    predictions: str | None
    similar: bool
    offline: bool
    forget: bool


@dataclass(frozen=True, slots=True)
class Disconnecting:
    """Disconnects projects; may be called again for one at any time."""

    home: Path
    connections: SqlConnections
    orders: StoredOrders
    fences: StoredFences
    retention: Retention
    findings: StandingFindings
    job_queue: RqJobQueue
    open_connector: Callable[[Connection], Connector]
    withdraw: Sequence[Callable[[ProjectId, Connector], Iterable[Finding]]]
    """Each takes back what one part of nextlabel has made in the tool."""

    def disconnect(self, known: Connection, wishes: Wishes, report: Report, person: Person | None) -> None:
        """The project as it was before `connect`, as far as the report has no problem then.

        Raises `SettingsError` where that cannot be known and there is no ``person`` to ask, before anything is
        changed.
        """
        _Run(self, known, wishes, report, person).run()

    def forget(self, project: ProjectId) -> Finding:
        """Delete all that was learned of a project."""
        files = self.retention.files(project)
        self.connections.forget(project)
        for folder in ("features", "hosted"):
            shutil.rmtree(self.home / folder / project, ignore_errors=True)
        if stuck := self.retention.delete(files).stuck:
            return Finding("warning", f"Project {project} is disconnected and forgotten, but {stuck}.")
        return Finding("done", f"Project {project} is disconnected, and all that was learned of it is deleted.")


@dataclass(frozen=True, slots=True)
class _Run:
    """One project being disconnected."""

    here: Disconnecting
    known: Connection
    wishes: Wishes
    report: Report
    person: Person | None

    def run(self) -> None:
        """The connection says first that it is no more, and keeps what is to be put back until all has been: whatever
        interrupts this, the next run completes it."""
        here, known, project = self.here, self.known, self.known.project
        connector = None if self.wishes.offline else here.open_connector(known)
        settings = self._settings(connector) if connector else None
        wanted = {} if settings is None else self._wanted(settings)
        removes = connector is not None and settings is not None and self._removes(connector)
        at_rest = here.job_queue.is_at_rest(project)  # later nobody tells
        begun = known.state != "disconnected" or known.before is not None
        before = {**(known.before or {}), **wanted} if begun else None
        here.connections.save(replace(known, state="disconnected", before=before))
        here.fences.next(project)  # a worker that is on it publishes nothing more
        with waiting_lease(here.job_queue, project):
            if connector is not None and settings is not None:
                self._undo(connector, wanted)
                if removes and not self.report.problems and isinstance(connector, KeepsOldOrders):
                    self._remove(connector, at_rest=at_rest)
        if not self.report.problems:
            self._complete()

    def _settings(self, connector: Connector) -> Sequence[ToolSetting] | None:
        """With those choices that can have been there before. None where the tool has no such project any more."""
        project = self.known.project
        if not isinstance(connector, ChangesSettings):
            return []
        try:
            found = connector.settings(our_versions(self.here.orders, project))
        except ProjectGone as error:
            self.report.add(Finding("warning", f"{error} So there is nothing to take back."))
            return None
        only_ours = {order.version for order in self._own_orders() if order.window is None}
        return [replace(one, choices=tuple(it for it in one.choices if it not in only_ours)) for one in found]

    def _undo(self, connector: Connector, wanted: Mapping[str, str]) -> None:
        found: Iterable[Finding] = ()
        if isinstance(connector, CallsUs):
            callback = self.here.connections.callback(self.known)
            found = connector.disconnect(callback, wanted, similar=self.wishes.similar)
        elif isinstance(connector, Prepares):
            found = connector.restore(wanted, self._own_orders())
        for one in chain(found, *(take_back(self.known.project, connector) for take_back in self.here.withdraw)):
            self.report.add(one)

    def _removes(self, connector: Connector) -> bool:
        """Whether predictions of ours are to be removed; asked, where it was not said and there are some."""
        number = self._held(connector)
        if self.wishes.predictions is not None or not number:
            return self.wishes.predictions == "remove"
        if self.person is not None:
            return self.person.wants_removed(number)
        if self.wishes.forget:
            raise SettingsError(
                f"The tool stores {number} predictions of nextlabel's, and once that is forgotten nobody knows whose "
                "they are: give --predictions keep or --predictions remove too."
            )
        again = f"`nextlabel disconnect --project {self.known.project} --predictions remove`"
        self.report.add(
            Finding("unchanged", f"{number} predictions of nextlabel's stay in the tool: {again} ends that.")
        )
        return False

    def _held(self, connector: Connector | KeepsOldOrders) -> int:
        if not isinstance(connector, KeepsOldOrders):
            return 0
        held = connector.predictions_held()
        return sum(min(held.get(one.version, 0), _at_most(one)) for one in self._own_orders())

    def _remove(self, connector: KeepsOldOrders, *, at_rest: bool) -> None:
        """What nextlabel wrote, and what the tool stored of its answers; what anybody else wrote stays."""
        project, orders, removed = self.known.project, self._own_orders(), 0
        total, left = self._held(connector), [order.version for order in orders]
        for lot in remove_all(connector, orders, at_rest=at_rest):
            self.here.orders.note_removed(project, lot.emptied)
            left = [version for version in left if version not in lot.emptied]
            removed += lot.removed
            self.report.removed(removed, total)
        self.report.add(Finding("done" if removed else "unchanged", f"{removed} predictions of nextlabel's removed."))
        if left:
            names = ", ".join(left)
            self.report.add(
                Finding("warning", f"Those of {names} stay: annotators are shown them, or the tool's log says why.")
            )

    def _own_orders(self) -> list[OwnOrder]:
        return list(self.here.orders.own(self.known.project))

    def _complete(self) -> None:
        here, project = self.here, self.known.project
        here.findings.replace(project, ())
        if self.wishes.forget:
            self.report.add(here.forget(project))
            return
        here.connections.save(replace(self.known, state="disconnected", before=None))
        again = f"`nextlabel connect --project {project}` goes on with them"
        self.report.line(
            Finding("done", f"Project {project} is disconnected. Its labels and models stay here: {again}.")
        )

    def _wanted(self, settings: Sequence[ToolSetting]) -> dict[str, str]:
        """What each setting is to be. Raises `SettingsError` where that cannot be known and nobody can be asked."""
        wanted = self._typed(settings)
        open_ones = [one for one in settings if one.name not in wanted]
        before = self.known.before
        if before is None and self.known.state == "disconnected":
            return wanted  # all was put back already
        if before is None:
            return wanted | self._asked([one for one in open_ones if one.ours])
        for one in open_ones:
            value = str(before.get(one.name, one.value))
            if one.ours:
                wanted[one.name] = value
            elif value != one.value:
                self.report.add(Finding("unchanged", f"{one.name} stays '{one.value}': somebody chose it since."))
        return wanted

    def _typed(self, settings: Sequence[ToolSetting]) -> dict[str, str]:
        by_name = {one.name: one for one in settings}
        typed = {name: value for name, value in self.wishes.settings.items() if value is not None}
        for name, value in typed.items():
            if name not in by_name:
                raise SettingsError(f"{_flag(name)} is nothing that this tool has: it has {', '.join(by_name)}.")
            typed[name] = _read(by_name[name], value)
        return typed

    def _asked(self, unknown: Sequence[ToolSetting]) -> dict[str, str]:
        if not unknown:
            return {}
        names = ", ".join(one.name for one in unknown)
        why = (
            f"Project {self.known.project} was connected by a release that did not note how it was before, so nobody "
            f"can know what to put back: {names}."
        )
        if self.person is None:
            flags = "; ".join(f"{_flag(one.name)} {' | '.join(map(shown_choice, one.choices))}" for one in unknown)
            raise SettingsError(f"{why} Say it: {flags}")
        self.person.explain(why)
        return {one.name: _read(one, self.person.setting(one)) for one in unknown}


def _at_most(order: OwnOrder) -> int:
    """How many predictions under an order's name can be ours."""
    return sys.maxsize if order.window is None else len(order.window)


def _read(one: ToolSetting, value: str) -> str:
    if value not in one.choices and value == NONE and "" in one.choices:
        return ""
    if value not in one.choices:
        raise SettingsError(
            f"{_flag(one.name)} is {value!r}: it must be one of {', '.join(map(shown_choice, one.choices))}."
        )
    return value


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def shown_choice(choice: str) -> str:
    return repr(choice) if choice else NONE
