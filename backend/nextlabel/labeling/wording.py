"""Numbers in sentences, numbers as people and models write them, and what no sentence may hold."""

from __future__ import annotations

import re
import unicodedata
from math import isfinite

COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls of both sets but for tab and line feed, other ends of lines, what turns the direction of writing, and halves
of pairs that no encoding takes."""


ISOLATE, END = "\u2068", "\u2069"
"""Around what may be written from right to left, so that the brackets and figures beside it stay where they are."""
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def isolated(name: str) -> str:
    """A name as it may stand in a sentence: between isolates (Unicode UAX 9) where anything in it is written from right
    to left, and without what turns the direction of the rest."""
    if name.isascii():
        return name
    plain = _TURNS.sub("", name)
    turns = any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in plain)
    return f"{ISOLATE}{plain}{END}" if turns else plain


def quoted(name: str, longest: int | None = None) -> str:
    """A name in quotation marks, of so many characters at most."""
    cut = name if longest is None or len(name) <= longest else f"{name[:longest]}…"
    return f"'{isolated(cut)}'"


def counted(number: int, what: str) -> str:
    """A number of things in words: 1 task, 2 tasks."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def number_in(value: object) -> float | None:
    """A finite number, also one written as text ("0.5"); None for all else."""
    if not isinstance(value, str | int | float):
        return None
    if isinstance(value, str) and value[:1].isalpha():  # as texts mostly begin: a tenth of the time
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


_LONGEST = 60


def label_in_words(label: object) -> str:
    """A label as it is stored, for a person."""
    parts = label if isinstance(label, list) else ["nothing" if label is None else label]
    words = ", ".join(map(_part, parts))
    if len(words) > _LONGEST:
        cut = words[:_LONGEST]
        words = f"{cut}…{END * (cut.count(ISOLATE) - cut.count(END))}"
    return words or "none"


def _part(part: object) -> str:
    match part:
        case [int(start), int(end), str(label)]:
            return f"{isolated(label)} at {start}–{end}"
        case [str(bucket), str(item)]:
            return f"{isolated(bucket)}: {isolated(item)}" if bucket else isolated(item)
        case _:
            return isolated(str(part))
