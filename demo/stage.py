"""Setting the stage: a project with the mails, connected to nextlabel."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from demo.errors import DemoFailed
from demo.mails import TARGET, Mail
from demo.servers import Nextlabel
from nextlabel.labeling import ProjectId, QueueVersion, TaskId
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import CONTROL, OBJECT

_CONFIG = f"""<View>
  <Header value="Is this mail wanted (ham) or not (spam)?"/>
  <Text name="{OBJECT}" value="$text"/>
  <Choices name="{CONTROL}" toName="{OBJECT}" choice="single" showInline="true">
    {"".join(f'<Choice value="{label}" hotkey="{label[0]}"/>' for label in TARGET.labels)}
  </Choices>
</View>"""
_BUSY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Project:
    """The demo's project in Label Studio, and which task is which mail."""

    id: int
    mails: Mapping[TaskId, Mail]

    @property
    def name(self) -> ProjectId:
        return ProjectId(str(self.id))


def create_project(owner: LabelStudioPerson, pool: list[Mail]) -> Project:
    """Import the mails without their labels. The task remembers only the mail's id in the data set."""
    project = owner.create_project("Spam or ham? (nextlabel demo)", _CONFIG)
    tasks = owner.import_tasks(project, [{"text": mail.text, "mail": mail.id} for mail in pool])
    return Project(project, {TaskId(str(task)): mail for task, mail in zip(tasks, pool, strict=True)})


def connect(nextlabel: Nextlabel, label_studio: LabelStudioServer, project: Project) -> list[dict[str, str]]:
    """Run `nextlabel connect` as a user would; returns its findings. Raises `DemoFailed` on a problem."""
    access = label_studio.personal_access
    addresses = ("--url", access.url, "--backend-url", nextlabel.url)
    report: dict[str, Any] = nextlabel.command(
        "connect", *addresses, "--project", project.name, LABEL_STUDIO_API_KEY=access.token
    )
    if not report["ok"]:
        problems = [finding["message"] for finding in report["findings"] if finding["level"] == "problem"]
        raise DemoFailed("`nextlabel connect` found problems:\n" + "\n".join(problems))
    return list(report["findings"])


def label_studio_version(url: str) -> str:
    return str(httpx.get(f"{url}/api/version", timeout=30.0).raise_for_status().json()["release"])


class OrderInForce:
    """Which version Label Studio serves by, read from its own database.

    Asking its API costs the server 0.2 s a time, which would slow down what is being measured; this takes a
    fraction of a millisecond, so that the moment of a switch is known exactly. Label Studio reads the same
    row at every request for a task.
    """

    def __init__(self, database: Path, project: int) -> None:
        self._database = f"{database.as_uri()}?mode=ro"
        self._project = project

    def now(self) -> QueueVersion:
        """Empty where there is no order in force."""
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return self._read()
            except sqlite3.OperationalError as error:
                if time.monotonic() > deadline:
                    raise DemoFailed(f"Label Studio's database cannot be read: {error}.") from error
                time.sleep(0.01)  # being written to

    def _read(self) -> QueueVersion:
        with closing(sqlite3.connect(self._database, uri=True, timeout=5.0)) as database:
            query = "SELECT model_version FROM project WHERE id = ? AND sampling = 'Uncertainty sampling'"
            row = database.execute(query, (self._project,)).fetchone()
        return QueueVersion((row and row[0]) or "")
