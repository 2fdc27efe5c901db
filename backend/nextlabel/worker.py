"""What RQ calls, and the process that RQ runs in. Jobs are named by dotted path: ``nextlabel.worker.learn``."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import redis
from rq import Retry, get_current_job
from rq.serializers import JSONSerializer

from nextlabel.evaluation import cut_off
from nextlabel.jobs.job_queue import QUEUES
from nextlabel.jobs.shards import HelpingWorker
from nextlabel.jobs.workers import WORKER_TTL
from nextlabel.labeling import ProjectId
from nextlabel.service import traces
from nextlabel.service.memory import spare_what_stays
from nextlabel.settings import Settings
from nextlabel.storage.model_store import preload
from nextlabel.wiring import Parts, build, embedded_redis

log = logging.getLogger("nextlabel.worker")


def learn(project: str) -> str:
    """Job: one turn of the loop. Returns what happened, in words for a person."""
    parts = _parts()
    _name_job()
    try:
        return parts.turns.take(ProjectId(project))
    finally:
        parts.database.dispose()


def prune(project: str) -> int:
    """Job: remove what is no longer needed (`Pruning`). Returns how many predictions were removed from the tool."""
    parts = _parts()
    _name_job()
    removed = parts.pruning.run(ProjectId(project))
    parts.notes.look_at_people(ProjectId(project))
    return removed


def shard(kind: str, needs: str, items: Sequence[str], step: int) -> str | Retry | None:
    """Job: compute a share of what another worker wants (`Helper.do`), such as embeddings."""
    parts = _lasting_parts()
    _name_job()
    try:
        return parts.helper.do(kind, needs, items, step)
    finally:
        parts.database.dispose()


def _name_job() -> None:
    """For the log."""
    job = get_current_job()
    traces.begin_job(job.id if job else "")


def run_worker(settings: Settings, redis_url: str) -> None:
    """Work until told to stop (SIGTERM: after the job at hand).

    The flags let another worker notice within about a minute that this one was killed.
    """
    preload()
    cut_off.preload()
    _yield_to_the_web()
    parts = build(settings, redis_url)
    _wait_for_redis(parts)
    parts.upkeep.ask_again_for_the_killed()
    worker = worker_on(parts.redis)
    spare_what_stays()
    worker.work(logging_level="WARNING", with_scheduler=False)


def worker_on(client: redis.Redis) -> HelpingWorker:
    worker = HelpingWorker(
        list(QUEUES),
        connection=client,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL,
        maintenance_interval=5,
        job_monitoring_interval=5,
        log_job_description=False,
    )
    worker.log_result_lifespan = False
    return worker


def _yield_to_the_web() -> None:
    """Training may take longer; an annotator who waits for a webhook may not."""
    os.nice(10)
    # Linux may weigh whole sessions against each other: then only the session's niceness counts. One that this process
    # does not lead is somebody else's, such as the shell that it was started from.
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text("10", encoding="ascii")


def _wait_for_redis(parts: Parts) -> None:
    """RQ waits for a Redis that goes away while it works, but not for one that is away when it starts."""
    while True:
        try:
            parts.redis.ping()
        except redis.RedisError as error:
            log.error("Redis cannot be reached (%s): asking again every 2 s; check REDIS_URL.", type(error).__name__)
            time.sleep(2)
        else:
            return


def _parts() -> Parts:
    settings = Settings.from_env(os.environ)
    return build(settings, settings.redis_url or embedded_redis(settings).url)


@cache
def _lasting_parts() -> Parts:
    """Those of a process that does one shard after the other."""
    return _parts()
