"""Records → labeled data: which column is the label, which hold what it is about, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nextlabel.errors import ConfigurationError
from nextlabel.labeling import KINDS, Input, Label, TargetKind, number_in
from nextlabel.labeling.kinds import parsed
from nextlabel.labeling.ranking import Floats
from nextlabel.simulate.data import LabeledData
from nextlabel.simulate.label_studio import Record, Table
from nextlabel.simulate.labels import kind_of

_LABELS = ("label", "labels", "class", "category", "target", "y", "choice", "sentiment", "entities")
_TEXTS = ("text", "body", "message", "content", "review", "sentence", "document", "comment", "description", "title")
_IDS = ("id", "index", "idx", "", "unnamed: 0", "annotation_id", "annotator", "lead_time", "created_at", "updated_at")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
_MOST_SHOWN, _LONGEST_SHOWN = 5, 30
_A_TEXT = 15  # characters on average from which a column that no one has named is taken for a text


def to_data(
    path: Path,
    table: Table,
    *,
    text: str | None = None,
    label: str | None = None,
    features: Sequence[str] = (),
    kind: TargetKind | None = None,
) -> LabeledData:
    """Pick the columns (those named, or by good sense) and read them.

    Rows without a label are left out and counted. Raises `ConfigurationError` naming the column, and the line of the
    first value that is not what it should be.
    """
    name, records = path.name, table.records
    columns = list(dict.fromkeys(column for record in records for column in record.fields))
    for wanted in (text, label, *features):
        if wanted is not None and wanted not in columns:
            raise ConfigurationError(f"{name} has no column '{wanted}': it has {_list(columns)}.")
    if text is not None and features:
        raise ConfigurationError("Name the text or the features, not both.")
    if label is None and table.choices is not None:
        label = _choice_column(name, table)
    label = label if label is not None else _label_column(columns, taken=(text, *features))
    rows = [record for record in records if not _is_empty(record.fields.get(label))]
    if not rows:
        raise ConfigurationError(f"{name}: the label column '{label}' is empty.")
    kind = kind or kind_of([record.fields[label] for record in rows])
    labels = tuple(_label(name, label, kind, record) for record in rows)
    others = [column for column in columns if column not in {label, *table.stated} and column.lower() not in _IDS]
    texts, numbers, given, inputs = None, None, None, features or others
    wordy = [] if features or text else [one for one in others if not _is_numeric(one, rows)]
    text = text or _named_text(wordy)
    items = _items(others, rows) if KINDS[kind].of_items else ""
    pictures = [] if items else _pictures([text] if text else [] if features else others, rows)
    if items:
        inputs = (items, *(column for column in inputs if column != items))
        given = [{one: row.fields.get(one) for one in inputs} | {items: parsed(row.fields[items])} for row in rows]
    elif pictures:
        inputs, given = pictures, [_with_pictures(path, row, pictures) for row in rows]
    elif text := text or _longest_text(wordy, rows):
        inputs, texts = (text,), tuple(_text(name, text, record) for record in rows)
    elif features or all(_number(row, column) is not None for column in others for row in rows):
        numbers = _numbers(name, inputs, rows)
    else:
        given = [{column: row.fields[column] for column in others if column in row.fields} for row in rows]
    return LabeledData(
        name,
        labels,
        texts=texts,
        numbers=numbers,
        records=tuple(given) if given is not None else None,
        read=tuple(Input(one, "dialogue" if one == items else "image" if pictures else "text") for one in inputs),
        kind=kind,
        left_out=len(records) - len(rows),
        label=label,
        inputs=tuple(inputs),
    )


def _items(columns: Sequence[str], rows: Sequence[Record]) -> str:
    """The first column that holds lists of objects and nothing else; "" without one."""
    lists = {column: [parsed(row.fields.get(column)) for row in rows] for column in columns}
    return next((column for column, held in lists.items() if all(map(_is_list_of_objects, held))), "")


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _pictures(columns: Sequence[str], rows: Sequence[Record]) -> list[str]:
    """The columns that hold addresses of pictures and nothing else."""
    return [column for column in columns if all(_is_picture(row.fields.get(column)) for row in rows)]


def _is_picture(value: object) -> bool:
    return isinstance(value, str) and (value.startswith("data:image/") or value.lower().endswith(_PICTURES))


def _with_pictures(path: Path, record: Record, columns: Sequence[str]) -> dict[str, object]:
    """Addresses of files that are there, or pictures themselves."""
    found: dict[str, object] = {}
    for column in columns:
        value = str(record.fields[column])
        file = path.parent / value
        if not value.startswith("data:") and not file.is_file():
            raise ConfigurationError(
                f"{path.name}, {record.place}, column '{column}': there is no picture {value!r:.60} beside the file. "
                "Pictures behind addresses are not fetched: save them first."
            )
        found[column] = value if value.startswith("data:") else str(file)
    return found


def _choice_column(name: str, table: Table) -> str:
    """Of a Label Studio export the only column of single choices. Raises `ConfigurationError` where it is not certain
    which one that is."""
    found = table.choices or ()
    if len(found) == 1 and table.is_sure:
        return found[0]
    shown = "; ".join(f"'{one}' with {_few(table, one)}" for one in found[:_MOST_SHOWN])
    raise ConfigurationError(
        f"{name} is an export of Label Studio, and it is not certain which column is the label: "
        f"{shown or 'none looks like one'}. Name it with --label, or export the project as JSON."
    )


def _few(table: Table, column: str) -> str:
    """The first values of a column, for a sentence."""
    values = list(dict.fromkeys(str(one.fields[column]) for one in table.records if one.fields.get(column)))
    more = f" and {len(values) - _MOST_SHOWN} more" if len(values) > _MOST_SHOWN else ""
    return ", ".join(repr(value[:_LONGEST_SHOWN]) for value in values[:_MOST_SHOWN]) + more


def _label_column(columns: Sequence[str], taken: Sequence[str | None]) -> str:
    """A column with a name for labels; the last one otherwise."""
    free = [column for column in columns if column not in taken]
    if not free:
        raise ConfigurationError("No column is left for the label: name it with --label.")
    by_name = {column.lower(): column for column in reversed(free)}
    return next((by_name[known] for known in _LABELS if known in by_name), free[-1])


def _is_numeric(column: str, rows: Sequence[Record]) -> bool:
    return all(_number(row, column) is not None or _is_empty(row.fields.get(column)) for row in rows)


def _named_text(columns: Sequence[str]) -> str | None:
    """A column with a name for texts."""
    by_name = {column.lower().removeprefix("_data_"): column for column in reversed(columns)}
    return next((by_name[name] for name in _TEXTS if name in by_name), None)


def _longest_text(columns: Sequence[str], rows: Sequence[Record]) -> str | None:
    """The column with the longest texts, where they are longer than names."""
    sizes = {column: sum(len(str(row.fields.get(column) or "")) for row in rows) / len(rows) for column in columns}
    longest = max(sizes, key=sizes.__getitem__, default=None)
    return longest if longest is not None and sizes[longest] >= _A_TEXT else None


def _numbers(name: str, columns: Sequence[str], rows: Sequence[Record]) -> Floats:
    if not columns:
        raise ConfigurationError(f"{name} has no column beside the label: there is nothing to predict it from.")
    values = np.empty((len(rows), len(columns)))
    for n, row in enumerate(rows):
        for m, column in enumerate(columns):
            number = _number(row, column)
            if number is None:
                raise ConfigurationError(
                    f"{name}, {row.place}, column '{column}': {row.fields.get(column)!r} is not a number. "
                    "Name the text column with --text, or the numeric ones with --features."
                )
            values[n, m] = number
    return values


def _number(record: Record, column: str) -> float | None:
    return number_in(record.fields.get(column))


def _label(name: str, column: str, kind: TargetKind, record: Record) -> Label:
    label = KINDS[kind].read_cell(record.fields[column])
    if label is None:
        raise ConfigurationError(
            f"{name}, {record.place}, column '{column}': {record.fields[column]!r:.60} is not {KINDS[kind].in_file}."
        )
    return label


def _text(name: str, column: str, record: Record) -> str:
    value = record.fields.get(column)
    if isinstance(value, str | int | float):
        return str(value)
    raise ConfigurationError(f"{name}, {record.place}, column '{column}': {value!r:.60} is not a text.")


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value != value  # noqa: PLR0124 - NaN


def _list(columns: Sequence[str]) -> str:
    shown = ", ".join(f"'{column}'" for column in columns[:12])
    return f"{shown} and {len(columns) - 12} more" if len(columns) > 12 else shown
