"""What a connector's own tests need: the people of a labeling tool (`ToolHarness`) and the promises to keep.

The promises are in `nextlabel.testing.contract`, which needs pytest and is therefore not imported here.
"""

import sys

from nextlabel.labeling import ProjectId, ToolProjectId
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import Connection, Tool
from nextlabel.ports.tool import ToolAccess
from nextlabel.testing.harness import Annotator, Served, ToolHarness

__all__ = ["Annotator", "Served", "ToolHarness", "connection_to"]


def connection_to(
    project: str,
    kind: str,
    access: ToolAccess,
    options: ProjectOptions | None = None,
    callback_url: str = "",
) -> Connection:
    """A project that its tool calls as nextlabel does; the tool is named as its kind."""
    return Connection(
        ProjectId(project), Tool(kind, kind, access), ToolProjectId(project), options or ProjectOptions(), callback_url
    )


# Under pytest, a broken promise should show both sides of its assert; pytest does that for test files only,
# unless it is told before the module is first imported.
if "pytest" in sys.modules:
    sys.modules["pytest"].register_assert_rewrite("nextlabel.testing.contract")
