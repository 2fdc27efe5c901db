"""Redis, SQL, the disk, the clock and the artifacts."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress

import redis

from benchmarks.faults.fault import Fault
from benchmarks.faults.scene import NotRecovered, Scene
from nextlabel.jobs.job_queue import RqJobQueue

_LOCKED_SECONDS, _FULL_SECONDS = 20.0, 30.0
_HOUR = 3600.0
_DISK_MB = 48


def _redis_killed(it: Scene) -> None:
    it.rig.set("before fit", "wait")
    it.label(2)
    it.wait(lambda: it.rig.sprung, "no worker read the labels")
    it.kill_redis()
    it.rig.let_go()
    it.label(3)
    it.mended()


def _redis_empty(it: Scene) -> None:
    it.rig.set("before fit", "wait")
    it.label(2)
    it.wait(lambda: it.rig.sprung, "no worker read the labels")
    shutil.rmtree(it.nextlabel.home / "redis" / "appendonlydir")
    it.kill_redis()
    it.rig.let_go()
    it.label(3)
    it.mended()


def _redis_flushed(it: Scene) -> None:
    it.rig.set("before fit", "wait")
    it.label(2)
    it.wait(lambda: it.rig.sprung, "no worker read the labels")
    it.redis.flushall()
    it.rig.let_go()
    it.label(3)
    it.mended()


def _locked(it: Scene) -> str:
    database = it.nextlabel.home / "nextlabel.db"
    with closing(sqlite3.connect(database, isolation_level=None, timeout=30)) as sql:
        sql.execute("BEGIN IMMEDIATE")
        it.label(3)
        time.sleep(_LOCKED_SECONDS)
        sql.execute("ROLLBACK")
    it.mended()
    it.label(2)
    return f"for {_LOCKED_SECONDS:.0f} s"


def _full(it: Scene) -> str:
    ballast = it.nextlabel.home / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    it.label(3)
    time.sleep(_FULL_SECONDS)
    alarms = sum("full" in line or "No space" in line for line in it.nextlabel.log.splitlines())
    ballast.unlink()
    it.mended()
    it.label(2)
    with closing(sqlite3.connect(it.nextlabel.home / "nextlabel.db")) as sql:
        (state,) = sql.execute("PRAGMA integrity_check").fetchone()
    if state != "ok" or not alarms:
        raise NotRecovered(f"the database is {state}, {alarms} alarms in the log")
    return f"no byte left for {_FULL_SECONDS:.0f} s, {alarms} alarms in the log"


def _clock(seconds: float) -> Callable[[Scene], None]:
    def happens(it: Scene) -> None:
        it.label(2)
        it.rig.move_clock(seconds)
        it.label(3)
        it.mended()

    return happens


def _flipped(it: Scene) -> None:
    serving = it.parts.models.in_service(it.id)
    if serving is None:
        raise NotRecovered("there is no model in service")
    (artifact,) = (it.nextlabel.home / "models").rglob(f"{serving.version}-*.skops")
    content = bytearray(artifact.read_bytes())
    for place in range(len(content) // 3, len(content) // 3 + 64):
        content[place] ^= 0xFF
    artifact.write_bytes(content)
    it.mended()
    it.label(2)


def _no_artifacts(it: Scene) -> None:
    shutil.rmtree(it.nextlabel.home / "models")
    it.mended()
    it.label(2)


def _busy(it: Scene) -> None:
    """The first worker is at it when its lease is lost: another one takes the project and overtakes it."""
    it.train_with("after fit, before save", "wait")
    it.redis.delete(f"nextlabel:lease:{it.project}")
    it.label(3)
    before = it.parts.models.latest(it.id)
    it.wait(lambda: it.parts.models.latest(it.id) != before, "the other worker did not take over")
    it.rig.let_go()
    it.mended()
    it.label(2)


def _crowd(it: Scene) -> None:
    """Many requests at once, with the leases taken away in between."""
    for _ in range(6):
        it.label(1)
        with suppress(redis.RedisError):
            it.redis.delete(f"nextlabel:lease:{it.project}")
            RqJobQueue(it.redis).request_retraining(it.id, quiet=0, max_wait=0)
    it.mended()


_TWO = {"NEXTLABEL_WORKERS": "2"}

FAULTS = (
    Fault("redis-killed", "Redis is killed in mid-training, and comes back by itself", _redis_killed),
    Fault("redis-empty", "Redis is killed in mid-training and its file is gone", _redis_empty),
    Fault("redis-flushed", "Redis is flushed in mid-training", _redis_flushed),
    Fault("sql-locked", "another writer locks the database (SQLite)", _locked),
    Fault("disk-full", "the disk is full", _full, disk_mb=_DISK_MB),
    Fault("clock-forward", "the processes' clock jumps an hour ahead", _clock(_HOUR), spoils=True),
    Fault("clock-back", "the processes' clock jumps an hour back", _clock(-_HOUR), spoils=True),
    Fault("artifact-flipped", "bytes of the artifact in service are flipped", _flipped),
    Fault("artifacts-gone", "all artifacts are deleted", _no_artifacts),
    Fault("lease-lost", "a worker loses its lease in mid-training, a second one overtakes it", _busy, settings=_TWO),
    Fault("two-workers", "two workers are sent to one project again and again, leases removed", _crowd, settings=_TWO),
)
