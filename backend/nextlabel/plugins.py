"""Entry points: ours come in the same way as everyone's."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from nextlabel.errors import SettingsError


def names(group: str) -> set[str]:
    """What packages offer in a group."""
    return set(_points(group))


def load(group: str, name: str, what: str, *, also: Iterable[str] = ()) -> Any:
    """What the entry point of that name stands for.

    Raises `SettingsError` where it cannot be loaded, or where there is none: then it lists those there are, and what
    there is ``also``, from elsewhere.
    """
    points = _points(group)
    if name not in points:
        known = ", ".join(sorted({*points, *also})) or "none"
        raise SettingsError(f"There is no {what} '{name}': known are {known}.")
    try:
        return points[name].load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"The {what} '{name}' cannot be loaded ({error}): reinstall the package it is in."
        ) from error


def _points(group: str) -> dict[str, EntryPoint]:
    return _found(group, tuple(sys.path))


@lru_cache(maxsize=16)
def _found(group: str, path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Looked for once: it takes 25 ms, and what is installed later is there after a restart."""
    return {point.name: point for point in entry_points(group=group)}
