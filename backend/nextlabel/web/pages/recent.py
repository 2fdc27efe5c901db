"""What many open pages ask of the same thing, read once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Generic, TypeVar

_SECONDS, _LONGEST_SECONDS, _MOST = 1.0, 30.0, 200
_MEANWHILE_SECONDS = 5.0
_SETTLING_SECONDS = 5.0  # a round changes what is shown four times within one or two

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _Kept(Generic[V]):
    """``at`` is when it was read, ``proved_at`` when it last proved to be good enough; ``changing`` is the other mark
    that was seen last, from ``changed_at`` on."""

    value: V
    mark: object
    at: float
    proved_at: float
    changing: object = None
    changed_at: float = inf

    def note_change(self, mark: object, now: float) -> bool:
        """Whether more is about to change: the mark is another one than a second ago. What nobody has asked for lately
        is old, whatever changes."""
        before, self.changing = self.changing, mark
        self.changed_at = min(self.changed_at, now)
        is_recent = now < self.proved_at + _MEANWHILE_SECONDS
        return is_recent and before != mark and now < self.changed_at + _SETTLING_SECONDS


class Recent(Generic[K, V]):
    """Keeps what was read of 200 things at most, for a second; for half a minute where its ``mark``, which is cheap,
    has stayed the same. Where the mark has changed it is read again once that has come to rest, five seconds later at
    most: so a page shows a round when it is over, not each step of it. While one thread reads again, others get what
    was read, if that holds for five seconds ago. What reading raises is not kept."""

    def __init__(self, read: Callable[[K], V], mark: Callable[[K], object] | None = None) -> None:
        self._read, self._mark = read, mark
        self._known: OrderedDict[K, _Kept[V]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, key: K) -> V:
        kept = self._known.get(key)
        age = inf if kept is None else time.monotonic() - kept.proved_at
        if kept and age < _SECONDS:
            return kept.value
        if not self._lock.acquire(blocking=age > _MEANWHILE_SECONDS) and kept:
            return kept.value
        try:
            return self._renewed(key, kept)
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Something was changed by this process."""
        with self._lock:
            self._known.clear()

    def _renewed(self, key: K, before: _Kept[V] | None) -> V:
        kept, now = self._known.get(key), time.monotonic()
        if kept is not before and kept:  # another thread was first
            return kept.value
        mark = self._mark(key) if self._mark else None
        if kept and self._mark:
            stays = now - kept.at < _LONGEST_SECONDS if kept.mark == mark else kept.note_change(mark, now)
            if stays:
                kept.proved_at = now
                return kept.value
        made = self._known[key] = _Kept(self._read(key), mark, now, now)
        self._known.move_to_end(key)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return made.value
