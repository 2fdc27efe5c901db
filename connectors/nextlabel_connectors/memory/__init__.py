"""The reference connector: a labeling tool that lives in this process, and the way to it.

`MemoryTool` is the tool with its people: projects with one single choice, tasks, annotations, what each
annotator holds, predictions, an order, webhooks. It stands in for a real tool in tests::

    tool = MemoryTool()
    project = tool.create_project(["ham", "spam"])
    tasks = tool.add_tasks(project, ["win a prize", "see you at four"])
    tool.submit(project, tasks[0], "spam", by="ann")
    connector = tool.connector(project)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nextlabel.labeling import ToolProjectId
from nextlabel.ports.requests import MLBackend, Webhooks
from nextlabel.ports.tool import Connector, ToolAccess
from nextlabel_connectors.memory.connector import MemoryConnector
from nextlabel_connectors.memory.dialect import JsonDialect
from nextlabel_connectors.memory.tool import MemoryTool

__all__ = ["CONNECTOR", "JsonDialect", "MemoryConnector", "MemoryConnectorType", "MemoryTool"]


@dataclass(frozen=True)
class MemoryConnectorType:
    """Opens connectors to one tool. Without a tool there is nothing at any address, and every call says so."""

    tool: MemoryTool | None = None
    webhooks: Webhooks | None = field(default_factory=JsonDialect)
    ml_backend: MLBackend | None = field(default_factory=JsonDialect)
    title: str = "The in-memory tool"
    address: str = "memory:"
    token: str = "`MemoryTool.access` has it"  # noqa: S105

    def open(self, access: ToolAccess, project: ToolProjectId) -> Connector:
        return MemoryConnector(self.tool or MemoryTool(up=False), access.token, project)


CONNECTOR = MemoryConnectorType()
