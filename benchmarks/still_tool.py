"""What a labeling tool does that takes no part in a measurement: nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from nextlabel.errors import FileUnavailable
from nextlabel.labeling import LabelSchema, ProjectId, QueueVersion, TaskId
from nextlabel.ports.tool import Callback, Finding, OwnOrder, Pruned, ToolSetting


class StillTool:
    """Base of connectors to tools that are only read, or only written to."""

    def head_of_queue(self, project: ProjectId, n: int) -> Sequence[TaskId]:
        return ()

    def predictions_held(self, project: ProjectId) -> Mapping[QueueVersion, int]:
        return {}

    def prune(self, project: ProjectId, old: Sequence[OwnOrder], at_most: int, *, at_rest: bool = False) -> Pruned:
        return Pruned(0)

    def labels_in(self, schema: LabelSchema, result: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
        return {}

    def file(self, project: ProjectId, address: str) -> bytes:
        raise FileUnavailable(f"{address}: there are no files here.")

    def connect(self, project: ProjectId, callback: Callback) -> Iterator[Finding]:
        yield from ()

    def drift(self, project: ProjectId, callback: Callback) -> Sequence[Finding]:
        return ()

    def settings(self, project: ProjectId, ours: Collection[QueueVersion]) -> Sequence[ToolSetting]:
        return ()

    def disconnect(
        self, project: ProjectId, callback: Callback, settings: Mapping[str, str], *, similar: bool = False
    ) -> Iterator[Finding]:
        yield from ()

    def is_connected(self, project: ProjectId, callback: Callback) -> bool:
        return False
