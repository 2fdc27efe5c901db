"""Connectors and strategies, found by entry points: ours come through the same door as everyone's."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from nextlabel.errors import SettingsError
from nextlabel.ports import ConnectorType, QueryStrategy
from nextlabel.strategies import spec

CONNECTORS, STRATEGIES = "nextlabel.connectors", "nextlabel.strategies"


def connector_type(name: str) -> ConnectorType:
    """The connector of that name. Raises `SettingsError` listing those there are."""
    found = _load(CONNECTORS, name, "connector")
    if not isinstance(found, ConnectorType):
        raise SettingsError(f"The connector '{name}' is broken: its entry point names no ConnectorType.")
    return found


def strategy(text: str) -> QueryStrategy:
    """The query strategy that a spec chooses. Raises `SettingsError` listing those there are."""
    wanted = spec.parse(text)
    name = wanted.name
    found = spec.call(_load(STRATEGIES, name, "strategy"), wanted)
    if not isinstance(found, QueryStrategy):
        raise SettingsError(
            f"The strategy '{name}' is broken: it has no rank(pool, size) and utilities(probabilities)."
        )
    return found


def about(name: str) -> str:
    """What a strategy says of itself, in one line; it need not be made for that."""
    return (_load(STRATEGIES, name, "strategy").__doc__ or "").strip().split("\n")[0]


def names(group: str) -> list[str]:
    """What can be chosen in a group."""
    return sorted({point.name for point in entry_points(group=group)})


def _load(group: str, name: str, what: str) -> Any:
    points: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=group)}
    if name not in points:
        raise SettingsError(f"There is no {what} '{name}': known are {', '.join(sorted(points)) or 'none'}.")
    try:
        return points[name].load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"The {what} '{name}' cannot be loaded ({error}): reinstall the package it is in."
        ) from error
