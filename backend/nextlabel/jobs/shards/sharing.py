"""`Shards` on RQ: the owner of a computation works it off, and each shard that it has no time for is a job of RQ.

The owner enqueues a few shards ahead and never waits for any of them. When nothing else is left it does those itself
that no worker has brought back yet (backup tasks, Dean & Ghemawat, 2004): those that wait first, then the one whose
worker gave a sign of life longest ago. So it finishes with one worker as with many, and without Redis too.

RQ hands out the jobs, knows from its registry which workers died, and gives their shards to others. Everything in
Redis expires by itself unless the owner renews it, so that nothing is left of an owner that died.
"""

from __future__ import annotations

import base64
import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Generic

import redis
from rq import Queue, Retry
from rq.group import Group
from rq.job import Job, JobStatus
from rq.queue import EnqueueData
from rq.registry import StartedJobRegistry
from rq.results import Result
from rq.serializers import JSONSerializer

from nextlabel.errors import JobQueueUnavailable
from nextlabel.features.work import InPlace, Rows, Work, slices
from nextlabel.jobs.allowed import SHARD, OurJob
from nextlabel.jobs.job_queue import SHARD_QUEUE
from nextlabel.jobs.shards.helping import TRIES

log = logging.getLogger("nextlabel.jobs.shards")

KEPT_SECONDS = 30  # after the owner's last sign of life

_LONGEST = 1_000_000  # characters in a shard of several items
_MOST_OUT = 64  # shards of one computation in Redis at a time
_JOB_SECONDS = 3600  # that a shard may take, the start of a team's own model among them
_EXCHANGE_SECONDS, _ASK_SECONDS, _AWAY_SECONDS = 0.2, 10.0, 30.0
_AWAY = (redis.RedisError, JobQueueUnavailable)
_ENDED = (JobStatus.FINISHED.encode(), JobStatus.FAILED.encode(), JobStatus.STOPPED.encode())


class RqShards:
    """Computes in shards with the help of all workers of one Redis; fulfils `work.Shards`."""

    def __init__(self, client: redis.Redis, other_workers: Callable[[], int]) -> None:
        """``other_workers``: how many there are beside this one. It raises `JobQueueUnavailable`."""
        self._redis, self._other_workers = client, other_workers

    def rows(self, work: Work[Rows], compute: Callable[[range], Rows]) -> Generator[tuple[range, Rows], None, None]:
        """As `Shards.rows`. What fits into two shards is computed here; what other workers failed at, too, so that it
        is raised here if it fails again. Redis may go away or lose everything meanwhile."""
        shards = _cut(work.items, work.shard)
        if len(shards) <= 2:
            return InPlace().rows(work, compute)
        return _Owner(_Jobs(self._redis, work, shards), self._other_workers, work, shards, compute).rows()


class _Jobs:
    """The shards of one computation that are jobs of RQ now, by number. All methods raise `redis.RedisError`."""

    def __init__(self, client: redis.Redis, work: Work[Rows], shards: Sequence[range]) -> None:
        self._redis, self._work, self._shards = client, work, shards
        self._queue = Queue(SHARD_QUEUE, connection=client, job_class=OurJob, serializer=JSONSerializer)
        self._started = StartedJobRegistry(queue=self._queue, job_class=OurJob)
        self._group = Group.create(client)
        self._out: dict[int, Job] = {}

    def __len__(self) -> int:
        return len(self._out)

    def __contains__(self, shard: int) -> bool:
        return shard in self._out

    def enqueue(self, shards: Sequence[int]) -> None:
        """Let other workers do these."""
        jobs = self._group.enqueue_many(self._queue, map(self._data, shards))
        self._redis.expire(self._group.key, KEPT_SECONDS)
        self._out |= zip(shards, jobs, strict=True)

    def ended(self) -> dict[int, bytes | None]:
        """Those that are over, with their rows as `work.write` wrote them; None where no other worker can do it or
        it is lost. All others are kept for another while, and those of workers that died are enqueued again."""
        if not self._out:
            return {}
        self._started.cleanup()
        with self._redis.pipeline() as pipe:
            pipe.expire(self._group.key, KEPT_SECONDS)
            for job in self._out.values():
                pipe.expire(job.key, KEPT_SECONDS)
                pipe.hget(job.key, "status")
            _, *found = pipe.execute()
        ended = [
            shard
            for shard, kept, status in zip(self._out, found[::2], found[1::2], strict=True)
            if not kept or status in _ENDED
        ]
        rows = {shard: _rows(self._out[shard]) for shard in ended}
        self.drop(ended)
        return rows

    def reclaim(self) -> int | None:
        """A shard that its owner had best do itself: one that waits, else one that a worker has had for long."""
        for shard, job in reversed(self._out.items()):
            if self._queue.remove(job):
                return shard
        started = {job.id: shard for shard, job in self._out.items()}
        return next((started[id] for id in self._started.get_job_ids(cleanup=False) if id in started), None)  # noqa: A001

    def drop(self, shards: Sequence[int]) -> None:
        """Nobody needs to do these any more. A worker that has one notices that it left the group."""
        jobs = [self._out.pop(shard) for shard in shards if shard in self._out]
        with self._redis.pipeline() as pipe:
            for job in jobs:
                self._group.delete_job(job.id, pipeline=pipe)
                self._queue.remove(job, pipeline=pipe)
                self._queue.finished_job_registry.remove(job, pipeline=pipe)
                self._queue.failed_job_registry.remove(job, pipeline=pipe)
                pipe.delete(job.key)
            pipe.execute()

    def forget(self) -> list[int]:
        """Leave all of them as they are; returns which."""
        shards = sorted(self._out)
        self._out.clear()
        return shards

    def close(self) -> None:
        """It is over."""
        self.drop(list(self._out))
        with self._redis.pipeline() as pipe:
            pipe.delete(self._group.key)
            pipe.srem(Group.REDIS_GROUP_KEY, self._group.name)
            pipe.execute()

    def _data(self, shard: int) -> EnqueueData:
        items = [self._work.items[place] for place in self._shards[shard]]
        return Queue.prepare_data(
            SHARD,
            args=[self._work.kind, self._work.needs, items, self._work.step],
            description=f"a shard of {self._work.kind}",
            retry=Retry(max=TRIES),  # where a worker dies
            timeout=_JOB_SECONDS,
            ttl=KEPT_SECONDS,
            result_ttl=KEPT_SECONDS,
            failure_ttl=KEPT_SECONDS,
        )


class _Owner(Generic[Rows]):
    """One computation in the process that wants its rows."""

    def __init__(
        self,
        jobs: _Jobs,
        other_workers: Callable[[], int],
        work: Work[Rows],
        shards: Sequence[range],
        compute: Callable[[range], Rows],
    ) -> None:
        self._jobs, self._other_workers, self._work, self._compute = jobs, other_workers, work, compute
        self._shards = shards
        self._left = set(range(len(shards)))  # their rows are not here yet; of those,
        self._todo = deque(range(len(shards)))  # the ones that nobody else knows of,
        self._mine: list[int] = []  # and of those the ones that nobody else could do
        self._arrived: list[tuple[range, Rows]] = []
        self._helpers = 0
        self._exchange_at = self._ask_at = self._away_until = 0.0  # monotonic seconds

    def rows(self) -> Generator[tuple[range, Rows], None, None]:
        try:
            while self._left or self._arrived:
                self._exchange()
                yield from self._arrived
                self._arrived.clear()
                if self._left:
                    yield from self._do(self._next())
        finally:
            with suppress(redis.RedisError):  # everything there expires by itself
                self._jobs.close()

    def _next(self) -> int:
        """What to do now: what nobody else could do or knows of, then what no worker has brought back."""
        if self._mine:
            return self._mine.pop()
        if self._todo:
            return self._todo.popleft()
        try:
            shard = self._jobs.reclaim()
        except redis.RedisError as error:
            self._go_alone(error)
            shard = None
        return min(self._left) if shard is None else shard

    def _do(self, shard: int) -> list[tuple[range, Rows]]:
        """A shard's rows, step by step; nothing where another worker was quicker."""
        parts = []
        for step in slices(self._shards[shard], self._work.step):
            parts.append((step, self._compute(step)))
            if time.monotonic() >= self._exchange_at:
                self._exchange()
            if shard not in self._left:
                return []
        if shard in self._jobs:
            try:
                self._jobs.drop([shard])
            except redis.RedisError as error:
                self._go_alone(error)
        self._settle(shard)
        return parts

    def _settle(self, shard: int) -> None:
        """Its rows are here."""
        self._left.remove(shard)
        for waiting in (self._todo, self._mine):
            if shard in waiting:  # it was taken back meanwhile
                waiting.remove(shard)

    def _exchange(self) -> None:
        """Take in what came back, and enqueue more; not while Redis is away."""
        now = time.monotonic()
        self._exchange_at = now + _EXCHANGE_SECONDS
        if now < self._away_until:
            return
        try:
            for shard, written in self._jobs.ended().items():
                self._take_in(shard, written)
            if now >= self._ask_at and self._todo:
                self._ask_at = now + _ASK_SECONDS
                self._helpers = self._other_workers()
            self._enqueue()
        except _AWAY as error:
            self._go_alone(error)

    def _take_in(self, shard: int, written: bytes | None) -> None:
        """Rows that are not what they should be are computed here."""
        if shard not in self._left:
            return
        rows = None if written is None else self._work.read(written, len(self._shards[shard]))
        if rows is None:
            self._mine.append(shard)
        else:
            self._settle(shard)
            self._arrived.append((self._shards[shard], rows))

    def _enqueue(self) -> None:
        """From the end, as this process works from the beginning: two for each worker, so that none has to wait."""
        room = min(2 * self._helpers, _MOST_OUT) - len(self._jobs)
        chosen = list(islice(reversed(self._todo), max(0, room)))
        if chosen:
            self._jobs.enqueue(chosen)
            for _ in chosen:
                self._todo.pop()

    def _go_alone(self, error: Exception) -> None:
        """For a while; what other workers do meanwhile is not waited for."""
        log.warning("goes on without help for now: Redis cannot be reached (%s)", type(error).__name__)
        self._away_until = time.monotonic() + _AWAY_SECONDS
        self._todo.extend(self._jobs.forget())


def _rows(job: Job) -> bytes | None:
    """What another worker made of a shard; None where it made nothing."""
    found = job.return_value(refresh=True)
    Result.delete_all(job)
    try:
        return base64.b64decode(found) if isinstance(found, str) else None
    except ValueError:
        return None


def _cut(items: Sequence[str], most: int) -> list[range]:
    """Shards of up to so many items, fewer where these are long."""
    starts, length = [0], 0
    for place, item in enumerate(items):
        length += len(item)
        if place - starts[-1] == most or (length > _LONGEST and place > starts[-1]):
            starts.append(place)
            length = len(item)
    return [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(items)], strict=True)]
