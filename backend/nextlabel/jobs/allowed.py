"""RQ's jobs as our workers take them: ours, and no other.

What stands in Redis names a function and, in callbacks, more of them, and RQ imports and calls whatever is named there.
So a job counts only where it names one of our functions with plain arguments and nothing else to be called; to RQ any
other is one that has vanished, which a worker passes over.
"""

from __future__ import annotations

import logging
import re
from typing import Any, cast

import redis
from rq import Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

log = logging.getLogger("nextlabel.jobs.allowed")

LEARN, PRUNE, HELP_OUT = "nextlabel.worker.learn", "nextlabel.worker.prune", "nextlabel.worker.help_out"
_ARGUMENTS = {LEARN: 1, PRUNE: 1, HELP_OUT: 0}
_LONGEST_ARGUMENT = 200
_CALLBACKS = (b"success_callback_name", b"failure_callback_name", b"stopped_callback_name", b"webhooks")
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")


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
        plain = all(isinstance(one, str) and len(one) <= _LONGEST_ARGUMENT for one in arguments)
        if self.instance is not None or self.kwargs or len(arguments) != _ARGUMENTS[name] or not plain:
            return f"{name} does not take what it gives"
        return ""


def fetched(connection: redis.Redis, job: str) -> OurJob:
    """A job of ours by its id, whatever text that is. Raises `NoSuchJobError`."""
    if not _ID.fullmatch(job):
        raise NoSuchJobError
    return cast(OurJob, OurJob.fetch(job, connection=connection, serializer=JSONSerializer))


class OurWorker(Worker):
    """RQ's worker for our jobs."""

    job_class = OurJob
