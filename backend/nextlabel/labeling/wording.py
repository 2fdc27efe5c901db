"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """A number of things in words: 1 task, 2 tasks."""
    return f"{number} {what}{'' if number == 1 else 's'}"
