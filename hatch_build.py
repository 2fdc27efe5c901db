"""What hatchling does for a wheel beside its own: the documentation is built and goes along, to be served at /docs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WITHIN_THE_PACKAGE = "nextlabel/web/documentation_site"


class Documentation(BuildHookInterface):  # type: ignore[type-arg]
    """An editable installation, as in a clone, has what `make docs` built last."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        self._made = tempfile.TemporaryDirectory(prefix="nextlabel-docs.")
        build(Path(self.root), Path(self._made.name))
        build_data["force_include"][self._made.name] = WITHIN_THE_PACKAGE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._made.cleanup()


def build(root: Path, target: Path) -> None:
    """A warning stops nobody from installing: `make check` is strict."""
    from properdocs.commands.build import build as build_site  # noqa: PLC0415 - only there where a wheel is built
    from properdocs.config import load_config  # noqa: PLC0415

    config = load_config(config_file=str(root / "properdocs.yml"), site_dir=str(target), strict=False)
    config.plugins.on_startup(command="build", dirty=False)
    try:
        build_site(config)
    finally:
        config.plugins.on_shutdown()
