"""Real SQL, a real Redis and a labeling tool in this process, wired as in production.

Tests marked `every_database` run on SQLite and on PostgreSQL; with NEXTLABEL_TEST_DATABASE=postgresql all run there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import redis
from sqlalchemy import make_url

from integration.label_studio_words import WordedConnectorType
from nextlabel import wiring
from nextlabel.features.work import Progress
from nextlabel.jobs.embedded_redis import EmbeddedRedis
from nextlabel.labeling import Label, LabelSchema, ProjectId, Target, TaskId, ToolProjectId
from nextlabel.loop.turn import Round
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import Connection, ModelRecord, Tool
from nextlabel.ports.tool import ConnectorType
from nextlabel.service import discovery
from nextlabel.settings import Settings
from nextlabel.storage.database import Database
from nextlabel.testing.waiting import wait_for
from nextlabel.wiring import Parts
from nextlabel_connectors.memory import MemoryConnectorType, MemoryTool
from nextlabel_connectors.memory.tool import TARGET
from postgres import ON_POSTGRES, create_database, drop_database

WORDS = {
    "ham": ["meeting", "lunch", "report", "thanks", "project", "agenda", "friday", "team", "notes", "call"],
    "spam": ["prize", "cash", "win", "free", "offer", "click", "now", "winner", "bonus", "deal"],
}


@pytest.fixture(autouse=True)
def _the_same_reserve_in_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which tasks are reserved is drawn by lot: a test that fails in one draw of a hundred helps nobody."""
    numbers = count()
    monkeypatch.setattr("nextlabel.storage.reserves.new_salt", lambda: f"{next(numbers):032x}")


# --- Redis -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    yield server.ensure()
    server.stop()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """An empty Redis."""
    wiring.connect_redis(redis_server).flushall()
    return redis_server


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    with wiring.connect_redis(redis_url) as client:
        yield client


# --- SQL ---------------------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which databases a test runs on."""
    if "database_template" in metafunc.fixturenames:
        both = metafunc.definition.get_closest_marker("every_database") is not None
        kinds = ["postgresql"] if ON_POSTGRES else ["sqlite", "postgresql"] if both else ["sqlite"]
        metafunc.parametrize("database_template", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def database_template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database that was migrated and is never changed: migrating one for every test would be slow."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('template') / 'nextlabel.db'}"
    else:
        url = create_database(request.getfixturevalue("postgres_url"))
    database = Database(url)
    database.migrate()
    database.dispose()
    yield url
    if request.param == "postgresql":
        drop_database(url)


@pytest.fixture
def database_url(database_template: str, tmp_path: Path) -> Iterator[str]:
    """An empty database of the newest schema."""
    url = make_url(database_template)
    if url.get_backend_name() == "sqlite":
        copy = tmp_path / "nextlabel.db"
        shutil.copy(url.database or "", copy)
        yield f"sqlite:///{copy}"
        return
    made = create_database(database_template, template=url.database or "")
    yield made
    drop_database(made)


@pytest.fixture
def new_database_url(database_template: str, tmp_path: Path) -> Iterator[str]:
    """A database that nothing was done to yet."""
    if database_template.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'folder that is not there yet' / 'nextlabel.db'}"
        return
    made = create_database(database_template)
    yield made
    drop_database(made)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.dispose()


# --- everything, wired -------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str) -> Settings:
    environ = {
        "NEXTLABEL_HOME": str(tmp_path / "home"),
        "NEXTLABEL_DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "NEXTLABEL_PASSWORD": "hush-password",
        "NEXTLABEL_WEBHOOK_SECRET": "hush-webhook-secret",
        "NEXTLABEL_MAX_REQUEST_MB": "1",
    }
    return Settings.from_env(environ)


@pytest.fixture
def parts(settings: Settings) -> Iterator[Parts]:
    parts = wiring.build(settings, settings.redis_url or "")
    yield parts
    parts.redis.close()
    parts.database.dispose()


@dataclass
class Team:
    """A connected project of e-mails in an in-memory tool, with one annotator, ann, who is always right.

    ``truth`` is what ann says of each task. nextlabel's own id of the ``project`` is another than the tool's, unless it
    is given.
    """

    tool: MemoryTool
    parts: Parts
    at_tool: ToolProjectId
    project: ProjectId = cast(ProjectId, "")  # noqa: RUF009
    truth: dict[TaskId, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.project = self.project or ProjectId(f"our-{self.at_tool}")

    def choose(self, **options: object) -> None:
        """Set options of the project, which asks by margin, or the strategy chosen, and shows guesses, from the first
        model on, with no audit tasks among those that are ranked."""
        chosen = ProjectOptions(strategy="margin", cold_start=0, show_predictions="always", audit_share=0)
        chosen = chosen.updated(options)
        tool = Tool("memory", "memory", self.tool.access)
        connection = Connection(self.project, tool, self.at_tool, chosen)
        self.parts.connections.save(connection)

    def import_mails(self, n: int) -> tuple[TaskId, ...]:
        rng = np.random.default_rng(len(self.truth))
        labels = [str(label) for label in rng.choice(list(WORDS), n)]
        texts = [" ".join([*rng.choice(WORDS[label], 4), f"number {rng.integers(1000)}"]) for label in labels]
        tasks = self.tool.add_tasks(self.at_tool, texts)
        self.truth.update(zip(tasks, labels, strict=True))
        return tasks

    def run(self, progress: Progress = lambda step, n: None) -> Round:
        """One turn of the loop, as a worker takes it."""
        return self.parts.loop.run(self.project, self.parts.fences.next(self.project), progress)

    def queue(self, n: int = 10_000) -> tuple[TaskId, ...]:
        """What annotators would get, first to last."""
        return tuple(self.tool.connector(self.at_tool).head_of_queue(n))

    def in_force(self) -> str | None:
        return self.tool.connector(self.at_tool).queue_in_force()

    def take(self) -> TaskId:
        taken = self.tool.take_next(self.at_tool, "ann")
        assert taken is not None, "the queue is empty"
        return taken[0]

    def work(self, n: int) -> list[TaskId]:
        """Ann takes and labels n tasks, in the order in which the tool serves them."""
        done = []
        for _ in range(n):
            task = self.take()
            self.tool.submit(self.at_tool, task, self.truth[task], "ann")
            done.append(task)
        return done

    def label(self, task: TaskId, label: str) -> None:
        self.tool.submit(self.at_tool, task, label, "ben")

    def ask(self, *labels: str) -> None:
        """Somebody changes the labels that can be chosen."""
        with self.tool.opened(self.at_tool) as it:
            target, *others = it.schema.targets
            it.schema = LabelSchema((Target(target.name, "choice", target.inputs, labels), *others))

    def ask_also(self, *targets: Target) -> None:
        """Somebody adds more to be said of each task."""
        with self.tool.opened(self.at_tool) as it:
            it.schema = LabelSchema((*it.schema.targets, *targets))

    @property
    def serving(self) -> ModelRecord:
        record = self.parts.models.in_service(self.project, with_labels=True)
        assert record is not None, "no model is in service"
        return record

    @property
    def learned(self) -> dict[TaskId, Label]:
        """What the model in service was trained on, where there is only one target."""
        trained_on = self.serving.trained_on
        assert all(list(printed) == [TARGET] for printed in trained_on.values())
        return {task: printed[TARGET] for task, printed in trained_on.items()}


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> MemoryTool:
    """A labeling tool, found under the connector name "memory" as an installed one would be."""
    tool = MemoryTool()
    _install(MemoryConnectorType(tool), monkeypatch)
    return tool


@pytest.fixture
def worded_tool(monkeypatch: pytest.MonkeyPatch) -> MemoryTool:
    """Such a tool that has Label Studio's words, for models that are written for label-studio-ml."""
    tool = MemoryTool()
    _install(WordedConnectorType(tool), monkeypatch)
    return tool


def _install(memory: MemoryConnectorType, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: Callable[[str], ConnectorType] = discovery.connector_type

    def connector_type(name: str) -> ConnectorType | MemoryConnectorType:
        return memory if name == "memory" else installed(name)

    monkeypatch.setattr(discovery, "connector_type", connector_type)


@pytest.fixture
def team(tool: MemoryTool, parts: Parts) -> Team:
    team = Team(tool, parts, tool.create_project(["ham", "spam"]))
    team.choose()
    return team


@pytest.fixture
def eventually() -> Callable[..., object]:
    """Waits for something that is to happen soon, and fails when it does not."""
    return partial(wait_for, every=0.02)
