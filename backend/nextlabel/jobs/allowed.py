"""RQ's jobs as our workers take them: ours, and no other.

What stands in Redis names a function and, in callbacks, more of them, and RQ imports and calls whatever is named there.
So a job counts only where it names one of our functions with plain arguments and nothing else to be called; to RQ any
other is one that has vanished, which a worker passes over.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import redis
from redis.client import Pipeline
from rq import Worker, worker_registration
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

log = logging.getLogger("nextlabel.jobs.allowed")

LEARN, PRUNE, SHARD = "nextlabel.worker.learn", "nextlabel.worker.prune", "nextlabel.worker.shard"

_MOST_ITEMS = 10_000  # of a shard
_CALLBACKS = (b"success_callback_name", b"failure_callback_name", b"stopped_callback_name", b"webhooks")
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")


def _is_text(given: object, longest: int = 200) -> bool:
    return isinstance(given, str) and len(given) <= longest


def _are_items(given: object) -> bool:
    return isinstance(given, list) and len(given) <= _MOST_ITEMS and all(isinstance(one, str) for one in given)


def _is_step(given: object) -> bool:
    return type(given) is int and given > 0


_ARGUMENTS: Mapping[str, Sequence[Callable[[object], bool]]] = {
    LEARN: (_is_text,),
    PRUNE: (_is_text,),
    SHARD: (_is_text, partial(_is_text, longest=10_000), _are_items, _is_step),
}


class OurJob(Job):
    """A job that is one of ours. Raises `NoSuchJobError` where it is read and is none."""

    def restore(self, raw_data: Any) -> None:
        if any(raw_data.get(name) for name in _CALLBACKS):
            why_not = "it has other functions called"
        else:
            try:
                super().restore(raw_data)
                why_not = self._why_not_ours()
            except Exception as error:  # whatever stands in Redis
                why_not = f"it cannot be read ({type(error).__name__})"
        if why_not:
            log.warning("The job %.80r in Redis is not nextlabel's and is left alone: %s.", self.id, why_not)
            raise NoSuchJobError(why_not)

    def _why_not_ours(self) -> str:
        name, arguments = self.func_name, self.args
        if not isinstance(name, str) or name not in _ARGUMENTS:
            return f"it names the function {str(name)[:80]!r}"
        takes = _ARGUMENTS[name]
        fits = len(arguments) == len(takes) and all(
            is_one(given) for is_one, given in zip(takes, arguments, strict=True)
        )
        return "" if fits and self.instance is None and not self.kwargs else f"{name} does not take what it gives"


def fetched(connection: redis.Redis, job: str) -> OurJob:
    """A job of ours by its id, whatever text that is. Raises `NoSuchJobError`."""
    if not _ID.fullmatch(job):
        raise NoSuchJobError
    return cast(OurJob, OurJob.fetch(job, connection=connection, serializer=JSONSerializer))


class OurWorker(Worker):
    """RQ's worker for our jobs. It registers again with each sign of life if Redis has lost its registration."""

    job_class = OurJob

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Never for a shorter time than until RQ's next one, whatever lease a job has: RQ counts no worker whose time
        has run out, and would not count this one again."""
        if not self.connection.hexists(self.key, "birth"):
            with self.connection.pipeline() as pipe:
                pipe.hset(self.key, mapping=self.serialize())
                worker_registration.register(self, pipe)
                pipe.execute()
        super().heartbeat(max(timeout or 0, self.worker_ttl + 60), pipeline)
