"""A running nextlabel beside the Label Studio that all tests share, and projects connected to both."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from e2e.running import SettingsPages, texts
from nextlabel.testing.installation import Nextlabel, findings, running
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice
from postgres import NewStore

LABELS = ("winter", "kitchen")


@pytest.fixture(scope="session")
def nextlabel_of_the_run(tmp_path_factory: pytest.TempPathFactory, new_store: NewStore) -> Iterator[Nextlabel]:
    with running(tmp_path_factory.mktemp("nextlabel"), NEXTLABEL_RECONCILE_SECONDS="15", **new_store()) as one:
        yield one


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
