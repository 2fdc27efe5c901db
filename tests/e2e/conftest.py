"""A running nextlabel beside the Label Studio that all tests share, and projects connected to both."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner

from e2e.running import SettingsPages, texts
from nextlabel.cli import cli
from nextlabel.ports.tool import ToolAccess
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice
from postgres import NewStore

LABELS = ("winter", "kitchen")


class ConnectedFromHere(Nextlabel):
    """Projects are connected by the same command, but in this process, which has loaded what a first round takes: as a
    process of its own each takes three seconds to load it. Its other commands are processes."""

    def connect(self, project: int, access: ToolAccess, *options: str) -> subprocess.CompletedProcess[str]:
        typed = self.to_connect(project, access, *options)
        done = CliRunner().invoke(cli, typed, env=dict.fromkeys(os.environ) | self.environment())
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return subprocess.CompletedProcess(typed, done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def nextlabel_of_the_run(tmp_path_factory: pytest.TempPathFactory, new_store: NewStore) -> Iterator[Nextlabel]:
    environ = {"NEXTLABEL_RECONCILE_SECONDS": "15", **new_store()}
    one = ConnectedFromHere(tmp_path_factory.mktemp("nextlabel") / "home", environ)
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def nextlabel(nextlabel_of_the_run: Nextlabel) -> Iterator[Nextlabel]:
    """The one that all share: three processes take many seconds to start. Projects of a module rest after it."""
    yield nextlabel_of_the_run
    parts = nextlabel_of_the_run.parts()
    for connection in parts.connections.active():
        parts.pausing.pause(connection.project)


@pytest.fixture(scope="module")
def owner(label_studio: LabelStudioServer) -> LabelStudioPerson:
    return label_studio.owner


@pytest.fixture(scope="module")
def settings_pages(label_studio: LabelStudioServer) -> SettingsPages:
    return SettingsPages(label_studio.legacy_access)


MakeProject = Callable[..., int]


@pytest.fixture
def connected(label_studio: LabelStudioServer, owner: LabelStudioPerson, nextlabel: Nextlabel) -> MakeProject:
    """Makes a project with tasks, connected to nextlabel; returns its number."""

    def make(tasks: int = 60, *options: str, config: str = single_choice(LABELS)) -> int:
        project = owner.create_project("winter or kitchen", config)
        owner.import_tasks(project, [{"text": text} for text in texts(tasks)])
        findings(nextlabel.connect(project, label_studio.legacy_access, *options))
        return project

    return make
