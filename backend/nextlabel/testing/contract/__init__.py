"""What every connector promises, as tests to inherit.

Inherit what your tool has, next to a ``harness`` fixture that plays the people of your tool::

    @pytest.fixture(scope="module")  # or wider
    def harness() -> Iterator[ToolHarness]:
        with MyToolHarness() as harness:
            yield harness

    class TestMyTool(CoreContract, TokenContract):
        pass

What is asserted is what annotators get to see in the tool, and what the connector says of it.
"""

try:
    import pytest  # noqa: F401
except ImportError as error:
    raise ImportError("The connector contract runs under pytest: pip install 'nextlabel[testing]'.") from error

from nextlabel.testing.contract.again import AsksAgainContract
from nextlabel.testing.contract.calls_us import CallsUsContract
from nextlabel.testing.contract.core import CoreContract
from nextlabel.testing.contract.old_orders import OldOrdersContract
from nextlabel.testing.contract.rings import (
    LiveQueueContract,
    PredictionsContract,
    ScoresContract,
    SkippingContract,
    TitleContract,
    TokenContract,
    UnreadableContract,
    WordsContract,
)
from nextlabel.testing.contract.tabs import TabsContract

__all__ = [
    "AsksAgainContract",
    "CallsUsContract",
    "CoreContract",
    "LiveQueueContract",
    "OldOrdersContract",
    "PredictionsContract",
    "ScoresContract",
    "SkippingContract",
    "TabsContract",
    "TitleContract",
    "TokenContract",
    "UnreadableContract",
    "WordsContract",
]
