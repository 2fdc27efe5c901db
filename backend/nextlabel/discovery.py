"""Connectors, found by entry points: ours come through the same door as everyone's."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from nextlabel.errors import SettingsError
from nextlabel.ports import ConnectorType

GROUP = "nextlabel.connectors"


def connector_type(name: str) -> ConnectorType:
    """The connector of that name. Raises `SettingsError` listing those there are."""
    points: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        raise SettingsError(f"There is no connector '{name}': known are {', '.join(sorted(points)) or 'none'}.")
    try:
        found = points[name].load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"The connector '{name}' cannot be loaded ({error}): reinstall the package it is in."
        ) from error
    if not isinstance(found, ConnectorType):
        raise SettingsError(f"The connector '{name}' is broken: its entry point names no ConnectorType.")
    return found
