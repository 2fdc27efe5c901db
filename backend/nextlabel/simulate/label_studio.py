"""Label Studio's exports → a row for each task, with what people said last in each control.

Of a control in which people made single choices these count; of any other what its kind of label is.

JSON says which columns are controls. JSON_MIN, CSV and TSV have a row for each annotation, and what people said stands
among the task's fields: in JSON_MIN behind them, in CSV and TSV, whose columns are sorted, anywhere. Marks of ground
truth stand in JSON alone, and so count in none of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, takewhile
from typing import Any

from nextlabel.errors import ConfigurationError
from nextlabel.labeling import KINDS, Annotation, AnnotationId, TargetKind, labels_in_force
from nextlabel.labeling.kinds import Kind, choice_in, parsed
from nextlabel.simulate.labels import kind_of

_OF_ANNOTATIONS = ("annotator", "annotation_id", "lead_time")
_NO_DATA = frozenset({*_OF_ANNOTATIONS, "id", "created_at", "updated_at", "agreement", "history"})
_RENAMED = "_data_"  # before a field that is called like a control
# What the items of other controls hold, in columns that are lists of them.
_OF_CONTROLS = frozenset({"rating", "number", "selected", "taxonomy", "datetime", "labels", "hypertextlabels"})
_USE = "export the project from Label Studio as JSON, JSON_MIN, CSV or TSV"

Columns = Mapping[str, Kind]
"""How each column's labels are read."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row's fields, and where it stands in the file: "line 7", "task 12"."""

    place: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file. Of a Label Studio export ``choices`` are the columns that may hold the label, ``stated`` all
    that people filled in, and ``is_sure`` is whether it is certain which these are."""

    records: Sequence[Record]
    choices: tuple[str, ...] | None = None
    stated: frozenset[str] = frozenset()
    is_sure: bool = True


def is_export(columns: Iterable[str]) -> bool:
    """Whether a table has the columns that Label Studio adds for each annotation."""
    return set(_OF_ANNOTATIONS) <= set(columns)


def of_tasks(path: object, tasks: Sequence[Mapping[str, Any]], kind: TargetKind | None) -> Table:
    """The JSON format: tasks with whole annotations. Raises `ConfigurationError` where it is none."""
    try:
        spoken = [[_annotation(one) for one in task.get("annotations") or ()] for task in tasks]
        controls = {name for annotations in spoken for one in annotations for name in one.labels}
        columns = {name: _received(spoken, name) for name in sorted(controls)}
        read = _readers(columns, kind)
        records = [
            Record(
                f"task {task.get('id', n)}", {**_data(task.get("data", {}), controls), **_in_force(annotations, read)}
            )
            for n, (task, annotations) in enumerate(zip(tasks, spoken, strict=True), 1)
        ]
    except (AttributeError, TypeError, KeyError, IndexError) as error:
        raise ConfigurationError(f"{path}: this is no Label Studio export ({error}).") from error
    choices = (_single(columns) if kind in (None, "choice") else ()) or _learnable(columns, kind)
    if not choices:
        raise ConfigurationError(f"{path}: no task has an annotation that can be learned, so there are no labels.")
    return Table(records, choices, frozenset(controls))


def of_annotations(records: Sequence[Record], label: str | None, kind: TargetKind | None, *, in_order: bool) -> Table:
    """The formats JSON_MIN (``in_order``), CSV and TSV: a row for each annotation. ``label`` is a column that is known
    to be a control."""
    tasks = [(name, list(group)) for name, group in _by_task(records)]
    columns = dict.fromkeys(chain.from_iterable(one.fields for one in records))
    free = [name for name in columns if name not in _NO_DATA and not name.startswith(_RENAMED)]
    received = {name: _different(tasks, name) for name in free}
    other = {name for name in free if any(_is_other_control(value) for value in received[name])}
    known = _behind_the_id(records) if in_order else set()
    single = (
        _single({name: received[name] for name in free if name in known - other}) if kind in (None, "choice") else ()
    )
    choices = tuple(name for name in single if _repeats(received[name])) or single  # what is written freely does not
    choices = choices or _learnable({name: received[name] for name in free if name in known}, kind)
    is_sure = bool(choices)
    if not choices and kind in (None, "choice"):
        choices = _likely({name: received[name] for name in free if name not in other})
    if not choices:
        choices, is_sure = _learnable({name: received[name] for name in free if name in other}, kind), True
    stated = frozenset({*other, *known, *choices, *([label] if label in free else [])})
    read = _readers({name: received[name] for name in stated}, kind)
    return Table([_row(name, group, read) for name, group in tasks], choices, stated, is_sure=is_sure or not other)


def _learnable(columns: Mapping[str, Sequence[object]], kind: TargetKind | None) -> tuple[str, ...]:
    """The columns of which every value is a label of that kind, or of any kind."""
    read = {name: KINDS[kind or kind_of(values)].read_cell for name, values in columns.items()}
    return tuple(
        name for name, values in columns.items() if values and all(read[name](one) is not None for one in values)
    )


def _readers(columns: Mapping[str, Sequence[object]], kind: TargetKind | None) -> Columns:
    """Columns are read as single choices, where there are any and no other ``kind`` is wanted."""
    return {
        name: KINDS[kind or ("choice" if any(map(choice_in, values)) else kind_of(values))]
        for name, values in columns.items()
    }


def _different(tasks: Iterable[tuple[str, Sequence[Record]]], name: str) -> list[object]:
    """The values of a column, of each task every one once: fields of a task stand in each of its rows."""
    values: list[object] = []
    for _, group in tasks:
        received = [value for one in group if not _is_empty(value := one.fields.get(name))]
        values += [value for n, value in enumerate(received) if value not in received[:n]]
    return values


def _likely(received: Mapping[str, Sequence[object]]) -> tuple[str, ...]:
    """The columns that look like choices: they repeat, as texts and times do not, differ, and are no mere numbers."""
    single = _single({name: values for name, values in received.items() if _repeats(values)})
    differ = tuple(name for name in single if len(set(map(str, received[name]))) > 1)
    words = tuple(name for name in differ if not all(_is_number(str(one)) for one in received[name]))
    return words or differ or single


def refuse_other_formats(path: object, text: str) -> None:
    """Raises `ConfigurationError` for a file of Label Studio's that holds no labels of whole tasks."""
    start = text[:100_000].lstrip()
    if start.startswith("-DOCSTART-"):
        raise not_simulated(path, "CONLL2003")
    if start.startswith("{") and '"audio_filepath"' in start.split("\n", 1)[0]:
        raise not_simulated(path, "ASR_MANIFEST")
    if start.startswith("{") and all(f'"{name}"' in text for name in ("images", "categories", "annotations")):
        raise not_simulated(path, "COCO")


def not_simulated(path: object, kind: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path}: there is nothing to simulate with. Files of this kind, such as Label Studio's {kind} exports, hold "
        f"no labels of whole tasks: {_USE}."
    )


def _annotation(stated: Mapping[str, Any]) -> Annotation:
    """With what stands in the other formats too: a single choice as text, several as they are, all else as a list."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for part in stated.get("result") or ():
        if part.get("type") == "choices" or "from_name" in part:  # relations have no control
            found.setdefault(str(part["from_name"]), []).append(part)
    labels = {name: _as_in_tables(parts) for name, parts in found.items()}
    at = str(stated.get("updated_at") or stated.get("created_at") or "")
    return Annotation(AnnotationId(str(stated.get("id", ""))), labels, at, bool(stated.get("was_cancelled")))


def _as_in_tables(parts: Sequence[Mapping[str, Any]]) -> object:
    if len(parts) > 1 or parts[0].get("type") != "choices":
        return [part["value"] for part in parts]
    chosen = parts[0]["value"].get("choices", ())
    return str(chosen[0]) if len(chosen) == 1 else {"choices": list(chosen)}


def _in_force(annotations: Sequence[Annotation], read: Columns) -> dict[str, object]:
    """The last label in each control; None in those in which people made none of its kind. Who marks no span says that
    there is none."""
    kept = [
        replace(
            one,
            labels={
                name: value
                for name, column in read.items()
                if column.read_cell(value := one.labels.get(name, [] if column.of_text else None)) is not None
            },
        )
        for one in annotations
    ]
    return {**dict.fromkeys(read), **labels_in_force(tuple(kept))}


def _received(spoken: Iterable[Iterable[Annotation]], name: str) -> list[object]:
    return [one.labels[name] for annotations in spoken for one in annotations if name in one.labels and not one.skipped]


def _single(received: Mapping[str, Sequence[object]]) -> tuple[str, ...]:
    """The columns in which nobody made several choices; where there are none, those with some single choices."""
    shares = {
        name: sum(choice_in(one) is not None for one in values) / len(values)
        for name, values in received.items()
        if values
    }
    return tuple(name for name, share in shares.items() if share == 1) or tuple(
        name for name, share in shares.items() if share
    )


def _data(data: Mapping[str, object], controls: Iterable[str]) -> dict[str, object]:
    return {f"{_RENAMED}{name}" if name in controls else name: _flat(value) for name, value in data.items()}


def _by_task(records: Sequence[Record]) -> Iterable[tuple[str, Iterable[Record]]]:
    """In the order of the file, where the annotations of a task stand together; each by itself without ids."""
    if any(_is_empty(one.fields.get("id")) for one in records):
        return ((one.place, [one]) for one in records)
    return ((f"task {task}", group) for task, group in groupby(records, key=lambda one: one.fields["id"]))


def _row(place: str, group: Sequence[Record], read: Columns) -> Record:
    annotations = [
        Annotation(
            AnnotationId(str(one.fields.get("annotation_id", ""))),
            {name: one.fields[name] for name in read if not _is_empty(one.fields.get(name))},
            str(one.fields.get("updated_at") or one.fields.get("created_at") or ""),
        )
        for one in group
    ]
    data = {name: _flat(value) for name, value in group[0].fields.items() if name not in read and name not in _NO_DATA}
    return Record(place, {**data, **_in_force(annotations, read)})


def _behind_the_id(records: Sequence[Record]) -> set[str]:
    """Rows of JSON_MIN hold the task's fields, its id, the controls, and what is the annotation's own. None where a
    field of the task is called `id` itself, and stands first."""
    found: set[str] = set()
    for columns in (list(one.fields) for one in records):
        if "id" not in columns[1:]:
            return set()
        found.update(takewhile(lambda name: name not in _OF_ANNOTATIONS, columns[columns.index("id") + 1 :]))
    return found


def _repeats(values: Sequence[object]) -> bool:
    return 2 * len({str(one) for one in values}) <= len(values)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in ("True", "False")  # of the task's data: choices are texts
    return True


def _is_other_control(value: object) -> bool:
    found = parsed(value)
    items = found if isinstance(found, list) else []
    return any(isinstance(one, dict) and not _OF_CONTROLS.isdisjoint(one) for one in items)


def _flat(value: object) -> object:
    """A field as every format can hold it."""
    found = parsed(value)
    if isinstance(found, list | dict):
        return json.dumps(found, ensure_ascii=False)
    return str(value) if isinstance(value, bool) else "" if value is None else value


def _is_empty(value: object) -> bool:
    return value is None or value == ""
