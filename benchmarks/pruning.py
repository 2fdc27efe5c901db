"""What annotators notice of the removal of old orders: submits with and without it, interleaved.

NEXTLABEL_BENCH_POSTGRES names an empty database on PostgreSQL for Label Studio; without it it is on SQLite.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator

import numpy as np

from benchmarks.figures import Figure, percentile, stopwatch
from benchmarks.mails import TWO, short_texts
from benchmarks.reorder import predictions_in, ranking_of
from nextlabel.labeling import QueueVersion, TaskId, ToolProjectId
from nextlabel.ports.tool import OwnOrder
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.connector import LabelStudioConnector
from nextlabel_connectors.label_studio.testing import LabelStudioServer, single_choice

_WINDOW, _ORDERS, _SUBMITS, _BLOCK = 200, 8, 320, 8
_DRAWS = 2000
_LOT, _PAUSE_SECONDS = 10, 0.3  # as a worker does it while people are at work


def run() -> Iterator[Figure]:
    """Yields p50 and p95 of a submit without and with pruning, and the ratio of p95 with its 95 % interval."""
    postgres = os.environ.get("NEXTLABEL_BENCH_POSTGRES", "")
    where = "PostgreSQL" if postgres else "SQLite"
    with LabelStudioServer(postgres=postgres) as server:
        off, on, removed = _submits(server)
    for name, took in (("alone", off), ("while old orders are removed", on)):
        yield Figure(where, f"submit {name}, p50", percentile(took, 50), "s", note=f"{len(took)} submits")
        yield Figure(where, f"submit {name}, p95", percentile(took, 95), "s")
    low, ratio, high = _ratio(off, on)
    yield Figure(
        where, "p95, with over without", ratio, "×", low, high, note=f"{removed} predictions removed meanwhile"
    )


def _submits(server: LabelStudioServer) -> tuple[list[float], list[float], int]:
    """How long each submit took, in blocks without and with pruning, and how many predictions were removed."""
    people = (server.owner, server.sign_up("second@example.org"))
    project = server.owner.create_project("pruning", single_choice(TWO))
    texts: list[dict[str, object]] = [
        {"text": short_texts()[n % len(short_texts())]} for n in range(_WINDOW + _SUBMITS)
    ]
    tasks = [TaskId(str(task)) for task in server.owner.import_tasks(project, texts)]
    connector = LabelStudioConnector(LabelStudioClient(server.legacy_access), ToolProjectId(str(project)))
    for n in range(_ORDERS):
        window, version = random.Random(n).sample(tasks, _WINDOW), QueueVersion(f"nextlabel-{n + 1}")
        connector.place(version, ranking_of(window), predictions_in(window, version))
    old = [OwnOrder(QueueVersion(f"nextlabel-{n + 1}")) for n in range(_ORDERS - 1)]
    pruning, stop, removed = threading.Event(), threading.Event(), [0]

    def prune() -> None:
        while not stop.is_set():
            if pruning.wait(0.1):
                removed[0] += connector.prune(old, _LOT).removed
                stop.wait(_PAUSE_SECONDS)

    thread = threading.Thread(target=prune, daemon=True)
    thread.start()
    took: dict[bool, list[float]] = {False: [], True: []}
    for n in range(_SUBMITS):
        on = n // _BLOCK % 2 == 1
        pruning.set() if on else pruning.clear()
        person = people[n % 2]
        task = person.next_task(project)
        if task is None:
            raise RuntimeError("Label Studio has no task left.")
        with stopwatch() as seconds:
            person.submit(task["id"], TWO[n % 2])
        took[on].append(seconds())
    stop.set()
    thread.join()
    return took[False], took[True], removed[0]


def _ratio(off: list[float], on: list[float]) -> tuple[float, float, float]:
    """The ratio of the 95th percentiles, between the ends of its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    drawn = [
        percentile(list(rng.choice(on, len(on))), 95) / percentile(list(rng.choice(off, len(off))), 95)
        for _ in range(_DRAWS)
    ]
    return percentile(drawn, 2.5), percentile(on, 95) / percentile(off, 95), percentile(drawn, 97.5)
