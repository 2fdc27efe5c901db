"""How a worker does shards of others: as jobs of RQ, one after the other in one process.

What a shard needs, such as a language model, may take a minute to load: too long for a process that RQ ends after each
job. So a process that did one shard waits for more while the owner is at work, and makes room for a training.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache

import redis
from rq import Queue, Retry, get_current_job
from rq.executions import Execution
from rq.group import Group
from rq.job import Job, JobStatus

from nextlabel.features.work import Numbers, slices, write
from nextlabel.jobs.allowed import OurWorker
from nextlabel.jobs.job_queue import LEARN_QUEUE, SHARD_QUEUE

log = logging.getLogger("nextlabel.jobs.shards")

TRIES = 2  # of a shard by other workers, after the first
LEASE_SECONDS = 10  # a worker without a sign of life for so long is taken for dead

_MOST_BYTES = 8_000_000  # of a shard's rows; of more its owner makes them without a detour
_BEAT_SECONDS, _CHECK_SECONDS = 3.0, 0.2
_PREPARED = 4  # kinds of work that a process keeps ready

Do = Callable[[Sequence[str]], Numbers | Sequence[object]]
"""Items → a row of each."""

Compute = Callable[[str], Do | None]
"""From what a kind of work needs to how it is done; None where this process cannot."""


class Helper:
    """What this process computes for others: ``computers`` names by kind of work how."""

    def __init__(self, client: redis.Redis, computers: Mapping[str, Compute]) -> None:
        self._redis, self._computers = client, computers
        self._do = lru_cache(maxsize=_PREPARED)(self._prepare)

    def do(self, kind: str, needs: str, items: Sequence[str], step: int) -> str | Retry | None:
        """The job of a shard: its rows, as base64. None where nobody wants them any more; where this worker cannot
        compute them, RQ lets another one try."""
        try:
            rows = self._rows(kind, needs, items, step)
        except redis.RedisError:
            raise
        except Exception as error:
            log.warning("leaves a shard of %s to others: %s: %s", kind, type(error).__name__, error)
            return Retry(max=TRIES)
        return None if rows is None else base64.b64encode(rows).decode()

    def _rows(self, kind: str, needs: str, items: Sequence[str], step: int) -> bytes | None:
        parts, job = list[bytes](), get_current_job()
        for piece in slices(range(len(items)), step):
            if job is None or not self._redis.sismember(_group(job), job.id):
                return None
            parts.append(write(self._do(kind, needs)(items[piece.start : piece.stop])))
        if (size := sum(map(len, parts))) > _MOST_BYTES:
            raise OverflowError(f"{size:,} bytes are too many to hand over")
        return b"".join(parts)

    def _prepare(self, kind: str, needs: str) -> Do:
        make = self._computers.get(kind)
        do = make(needs) if make else None
        if do is None:
            raise LookupError("this worker has not what it needs")
        return do


class HelpingWorker(OurWorker):
    """A worker whose process, once it did a shard, does others as well."""

    def execute_job(self, job: Job, queue: Queue) -> None:
        """In RQ's own process, which learns at once that the one at work was killed, and of the first job only."""
        super().execute_job(job, queue)
        if queue.name == SHARD_QUEUE:
            for left in self.get_current_executions(refresh=True):
                self.connection.zadd(queue.started_job_registry.key, {left.composite_key: 0}, xx=True)

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        if queue.name != SHARD_QUEUE:
            return super().perform_job(job, queue, execution)
        self._perform_shard(job, queue, execution)
        while more := self._next_shard(job, queue):
            job = more
            self._perform_shard(job, queue, self.prepare_execution(job))
        return True

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        return LEASE_SECONDS if job.origin == SHARD_QUEUE else super().get_heartbeat_ttl(job, working_time)

    def _perform_shard(self, job: Job, queue: Queue, execution: Execution) -> None:
        with self._signs_of_life(job, execution):
            super().perform_job(job, queue, execution)

    def _next_shard(self, last: Job, queue: Queue) -> Job | None:
        """Of any computation, while the owner of the last one is at work; None where there is something better to do.

        A worker that could not do the last one leaves all others to those that can.
        """
        able = last.get_status(refresh=False) == JobStatus.FINISHED
        learn = Queue(LEARN_QUEUE, connection=self.connection)
        while self.connection.exists(_group(last)) and not (learn.count or self.shutdown_requested_date):
            found = queue.pop_job_id() if able else None
            if found and (job := queue.fetch_job(found)):
                return job
            if not found:
                time.sleep(_CHECK_SECONDS)
        return None

    @contextmanager
    def _signs_of_life(self, job: Job, execution: Execution) -> Iterator[None]:
        """RQ's own process gives them for the first job only."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(_BEAT_SECONDS):
                with suppress(redis.RedisError):
                    self.maintain_heartbeats(job, execution)

        threading.Thread(target=beat, name="signs of life", daemon=True).start()
        try:
            yield
        finally:
            over.set()


def _group(job: Job) -> str:
    return Group.get_key(job.group_id or "")
