"""Files as a labeling tool: tasks in a file, labels appended to a second one, the order in a third.

In a folder, ``mails.jsonl`` (or ``.json``, ``.csv``, ``.tsv``, ``.parquet``) is the project ``mails``. People and
programs label from ``mails.next.jsonl``, the next task first, and append to ``mails.labels.jsonl``. docs/files.md
says what stands in each. The profiles ``prodigy`` and ``ubiai`` read and write what those tools document; they were
never run in the tools.
"""

from __future__ import annotations

from dataclasses import dataclass

from nextlabel.labeling import ToolProjectId
from nextlabel.ports.requests import MLBackend, Webhooks
from nextlabel.ports.tool import Connector, ToolAccess
from nextlabel_connectors.files.appending import append_label
from nextlabel_connectors.files.connector import FilesConnector
from nextlabel_connectors.files.folder import files_of

__all__ = ["CONNECTOR", "FilesConnector", "FilesConnectorType", "append_label"]


@dataclass(frozen=True)
class FilesConnectorType:
    """Opens connectors to files in a folder."""

    title: str = "Files"
    address: str = "the folder that holds the tasks, as a whole path"
    token: str = ""
    webhooks: Webhooks | None = None
    ml_backend: MLBackend | None = None

    def open(self, access: ToolAccess, project: ToolProjectId) -> Connector:
        return FilesConnector(files_of(access.url, project))


CONNECTOR = FilesConnectorType()
