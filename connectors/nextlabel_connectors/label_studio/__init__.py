"""Label Studio, the connector that nextlabel is built around; facts were measured on version 1.23."""

from __future__ import annotations

from urllib.parse import urlencode

from nextlabel.labeling import TaskId, ToolProjectId
from nextlabel.ports.requests import MLBackend, Webhooks
from nextlabel.ports.tool import Connector, OwnTab, TaskList, ToolAccess
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.connector import LabelStudioConnector
from nextlabel_connectors.label_studio.dialect import LabelStudioDialect
from nextlabel_connectors.label_studio.tabs import passing_tab


class LabelStudio:
    """What the entry point ``label_studio`` names."""

    title = "Label Studio"
    address = "the address that people open in their browser"
    token = "an access token, best of an account of its own (Account & Settings › Personal Access Token)"  # noqa: S105

    def __init__(self) -> None:
        dialect = LabelStudioDialect()
        self.webhooks: Webhooks | None = dialect
        self.ml_backend: MLBackend | None = dialect

    def open(self, access: ToolAccess, project: ToolProjectId) -> Connector:
        return LabelStudioConnector(LabelStudioClient(access), project, access.file_hosts)

    def task_page(self, access: ToolAccess, project: ToolProjectId, task: TaskId) -> str:
        return _data_manager(access, project, task=task)

    def list_page(self, access: ToolAccess, project: ToolProjectId, listed: TaskList) -> str:
        return _data_manager(access, project, tab=passing_tab(listed))

    def tab_page(self, access: ToolAccess, project: ToolProjectId, tab: OwnTab) -> str:
        return _data_manager(access, project, tab=tab.at_tool)


def _data_manager(access: ToolAccess, project: ToolProjectId, **shown: str) -> str:
    return f"{access.url.rstrip('/')}/projects/{project}/data?{urlencode(shown)}"


CONNECTOR = LabelStudio()
