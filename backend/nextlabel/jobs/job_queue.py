"""`JobQueue` on Redis and RQ: coalesced requests, leases, and the dispatcher that turns due requests into jobs.

A request is a mark, not a job: the time when the project is due (moved by every further request) and the id that
the job will have. The dispatcher, run by `nextlabel work`, takes what is due and enqueues one RQ job for it. So
five labels make one training, a label during a training makes exactly one more, and no worker ever waits. A project
that a worker is training stays due until that worker has released its lease, or is dead: it is enqueued then.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from uuid import uuid4

import redis
from rq import Queue, Retry, Worker, get_current_job
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import JobStatus as RqStatus
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import utcparse

from nextlabel.errors import JobQueueUnavailable
from nextlabel.jobs.allowed import LEARN, PRUNE, OurJob, fetched
from nextlabel.jobs.leases import Leases, RedisLease
from nextlabel.labeling import ProjectId
from nextlabel.ports.jobs import JobStatus

LEARN_QUEUE, SHARD_QUEUE, PRUNE_QUEUE = "nextlabel-learn", "nextlabel-shards", "nextlabel-prune"
QUEUES = (LEARN_QUEUE, SHARD_QUEUE, PRUNE_QUEUE)  # in the order in which workers look at them

_DUE, _FIRST, _JOB, _TAKEN = "nextlabel:due", "nextlabel:first", "nextlabel:job", "nextlabel:taken"
_LAST = "nextlabel:last"  # project → the job that was enqueued for it last
_LEASE = "nextlabel:lease:"  # and the project
_TAKEN_SECONDS = 10.0
_MOST_READ = 10_000  # jobs that wait or run
_AT_WORK, _REST_SECONDS = "nextlabel:at-work", 180  # an annotator may take minutes for one task
_MOST_FAILED, _LONGEST_REASON = 100, 200
_UNREACHABLE = (
    "Redis cannot be reached: check that it runs and REDIS_URL is right. Nothing is lost: labels are read again."
)

# KEYS due, first, job · ARGV project, now, quiet, max_wait, new id → the id of the job to come
_REQUEST = """
local job = redis.call('HGET', KEYS[3], ARGV[1])
if not job then
  job = ARGV[5]
  redis.call('HSET', KEYS[3], ARGV[1], job)
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
end
local first = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or ARGV[2])
local due = math.min(tonumber(ARGV[2]) + tonumber(ARGV[3]), first + tonumber(ARGV[4]))
local asked = redis.call('ZSCORE', KEYS[1], ARGV[1])
if asked and tonumber(asked) <= tonumber(ARGV[2]) then due = tonumber(asked) end  -- due already: not put off again
redis.call('ZADD', KEYS[1], due, ARGV[1])
return job
"""

# KEYS due, first, job, taken, last · ARGV now, deadline, id for want of one, RQ's list, what a lease's name begins with
# → "project|job" of all that is due, but for projects whose last job is still queued (that one will read these labels
# too) and those that somebody holds the lease of: they stay due. What is due is moved to `taken`, whence it comes back
# after the deadline should the dispatcher die before it has enqueued it.
_TAKE = """
local out, chosen = {}, {}
local function take(project, entry)
  table.insert(out, entry)
  chosen[project] = true
end
local function may_be_taken(project)
  local last = redis.call('HGET', KEYS[5], project)
  return not chosen[project] and not (last and redis.call('LPOS', ARGV[4], last))
    and redis.call('EXISTS', ARGV[5] .. project) == 0
end
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', ARGV[1])) do
  local project, job = string.match(entry, '^(.*)|(.*)$')
  if may_be_taken(project) then
    take(project, entry)
    redis.call('HSET', KEYS[5], project, job)
  end
end
for _, project in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])) do
  if may_be_taken(project) then
    local job = redis.call('HGET', KEYS[3], project) or ARGV[3]
    take(project, project .. '|' .. job)
    redis.call('HSET', KEYS[5], project, job)
    redis.call('ZREM', KEYS[1], project)
    redis.call('HDEL', KEYS[2], project)
    redis.call('HDEL', KEYS[3], project)
  end
end
for _, entry in ipairs(out) do redis.call('ZADD', KEYS[4], ARGV[2], entry) end
return out
"""


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many jobs of a queue wait for a worker, and how many failed lately."""

    queued: int
    failed: int


class RqJobQueue:
    """Requests, leases and job states in Redis; jobs are RQ's, named by dotted path and sent as JSON."""

    def __init__(self, connection: redis.Redis, *, job_timeout: int = 3600) -> None:
        """A job that takes longer than ``job_timeout`` seconds is ended."""
        self._redis = connection
        self._job_timeout = job_timeout
        self._request = connection.register_script(_REQUEST)
        self._take = connection.register_script(_TAKE)
        self._leases = Leases(connection)

    def request_retraining(self, project: ProjectId, *, quiet: float, max_wait: float) -> str:
        with redis_errors():
            job = self._request(
                keys=[_DUE, _FIRST, _JOB], args=[project, time.time(), quiet, max_wait, f"learn-{uuid4().hex}"]
            )
        return _text(job)

    def request_pruning(self, project: ProjectId) -> None:
        with redis_errors():
            self._queue(PRUNE_QUEUE).enqueue(
                PRUNE, project, job_timeout=self._job_timeout, result_ttl=60, failure_ttl=3600
            )

    def note_work(self, project: ProjectId) -> None:
        with redis_errors():
            self._redis.set(f"{_AT_WORK}:{project}", "1", ex=_REST_SECONDS)

    def is_at_rest(self, project: ProjectId) -> bool:
        """Whether nobody has labeled anything for a few minutes, as far as is known."""
        with redis_errors():
            return not self._redis.exists(f"{_AT_WORK}:{project}")

    def other_workers(self) -> int:
        """How many workers there are on all hosts, beside the one that this is asked in."""
        with redis_errors():
            workers = Worker.count(self._redis)
        return max(0, workers - (get_current_job() is not None))

    def is_first_in(self, seconds: int, what: str, project: ProjectId) -> bool:
        """Whether nobody has asked this of the project for so many seconds, on whatever machine."""
        with redis_errors():
            return bool(self._redis.set(f"nextlabel:{what}:{project}", "1", nx=True, ex=seconds))

    def learning_waits(self) -> bool:
        """Whether a worker is wanted for a training: of a project that nobody is training."""
        with redis_errors():
            return self._queue(LEARN_QUEUE).count > 0

    def dispatch_due(self) -> int:
        """Enqueue one job for every project that is due; returns how many. Any number of processes may do this."""
        with redis_errors():
            now = time.time()
            self._leases.free_from_the_dead([_lease_of(project) for project in self._asked_for(now)])
            entries = self._take(
                keys=[_DUE, _FIRST, _JOB, _TAKEN, _LAST],
                args=[now, now + _TAKEN_SECONDS, f"learn-{uuid4().hex}", self._queue(LEARN_QUEUE).key, _LEASE],
            )
            for entry in entries:
                project, _, job = _text(entry).rpartition("|")
                self._queue(LEARN_QUEUE).enqueue(
                    LEARN,
                    project,
                    job_id=job,
                    job_timeout=self._job_timeout,
                    retry=Retry(max=3),  # for a worker that died; a tool that is down is asked again by `learn`
                    result_ttl=86_400,
                    failure_ttl=86_400,
                )
                self._redis.zrem(_TAKEN, entry)
        return len(entries)

    def _asked_for(self, now: float) -> list[ProjectId]:
        """Projects that are due, or that a dispatcher took which has died."""
        taken = (_text(entry).rpartition("|")[0] for entry in self._redis.zrangebyscore(_TAKEN, "-inf", now))
        return [ProjectId(project) for project in (*map(_text, self._redis.zrangebyscore(_DUE, "-inf", now)), *taken)]

    def waiting_since(self) -> dict[ProjectId, float]:
        """By project, when the oldest request came that no worker is done with, in seconds since 1970.

        Of a request that a job was made for it is when the job was made, at most ``max_wait`` later.
        """
        queue = self._queue(LEARN_QUEUE)
        with redis_errors():
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.hgetall(_FIRST)
                pipe.hgetall(_LAST)
                pipe.lrange(queue.key, 0, _MOST_READ)
                pipe.zrange(StartedJobRegistry(queue=queue).key, 0, _MOST_READ)
                first, last, queued, started = pipe.execute()
            at_work = {_text(job) for job in queued} | {_text(job).partition(":")[0] for job in started}
            jobs = {ProjectId(_text(project)): _text(job) for project, job in last.items() if _text(job) in at_work}
            with self._redis.pipeline(transaction=False) as pipe:
                for job in jobs.values():
                    pipe.hget(OurJob.key_for(job), "enqueued_at")
                made = zip(jobs, pipe.execute(), strict=True)
        since = {ProjectId(_text(project)): float(at) for project, at in first.items()}
        for project, at in made:
            if at:
                since[project] = min(since.get(project, inf), utcparse(_text(at)).timestamp())
        return since

    def asked_at(self) -> datetime | None:
        """When the job was made that this is asked in, by whatever asked for it; None outside of jobs."""
        job = get_current_job()
        return None if job is None or job.enqueued_at is None else job.enqueued_at.replace(tzinfo=UTC)

    def counts(self) -> dict[str, JobCounts]:
        """By RQ's queues, how many jobs wait and how many failed within a day."""
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            for name in QUEUES:
                pipe.llen(self._queue(name).key)
                pipe.zcount(FailedJobRegistry(name, connection=self._redis).key, time.time(), "+inf")
            found = pipe.execute()
        return {name: JobCounts(*found[2 * n : 2 * n + 2]) for n, name in enumerate(QUEUES)}

    def status(self, job: str) -> JobStatus:
        with redis_errors():
            taken = (_text(entry).rpartition("|")[2] for entry in self._redis.zrange(_TAKEN, 0, -1))
            if job in (*map(_text, self._redis.hvals(_JOB)), *taken):
                return JobStatus(job, "queued", "waits until labels pause")
            try:
                found = fetched(self._redis, job)
                state = found.get_status()
            except (NoSuchJobError, InvalidJobOperation):
                return JobStatus(job, "unknown", "no such job, or it ended more than a day ago")
            if state == RqStatus.FINISHED:
                return JobStatus(job, "finished", str(found.return_value() or ""))
        if state == RqStatus.STARTED:
            return JobStatus(job, "running")
        if state in (RqStatus.FAILED, RqStatus.STOPPED, RqStatus.CANCELED):
            return JobStatus(job, "failed", "see the worker's log")
        return JobStatus(job, "queued")

    def failures(self) -> Mapping[str, int]:
        """Why jobs of the last day failed, in a line each, and how many did; what is frequent comes first."""
        with redis_errors():
            registries = [self._queue(name).failed_job_registry for name in QUEUES]
            failed = [job for registry in registries for job in registry.get_job_ids(0, _MOST_FAILED - 1)]
            return dict(Counter(map(self._why_failed, failed)).most_common())

    def _why_failed(self, job: str) -> str:
        try:
            result = fetched(self._redis, job).latest_result()
        except (NoSuchJobError, InvalidJobOperation):
            result = None
        lines = (result.exc_string or "").strip().splitlines() if result else []
        return lines[-1][:_LONGEST_REASON] if lines else "the worker died"

    @contextmanager
    def lease(self, project: ProjectId) -> Iterator[RedisLease | None]:
        with redis_errors():
            lease = self._leases.take(_lease_of(project))
        if lease is None:
            yield None
            return
        try:
            yield lease
        finally:
            lease.release()

    def is_abandoned(self, project: ProjectId) -> bool:
        """Whether a worker of this machine was killed while it held the project's lease."""
        with redis_errors():
            return self._leases.is_abandoned(_lease_of(project))

    def _queue(self, name: str) -> Queue:
        return Queue(name, connection=self._redis, serializer=JSONSerializer)


@contextmanager
def redis_errors() -> Iterator[None]:
    """What Redis does not do is `JobQueueUnavailable`."""
    try:
        yield
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, redis.exceptions.ResponseError) as error:
        raise JobQueueUnavailable(f"{_UNREACHABLE} ({type(error).__name__})") from error


def _lease_of(project: ProjectId) -> str:
    return f"{_LEASE}{project}"


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
