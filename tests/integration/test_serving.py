"""Models in memory: however long one project's takes to load, the others are answered; and what is idle is let go."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from integration.test_command import port
from integration.test_web import BASIC, CONFIG, ONE, SCHEMA, TWO, Client, connect, json, publish, task
from nextlabel import wiring
from nextlabel.errors import ArtifactError, ModelNotReady
from nextlabel.estimators.hosted import HostedFacts, HostedProject
from nextlabel.estimators.project import Model
from nextlabel.labeling import LabelSchema, ModelVersion, ProjectId, QueueVersion, ToolProjectId
from nextlabel.ports.requests import LabelEvent
from nextlabel.ports.state import ModelRecord
from nextlabel.service import answering as serving
from nextlabel.service import model_cache
from nextlabel.service.answering import Service
from nextlabel.service.model_cache import ModelCache
from nextlabel.settings import Settings
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel.web import create_app
from nextlabel.wiring import Parts
from nextlabel_connectors.trusted import trusted

Eventually = Callable[..., None]
MODELS = Path(__file__).parent / "models"

__all__ = ["port"]


@dataclass
class Store:
    """Where models are loaded from: takes as long as a test wants it to, and notes what was loaded."""

    whole: Callable[[ProjectId, ModelVersion], Model]
    loads: list[ProjectId] = field(default_factory=list)
    held: dict[ProjectId, threading.Event] = field(default_factory=dict)

    def load(self, project: ProjectId, version: ModelVersion) -> Model:
        self.loads.append(project)
        if project in self.held:
            assert self.held[project].wait(CEILING_SECONDS)
        return self.whole(project, version)

    @contextmanager
    def holding(self, project: ProjectId) -> Iterator[None]:
        self.held[project] = threading.Event()
        try:
            yield
        finally:
            self.held.pop(project).set()


@pytest.fixture
def many(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    """A process of nine threads that has both projects, and notices at once what is published."""
    monkeypatch.setattr(serving, "_NOTICE_WITHIN_SECONDS", 1e-9)
    parts = wiring.build(replace(settings, web_threads=9), settings.redis_url or "")
    for project in (ONE, TWO):
        connect(parts, project)
    yield parts
    parts.redis.close()
    parts.database.dispose()


@pytest.fixture
def service(many: Parts) -> Service:
    return many.service


@pytest.fixture
def store(many: Parts, monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store(many.models.load)
    monkeypatch.setattr(many.models, "load", store.load)
    return store


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(9) as pool:
        yield pool


def hide_artifacts(parts: Parts) -> None:
    for artifact in (parts.settings.home / "models").rglob("*.skops"):
        artifact.rename(artifact.with_suffix(".hidden"))


def show_artifacts(parts: Parts) -> None:
    for artifact in (parts.settings.home / "models").rglob("*.hidden"):
        artifact.rename(artifact.with_suffix(".skops"))


# --- nobody waits who need not -----------------------------------------------------------------------------


def test_a_model_that_loads_slowly_holds_up_no_other_project(
    many: Parts, service: Service, store: Store, pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    slow, quick = publish(many, ONE), publish(many, TWO)
    with store.holding(ONE):
        first = pool.submit(service.in_service, ONE)
        eventually(lambda: store.loads == [ONE])
        assert service.in_service(TWO).version == quick
        assert not first.done()
    assert first.result().version == slow


def test_while_a_newer_version_loads_all_but_the_first_are_answered_by_the_one_before(
    many: Parts,
    service: Service,
    store: Store,
    pool: ThreadPoolExecutor,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_cache, "_BRIEF_SECONDS", 60)
    before = publish(many)
    assert service.in_service(ONE).version == before
    newer = publish(many)
    with store.holding(ONE):
        first = pool.submit(service.in_service, ONE)
        eventually(lambda: store.loads == [ONE, ONE])
        assert [service.in_service(ONE).version for _ in range(5)] == [before] * 5
        assert not first.done()
    assert first.result().version == newer
    assert service.in_service(ONE).version == newer
    assert store.loads == [ONE, ONE]


def test_a_newer_version_that_takes_long_is_not_waited_for_by_the_first_either(
    many: Parts, service: Service, store: Store, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_cache, "_BRIEF_SECONDS", 0)
    before = publish(many)
    assert service.in_service(ONE).version == before
    newer = publish(many)
    with store.holding(ONE):
        assert service.in_service(ONE).version == before
    eventually(lambda: service.in_service(ONE).version == newer)
    assert store.loads == [ONE, ONE]


def test_first_requests_at_the_same_time_load_the_model_once(
    many: Parts, service: Service, store: Store, pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    version = publish(many)
    with store.holding(ONE):
        asked = [pool.submit(service.in_service, ONE) for _ in range(8)]
        eventually(lambda: many.service._models._patient._value == 0)  # all of them wait
        assert not any(one.done() for one in asked)
    assert {one.result().version for one in asked} == {version}
    assert store.loads == [ONE]


def test_of_too_many_first_requests_some_are_told_to_come_back_and_a_thread_is_left_for_others(
    many: Parts, service: Service, store: Store, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, quick = publish(many, ONE), publish(many, TWO)
    assert service.in_service(TWO).version == quick
    monkeypatch.setattr(model_cache, "_BRIEF_SECONDS", 0)
    with store.holding(ONE):
        asked = [pool.submit(service.in_service, ONE) for _ in range(20)]
        assert pool.submit(service.in_service, TWO).result(CEILING_SECONDS).version == quick
    refused = [one.exception() for one in asked if one.exception()]
    assert len(refused) == 12
    assert all(isinstance(one, ModelNotReady) and "ask again" in str(one) for one in refused)
    assert [one.result().version for one in asked if not one.exception()] == [version] * 8


def test_a_version_that_is_taken_back_while_it_loads_is_not_served(
    many: Parts, service: Service, store: Store, pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    before = publish(many)
    kept = service.in_service(ONE)
    publish(many)
    with store.holding(ONE):
        first = pool.submit(service.in_service, ONE)
        eventually(lambda: store.loads == [ONE, ONE])
        assert kept.trained is not None
        many.models.promote(ONE, kept.trained, fence=many.fences.next(ONE))
        assert service.in_service(ONE).version == before
    first.result()
    assert service.in_service(ONE).model is kept.model
    assert store.loads == [ONE, ONE]


def test_what_only_asks_for_versions_loads_no_model(many: Parts, store: Store) -> None:
    client, versions = Client(create_app(many.service).test_client()), [publish(many, ONE), publish(many, TWO)]
    assert json(client.get("/versions")) == {"versions": sorted(set(versions))}
    assert json(client.setup()) == {"model_version": versions[0]}
    assert store.loads == []


@pytest.fixture
def patient(settings: Settings, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a web process of four threads. Project 1 has a team's own model that takes as long to load as
    a file is there, project 2 one of nextlabel's."""
    named = f"{MODELS}/waiting.py:Waiting"
    parts = wiring.build(replace(settings, models=named), settings.redis_url or "")
    for project in (ONE, TWO):
        connect(parts, project)
    schema = LabelSchema((), source=CONFIG)
    hosted = parts.hosts.open(ONE, "Waiting", schema, tmp_path / "unfitted")
    facts = HostedFacts("Waiting", parts.hosts.learner(ONE, "Waiting"), schema, learns=False)
    record = ModelRecord(ModelVersion("nextlabel-1"), "", SCHEMA, {}, {}, learner=facts.learner)
    fence = parts.fences.next(ONE)
    parts.models.save(ONE, record, HostedProject(hosted, facts, None, lambda: "score"), fence=fence)
    parts.models.promote(ONE, record.version, fence=fence)
    publish(parts, TWO)
    parts.redis.close()
    parts.database.dispose()
    (tmp_path / "while").touch()
    ours = {
        "NEXTLABEL_HOME": str(settings.home),
        "NEXTLABEL_DATABASE_URL": settings.database_url,
        "NEXTLABEL_PASSWORD": "hush-password",
        "REDIS_URL": settings.redis_url or "",
        "NEXTLABEL_MODEL": named,
        "NEXTLABEL_WEB_WORKERS": "1",
        "WAITING_WHILE": str(tmp_path / "while"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    yield os.environ | ours
    (tmp_path / "while").unlink(missing_ok=True)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=CEILING_SECONDS, verify=trusted()).is_success
    except httpx.TransportError:
        return False


def test_a_web_process_whose_threads_all_want_one_slow_model_answers_for_the_others(
    patient: dict[str, str], port: int, eventually: Eventually
) -> None:
    def predict(project: ProjectId) -> int:
        body = {"tasks": [task(1)], "project": f"{project}.1", "label_config": CONFIG}
        return httpx.post(
            f"http://127.0.0.1:{port}/predict", json=body, headers=BASIC, timeout=CEILING_SECONDS
        ).status_code

    hold = Path(patient["WAITING_WHILE"])
    command = [sys.executable, "-m", "nextlabel", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, env=patient) as process, ThreadPoolExecutor(8) as pool:
        try:
            eventually(lambda: answers(port))
            assert predict(TWO) == 200
            asked = [pool.submit(predict, ONE) for _ in range(8)]
            assert predict(TWO) == 200
            assert hold.exists()
            hold.unlink()
            assert {one.result() for one in asked} <= {200, 503}
            assert predict(ONE) == 200
        finally:
            hold.unlink(missing_ok=True)
            process.terminate()


# --- loads that fail ---------------------------------------------------------------------------------------


def test_a_load_that_fails_is_told_to_all_who_wait_and_is_not_tried_by_each(
    many: Parts, service: Service, store: Store, pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    publish(many)
    hide_artifacts(many)
    with store.holding(ONE):
        asked = [pool.submit(service.in_service, ONE) for _ in range(8)]
        eventually(lambda: many.service._models._patient._value == 0)
    assert all(isinstance(one.exception(), ArtifactError) for one in asked)
    show_artifacts(many)
    with pytest.raises(ArtifactError, match="retrain"):
        service.in_service(ONE)
    assert store.loads == [ONE]


def test_a_load_that_failed_is_tried_again_after_a_while_and_a_newer_version_at_once(
    many: Parts, service: Service, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = publish(many)
    hide_artifacts(many)
    with pytest.raises(ArtifactError):
        service.in_service(ONE)
    newer = publish(many)
    assert service.in_service(ONE).version == newer
    publish(many, TWO)
    hide_artifacts(many)
    with pytest.raises(ArtifactError):
        service.in_service(TWO)
    show_artifacts(many)
    monkeypatch.setattr(model_cache, "_AGAIN_SECONDS", 0)
    assert service.in_service(TWO).version == version
    assert store.loads == [ONE, ONE, TWO, TWO]


def test_a_newer_version_that_cannot_be_loaded_leaves_the_one_before_in_service_and_says_so(
    many: Parts, service: Service, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    before = publish(many)
    service.in_service(ONE)
    publish(many)
    hide_artifacts(many)
    with caplog.at_level(logging.ERROR):
        assert [service.in_service(ONE).version for _ in range(5)] == [before] * 5
    assert caplog.text.count("retrain") == 1
    assert store.loads == [ONE, ONE]


# --- memory ------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    now: float = 0.0

    def time(self) -> float:
        return self.now


def get(cache: ModelCache, project: ProjectId) -> weakref.ref[Model]:
    return weakref.ref(cache.get(project, ModelVersion("nextlabel-1"), QueueVersion("nextlabel-1")).model)


def is_gone(model: weakref.ref[Model]) -> bool:
    gc.collect()
    return model() is None


def test_a_model_that_nobody_asked_for_a_while_is_let_go_and_loaded_again_when_somebody_does(
    many: Parts, store: Store, eventually: Eventually
) -> None:
    for project in (ONE, TWO):
        publish(many, project)
    clock = Clock()
    cache = ModelCache(store.load, idle_seconds=900, clock=clock.time)
    one, two = get(cache, ONE), get(cache, TWO)
    clock.now = 600
    get(cache, ONE)
    clock.now = 901
    cache._sweep()
    eventually(lambda: is_gone(two))
    assert one() is not None
    assert get(cache, ONE)() is one()
    get(cache, TWO)
    assert store.loads == [ONE, TWO, TWO]


def test_idle_models_are_let_go_even_if_nobody_asks_for_anything(
    many: Parts, store: Store, eventually: Eventually
) -> None:
    publish(many)
    cache = ModelCache(store.load, idle_seconds=0.05)
    model = get(cache, ONE)
    eventually(lambda: is_gone(model))
    get(cache, ONE)
    assert store.loads == [ONE, ONE]


def test_no_more_models_are_held_than_there_may_be_and_those_asked_for_last_stay(
    many: Parts, store: Store, eventually: Eventually
) -> None:
    projects = [ProjectId(str(n)) for n in range(1, 6)]
    for project in projects:
        publish(many, project)
    cache = ModelCache(store.load, most=3)
    models = [get(cache, project) for project in projects[:3]]
    get(cache, ONE)
    models += [get(cache, project) for project in projects[3:]]
    eventually(lambda: [is_gone(model) for model in models] == [False, True, True, False, False])


def test_a_request_at_hand_keeps_a_model_that_is_let_go(many: Parts, store: Store) -> None:
    publish(many, ONE)
    publish(many, TWO)
    cache = ModelCache(store.load, most=1)
    mine = cache.get(ONE, ModelVersion("nextlabel-1"), QueueVersion("nextlabel-1"))
    get(cache, TWO)
    assert mine.model.informative


def test_of_so_many_projects_only_is_kept_how_they_are_connected(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_MOST_KNOWN", 3)
    parts = wiring.build(settings, settings.redis_url or "")
    for n in range(6):
        connect(parts, ProjectId(str(n)))
        parts.service.event(("label_studio",), LabelEvent(ToolProjectId(str(n)), "labels"))
    assert len(parts.service._connection._known) == 3
    parts.database.dispose()
