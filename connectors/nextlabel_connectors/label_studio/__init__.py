"""Label Studio, the connector that nextlabel is built around; facts were measured on version 1.23."""

from __future__ import annotations

from nextlabel.ports.tool import Connector, ToolAccess
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.connector import LabelStudioConnector
from nextlabel_connectors.label_studio.dialect import LabelStudioDialect


class LabelStudio:
    """What the entry point ``label_studio`` names."""

    def __init__(self) -> None:
        self.dialect = LabelStudioDialect()

    def open(self, access: ToolAccess) -> Connector:
        return LabelStudioConnector(LabelStudioClient(access), access.file_hosts)


CONNECTOR = LabelStudio()
