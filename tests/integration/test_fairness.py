"""Several projects, backends and workers: however long one project takes, the others go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty

from nextlabel import wiring, worker
from nextlabel.jobs.job_queue import QUEUES
from nextlabel.labeling import ProjectId
from nextlabel.ports.requests import LabelEvent
from nextlabel.settings import Settings
from nextlabel.wiring import Parts
from nextlabel_connectors.memory import MemoryTool

if TYPE_CHECKING:
    from integration.conftest import Team

PATIENT = '''
import time
from pathlib import Path
from nextlabel.strategies.uncertainty import Margin

class Patient(Margin):
    """Does not end before it may."""

    def rank(self, pool, size):
        Path("{folder}/waiting").touch()
        while Path("{folder}/hold").exists():
            time.sleep(0.01)
        return super().rank(pool, size)
'''


class Worker(SimpleWorker):
    """Works in a thread, which gets no signals."""

    death_penalty_class = TimerDeathPenalty

    def _install_signal_handlers(self) -> None:
        pass


@contextmanager
def workers(n: int, settings: Settings) -> Iterator[None]:
    """So many at work, each as in a process of its own."""
    ended = threading.Event()

    def work() -> None:
        with wiring.connect_redis(settings.redis_url or "") as client:
            while not ended.wait(0.02):
                Worker(list(QUEUES), connection=client, serializer=JSONSerializer).work(
                    burst=True, logging_level="ERROR"
                )

    threads = [threading.Thread(target=work) for _ in range(n)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def hold(settings: Settings, tmp_path: Path) -> Path:
    """While this file is there, whoever asks for the order `patient` waits."""
    settings.strategies_folder.mkdir(parents=True)
    (settings.strategies_folder / "patient.py").write_text(PATIENT.format(folder=tmp_path))
    (tmp_path / "hold").touch()
    return tmp_path / "hold"


@pytest.fixture
def backends(settings: Settings) -> Iterator[list[Parts]]:
    """Two, as on two hosts, both of which take webhooks and dispatch what is due."""
    both = [wiring.build(settings, settings.redis_url or "") for _ in range(2)]
    yield both
    for parts in both:
        parts.redis.close()
        parts.database.dispose()


def test_two_backends_and_four_workers_while_some_projects_take_hours_the_others_learn_every_label(
    hold: Path,
    backends: list[Parts],
    tool: MemoryTool,
    team: Team,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    """However often the slow ones are asked for, each takes one worker; once they may, they learn everything too."""
    monkeypatch.setattr(worker, "_parts", lambda: wiring.build(settings, settings.redis_url or ""))
    teams = [type(team)(tool, team.parts, tool.create_project(["ham", "spam"])) for _ in range(4)]
    slow, quick = teams[:2], teams[2:]
    given: dict[ProjectId, set[str]] = {one.project: set() for one in teams}

    def label(one: Team, n: int = 2) -> None:
        """Labels, of which both backends are told."""
        given[one.project] |= set(one.work(n))
        for parts in backends:
            parts.service.event(("memory",), LabelEvent(one.at_tool, "labels"))

    def has_learned(one: Team) -> bool:
        for parts in backends:
            parts.job_queue.dispatch_due()
        serving = one.parts.models.in_service(one.project, with_labels=True)
        return serving is not None and set(serving.trained_on) == given[one.project]

    for one in teams:
        one.choose(strategy="patient" if one in slow else "margin", quiet_seconds=0)
        one.import_mails(60)
    for one in slow:
        label(one, 10)
    with workers(4, settings):
        try:
            eventually(lambda: all(map(has_learned, slow)) and (hold.parent / "waiting").exists())
            for _ in range(3):
                for one in teams:
                    label(one)
                eventually(lambda: all(map(has_learned, quick)))
            assert not any(map(has_learned, slow))
        finally:
            hold.unlink()
        eventually(lambda: all(has_learned(one) and one.in_force() == one.serving.announced_version for one in slow))
