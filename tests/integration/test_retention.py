"""What stays and what is let go: months of versions fill no disk, and whatever may still be wanted loads."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
import redis
from fsspec.implementations.memory import MemoryFileSystem
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import Connection, select, update

from nextlabel import wiring, worker
from nextlabel.errors import ArtifactError
from nextlabel.estimators.prior import Prior
from nextlabel.estimators.project import Learned, ProjectModel
from nextlabel.evaluation.promotion import Promotion
from nextlabel.features.encoders import TextEncoder
from nextlabel.jobs.job_queue import PRUNE_QUEUE
from nextlabel.labeling import ModelVersion, ProjectId, QueueVersion, TaskId
from nextlabel.loop.turn import Round
from nextlabel.ports.state import ModelRecord, QueueRecord
from nextlabel.ports.tool import OwnOrder
from nextlabel.service import pruning
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import models, queues
from nextlabel.storage.fences import StoredFences
from nextlabel.storage.model_store import StoredModels
from nextlabel.storage.orders import StoredOrders
from nextlabel.storage.retention import LetGo, Retention

if TYPE_CHECKING:
    from integration.conftest import Team

pytestmark = pytest.mark.every_database

ONE, TWO = ProjectId("1"), ProjectId("2")
WINDOW = tuple(TaskId(f"{n}") for n in range(300))
TWO_DAYS = 2 * 24 * 3600


def fences(store: StoredModels) -> StoredFences:
    return StoredFences(store._database)


def orders(store: StoredModels) -> StoredOrders:
    return StoredOrders(store._database)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def store(database: Database, folder: Path) -> StoredModels:
    return StoredModels(database, str(folder))


@pytest.fixture
def retention(database: Database, folder: Path) -> Retention:
    return Retention(database, str(folder), keep=2)


def model(spam: int = 0) -> ProjectModel:
    return ProjectModel({"kind": Learned(TextEncoder(["text"]), Prior(("ham", "spam"), (0, spam)))})


def train(
    store: StoredModels, n: int = 1, *, project: ProjectId = ONE, promoted: bool = True, labels: int = 1
) -> list[ModelVersion]:
    """So many more versions, put in service one after the other or turned down."""
    fence, made = fences(store).next(project), []
    for _ in range(n):
        version = store.next_version(project, informative=True)
        printed: dict[str, Any] = {
            "trained_on": {TaskId(f"{7 + n}"): {"kind": "spam"} for n in range(labels)},
            "metrics": {"accuracy": 0.75},
        }
        state: Any = "trained" if promoted else "turned_down"
        store.save(
            project,
            ModelRecord(version, "labels", "schema", state=state, reason="why", **printed),
            model(),
            fence=fence,
        )
        if promoted:
            store.promote(project, version, fence=fence)
        made.append(version)
    return made


def announce(store: StoredModels, version: str) -> str:
    fence = fences(store).next(ONE)
    name = orders(store).reserve(ONE, ModelVersion(version), fence=fence)
    orders(store).announce(ONE, QueueRecord(name, ModelVersion(version), "margin", WINDOW, 40), fence=fence)
    return name


def put_in_service(store: StoredModels, version: str) -> None:
    store.promote(ONE, ModelVersion(version), fence=fences(store).next(ONE))


def loadable(store: StoredModels, project: ProjectId = ONE) -> list[str]:
    found: list[str] = []
    for record in store.history(project):
        with suppress(ArtifactError):
            assert store.load(project, record.version).state() == model().state()
            found.append(record.version)
    return found


def files_in(folder: Path) -> list[str]:
    names = (file.name.replace("-trusting.", ".").rpartition("-")[0] for file in folder.iterdir())
    return sorted(names, key=lambda name: int(name.rpartition("-")[2]))


def age(file: Path) -> None:
    os.utime(file, (time.time() - TWO_DAYS,) * 2)


# --- versions ----------------------------------------------------------------------------------------------


def test_a_version_long_in_service_and_the_one_before_it_still_load_after_thirty_were_turned_down(
    store: StoredModels, retention: Retention, folder: Path
) -> None:
    train(store, 4)
    train(store, 30, promoted=False)
    assert retention.let_go(ONE) == LetGo(30)
    assert loadable(store) == ["nextlabel-3", "nextlabel-4", "nextlabel-33", "nextlabel-34"]
    assert files_in(folder / "1") == ["nextlabel-3", "nextlabel-4", "nextlabel-33", "nextlabel-34"]
    assert retention.let_go(ONE) == LetGo(0)


def test_the_versions_of_the_two_newest_orders_stay(store: StoredModels, retention: Retention) -> None:
    train(store, 2)
    announce(store, "nextlabel-1")
    announce(store, "nextlabel-2")
    train(store, 4)
    announce(store, "nextlabel-3")
    retention.let_go(ONE)
    assert loadable(store) == ["nextlabel-2", "nextlabel-3", "nextlabel-5", "nextlabel-6"]


def test_after_a_rollback_the_version_that_served_until_then_stays_however_many_come_later(
    store: StoredModels, retention: Retention
) -> None:
    train(store, 4)
    put_in_service(store, "nextlabel-1")
    train(store, 5, promoted=False)
    retention.let_go(ONE)
    assert loadable(store) == ["nextlabel-1", "nextlabel-4", "nextlabel-8", "nextlabel-9"]
    train(store, 1)
    retention.let_go(ONE)
    assert loadable(store) == ["nextlabel-1", "nextlabel-9", "nextlabel-10"]


def test_of_a_version_that_was_let_go_the_figures_stay_and_it_says_so(
    store: StoredModels, retention: Retention, database: Database
) -> None:
    train(store, 4)
    retention.let_go(ONE)
    for ask in (store.load, lambda project, version: put_in_service(store, version)):
        with pytest.raises(ArtifactError, match=r"nextlabel-1 of project 1 was let go.*NEXTLABEL_KEEP_MODELS"):
            ask(ONE, ModelVersion("nextlabel-1"))
    assert not store.is_intact(ONE, ModelVersion("nextlabel-1"))
    first, *_, last = store.history(ONE, with_labels=True)
    assert (first.metrics, first.reason, first.state, first.labels) == ({"accuracy": 0.75}, "why", "retired", 1)
    assert (first.trained_on, last.trained_on) == ({}, {"7": {"kind": "spam"}})
    serving = store.in_service(ONE)
    assert serving is not None
    assert serving.version == last.version == "nextlabel-4"


def test_a_training_that_failed_counts_as_no_version(store: StoredModels, retention: Retention) -> None:
    train(store, 3)
    record = ModelRecord(ModelVersion("nextlabel-4"), "labels", "schema", {}, {}, reason="it fell over")
    store.note_failure(ONE, record, fence=fences(store).next(ONE))
    retention.let_go(ONE)
    assert loadable(store) == ["nextlabel-2", "nextlabel-3"]
    with pytest.raises(ArtifactError, match="it fell over"):
        store.load(ONE, ModelVersion("nextlabel-4"))


def test_projects_are_let_go_one_by_one(store: StoredModels, retention: Retention) -> None:
    for project in (ONE, TWO):
        train(store, 3, project=project)
    retention.let_go(ONE)
    retention.sweep(ONE)
    assert (len(loadable(store, ONE)), len(loadable(store, TWO))) == (2, 3)


def test_artifacts_go_wherever_fsspec_can_delete(database: Database) -> None:
    url = "memory://retention"
    store = StoredModels(database, url)
    train(store, 3)
    assert Retention(database, url, keep=2).let_go(ONE) == LetGo(1)
    fs = fsspec.filesystem("memory")
    assert sorted(name.rpartition("/")[2].rpartition("-")[0] for name in fs.ls("/retention/1", detail=False)) == [
        "nextlabel-2",
        "nextlabel-3",
    ]
    assert Retention(database, url, keep=2).sweep(ONE) == LetGo(0)
    fs.rm("/retention", recursive=True)


def test_the_room_of_labels_and_windows_that_are_let_go_is_used_again(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'nextlabel.db'}")
    database.migrate()
    store, retention = StoredModels(database, "memory://room"), Retention(database, "memory://room", keep=2)

    def pages_after(n: int) -> int:
        for _ in range(n):
            announce(store, *train(store, labels=100))
            retention.let_go(ONE)
        with database.read() as sql:
            return int(sql.exec_driver_sql("PRAGMA page_count").scalar_one())

    before = pages_after(10)
    assert pages_after(100) - before < 50
    database.dispose()
    fsspec.filesystem("memory").rm("/room", recursive=True)


# --- orders ------------------------------------------------------------------------------------------------


def test_old_orders_lose_their_window_and_never_their_name(store: StoredModels, retention: Retention) -> None:
    train(store, 1)
    for _ in range(5):
        announce(store, "nextlabel-1")
    assert retention.let_go(ONE) == LetGo(0)
    assert [(one.version, one.window) for one in orders(store).announced(ONE)] == [
        *(("nextlabel-1.5", WINDOW), ("nextlabel-1.4", WINDOW)),
        *(("nextlabel-1.3", ()), ("nextlabel-1.2", ()), ("nextlabel-1", ())),
    ]
    assert [one.version for one in orders(store).announced(ONE, newest=2)] == ["nextlabel-1.5", "nextlabel-1.4"]
    assert announce(store, "nextlabel-1") == "nextlabel-1.6"


# --- files -------------------------------------------------------------------------------------------------


def test_after_a_worker_was_killed_between_the_row_and_the_file_the_file_goes_once_it_is_a_day_old(
    store: StoredModels, retention: Retention, folder: Path
) -> None:
    train(store, 3)
    versions, (left,) = retention.mark(ONE)  # and no further
    assert (versions, Path(left).exists()) == (1, True)
    with pytest.raises(ArtifactError, match="was let go"):
        store.load(ONE, ModelVersion("nextlabel-1"))
    assert (retention.let_go(ONE), retention.sweep(ONE)) == (LetGo(0), LetGo(0))
    age(Path(left))
    assert retention.sweep(ONE) == LetGo(1)
    assert files_in(folder / "1") == ["nextlabel-2", "nextlabel-3"]


def test_of_old_files_only_those_of_models_that_are_nobodys_go(
    store: StoredModels, retention: Retention, folder: Path, database: Database
) -> None:
    assert retention.sweep(ONE) == LetGo(0), "no version, no folder"
    train(store, 2)
    digest = 12 * "a"
    for name in (
        f"nextlabel-7-{digest}.skops",
        f"nextlabel-untrained-8-{digest}.tar",
        f"nextlabel-2-{digest}.tar",
        "nextlabel-9-notes.skops",
    ):
        (folder / "1" / name).write_text("left behind")
    for file in (folder / "1").iterdir():
        age(file)
    with database.write() as sql:  # as a version of nextlabel wrote it that did not note the archive yet
        sql.execute(update(models).where(models.c.version == "nextlabel-2").values(files=None))
    assert retention.sweep(ONE) == LetGo(2)
    left = {file.name for file in (folder / "1").iterdir()}
    assert {f"nextlabel-2-{digest}.tar", "nextlabel-9-notes.skops"} < left
    assert loadable(store) == ["nextlabel-1", "nextlabel-2"]


def test_files_that_are_gone_already_are_as_they_should_be(
    store: StoredModels, retention: Retention, folder: Path
) -> None:
    train(store, 3)
    for file in (folder / "1").glob("nextlabel-1-*"):
        file.unlink()
    assert retention.let_go(ONE) == LetGo(1)


class OnlyGrows(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A store that may be written and read, and nothing in it deleted."""

    protocol = "only-grows"
    store: dict[str, Any] = {}  # noqa: RUF012 (fsspec's own way)
    pseudo_dirs = [""]  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("only-grows:/")))

    def rm_file(self, path: str) -> None:
        raise PermissionError(f"{path} may not be deleted")


fsspec.register_implementation("only-grows", OnlyGrows, clobber=True)


@pytest.fixture
def team_that_keeps_two(team: Team, request: pytest.FixtureRequest) -> Iterator[Team]:
    """With ``models_url`` as the parameter, if there is one."""
    url = getattr(request, "param", team.parts.settings.models_url)
    settings = replace(team.parts.settings, keep_models=2, models_url=url)
    parts = wiring.build(settings, settings.redis_url or "")
    yield replace(team, parts=parts)
    parts.redis.close()
    parts.database.dispose()


@pytest.mark.parametrize("team_that_keeps_two", ["only-grows://models"], indirect=True)
def test_a_store_that_cannot_delete_is_told_once_and_stops_nothing(
    team_that_keeps_two: Team, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    team = team_that_keeps_two
    monkeypatch.setattr(worker, "_parts", lambda: team.parts)
    monkeypatch.setattr(pruning, "_PAUSE_SECONDS", 0)
    team.choose(window=10)
    team.import_mails(60)
    removed = []
    for _ in range(5):
        team.run()
        team.work(4)
        removed.append(worker.prune(team.project))
    assert sum(removed[2:]) == 30, "old orders go all the same"
    (printed,) = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert re.search(r"1 files of models cannot be deleted, .*nextlabel-untrained-1.*NEXTLABEL_MODELS_URL", printed)
    assert [record.artifact for record in rows(team.parts.database)].count("") == 3
    team.parts.models.load(team.project, team.serving.version)


def rows(database: Database) -> Sequence[Any]:
    with database.read() as sql:
        return sql.execute(select(models)).all()


# --- beside others -----------------------------------------------------------------------------------------


def while_deciding(retention: Retention, act: Callable[[], object]) -> Thread:
    """Has somebody else act once it is decided what is let go, and before that is committed."""
    kept, other = retention._kept, Thread(target=act)

    def decided(sql: Connection, project: ProjectId) -> set[str]:
        found = kept(sql, project)
        other.start()
        other.join(0.5)  # who has to wait for the commit does not end before
        return found

    retention._kept = decided  # type: ignore[method-assign]
    return other


def test_two_workers_that_let_go_at_once_let_each_version_go_once(
    store: StoredModels, retention: Retention, folder: Path, database_url: str
) -> None:
    train(store, 40)
    others = Database(database_url)
    received: list[LetGo] = []
    other = while_deciding(retention, lambda: received.append(Retention(others, str(folder), keep=2).let_go(ONE)))
    assert retention.let_go(ONE) == LetGo(38)
    other.join()
    assert received == [LetGo(0)]
    assert loadable(store) == ["nextlabel-39", "nextlabel-40"]
    others.dispose()


def test_a_version_that_is_promoted_while_others_are_let_go_is_never_left_without_its_file(
    store: StoredModels, retention: Retention
) -> None:
    train(store, 5)
    fence, refused = fences(store).next(ONE), []

    def promote() -> None:
        try:
            store.promote(ONE, ModelVersion("nextlabel-1"), fence=fence)
        except ArtifactError as error:
            refused.append(str(error))

    other = while_deciding(retention, promote)
    assert retention.let_go(ONE) == LetGo(3)
    other.join()
    serving = store.in_service(ONE)
    assert serving is not None
    assert serving.version in loadable(store)
    assert ["was let go" in printed for printed in refused] == [True]


def test_months_of_versions_leave_a_handful_of_files_and_the_loop_goes_on(
    team_that_keeps_two: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = team_that_keeps_two
    monkeypatch.setattr(worker, "_parts", lambda: team.parts)
    team.import_mails(60)
    done = []
    for _ in range(8):
        assert "queue" in team.parts.turns.take(team.project)
        worker.prune(team.project)
        done += team.work(3)
    team.parts.turns.take(team.project)
    worker.prune(team.project)
    assert set(team.learned) == set(done)
    assert len(team.parts.models.history(team.project)) == 9
    assert len(files_in(Path(team.parts.settings.models_url) / team.project)) <= 4
    team.parts.models.load(team.project, team.serving.version)
    assert team.parts.turns.take(team.project).endswith("nothing new to learn, the order stands")


def test_after_a_version_that_was_turned_down_too_it_is_asked_for_pruning(
    team: Team, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned_down = Round(
        team.project, 1, 12, trained=ModelVersion("nextlabel-2"), promotion=Promotion(False, "it is worse")
    )
    monkeypatch.setattr(team.parts.loop, "run", lambda *arguments: turned_down)
    team.parts.turns.take(team.project)
    assert len(Queue(PRUNE_QUEUE, connection=redis_client, serializer=JSONSerializer)) == 1


def test_an_order_whose_name_a_team_may_use_too_keeps_its_window_until_the_tool_holds_nothing_of_it(
    store: StoredModels, retention: Retention, database: Database
) -> None:
    train(store, 1)
    first, *_ = [announce(store, "nextlabel-1") for _ in range(5)]
    with database.write() as sql:
        sql.execute(update(queues).where(queues.c.version == first).values(own_name=False))
    retention.let_go(ONE)
    assert [len(order.window) for order in orders(store).announced(ONE)] == [300, 300, 0, 0, 300]
    assert orders(store).old(ONE)[0] == OwnOrder(QueueVersion(first), WINDOW)
    orders(store).note_removed(ONE, [QueueVersion(first)])
    retention.let_go(ONE)
    assert [len(order.window) for order in orders(store).announced(ONE)] == [300, 300, 0, 0, 0]
    assert first not in {order.version for order in orders(store).own(ONE)}
