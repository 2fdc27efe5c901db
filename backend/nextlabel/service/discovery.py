"""Connectors, found by their entry points."""

from __future__ import annotations

from nextlabel import plugins
from nextlabel.errors import SettingsError
from nextlabel.ports.tool import ConnectorType

GROUP = "nextlabel.connectors"


def names() -> set[str]:
    """The connectors that are installed."""
    return plugins.names(GROUP)


def connector_type(name: str) -> ConnectorType:
    """The connector of that name. Raises `SettingsError` listing those there are."""
    found = plugins.load(GROUP, name, "connector")
    if not isinstance(found, ConnectorType):
        raise SettingsError(f"The connector '{name}' is broken: its entry point names no ConnectorType.")
    return found
