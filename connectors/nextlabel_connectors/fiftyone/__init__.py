"""FiftyOne: samples of a dataset in a saved view, in the order to label them; facts were measured on version 1.22."""

from __future__ import annotations

from pathlib import Path

from nextlabel.errors import ToolRejected
from nextlabel.labeling import ToolProjectId
from nextlabel.ports.tool import Connector, ToolAccess
from nextlabel_connectors.fiftyone.connector import FiftyOneConnector
from nextlabel_connectors.fiftyone.process import FiftyOne

_PYTHONS = ("bin/python", "Scripts/python.exe")


class FiftyOneType:
    """What the entry point ``fiftyone`` names."""

    title = "FiftyOne"
    address = "the Python that you use FiftyOne with, or the folder of its environment"
    token = ""
    """It asks for none. One that is given is the address of its database (FIFTYONE_DATABASE_URI), which may hold a
    password; without it FiftyOne uses the one that it is set to use, or its own."""
    webhooks = None
    ml_backend = None

    def open(self, access: ToolAccess, project: ToolProjectId) -> Connector:
        path = Path(access.url.strip())
        if not path.is_absolute():
            raise ToolRejected(f"'{access.url}' is no absolute path: give {self.address}, e.g. /home/me/venv.")
        python = next((path / name for name in _PYTHONS if (path / name).exists()), path)
        return FiftyOneConnector(FiftyOne(str(python), access.token), project)


CONNECTOR = FiftyOneType()
