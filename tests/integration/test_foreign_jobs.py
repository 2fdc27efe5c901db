"""Whoever writes into Redis has a worker run none but our own jobs."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from nextlabel.jobs.job_queue import LEARN_QUEUE, SHARD_QUEUE, RqJobQueue
from nextlabel.settings import Settings

PLANTED = "planted_job"
OURS, SHARE = "nextlabel.worker.shard", ["embed", "a model", ["a text"], 1]  # of a computation that is over
FOREIGN: Mapping[str, Mapping[str, object]] = {
    "another function": {"data": [f"{PLANTED}.run", None, [], {}]},
    "a method of what it brings": {"data": ["format", "{0.__class__}", [1], {}]},
    "ours with more": {"data": [OURS, None, [*SHARE, "more"], {}]},
    "ours with names": {"data": [OURS, None, SHARE, {"more": 1}]},
    "a number for a text": {"data": [OURS, None, ["embed", "a model", [1], 1], {}]},
    "steps without end": {"data": [OURS, None, ["embed", "a model", ["a text"], 0], {}]},
    "a list for a project": {"data": ["nextlabel.worker.learn", None, [["1"]], {}]},
    "no list": {"data": {"a": 1}},
    "no text": {"data": b"\x80\x04\xff"},
    "pickled": {"data": pickle.dumps((f"{PLANTED}.run", None, (), {}))},
    "no data": {},
    "called at success": {"data": [OURS, None, SHARE, {}], "success_callback_name": f"{PLANTED}.run"},
    "called at failure": {"data": [OURS, None, SHARE, {}], "failure_callback_name": f"{PLANTED}.run"},
    "called when stopped": {"data": [OURS, None, SHARE, {}], "stopped_callback_name": f"{PLANTED}.run"},
    "an address to notify": {"data": [OURS, None, SHARE, {}], "webhooks": b'[{"url": "http://127.0.0.1:9/"}]'},
    "no number": {"data": [OURS, None, SHARE, {}], "result_ttl": b"soon"},
    "no status": {"data": [OURS, None, SHARE, {}], "status": b"dancing"},
}


def put(client: redis.Redis, name: str, job: Mapping[str, object], queue: str = LEARN_QUEUE) -> str:
    """Write a job as RQ would, with these fields."""
    identifier = "foreign-" + "".join(c if c.isalnum() else "-" for c in name)
    fields = {"created_at": "2026-01-01T00:00:00.000000Z", "origin": queue, "status": "queued", "note": "x", **job}
    if "data" in job and not isinstance(job["data"], bytes):
        fields["data"] = json.dumps(job["data"]).encode()
    client.hset(Job.key_for(identifier), mapping=fields)  # type: ignore[arg-type]
    client.rpush(Queue(queue, connection=client).key, identifier)
    return identifier


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder with a module that leaves ``imported`` there."""
    folder = tmp_path / "planted"
    folder.mkdir()
    code = f"open({str(folder / 'imported')!r}, 'a').write('!')\ndef run(*a, **k): ...\n"
    (folder / f"{PLANTED}.py").write_text(code, encoding="utf-8")
    return folder


def test_a_worker_passes_over_every_foreign_job_and_does_ours(
    settings: Settings, redis_client: redis.Redis, planted: Path, eventually: Callable[..., None]
) -> None:
    foreign = [put(redis_client, name, job) for name, job in FOREIGN.items()]
    abandoned = put(redis_client, "abandoned", {**FOREIGN["called at failure"], "status": "started"})
    redis_client.zadd(StartedJobRegistry(LEARN_QUEUE, connection=redis_client).key, {abandoned: time.time() - 60})
    ours = Queue(SHARD_QUEUE, connection=redis_client, serializer=JSONSerializer).enqueue(OURS, *SHARE)
    jobs = RqJobQueue(redis_client)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(planted)])}
    environ |= {"NEXTLABEL_HOME": str(settings.home), "NEXTLABEL_DATABASE_URL": settings.database_url}
    environ |= {"REDIS_URL": settings.redis_url or ""}
    command = [sys.executable, "-m", "nextlabel", "worker-process"]
    of_this_session = Path("/proc/self/autogroup")
    weight = of_this_session.read_text() if of_this_session.exists() else ""
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as worker:
        try:
            eventually(lambda: jobs.status(ours.id).state == "finished" or worker.poll() is not None)
            assert jobs.status(ours.id).state == "finished"
        finally:
            worker.terminate()
        errors = worker.communicate()[1]
    assert not (planted / "imported").exists()
    assert {jobs.status(job).state for job in foreign} == {"unknown"}
    assert "Traceback" not in errors
    assert weight in ("", of_this_session.read_text())  # it steps back itself, not whoever started it
    assert [job for job in (*foreign, abandoned) if f"{job!r} in Redis is not nextlabel" not in errors] == []


@pytest.mark.parametrize("job", ["a|b", "", "a b", "é", "a" * 1000, "a:b", "*"])
def test_the_status_of_a_job_that_cannot_be_is_unknown(redis_client: redis.Redis, job: str) -> None:
    assert RqJobQueue(redis_client).status(job).state == "unknown"
