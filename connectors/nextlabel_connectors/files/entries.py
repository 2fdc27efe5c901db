"""Labels as lines of a file: what people and programs append, in nextlabel's words, Prodigy's or UBIAI's."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any

import orjson

from nextlabel.labeling import Annotation, AnnotationId, TaskId
from nextlabel.ports.tool import Unreadable
from nextlabel_connectors.files.ids import short_id
from nextlabel_connectors.files.lines import LONGEST_LINE, Line, LineFile
from nextlabel_connectors.files.rows import Data, Identify, line_id

_BEGINNING_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_SEARCHED_BYTES, _SEARCHED_PLACES = 100_000, 50  # of a broken line, for a label that was appended to it
_OF_PRODIGY, _OF_UBIAI = "answer", "tokens"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line says: a label of a task by somebody, that they skipped it, or that a label is taken back."""

    line: int
    task: TaskId
    by: str
    labels: Mapping[str, object]
    skipped: bool = False
    withdrawn: bool = False
    at: object = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class BrokenEntry:
    """A line, or a part of one, that cannot be read; ``task`` is what it is about, where it shows that."""

    line: int
    task: TaskId | None
    reason: str


def entries(file: LineFile, path: Path, identify: Identify) -> Iterator[Entry | BrokenEntry]:
    for line in file:
        if line.too_long:
            yield BrokenEntry(line.number, None, f"Line {line.number} of {path.name} has over {LONGEST_LINE:,} bytes.")
            continue
        found, wrong = _objects(line)
        if wrong:
            yield BrokenEntry(line.number, None, f"Line {line.number} of {path.name} {wrong}.")
        for one in found:
            yield _entry(line.number, one, path, identify)


def _objects(line: Line) -> tuple[list[Data], str]:
    """What stands in a line, and what is wrong with it.

    Two programs may have appended without an end of the line between them, or one died while it wrote: then a label
    follows on the same line, and is read all the same.
    """
    try:
        found = orjson.loads(line.raw)
    except orjson.JSONDecodeError as error:
        raw = line.raw[:_SEARCHED_BYTES] if len(line.raw) <= _SEARCHED_BYTES else b""
        after = next(_endings(raw), None)
        if after is None:
            return [], f"is no JSON ({error})"
        start, last = after
        before, wrong = _objects(Line(line.number, raw[:start].strip())) if start else ([], "")
        return [*before, last], wrong
    return ([found], "") if isinstance(found, dict) else ([], "is no JSON object")


def _endings(raw: bytes) -> Iterator[tuple[int, Data]]:
    """Labels with which the line ends, and where they begin."""
    at = len(raw)
    for _ in range(_SEARCHED_PLACES):
        at = raw.rfind(b"{", 0, at)
        if at < 0:
            return
        try:
            found = orjson.loads(raw[at:])
        except orjson.JSONDecodeError:
            continue
        if isinstance(found, dict) and ("id" in found or _OF_PRODIGY in found or "document" in found):
            yield at, found


def _entry(line: int, data: Data, path: Path, identify: Identify) -> Entry | BrokenEntry:
    try:
        task = _task(data, identify)
    except ValueError as error:
        return BrokenEntry(line, None, f"Line {line} of {path.name} names no task: {error}.")
    try:
        if _OF_PRODIGY in data:
            return _of_prodigy(line, task, data)
        if "document" in data and isinstance(data.get(_OF_UBIAI), list):
            return Entry(line, task, "", {"entities": [_span(one, "entityLabel") for one in data[_OF_UBIAI]]})
        return _plain(line, task, data)
    except ValueError as error:
        return BrokenEntry(line, task, f"Line {line} of {path.name}: {error}.")


def _task(data: Data, identify: Identify) -> TaskId:
    """By the id that the order gave the task, by its own, or by what it holds."""
    meta = data.get("meta")
    ours = meta.get("nextlabel") if isinstance(meta, dict) else data.get("nextlabel")
    if isinstance(ours, dict) and "id" in ours:
        return short_id(ours["id"])
    if not (data.keys() & {"id", _OF_PRODIGY, "document"}):
        raise ValueError("it has no 'id'")
    return identify.id_of(data)


def _plain(line: int, task: TaskId, data: Data) -> Entry:
    labels = data.get("labels", {"label": data["label"]} if "label" in data else None)
    withdrawn, skipped = data.get("withdrawn") is True, data.get("skipped") is True
    if not (withdrawn or skipped) and not (isinstance(labels, dict) and labels):
        raise ValueError("it has neither 'label' nor 'labels' nor 'skipped' nor 'withdrawn'")
    given = labels if isinstance(labels, dict) and not skipped else {}
    by, seconds = data.get("by"), data.get("seconds")
    return Entry(line, task, _name(by), given, skipped, withdrawn, data.get("at"), _seconds(seconds))


def _of_prodigy(line: int, task: TaskId, data: Data) -> Entry:
    """What ``prodigy db-out`` writes: the task with an ``answer``.

    Only what was accepted is a label: a rejected choice or set of spans says what is wrong, not what is right. A task
    with neither is a question of yes or no, whose label is the answer itself.
    """
    answer = data[_OF_PRODIGY]
    if answer not in ("accept", "reject", "ignore"):
        raise ValueError("its 'answer' is none of accept, reject and ignore")
    by = _name(data.get("_annotator_id") or data.get("_session_id"))
    at = data.get("_timestamp")
    labels: dict[str, object] = {}
    if isinstance(data.get("accept"), list):
        labels = {"accept": data["accept"]} if data["accept"] else {}
    elif isinstance(data.get("spans"), list) and "label" not in data:
        labels = {"spans": [_span(one, "label") for one in data["spans"]]}
    elif "options" not in data and answer != "ignore":
        return Entry(line, task, by, {"answer": answer}, at=at)
    skipped = answer != "accept" or not labels
    return Entry(line, task, by, {} if skipped else labels, skipped, at=at)


def _span(one: Any, label: str) -> list[object]:
    match one:
        case {"start": int(start), "end": int(end)} if isinstance(one.get(label), str):
            return [start, end, one[label]]
        case _:
            raise ValueError(f"a span has no 'start', 'end' and '{label}'")


def _name(by: object) -> str:
    return by[:200] if isinstance(by, str) else ""


def _seconds(seconds: object) -> float | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return float(seconds) if isfinite(seconds) and seconds >= 0 else None


@dataclass(slots=True)
class Book:
    """The labels in force, by task and by who gave them, and what could not be read.

    A later line of the same person on the same task takes the place of the earlier one.
    """

    labels: dict[TaskId, dict[str, tuple[Entry, object]]] = field(default_factory=lambda: defaultdict(dict))
    broken: list[BrokenEntry] = field(default_factory=list)
    broken_of: dict[TaskId, list[BrokenEntry]] = field(default_factory=lambda: defaultdict(list))

    def closed(self, task: TaskId) -> bool:
        return any(not entry.skipped for entry, _ in self.labels.get(task, {}).values())

    def annotations(self, task: TaskId, fit: Mapping[str, str]) -> tuple[Annotation, ...]:
        """What was said of a task, the latest line last; ``fit`` are the kinds of targets that labels must fit."""
        given = sorted(self.labels.get(task, {}).values(), key=lambda one: one[0].line)
        times: set[datetime] = set()
        found = []
        for entry, at in given:
            moment = _moment(at)
            while moment in times:  # the later line is the later label
                moment += timedelta(microseconds=1)
            times.add(moment)
            labels = {name: fitting(label, fit.get(name, "")) for name, label in entry.labels.items()}
            when = moment.isoformat(timespec="microseconds")
            found.append(Annotation(_id(task, entry.by), labels, when, entry.skipped, seconds=entry.seconds))
        return tuple(found)

    def unreadable(self, task: TaskId) -> list[Unreadable]:
        return [Unreadable(task, one.reason, _line(one)) for one in self.broken_of.get(task, ())]


def read_book(
    path: Path,
    identify: Identify,
    targets: Sequence[str],
    of: Collection[TaskId] | None = None,
    until: int | None = None,
) -> Book:
    """All labels of a file, or those of some tasks; or only those of its lines ``until`` one of them. Where there are
    ``targets``, a line that is about none of them is set aside, and closes no task."""
    book, at = Book(), None
    with LineFile(path) as file:
        for entry in (_about(one, targets, path) for one in entries(file, path, identify)):
            if until is not None and entry.line > until:
                break
            if isinstance(entry, BrokenEntry):
                _note(book, entry)
                continue
            at = entry.at if entry.at is not None else at  # a line without a time is as late as the one before it
            if of is not None and entry.task not in of:
                continue
            if not entry.withdrawn:
                book.labels[entry.task][entry.by] = entry, at
            elif entry.by:
                book.labels[entry.task].pop(entry.by, None)
            else:
                book.labels.pop(entry.task, None)
    return book


def _about(entry: Entry | BrokenEntry, targets: Sequence[str], path: Path) -> Entry | BrokenEntry:
    """The entry; a plain ``label`` is about the only target, where there is one."""
    if isinstance(entry, BrokenEntry) or not targets or not entry.labels or not entry.labels.keys().isdisjoint(targets):
        return entry
    if len(targets) == 1 and entry.labels.keys() == {"label"}:
        return replace(entry, labels={targets[0]: entry.labels["label"]})
    names, known = (", ".join(repr(str(name))[:80] for name in list(some)[:5]) for some in (entry.labels, targets))
    reason = f"Line {entry.line} of {path.name} labels {names}, but what there is to label is {known}"
    return BrokenEntry(entry.line, entry.task, f'{reason}: write {{"id": …, "labels": {{"{targets[0]}": …}}}}.')


def _note(book: Book, broken: BrokenEntry) -> None:
    if broken.task is None:
        book.broken.append(broken)
    else:
        book.broken_of[broken.task].append(broken)


def named(broken: BrokenEntry, path: Path) -> Unreadable:
    """A line of which nobody can say which task it is about."""
    return Unreadable(line_id(broken.line, path), broken.reason)


def fitting(label: object, kind: str) -> object:
    """A label as the target's kind has it, where it is only written in another way."""
    if isinstance(label, bool):
        label = "true" if label else "false"
    match kind, label:
        case "choice", [str(one)]:
            return one
        case "choice", int() | float():
            return str(label)
        case "choices", str(one):
            return [one]
        case "spans", list():
            return [_positions(one) for one in label]
        case _:
            return label


def _positions(span: Any) -> object:
    return [span.get("start"), span.get("end"), span.get("label")] if isinstance(span, dict) else span


def _moment(at: object) -> datetime:
    """A time as somebody wrote it: ISO 8601 (UTC where nothing else stands there) or seconds since 1970."""
    try:
        if isinstance(at, str):
            moment = datetime.fromisoformat(at)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(at, int | float):
            return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return _BEGINNING_OF_TIME


def _id(task: TaskId, by: str) -> AnnotationId:
    digest = hashlib.blake2b(f"{task}\n{by}".encode("utf-8", "replace"), digest_size=12)
    return AnnotationId(digest.hexdigest())


def _line(broken: BrokenEntry) -> AnnotationId:
    return AnnotationId(f"line {broken.line}")
