"""How long a scrape of /metrics takes at 100 projects: well, right after a worker was killed, without Redis."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from flask.testing import FlaskClient
from sqlalchemy import insert

from benchmarks.figures import Figure, over_repeats
from benchmarks.processes import environment, temporary_home
from nextlabel.jobs.embedded_redis import EmbeddedRedis
from nextlabel.jobs.workers import alive
from nextlabel.labeling import ProjectId
from nextlabel.ports.tool import ToolAccess
from nextlabel.settings import Settings
from nextlabel.storage.database import chunks
from nextlabel.storage.database.tables import annotations as annotations_
from nextlabel.storage.database.tables import audit_tasks, cursors, models, queues, rounds, tasks
from nextlabel.testing import connection_to
from nextlabel.web import Operations, create_app
from nextlabel.wiring import Parts, build

_PROJECTS, _TASKS, _LABELED, _VERSIONS, _WINDOW, _REPEATS = 100, 1_000, 200, 20, 200, 20
_AIM_MS, _START_SECONDS = 50.0, 180.0
_TEXT = "Dear friend, this is the text of a mail as people label them. " * 5


def run() -> Iterator[Figure]:
    """Yields the time of the whole request within the server, of processor and by the clock."""
    with temporary_home() as home:
        server = EmbeddedRedis(home)
        parts = build(Settings.from_env({"NEXTLABEL_HOME": str(home)}), server.ensure())
        parts.database.migrate()
        for n in range(_PROJECTS):
            fill(parts, ProjectId(f"p{n}"))
        app = create_app(parts.service, _open(parts)).test_client()
        with _worker(parts, {**environment(home), "REDIS_URL": server.url}) as worker:
            yield from _timed(app, "all is well")
            worker.kill()
            yield from _timed(app, "right after the worker was killed")
        server.stop()
        yield from _timed(app, "without Redis")


@contextmanager
def _worker(parts: Parts, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """One that has come up."""
    process = subprocess.Popen([sys.executable, "-m", "nextlabel", "worker-process"], env=env)
    until = time.monotonic() + _START_SECONDS
    while not alive(parts.redis):
        if time.monotonic() > until:
            raise RuntimeError("the worker did not come up")
        time.sleep(0.2)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _open(parts: Parts) -> Operations:
    return Operations(parts.figures, parts.overview, parts.versions, parts.tokens, metrics_open=True)


def _timed(app: FlaskClient, what: str) -> Iterator[Figure]:
    used, waited = list[float](), list[float]()
    for _ in range(_REPEATS):
        cpu, clock = time.thread_time(), time.perf_counter()
        if app.get("/metrics").status_code != 200:
            raise RuntimeError("the scrape failed")
        used.append(1000 * (time.thread_time() - cpu))
        waited.append(1000 * (time.perf_counter() - clock))
    yield over_repeats("scrape", f"{what}: processor", used, "ms", aim=_AIM_MS)
    yield over_repeats("scrape", f"{what}: waited", waited, "ms")


def fill(
    parts: Parts,
    project: ProjectId,
    n_tasks: int = _TASKS,
    n_labeled: int = _LABELED,
    n_versions: int = _VERSIONS,
    kind: str = "benchmark",
) -> None:
    """Tasks of which some are labeled, some skipped and some audited, versions with figures, an order, rounds; counted
    as a turn of a worker leaves them."""
    connection = connection_to(project, kind, ToolAccess("http://127.0.0.1:9", "none"))
    parts.connections.save(connection)
    now, ids = datetime.now(UTC), [str(n) for n in range(n_tasks)]
    rows_of_tasks = [
        {"project": project, "id": one, "data": {"text": _TEXT}, "closed": n < n_labeled} for n, one in enumerate(ids)
    ]
    given = [_annotation(project, n, skipped=n >= n_labeled) for n in range(n_labeled + 20)]
    figures = {f"kind.audit_{name}": 0.9 for name in ("accuracy", "low", "high")} | {"kind.audit_labels": 60.0}
    versions = [_version(project, n, n_versions, n_labeled, figures, now) for n in range(n_versions)]
    order = {"project": project, "version": "nextlabel-1", "number": 1, "model": "nextlabel-1", "strategy": "margin"}
    order |= {"window": ids[n_labeled : n_labeled + _WINDOW], "pool": n_tasks - n_labeled}
    order |= {"announced": True, "created_at": now}
    past = {"project": project, "at": now, "seconds": 1.0, "summary": "all is well", "failed": False}
    with parts.database.write() as sql:
        for chunk in chunks(rows_of_tasks):
            sql.execute(insert(tasks), chunk)
        for some in chunks(given):
            sql.execute(insert(annotations_), some)
        sql.execute(insert(audit_tasks), [{"project": project, "task": one} for one in ids[::10]])
        sql.execute(insert(models), versions)
        sql.execute(insert(queues), [order])
        sql.execute(insert(rounds), [past] * 100)
        sql.execute(insert(cursors), [{"project": project, "cursor": "1", "pulled_at": now}])
    parts.counts.renew(project)


def _annotation(project: ProjectId, n: int, *, skipped: bool) -> dict[str, object]:
    at = f"2026-11-30T08:00:{n % 60:02d}+00:00"
    row = {"project": project, "id": f"a{n}", "task": str(n), "labels": {} if skipped else {"kind": "spam"}}
    return row | {"updated_at": at, "skipped": skipped, "ground_truth": False, "given_by": f"ann{n % 3}"}


def _version(
    project: ProjectId, n: int, of: int, labels: int, figures: dict[str, float], now: datetime
) -> dict[str, object]:
    learned = labels * (n + 1) // of
    trained_on = {str(task): {"kind": "spam"} for task in range(min(learned, _LABELED))}
    row = {"project": project, "version": f"nextlabel-{n}", "number": n, "labels": learned, "metrics": figures}
    row |= {"state": "in_service" if n == of - 1 else "retired", "trained_on": trained_on, "created_at": now}
    return row | {"labels_digest": "", "schema_digest": "", "reason": "better", "artifact": "", "sha256": ""}
