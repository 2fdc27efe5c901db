"""What the fields of tasks hold, numbers, names or texts; and beside a recording that nobody reads here, which of them
tell anything at all."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isnan
from typing import Literal

from nextlabel.features.markup import content_of, is_marked_up
from nextlabel.features.tabular import MOST_CATEGORIES, MOST_FIELDS, cells, is_number, numbers_of
from nextlabel.features.text import read_text
from nextlabel.labeling import OPENED, Input, Task, read_field

_INVISIBLE = str.maketrans("", "", "\u200b\u2060\ufeff")  # beside what Python takes for space
_MOST = 0.5  # of the values of a field
_SOME = 0.01  # of them
_UNIQUE = 0.9  # of them, from which on they are names of the tasks themselves
_ID = re.compile(r"(.*[\W_])?(id|Id|ID|uuid|index|idx)|.*[a-z0-9]I[dD]")  # of a field with a number for each task
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://|data:|[a-z]:\\|~/|\.{0,2}/[^/\s]+/[^/\s]", re.IGNORECASE)
_FILE_NAME = re.compile(r"\.[a-z][a-z0-9]{1,4}$", re.IGNORECASE)


def record_of(data: Mapping[str, object], hidden: Collection[str]) -> dict[str, object]:
    """The fields of a task but the hidden ones, by name: those of a table under the field's name and their own, lists
    of texts as one text. Other lists, and what is nested deeper, are left out."""
    shown = {name: _joined(value) for name, value in data.items() if name not in hidden}
    received = dict(cells(shown, [Input(name) for name in shown]))
    return {name: cell for name, cell in received.items() if name not in hidden}


def shown_record(data: Mapping[str, object], fields: Sequence[str]) -> dict[str, object]:
    """These fields of a task by name, as `record_of` has them, numbers in lists too."""
    shown = {
        f"{name}.{inner}" if inner else name: read_text({"": cell}, [""]) if isinstance(cell, list | dict) else cell
        for name in fields
        for inner, cell in _inner(read_field(data, name))
    }
    return dict(cells(shown, [Input(name) for name in shown]))


def _inner(value: object) -> Iterable[tuple[str, object]]:
    return value.items() if isinstance(value, dict) else [("", value)]


def holds_lists(fields: Sequence[str], tasks: Sequence[Task]) -> bool:
    """Whether a field, or a named value in it, is a list or holds named values itself."""
    values = (cell for task in tasks for field in fields for _, cell in _inner(read_field(task.data, field)))
    return any(isinstance(cell, list | dict) for cell in values)


def holds_cells(field: str, tasks: Sequence[Task]) -> bool:
    """Whether the field holds numbers, or named values."""
    values = [value for task in tasks if (value := read_field(task.data, field)) is not None]
    return bool(numbers_of(values)) or any(issubclass(kind, dict) for kind in set(map(type, values)))


def holding(records: Sequence[Mapping[str, object]]) -> tuple[list[str], list[str]]:
    """The names of fields that hold numbers and names, and of those that hold texts, given all tasks.

    Both are those that hold numbers, and a text here and there.
    """
    named, worded = [], []
    for name, values in _by_name(records).items():
        numbers = numbers_of(values)
        others = [str(value) for value in values if not is_number(value)] if numbers else list(map(str, values))
        if numbers:
            texts = sum(map(_has_words, others)) >= _SOME * len(values) and bool(others)
        else:
            texts = not _are_few(len(set(others)), len(others)) or _most(map(_has_words, others))
        if numbers or not texts:
            named.append(name)
        if texts:
            worded.append(name)
    return named, worded


def is_blank(data: Mapping[str, object], inputs: Iterable[Input]) -> bool:
    """Whether none of these fields holds anything that could be read, seen or played: of a file, an address, or the
    file itself as a ``data:`` address, whatever is in it."""
    return all(_holds_nothing(read_field(data, one.field), as_file=one.kind in OPENED) for one in inputs)


def _holds_nothing(value: object, *, as_file: bool = False) -> bool:
    if isinstance(value, str):
        if value[:1].isalnum() and (as_file or not is_marked_up(value)):  # as it mostly is: a tenth of the time
            return False
        return not (value if as_file else content_of(value)).translate(_INVISIBLE).strip()
    if isinstance(value, list | dict):
        values = value.values() if isinstance(value, dict) else value
        return all(_holds_nothing(one, as_file=as_file) for one in values)
    return value is None or (isinstance(value, float) and isnan(value))


def telling(records: Sequence[Mapping[str, object]]) -> tuple[list[str], list[str]]:
    """The names of fields that tell tasks apart, given all tasks: numbers and categories first, then texts.

    The others say nothing that the next task could be known by: what is the same everywhere, addresses and paths, and
    ids, which are short names (or numbers, where the field is called so) of which each task has its own.
    """
    readings = {name: _reading(name, given, len(records)) for name, given in _by_name(records).items()}
    named, worded = ([name for name, one in readings.items() if one == wanted] for wanted in ("cells", "texts"))
    return named, worded


def _by_name(records: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
    values: dict[str, list[object]] = {}
    for record in records:
        for name, value in record.items():
            if name in values or len(values) < MOST_FIELDS:
                values.setdefault(name, []).append(value)
    return values


def _reading(name: str, values: Sequence[object], tasks: int) -> Literal["cells", "texts", "nothing"]:
    texts = [str(value) for value in values]
    different = len(set(texts))
    if different == 1 and len(texts) == tasks:
        return "nothing"
    unique = different > _UNIQUE * len(texts)
    if numbers_of(values) is not None:
        return "nothing" if unique and _ID.fullmatch(name) else "cells"
    if _most(_is_address(text) for text in texts):
        return "nothing"
    if _are_few(different, len(texts)):
        return "cells"
    if _most(_has_words(text) for text in texts):
        return "texts"
    return "nothing" if unique else "cells"


def _are_few(different: int, values: int) -> bool:
    return different <= min(MOST_CATEGORIES, _MOST * values)


def _has_words(text: str) -> bool:
    """Ids have no spaces; neither have texts in some writings, none of which is ASCII."""
    return len(text.split()) > 1 or not text.isascii()


def _is_address(text: str) -> bool:
    text = text.strip()
    if _SCHEME.match(text):
        return True
    *folders, name = text.replace("\\", "/").split("/")
    return bool(folders) and len(text.split()) == 1 and _FILE_NAME.search(name) is not None


def _joined(value: object) -> object:
    """A list of texts or of turns as one text."""
    if not isinstance(value, list):
        return value
    return read_text({"": [one for one in value if isinstance(one, str | dict)]}, [""])


def _most(stated: Iterable[bool]) -> bool:
    answers = list(stated)
    return sum(answers) > _MOST * len(answers)
