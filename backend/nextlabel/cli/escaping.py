"""What comes from outside, as it may stand in a terminal and in a log: nothing in it is a command to either."""

from __future__ import annotations

import logging
import re

from nextlabel.labeling import COMMANDS, END, ISOLATE

_ISOLATED = f"{ISOLATE}[^{COMMANDS.pattern[1:-1]}\n]*{END}"
_SHOWN = re.compile(f"({_ISOLATED})|{COMMANDS.pattern}")


def printable(text: str) -> str:
    """The text with every control character as its number. Lines and tabs stay, and so do isolates that end where they
    must: they turn nothing around them."""
    return _SHOWN.sub(_number, text)


def _number(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[1]
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class LogFormatter(logging.Formatter):
    """A record begins at the margin, and none of its further lines does: no text in a message looks like a record."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record)).replace("\n", "\n  | ")
