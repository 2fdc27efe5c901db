"""What several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from nextlabel_connectors.label_studio.testing import LabelStudioMissing, LabelStudioServer

# Machines are shared: how long an example took says nothing of it.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that needs Label Studio goes to one process, beside which the others work off the rest (`-n 2`)."""
    for item in items:
        if "label_studio" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("label_studio"))


@pytest.fixture(scope="session")
def label_studio() -> Iterator[LabelStudioServer]:
    """One Label Studio for the whole run. Without one installed its tests are skipped, but in CI they fail."""
    try:
        server = LabelStudioServer()
    except LabelStudioMissing as missing:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    with server:
        yield server
