"""Old orders are removed from a Label Studio on PostgreSQL, and no annotator notices."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from nextlabel.labeling import QueueVersion, TaskId
from nextlabel.ports.tool import OwnOrder
from nextlabel.testing.harness import Annotator
from nextlabel.testing.scene import Scene, set_scene
from nextlabel.testing.waiting import CEILING_SECONDS, PATIENCE
from nextlabel_connectors.label_studio.testing import LabelStudioServer
from nextlabel_connectors.label_studio.testing.harness import LabelStudioHarness

WINDOW, ROUNDS = 150, 20
_NOTICED_SECONDS = 0.2 * PATIENCE
PEOPLE: tuple[Annotator, ...] = ("ann", "ben")


class Waits:
    """Watches a database for sessions that wait for a lock for longer than anybody notices; ``seen`` are the statements
    that did, while ``people`` ask for tasks and submit."""

    def __init__(self, url: str) -> None:
        self.seen: list[str] = []
        self.looks = 0
        self.people = threading.Event()
        self._url = url

    def watch(self, stop: threading.Event) -> None:
        waiting = (
            "SELECT a.query FROM pg_stat_activity a WHERE a.datname = current_database() AND EXISTS "
            "(SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted"
            " AND clock_timestamp() - l.waitstart > %s * interval '1 s')"
        )
        with psycopg.connect(self._url, autocommit=True) as database:
            while not stop.is_set():
                self.people.wait(1)
                self.seen += [str(query) for (query,) in database.execute(waiting, [_NOTICED_SECONDS])]
                self.looks += 1
                time.sleep(0.003)


@contextmanager
def beside(*works: Callable[[threading.Event], None]) -> Iterator[None]:
    """These run in threads of their own until the end."""
    stop = threading.Event()
    threads = [threading.Thread(target=work, args=(stop,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(CEILING_SECONDS)


@pytest.fixture
def scene(label_studio_on_postgres: LabelStudioServer) -> Iterator[Scene]:
    with LabelStudioHarness(label_studio_on_postgres, label_studio_on_postgres.legacy_access) as harness:
        yield set_scene(harness, WINDOW + 2 * ROUNDS)


@pytest.mark.everything
def test_two_annotators_work_from_the_top_and_nobody_waits_for_a_lock_while_old_orders_are_removed(
    scene: Scene, label_studio_on_postgres: LabelStudioServer
) -> None:
    old: list[OwnOrder] = []
    removed = [0]
    waits = Waits(label_studio_on_postgres.database_url)

    def prune(stop: threading.Event) -> None:
        while not stop.is_set():
            lot = scene.old_orders.prune(list(old), 10)
            removed[0] += lot.removed
            for order in [one for one in old if one.version in lot.emptied]:
                old.remove(order)
            time.sleep(0.01 if lot.removed else 0.1)

    order, drawn = list(scene.tasks), random.Random(7)
    from_the_top = 0
    with beside(prune, waits.watch):
        for n in range(ROUNDS):
            drawn.shuffle(order)
            version = QueueVersion(f"nextlabel-{n + 1}")
            scene.rank(version, order[:WINDOW])
            if n:
                old.append(OwnOrder(QueueVersion(f"nextlabel-{n}")))
            held: list[TaskId] = []
            waits.people.set()
            for by in PEOPLE:
                served = scene.take(by)
                assert served is not None
                held.append(served.task)
                scene.submit(served.task, by=by)
            waits.people.clear()
            from_the_top += sum(task == wanted for task, wanted in zip(held, order, strict=False))
            order = [task for task in order if task not in held]
    assert removed[0] > ROUNDS, "old orders were removed meanwhile"
    assert from_the_top == 2 * ROUNDS
    # The counts of a project's labels are one row, for which any two people who submit at once wait: milliseconds.
    waited = [query for query in waits.seen if "projects_projectsummary" not in query]
    assert (waits.looks > 10 * ROUNDS, waited) == (True, [])
