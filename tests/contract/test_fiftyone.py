"""The FiftyOne connector keeps every promise on a real FiftyOne."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from nextlabel.testing import ToolHarness
from nextlabel.testing.contract import CoreContract, PredictionsContract, UnreadableContract
from nextlabel_connectors.fiftyone.testing import FiftyOneMissing, FiftyOneServer
from nextlabel_connectors.fiftyone.testing.harness import FiftyOneHarness


@pytest.fixture(scope="module")
def server() -> Iterator[FiftyOneServer]:
    try:
        found = FiftyOneServer()
    except FiftyOneMissing as missing:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    with found as started:
        yield started


@pytest.fixture(scope="module")
def harness(server: FiftyOneServer) -> ToolHarness:
    return FiftyOneHarness(server)


class TestFiftyOneConnector(CoreContract, PredictionsContract, UnreadableContract):
    pass
