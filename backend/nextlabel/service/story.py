"""A project's story: all that is known of it, to be shown to people who have no way to the installation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from nextlabel.errors import SettingsError
from nextlabel.labeling import ProjectId
from nextlabel.service.annotators import Annotators
from nextlabel.service.in_force import without_secrets
from nextlabel.service.overview import Overview


@dataclass(frozen=True, slots=True)
class Story:
    """Reads; plain values throughout. Nobody who labels is named, and no address of the tool is in it."""

    overview: Overview
    annotators: Annotators

    def of(self, project: ProjectId) -> dict[str, Any]:
        """Raises `NotConnected`."""
        found = self.overview.project(project)
        for address in ("url", "lists"):
            found.pop(address)
        found["options"] = without_secrets(found["options"])
        return {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "made_by": f"nextlabel {metadata.version('nextlabel')}",
            "project": found,
            "annotators": self._annotators(project),
        }

    def _annotators(self, project: ProjectId) -> dict[str, Any] | None:
        """By pseudonym; None where the project shows nothing about them."""
        try:
            return asdict(self.annotators.report(project, names=False))
        except SettingsError:
            return None
