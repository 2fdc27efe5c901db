"""Leases in Redis: a lock that renews itself while its holder lives, and that the dead do not keep.

Whoever finds one taken by a process of the same machine that is gone takes it over at once. Of a holder elsewhere
nothing is known: its lease runs out. That two may believe in the same lease is why publishing is fenced besides.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from uuid import uuid4

import redis
from redis.lock import Lock

from nextlabel.jobs.liveness import Process

LEASE_SECONDS = 15.0

# KEYS lease · ARGV the dead holder's token → 1 when the lease was still that holder's and is free now
_FREE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class RedisLease:
    """A lease that renews itself until it is released."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._lost = threading.Event()
        self._released = threading.Event()
        self._renewer = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._renewer.start()

    @property
    def held(self) -> bool:
        return not self._lost.is_set()

    def release(self) -> None:
        self._released.set()
        self._renewer.join(timeout=2)
        try:
            self._lock.release()
        except redis.RedisError:
            self._lost.set()  # it ran out; somebody else may hold it by now

    def _renew(self) -> None:
        while not self._released.wait(LEASE_SECONDS / 3):
            try:
                self._lock.reacquire()
            except redis.exceptions.LockError:
                self._lost.set()
                return
            except redis.RedisError:
                continue  # Redis may be back before the lease runs out


class Leases:
    """Leases by name. Leaves Redis's errors as they are."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection
        self._free = connection.register_script(_FREE)

    def take(self, name: str) -> RedisLease | None:
        """None where another one holds it, who lives as far as can be known."""
        lock = self._redis.lock(name, timeout=LEASE_SECONDS, thread_local=False)
        token = _token()
        if lock.acquire(blocking=False, token=token):
            return RedisLease(lock)
        dead = self._held_by_dead(name)
        if dead and self._free(keys=[name], args=[dead]) and lock.acquire(blocking=False, token=token):
            return RedisLease(lock)
        return None

    def free_from_the_dead(self, names: Sequence[str]) -> None:
        """End those whose holders are known to be gone."""
        for name, token in zip(names, self._redis.mget(names) if names else (), strict=True):
            if dead := _dead(token):
                self._free(keys=[name], args=[dead])

    def is_abandoned(self, name: str) -> bool:
        """Whether whoever holds it is known to be gone."""
        return bool(self._held_by_dead(name))

    def _held_by_dead(self, name: str) -> str:
        """The token under which somebody holds it who is gone; empty where nobody does."""
        return _dead(self._redis.get(name))


def _dead(token: object) -> str:
    """A token as text where its holder is known to be gone, otherwise empty."""
    text = token.decode(errors="replace") if isinstance(token, bytes) else str(token or "")
    holder = Process.read(text.rpartition(":")[0])
    return text if holder is not None and holder.is_gone() else ""


def _token() -> str:
    """Says who holds the lease, where that can be told, and is never used again."""
    return f"{Process.this() or ''}:{uuid4().hex}"
