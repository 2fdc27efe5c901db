"""The way to a project that is a file of tasks, with labels and an order in files beside it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from pathlib import Path
from typing import NamedTuple

import orjson

from nextlabel.errors import FileUnavailable, SchemaError, ToolRejected
from nextlabel.labeling import Cursor, LabelSchema, Prediction, QueueVersion, Task, TaskId, counted
from nextlabel.labeling.ranking import Ranking
from nextlabel.ports.tool import (
    ChangePage,
    Finding,
    OrderedFile,
    OwnOrder,
    QueueReceipt,
    TaskSeen,
    ToolSetting,
    Unreadable,
)
from nextlabel_connectors.files.entries import Book, BrokenEntry, entries, named, read_book
from nextlabel_connectors.files.folder import Files, reachable
from nextlabel_connectors.files.lines import LineFile, Mark, still_holds
from nextlabel_connectors.files.order import Ordered, find_rows
from nextlabel_connectors.files.profiles import Plain, profile_of
from nextlabel_connectors.files.rows import BrokenRow, Data, Row, TaskFile, TaskReader
from nextlabel_connectors.files.schema import inferred, kinds, read_schema_file

_PAGE, _HEAD = 1_000, 5
_LARGEST_FILE, _MOST_BROKEN = 20_000_000, 1_000
_SETTING = "order"


class _Read(NamedTuple):
    """How far tasks and labels were read, and by which schema; None for what must be read from the start."""

    tasks: Mark | None
    labels: Mark | None
    schema: str


@dataclass(frozen=True, slots=True)
class _Project:
    """The tasks of a project, how they look, and what is to be labeled; its targets are ``named`` by a schema file, or
    inferred from the labels."""

    tasks: TaskFile
    profile: Plain
    schema: LabelSchema
    named: bool = False

    def book(self, labels: Path, of: Collection[TaskId] | None = None, until: int | None = None) -> Book:
        """What `read_book` finds; where the targets are named, only about these."""
        targets = [one.name for one in self.schema.targets] if self.named else []
        return read_book(labels, self.profile, targets, of, until)


class FilesConnector:
    """Reads and orders a file of tasks; see `nextlabel.ports.tool.Connector` for the promises.

    Nothing is held between calls: what counts is what stands in the files.
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    @property
    def order(self) -> OrderedFile:
        return OrderedFile(str(self._files.order.path))

    def label_schema(self) -> LabelSchema:
        with reachable(self._files):
            return self._project().schema

    def changed_tasks(self, since: Cursor | None, *, whole: bool = False) -> Iterator[ChangePage]:
        with reachable(self._files):
            yield from self._changes(since)

    def vanished_tasks(self, known: Collection[TaskId]) -> Collection[TaskId]:
        with reachable(self._files):
            here = self._names()
        return () if len(known) == len(here) else set(known) - here

    def place(
        self,
        version: QueueVersion,
        window: Ranking,
        predictions: Iterable[Prediction],
        *,
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        with reachable(self._files):
            project, ranked = self._project(), window.task_ids()
            book = project.book(self._files.labels)
            known = find_rows(project.tasks, project.profile, window)
            ordered = Ordered(
                project.tasks,
                project.profile,
                book.closed,
                version,
                [known.rows[task] for task in ranked if task in known.rows and not book.closed(task)],
                {one.task: one.utility for one in window.tasks},
                {one.task: one for one in predictions},
                known.again,
            )
            self._write(ordered, may_switch)
            head = tuple(row.task for row in islice(self._files.order.rows(), _HEAD))
        vanished = tuple(task for task in ranked if task not in known.rows)
        return QueueReceipt(version, len(ordered.window), vanished, head)

    def queue_in_force(self, *, standing: int = 1) -> QueueVersion | None:
        with reachable(self._files):
            project = self._project()
            if not self._files.order.is_ours():
                return None
            version = self._files.order.version()
            # People label from the top of the file: what is labeled or gone must not stand there for long.
            book, here = project.book(self._files.labels), self._ids(project)
            ranked = takewhile(lambda row: row.rank is not None, self._files.order.rows())
            left = sum(row.task in here and not book.labels.get(row.task) for row in ranked)
            return version if left >= standing else None

    def head_of_queue(self, n: int) -> Sequence[TaskId]:
        with reachable(self._files):
            project = self._project()
            book = project.book(self._files.labels)
            here = self._ids(project)
            in_order = [row.task for row in self._files.order.rows()] if self._files.order.is_ours() else []
            queue = (task for task in dict.fromkeys((*in_order, *here)) if task in here and not book.closed(task))
            return list(islice(queue, n))

    def file(self, address: str) -> bytes:
        """A file below the folder, by its path from there, or what a ``data:`` address holds itself."""
        if address.startswith("data:"):
            return _inline(address)
        folder = self._files.folder.resolve()
        try:
            path = (folder / address).resolve()
            if not path.is_relative_to(folder):
                raise FileUnavailable(f"{address!r:.200} is not below {folder}: copy it there.")
            with path.open("rb") as file:
                content = file.read(_LARGEST_FILE + 1)
        except (OSError, ValueError) as error:
            raise FileUnavailable(f"{address!r:.200} cannot be read: {error}.") from error
        if len(content) > _LARGEST_FILE:
            raise FileUnavailable(f"{address!r:.200} has more than {_LARGEST_FILE:,} bytes.")
        return content

    # --- the ring `Prepares` -------------------------------------------------------------------------------

    def prepare(self) -> Iterator[Finding]:
        """A first order, that of the tasks themselves, so that there is something to label from."""
        try:
            with reachable(self._files):
                yield from self._prepared()
        except (ToolRejected, SchemaError) as error:
            yield Finding("problem", str(error))

    def settings(self, ours: Collection[QueueVersion]) -> Sequence[ToolSetting]:
        with reachable(self._files):
            self._files.tasks()
            is_ours = self._files.order.is_ours()
            version = (self._files.order.version() or "") if is_ours else ""
        return [ToolSetting(_SETTING, version, ("", version) if version else ("",), version in ("", *ours))]

    def restore(self, settings: Mapping[str, str], orders: Sequence[OwnOrder]) -> Iterator[Finding]:
        with reachable(self._files):
            order = self._files.order
            if not order.path.exists():
                yield Finding("unchanged", "There is no order here.")
            elif not order.is_ours():
                yield Finding("unchanged", f"{order.path} was not written by nextlabel, and stays.")
            else:
                order.remove()
                yield Finding("done", f"{order.path} is removed; tasks and labels stay as they are.")

    def _prepared(self) -> Iterator[Finding]:
        project, order = self._project(), self._files.order
        if not order.is_ours():
            yield Finding("problem", f"{order.path} was not written by nextlabel: move it away, then connect again.")
            return
        if not any(one.inputs for one in project.schema.targets):
            yield Finding("problem", self._why_unreadable(project))
            return
        targets = ", ".join(f"{one.name} ({one.kind}: {_some(one.labels)})" for one in project.schema.targets)
        yield Finding("unchanged", f"{project.tasks.path.name} is read as {project.profile.name}; targets: {targets}.")
        if not order.path.exists():
            book = project.book(self._files.labels)
            known = find_rows(project.tasks, project.profile, Ranking((), ""))
            self._write(Ordered(project.tasks, project.profile, book.closed, None, (), {}, {}, known.again))
            yield Finding("done", f"{order.path.name} holds a first order, that of the tasks themselves.")
        yield Finding("unchanged", f"The order is in {order.path}.")

    # --- reading -------------------------------------------------------------------------------------------

    def _project(self) -> _Project:
        tasks, given = self._files.tasks(), read_schema_file(self._files.schemas)
        sample = tasks.sample()
        profile = given.profile or profile_of(sample, self._first_label())
        if given.targets:
            shown = tuple(dict.fromkeys(one for target in given.targets for one in target.inputs))
            return _Project(tasks, profile, LabelSchema(given.targets, source=given.source, shown=shown), named=True)
        with LineFile(self._files.labels) as file:
            schema = inferred(profile, sample, entries(file, self._files.labels, profile))
        return _Project(tasks, profile, schema)

    def _first_label(self) -> Data | None:
        with LineFile(self._files.labels) as file:
            for line in islice(file, 1):
                try:
                    found = orjson.loads(line.raw)
                except orjson.JSONDecodeError:
                    return None
                return found if isinstance(found, dict) else None
        return None

    def _changes(self, since: Cursor | None) -> Iterator[ChangePage]:
        project, labels = self._project(), self._files.labels
        schema = f"{project.profile.name} {sorted(kinds(project.schema).items())}"
        was = _read(since)
        follows = was.schema == schema and was.labels is not None and still_holds(labels, was.labels)
        if not (follows and was.tasks is not None and project.tasks.holds(was.tasks)):
            was = _Read(None, None, schema)
        changes = _Changes(project, labels, schema, was)
        yield from changes.pages()

    def _why_unreadable(self, project: _Project) -> str:
        name = project.tasks.path.name
        if project.tasks.sample():
            schema = project.tasks.path.with_suffix(".schema.json").name
            return f"No field of {name} holds text: name the fields to learn from in {schema} (see docs/files.md)."
        with TaskReader(project.tasks) as reader:
            broken = next((one for one in reader.rows(project.profile) if isinstance(one, BrokenRow)), None)
        if broken is not None:
            return f"{name} holds no task that can be read. {broken.reason}"
        return (
            f'{name} holds no task yet: write one task a line, such as {{"text": "…"}}, or rows below a line of names.'
        )

    def _names(self) -> set[TaskId]:
        """Every task, and every line that cannot be read, as pages name them."""
        project, labels = self._project(), self._files.labels
        with TaskReader(project.tasks) as reader:
            here = {found.id for found in reader.rows(project.profile)}
        with LineFile(labels) as file:
            found = entries(file, labels, project.profile)
            broken = (one for one in found if isinstance(one, BrokenEntry) and one.task is None)
            return here.union(named(one, labels).task for one in broken)

    def _ids(self, project: _Project) -> dict[TaskId, None]:
        with TaskReader(project.tasks) as reader:
            return {found.id: None for found in reader.rows(project.profile) if isinstance(found, Row)}

    def _write(self, ordered: Ordered, may_switch: Callable[[], None] = lambda: None) -> None:
        mode = ordered.tasks.path.stat().st_mode & 0o666
        self._files.order.write(ordered.rows(), ordered.profile, mode, may_switch)


@dataclass(slots=True)
class _Changes:
    """What changed since tasks and labels were read last."""

    project: _Project
    labels: Path
    schema: str
    was: _Read
    _fit: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._fit = kinds(self.project.schema)

    def pages(self) -> Iterator[ChangePage]:
        touched, broken, labels = self._touched()
        everything = self.was.tasks is None
        grown = everything or self.project.tasks.has_grown(self.was.tasks)  # type: ignore[arg-type]
        if not (grown or touched or broken):
            return
        # Of a task that is new there may be labels already, so then all are read. What others append meanwhile is left
        # for the next time.
        book = self.project.book(self.labels, None if grown else touched, until=labels.lines)
        first = 0 if self.was.tasks is None else self.was.tasks.lines
        seen: list[TaskSeen] = []
        aside = [named(one, self.labels) for one in broken]
        with TaskReader(self.project.tasks, None if everything or touched else self.was.tasks) as reader:
            for row in reader.rows(self.project.profile):
                if not (everything or row.number > first or row.id in touched):
                    continue
                self._add(row, book, seen, aside)
                if len(seen) + len(aside) >= _PAGE:
                    yield self._page(seen, aside, reader, everything=everything, labels=labels)
                    seen, aside = [], []
            # Behind the last row, even where the last page is empty: nothing of the file is left.
            yield self._page(seen, aside, reader, everything=True, labels=labels)

    def _add(self, row: Row | BrokenRow, book: Book, seen: list[TaskSeen], aside: list[Unreadable]) -> None:
        if isinstance(row, BrokenRow):
            aside.append(Unreadable(row.id, row.reason))
            return
        annotations = book.annotations(row.id, self._fit)
        seen.append(TaskSeen(Task(row.id, row.data), annotations, book.closed(row.id)))
        aside += book.unreadable(row.id)

    def _page(
        self, seen: list[TaskSeen], aside: list[Unreadable], reader: TaskReader, *, everything: bool, labels: Mark
    ) -> ChangePage:
        """Whoever is stopped among changes that are not all of the file's rows reads everything again."""
        read = _Read(reader.mark(), labels, self.schema) if everything else _Read(None, None, self.schema)
        return ChangePage(tuple(seen), _cursor(read), tuple(aside))

    def _touched(self) -> tuple[set[TaskId], list[BrokenEntry], Mark]:
        """Tasks that labels after the mark are about, lines of which nobody knows what they are about, and where it
        ends."""
        touched, broken = set[TaskId](), list[BrokenEntry]()
        with LineFile(self.labels, self.was.labels) as file:
            for entry in entries(file, self.labels, self.project.profile):
                if entry.task is not None:
                    touched.add(entry.task)
                elif isinstance(entry, BrokenEntry) and len(broken) < _MOST_BROKEN:
                    broken.append(entry)
            return touched if self.was.tasks is not None else set(), broken, file.mark()


def _cursor(read: _Read) -> Cursor:
    return Cursor(json.dumps(read))  # named tuples, as lists


def _read(cursor: Cursor | None) -> _Read:
    if not cursor:
        return _Read(None, None, "")
    tasks, labels, schema = orjson.loads(cursor)
    return _Read(Mark(*tasks) if tasks else None, Mark(*labels) if labels else None, schema)


def _inline(address: str) -> bytes:
    head, _, content = address.partition(",")
    try:
        return base64.b64decode(content if head.endswith(";base64") else "-", validate=True)
    except binascii.Error as error:
        raise FileUnavailable("A data: address in a task is no base64: write it as data:image/png;base64,…") from error


def _some(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:8]) + (" …" if labels[8:] else "")
    return shown or counted(0, "label") + " so far"
