"""Real texts: the demo's e-mails, whole and cut into short pieces."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent.parent / "demo" / "data" / "spam.jsonl.gz"
_SHORT = 80

TWO = ("ham", "spam")
TWENTY = tuple(f"topic {n:02}" for n in range(20))


@cache
def mails() -> tuple[tuple[str, str], ...]:
    """Text and label (`TWO`) of each mail, in the file's order."""
    with gzip.open(_FILE, "rt", encoding="utf-8") as lines:
        return tuple((mail["text"], mail["label"]) for mail in map(json.loads, lines))


def topic(text: str) -> str:
    """One of `TWENTY`, by the first word of the mail's subject: as good as any for timing twenty classes."""
    words = text.split()
    return TWENTY[sum(words[min(1, len(words) - 1)].encode()) % len(TWENTY)]


@cache
def short_texts() -> tuple[str, ...]:
    """Distinct pieces of 80 characters, the beginnings of all mails first: about 16,000."""
    longest = max(len(text) for text, _ in mails())
    pieces = (
        text[start : start + _SHORT]
        for start in range(0, longest, _SHORT)
        for text, _ in mails()
        if len(text) >= start + _SHORT * 3 / 4
    )
    return tuple(dict.fromkeys(pieces))


@cache
def _labels() -> dict[str, str]:
    return {piece: label for text, label in mails() for piece in (text, text[:_SHORT])}


def truth(text: str) -> str:
    """The label of a mail or of its beginning; of any other piece, something that follows from the text."""
    return _labels().get(text) or TWO[len(text.split()) % 2]


def unseen() -> Iterator[str]:
    """The short texts, each once: no cache can have met them before."""
    yield from short_texts()
