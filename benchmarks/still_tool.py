"""What a labeling tool does that takes no part in a measurement: nothing."""

from __future__ import annotations

from collections.abc import Sequence

from nextlabel.labeling import TaskId
from nextlabel.ports.tool import LivePriority


class StillTool:
    """Base of connectors to tools that are only read, or only written to."""

    @property
    def order(self) -> LivePriority:
        return LivePriority()

    def head_of_queue(self, n: int) -> Sequence[TaskId]:
        return ()
