"""`nextlabel disconnect`, `pause` and `resume`: a project as it was before nextlabel, or left alone for a while."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import click
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.prompt import Prompt

from nextlabel.cli.connecting import Report
from nextlabel.cli.context import build_parts, find_redis, read_settings
from nextlabel.cli.escaping import printable
from nextlabel.errors import NotConnected, ProjectGone, SettingsError
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import Connector, Finding, OwnOrder, ToolSetting
from nextlabel.service.connecting import our_versions, waiting_lease
from nextlabel.wiring import Parts

_NONE = "none"
_LOT = 50  # predictions that are removed at a time, so that one sees it go on

_project = click.option("--project", required=True, help="The project's id.")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was typed; ``settings`` by `ToolSetting.name`, and None where nothing was said."""

    settings: Mapping[str, str | None]
    predictions: str | None
    similar: bool
    offline: bool
    forget: bool
    may_ask: bool


@click.command()
@_project
@click.option(
    "--predictions",
    type=click.Choice(["keep", "remove"]),
    help="Those that nextlabel wrote, and those that the tool stored from its answers.  [default: keep, or asked]",
)
@click.option("--sampling", help="What the project's sampling is to be, instead of what it was before.")
@click.option("--model-version", help="The version whose predictions are to be shown, or 'none'; likewise.")
@click.option("--show-predictions", type=click.Choice(["yes", "no"]), help="Whether any are shown; likewise.")
@click.option("--similar", is_flag=True, help="Also remove ML backends that resemble nextlabel's at other addresses.")
@click.option("--offline", is_flag=True, help="Only here: the tool is not there any more, or is to stay as it is.")
@click.option("--forget", is_flag=True, help="Also delete all that was learned: labels, models, orders, the log.")
@click.option("--token", help="An access token, where that of `connect` is no longer good.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object, and ask nothing.")
def disconnect(
    project: str,
    predictions: str | None,
    sampling: str | None,
    model_version: str | None,
    show_predictions: str | None,
    similar: bool,
    offline: bool,
    forget: bool,
    token: str | None,
    as_json: bool,
) -> None:
    """Take back what `connect` made: webhook, ML backend, sampling and version. May be run again at any time."""
    settings = {"sampling": sampling, "model_version": model_version, "show_predictions": show_predictions}
    wishes = Wishes(settings, predictions, similar, offline, forget, _at_terminal() and not as_json)
    with _wired() as parts:
        known = parts.connections.known(ProjectId(project))
        if known is None:
            raise NotConnected(f"Project {project} was never connected here: there is nothing to disconnect.")
        if token:
            known = replace(known, access=replace(known.access, token=token))
        ok = _Disconnecting(parts, known, wishes, Report(as_json)).run()
    sys.exit(0 if ok else 1)


@click.command()
@_project
def pause(project: str) -> None:
    """Leave a project alone: nothing is read, learned, written or put right until `nextlabel resume`."""
    with _wired() as parts:
        name = ProjectId(project)
        if parts.connections.get(name).state == "paused":
            click.echo(f"Project {name} is paused already: `nextlabel resume --project {name}` ends it.")
            return
        parts.connections.change_state(name, "paused", among=("active", "gone"))
        parts.models.next_fence(name)  # a worker that is on it publishes nothing more; until it has noticed:
        with waiting_lease(parts.job_queue, name):
            serving = parts.models.in_service(name)
        answers = f"by version {serving.announced_version}" if serving else "without a model"
        click.echo(
            f"Project {name} is paused: nothing is read, learned or written, and what you change in the tool stays. "
            f"Whoever asks for predictions still gets them, {answers}. `nextlabel resume --project {name}` ends it."
        )


@click.command()
@_project
def resume(project: str) -> None:
    """End `nextlabel pause`, or try again with a project that was gone from the tool."""
    with _wired() as parts:
        name = ProjectId(project)
        parts.connections.get(name)
        if not parts.connections.change_state(name, "active", among=("paused", "gone")):
            click.echo(f"Project {name} was not paused.")
            return
        parts.job_queue.request_retraining(name, quiet=0, max_wait=0)
        click.echo(f"Project {name} is worked on again: what was labeled meanwhile is read and learned now.")


def _at_terminal() -> bool:
    return sys.stdin.isatty()


@contextmanager
def _wired() -> Iterator[Parts]:
    settings = read_settings()
    redis_url, server = find_redis(settings)
    try:
        yield build_parts(settings, redis_url)
    finally:
        if server is not None:
            server.stop()


class _Disconnecting:
    """One run of `disconnect`."""

    def __init__(self, parts: Parts, known: Connection, wishes: Wishes, report: Report) -> None:
        self._parts, self._known, self._wishes, self._report = parts, known, wishes, report

    def run(self) -> bool:
        """The connection says first that it is no more, and keeps what is to be put back until all has been: whatever
        interrupts this, the next run completes it."""
        parts, known, project = self._parts, self._known, self._known.project
        connector = None if self._wishes.offline else parts.open_connector(known)
        settings = self._settings(connector) if connector else None
        wanted = {} if settings is None else self._wanted(settings)
        removes = connector is not None and settings is not None and self._removes(connector)
        at_rest = parts.job_queue.is_at_rest(project)  # later nobody tells
        begun = known.state != "disconnected" or known.before is not None
        before = {**(known.before or {}), **wanted} if begun else None
        parts.connections.save(replace(known, state="disconnected", before=before))
        parts.models.next_fence(project)  # a worker that is on it publishes nothing more
        with waiting_lease(parts.job_queue, project):
            if connector is not None and settings is not None:
                self._undo(connector, wanted)
                if removes and not self._report.problems:
                    self._remove(connector, at_rest=at_rest)
        if not self._report.problems:
            self._complete()
        return self._report.end(project)

    def _settings(self, connector: Connector) -> Sequence[ToolSetting] | None:
        """With those choices that can have been there before. None where the tool has no such project any more."""
        project = self._known.project
        try:
            found = connector.settings(project, our_versions(self._parts.models, project))
        except ProjectGone as error:
            self._report.add(Finding("warning", f"{error} So there is nothing to take back."))
            return None
        only_ours = {order.version for order in self._own_orders() if order.window is None}
        return [replace(one, choices=tuple(it for it in one.choices if it not in only_ours)) for one in found]

    def _undo(self, connector: Connector, wanted: Mapping[str, str]) -> None:
        door = self._parts.connections.door(self._known)
        for found in connector.disconnect(self._known.project, door, wanted, similar=self._wishes.similar):
            self._report.add(found)

    def _removes(self, connector: Connector) -> bool:
        """Whether predictions of ours are to be removed; asked, where it was not said and there are some."""
        number = self._held(connector)
        if self._wishes.predictions is not None or not number:
            return self._wishes.predictions == "remove"
        if self._wishes.may_ask:
            question = f"The tool stores {number} predictions of nextlabel's: keep or remove them?"
            answer = Prompt.ask(question, console=self._report.console, choices=["keep", "remove"], default="keep")
            return answer == "remove"
        if self._wishes.forget:
            raise SettingsError(
                f"The tool stores {number} predictions of nextlabel's, and once that is forgotten nobody knows whose "
                "they are: give --predictions keep or --predictions remove too."
            )
        again = f"`nextlabel disconnect --project {self._known.project} --predictions remove`"
        self._report.add(
            Finding("unchanged", f"{number} predictions of nextlabel's stay in the tool: {again} ends that.")
        )
        return False

    def _held(self, connector: Connector) -> int:
        held = connector.predictions_held(self._known.project)
        return sum(min(held.get(one.version, 0), _at_most(one)) for one in self._own_orders())

    def _remove(self, connector: Connector, *, at_rest: bool) -> None:
        """What nextlabel wrote, and what the tool stored of its answers; what anybody else wrote stays."""
        project, removed, left = self._known.project, 0, self._own_orders()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        console = self._report.console
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("removing predictions", total=self._held(connector))
            while left:
                lot = connector.prune(project, left, _LOT, at_rest=at_rest)
                self._parts.models.note_removed(project, lot.emptied)
                left = [order for order in left if order.version not in lot.emptied]
                removed += lot.removed
                progress.update(bar, completed=removed)
                if not lot.removed:
                    break
        self._report.add(Finding("done" if removed else "unchanged", f"{removed} predictions of nextlabel's removed."))
        if left:
            names = ", ".join(order.version for order in left)
            self._report.add(
                Finding("warning", f"Those of {names} stay: annotators are shown them, or the tool's log says why.")
            )

    def _own_orders(self) -> list[OwnOrder]:
        return list(self._parts.models.own_orders(self._known.project))

    def _complete(self) -> None:
        parts, project = self._parts, self._known.project
        parts.findings.replace(project, ())
        if self._wishes.forget:
            self._report.add(_forget(parts, project))
            return
        parts.connections.save(replace(self._known, state="disconnected", before=None))
        again = f"`nextlabel connect --project {project}` goes on with them"
        self._report.line(
            Finding("done", f"Project {project} is disconnected. Its labels and models stay here: {again}.")
        )

    def _wanted(self, settings: Sequence[ToolSetting]) -> dict[str, str]:
        """What each setting is to be. Raises `SettingsError` where that cannot be known and nobody can be asked."""
        wanted = self._typed(settings)
        open_ones = [one for one in settings if one.name not in wanted]
        before = self._known.before
        if before is None and self._known.state == "disconnected":
            return wanted  # all was put back already
        if before is None:
            return wanted | self._asked([one for one in open_ones if one.ours])
        for one in open_ones:
            value = str(before.get(one.name, one.value))
            if one.ours:
                wanted[one.name] = value
            elif value != one.value:
                self._report.add(Finding("unchanged", f"{one.name} stays '{one.value}': somebody chose it since."))
        return wanted

    def _typed(self, settings: Sequence[ToolSetting]) -> dict[str, str]:
        by_name = {one.name: one for one in settings}
        typed = {name: value for name, value in self._wishes.settings.items() if value is not None}
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
            f"Project {self._known.project} was connected by a release that did not note how it was before, so nobody "
            f"can know what to put back: {names}."
        )
        if not self._wishes.may_ask:
            flags = "; ".join(f"{_flag(one.name)} {' | '.join(map(_shown, one.choices))}" for one in unknown)
            raise SettingsError(f"{why} Say it: {flags}")
        self._report.console.print(escape(printable(why)), highlight=False)
        return {one.name: self._ask(one) for one in unknown}

    def _ask(self, one: ToolSetting) -> str:
        choices = [choice or _NONE for choice in one.choices]
        question = f"What was {one.name} before?"
        answer = Prompt.ask(question, console=self._report.console, choices=choices, default=choices[0])
        return _read(one, answer)


def _at_most(order: OwnOrder) -> int:
    """How many predictions under an order's name can be ours."""
    return sys.maxsize if order.window is None else len(order.window)


def _read(one: ToolSetting, value: str) -> str:
    if value not in one.choices and value == _NONE and "" in one.choices:
        return ""
    if value not in one.choices:
        raise SettingsError(f"{_flag(one.name)} is {value!r}: it must be one of {', '.join(map(_shown, one.choices))}.")
    return value


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _shown(choice: str) -> str:
    return repr(choice) if choice else _NONE


def _forget(parts: Parts, project: ProjectId) -> Finding:
    files = parts.retention.files(project)
    parts.connections.forget(project)
    for folder in ("features", "hosted"):
        shutil.rmtree(parts.settings.home / folder / project, ignore_errors=True)
    if stuck := parts.retention.delete(files).stuck:
        return Finding("warning", f"Project {project} is disconnected and forgotten, but {stuck}.")
    return Finding("done", f"Project {project} is disconnected, and all that was learned of it is deleted.")
