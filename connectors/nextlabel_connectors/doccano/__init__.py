"""doccano: text classification and sequence labeling; facts were measured on version 1.8.4."""

from __future__ import annotations

from nextlabel.labeling import ToolProjectId
from nextlabel.ports.requests import MLBackend, Webhooks
from nextlabel.ports.tool import Connector, ToolAccess
from nextlabel_connectors.doccano.client import DoccanoClient
from nextlabel_connectors.doccano.connector import DoccanoConnector


class Doccano:
    """What the entry point ``doccano`` names."""

    title = "doccano"
    address = "the address that people open in their browser"
    token = "the token of an account of its own, an admin of the project (docs/doccano.md says how to get it)"  # noqa: S105
    webhooks: Webhooks | None = None
    ml_backend: MLBackend | None = None

    def open(self, access: ToolAccess, project: ToolProjectId) -> Connector:
        return DoccanoConnector(DoccanoClient(access, project))


CONNECTOR = Doccano()
