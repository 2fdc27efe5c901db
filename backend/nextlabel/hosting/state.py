"""A version's state must not know where it lies: it is stored, and restored elsewhere, perhaps on another machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

FOLDER = "{nextlabel:folder}"
"""Stands for the version's folder in what a model says of itself."""


def portable(state: Any, folder: Path) -> Any:
    """The same values, with the folder's path in any of their texts replaced: ``model_file`` is the usual one."""
    path = re.compile(re.escape(str(folder)) + r"(?![\w.-])")
    return _each_text(state, lambda text: path.sub(lambda _: FOLDER, text))


def at_home(state: Any, folder: Path) -> Any:
    """What `portable` made, for the folder where the version lies now."""
    return _each_text(state, lambda text: text.replace(FOLDER, str(folder)))


def _each_text(value: Any, change: Any) -> Any:
    match value:
        case str():
            return change(value)
        case list():
            return [_each_text(one, change) for one in value]
        case dict():
            return {key: _each_text(one, change) for key, one in value.items()}
        case _:
            return value
