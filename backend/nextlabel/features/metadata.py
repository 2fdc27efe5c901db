"""What tasks say beside a recording that nobody reads here: which of their other fields tell something, and how."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from nextlabel.features.tabular import MOST_CATEGORIES, MOST_FIELDS, cells, numbers_of
from nextlabel.features.text import read_text
from nextlabel.labeling import Input

_MOST = 0.5  # of the values of a field
_UNIQUE = 0.9  # of them, from which on they are names of the tasks themselves
_ID = re.compile(r"(.*[\W_])?(id|Id|ID|uuid|index|idx)|.*[a-z0-9]I[dD]")  # of a field with a number for each task
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://|data:|[a-z]:\\|~/|\.{0,2}/[^/\s]+/[^/\s]", re.IGNORECASE)
_FILE_NAME = re.compile(r"\.[a-z][a-z0-9]{1,4}$", re.IGNORECASE)


def record_of(data: Mapping[str, object], hidden: Collection[str]) -> dict[str, object]:
    """The fields of a task but the hidden ones, by name: those of a table under the field's name and their own, lists
    of texts as one text. Other lists, and what is nested deeper, are left out."""
    shown = {name: _joined(value) for name, value in data.items() if name not in hidden}
    return dict(cells(shown, [Input(name) for name in shown]))


def telling(records: Sequence[Mapping[str, object]]) -> tuple[list[str], list[str]]:
    """The names of fields that tell tasks apart, given all tasks: numbers and categories first, then texts.

    The others say nothing that the next task could be known by: what is the same everywhere, addresses and paths, and
    ids, which are short names (or numbers, where the field is called so) of which each task has its own.
    """
    values: dict[str, list[object]] = {}
    for record in records:
        for name, value in record.items():
            if name in values or len(values) < MOST_FIELDS:
                values.setdefault(name, []).append(value)
    readings = {name: _reading(name, given, len(records)) for name, given in values.items()}
    named, worded = ([name for name, one in readings.items() if one == wanted] for wanted in ("cells", "texts"))
    return named, worded


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
    if different <= min(MOST_CATEGORIES, _MOST * len(texts)):
        return "cells"
    if _most(_has_words(text) for text in texts):
        return "texts"
    return "nothing" if unique else "cells"


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


def _most(said: Iterable[bool]) -> bool:
    answers = list(said)
    return sum(answers) > _MOST * len(answers)
