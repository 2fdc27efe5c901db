"""The doccano connector keeps every promise on a real doccano."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from nextlabel.testing.contract import CoreContract, PredictionsContract, TokenContract, UnreadableContract
from nextlabel_connectors.doccano.testing import DoccanoMissing, DoccanoServer
from nextlabel_connectors.doccano.testing.harness import DoccanoHarness


@pytest.fixture(scope="module")
def doccano() -> Iterator[DoccanoServer]:
    """Without one installed its tests are skipped, but in CI they fail."""
    try:
        server = DoccanoServer()
    except DoccanoMissing as missing:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    with server:
        yield server


@pytest.fixture(scope="module")
def harness(doccano: DoccanoServer) -> Iterator[DoccanoHarness]:
    with DoccanoHarness(doccano) as harness:
        yield harness


class TestDoccanoConnector(CoreContract, PredictionsContract, TokenContract, UnreadableContract):
    crowd_size = 600
