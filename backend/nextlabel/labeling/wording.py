"""Numbers in sentences, numbers as people and models write them, and what no sentence may hold."""

from __future__ import annotations

import re
from math import isfinite

COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls of both sets but for tab and line feed, other ends of lines, what turns the direction of writing, and halves
of pairs that no encoding takes."""


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
    words = ", ".join(map(_part, label)) if isinstance(label, list) else "nothing" if label is None else str(label)
    return (words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…") or "none"


def _part(part: object) -> str:
    match part:
        case [int(start), int(end), str(label)]:
            return f"{label} at {start}–{end}"
        case [str(bucket), str(item)]:
            return f"{bucket}: {item}" if bucket else item
        case _:
            return str(part)
