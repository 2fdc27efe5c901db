"""What many open pages ask of the same thing, read once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from math import inf
from typing import Generic, TypeVar

_SECONDS, _LONGEST_SECONDS, _MOST = 1.0, 5.0, 200

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps what was read for a second, of 200 things at most. While one thread reads again, others get what was read
    up to five seconds ago. What reading raises is not kept."""

    def __init__(self, read: Callable[[K], V]) -> None:
        self._read = read
        self._known: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, key: K) -> V:
        at, value = self._known.get(key, (None, None))
        age = inf if at is None else time.monotonic() - at
        if age < _SECONDS:
            return value  # type: ignore[return-value]
        if not self._lock.acquire(blocking=age >= _LONGEST_SECONDS):
            return value  # type: ignore[return-value]
        try:
            return self._read_again(key, at)
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Something was changed by this process."""
        self._known.clear()

    def _read_again(self, key: K, before: float | None) -> V:
        known = self._known.get(key)
        if known and known[0] != before:  # somebody else was first
            return known[1]
        value = self._read(key)
        self._known[key] = time.monotonic(), value
        self._known.move_to_end(key)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return value
