"""An alarm stands while something cannot be kept: a disk that is full or read-only, here or where a worker runs."""

from __future__ import annotations

import errno
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import redis

_KEY = "nextlabel:alarm"
_STANDS_SECONDS = 120  # unless it is raised again
_LOOKED_SECONDS = 5.0
_PROBE = bytes(2**16)
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})


def is_no_room(error: OSError) -> bool:
    """Whether it can only mean that nothing more can be written; a lack of permission may mean anything."""
    return error.errno in _NO_ROOM


def complaint(folders: Iterable[Path]) -> str:
    """What keeps something from being written into one of these folders, and what to do; "" where nothing does."""
    for folder in folders:
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(_PROBE)
                file.flush()
        except OSError as error:
            return (
                f"Nothing can be written to {folder} ({error.strerror}): make room there, or make it writable. Nothing "
                "is lost meanwhile, and nextlabel goes on by itself."
            )
    return ""


class Alarms:
    """What stands for all processes of an installation. Redis is asked, but never needed."""

    def __init__(self, connection: redis.Redis, folders: Iterable[Path]) -> None:
        """``folders`` are those of this machine that state is kept in."""
        self._redis, self._folders = connection, tuple(folders)
        self._seen, self._looked_at = "", float("-inf")

    def raise_(self, sentence: str) -> None:
        with suppress(redis.RedisError):
            self._redis.set(_KEY, sentence, ex=_STANDS_SECONDS)

    def clear(self) -> None:
        with suppress(redis.RedisError):
            self._redis.delete(_KEY)

    def standing(self) -> str:
        """The alarm as a sentence, "" where there is none; looked at anew every few seconds."""
        if time.monotonic() - self._looked_at >= _LOOKED_SECONDS:
            self._seen, self._looked_at = self.check(), time.monotonic()
        return self._seen

    def check(self) -> str:
        """The alarm as it stands this moment."""
        if message := complaint(self._folders):
            return message
        with suppress(redis.RedisError):
            raised = self._redis.get(_KEY)
            return raised.decode() if isinstance(raised, bytes) else ""
        return ""
