"""What comes from outside, as it may stand in a terminal and in a log: nothing in it is a command to either."""

from __future__ import annotations

import logging
import re

# Controls of both sets but for tab and line feed, other ends of lines, what turns the direction of writing, and halves
# of pairs that no encoding takes.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with every control character as its number; lines and tabs stay."""
    return _COMMANDS.sub(_number, text)


def _number(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class LogFormatter(logging.Formatter):
    """A record begins at the margin, and none of its further lines does: no text in a message looks like a record."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record)).replace("\n", "\n  | ")
