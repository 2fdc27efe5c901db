"""Which workers are alive, by the clock of Redis alone: clocks of machines differ."""

from __future__ import annotations

import redis
from rq.worker_registration import REDIS_WORKER_KEYS

WORKER_TTL = 25  # seconds; RQ's workers give a sign of life every 10, and every 5 while they are at a job
_LASTS = WORKER_TTL + 60  # how long RQ keeps a worker after a sign of life
SILENT_SECONDS = 30
"""A worker that has given no sign of life for so long is not alive."""


def alive(connection: redis.Redis, host: str | None = None) -> int:
    """How many workers are alive, on one host or on all. One that was killed counts for up to `SILENT_SECONDS` more.

    Raises `redis.RedisError`.
    """
    names = list(connection.smembers(REDIS_WORKER_KEYS))
    with connection.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.ttl(name)
            pipe.hget(name, "hostname")
        answers = pipe.execute()
    return sum(
        ttl > _LASTS - SILENT_SECONDS and host in (None, known.decode() if isinstance(known, bytes) else known)
        for ttl, known in zip(answers[::2], answers[1::2], strict=True)
    )
