"""What a connector's own tests need: the people of a labeling tool (`ToolHarness`) and the promises to keep.

The promises are in `nextlabel.testing.contract`, which needs pytest and is therefore not imported here.
"""

import sys

from nextlabel.testing.harness import Annotator, Served, ToolHarness

__all__ = ["Annotator", "Served", "ToolHarness"]

# Under pytest, a broken promise should show both sides of its assert; pytest does that for test files only,
# unless it is told before the module is first imported.
if "pytest" in sys.modules:
    sys.modules["pytest"].register_assert_rewrite("nextlabel.testing.contract")
