"""`Shards` over Redis: the owner of a computation works it off, and whoever has time takes shards away from it.

The owner publishes a few shards ahead and never waits for any of them. When nothing else is left it does those itself
that helpers have not brought back yet (backup tasks, Dean & Ghemawat, 2004), the one first that was heard of longest
ago. So it finishes with one worker as with many, and without Redis too.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Generic, NamedTuple, Protocol
from uuid import uuid4

import redis

from nextlabel.errors import JobQueueUnavailable
from nextlabel.features.work import InPlace, Numbers, Rows, Work, slices, write
from nextlabel.jobs.shards.board import Board, Head, read

log = logging.getLogger("nextlabel.jobs.shards")

Do = Callable[[Sequence[str]], Numbers | Sequence[object]]
"""Items → a row of each."""

Compute = Callable[[str], Do | None]
"""From what a kind of work needs to how it is done; None where this process cannot."""

_LONGEST = 1_000_000  # characters in a shard of several items
_MOST_BYTES = 8_000_000  # of a shard's rows; of more its owner makes them without a detour
_MOST_OUT = 64  # shards of one computation in Redis at a time
_EXCHANGE_SECONDS, _ASK_SECONDS, _AWAY_SECONDS, _CHECK_SECONDS = 0.2, 10.0, 30.0, 0.2
_AWAY = (redis.RedisError, JobQueueUnavailable)


class Workers(Protocol):
    """The workers that may help. All methods raise `JobQueueUnavailable`."""

    def other_workers(self) -> int:
        """How many there are beside the one that asks."""

    def request_help(self, most: int) -> None:
        """Have up to so many call `RedisShards.help` once they are idle."""

    def learning_waits(self) -> bool:
        """Whether a worker is wanted for something better."""


class RedisShards:
    """Computes in shards with the help of all workers of one Redis; fulfils `work.Shards`.

    ``computers`` says by kind of work how this process does it for others.
    """

    def __init__(self, client: redis.Redis, workers: Workers, computers: Mapping[str, Compute]) -> None:
        self._redis, self._workers, self._computers = client, workers, computers

    def rows(self, work: Work[Rows], compute: Callable[[range], Rows]) -> Generator[tuple[range, Rows], None, None]:
        """As `Shards.rows`. What fits into two shards is computed here; what a helper failed at, too, so that it is
        raised here if it fails again. Redis may go away or lose everything meanwhile."""
        shards = _cut(work.items, work.shard)
        if len(shards) <= 2:
            return InPlace().rows(work, compute)
        return _Owner(Board(self._redis, uuid4().hex), self._workers, work, shards, compute).rows()

    def help(self) -> int:
        """Take shards of others until nothing is left to do or a training waits; returns how many were computed.

        After that training somebody helps again where there is something left to do.
        """
        helper, done = _Helper(self._redis, self._computers), 0
        try:
            while not self._workers.learning_waits():
                computed = helper.check()
                if computed is None:
                    break
                done += computed
                if not computed:  # all are taken: more may be published, or a lease run out
                    time.sleep(_CHECK_SECONDS)
            else:
                if Board.open(self._redis):
                    self._workers.request_help(self._workers.other_workers())
        except _AWAY as error:
            log.warning("stopped helping: Redis cannot be reached (%s)", type(error).__name__)
        return done


class _Owner(Generic[Rows]):
    """One computation in the process that wants its rows."""

    def __init__(
        self,
        board: Board,
        workers: Workers,
        work: Work[Rows],
        shards: Sequence[range],
        compute: Callable[[range], Rows],
    ) -> None:
        self._board, self._workers, self._work, self._compute = board, workers, work, compute
        self._shards = shards
        self._left = set(range(len(shards)))  # their rows are not here yet; of those,
        self._todo = deque(range(len(shards)))  # the ones that nobody else knows of
        self._out: set[int] = set()  # and the ones that were published
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
            with suppress(redis.RedisError):  # everything there runs out by itself
                self._board.close()

    def _next(self) -> int:
        """What to do now: what nobody else knows of, what waits for a helper, what a helper has not brought back."""
        if self._todo:
            return self._todo.popleft()
        shard = None
        if self._out:
            try:
                shard = self._board.reclaim()
            except redis.RedisError as error:
                self._go_alone(error)
        return shard if shard in self._left else min(self._left)

    def _do(self, shard: int) -> list[tuple[range, Rows]]:
        """A shard's rows, step by step; nothing where a helper was quicker."""
        parts = []
        for step in slices(self._shards[shard], self._work.step):
            parts.append((step, self._compute(step)))
            if time.monotonic() >= self._exchange_at:
                self._exchange()
            if shard not in self._left:
                return []
        if shard in self._out:
            try:
                self._board.drop(shard)
            except redis.RedisError as error:
                self._go_alone(error)
        self._settle(shard)
        return parts

    def _settle(self, shard: int) -> None:
        """Its rows are here."""
        self._left.remove(shard)
        self._out.discard(shard)
        if shard in self._todo:  # it was taken back meanwhile
            self._todo.remove(shard)

    def _exchange(self) -> None:
        """Take in what came back, and publish more; not while Redis is away."""
        now = time.monotonic()
        self._exchange_at = now + _EXCHANGE_SECONDS
        if now < self._away_until:
            return
        try:
            self._collect()
            asking = now >= self._ask_at and bool(self._todo)
            if asking:
                self._ask_at = now + _ASK_SECONDS
                self._helpers = self._workers.other_workers()
            self._publish()
            if asking:  # now that there is something to be taken
                self._workers.request_help(self._helpers)
        except _AWAY as error:
            self._go_alone(error)

    def _collect(self) -> None:
        for shard, received in self._board.collect():
            self._take_in(shard, received)
        if self._out and not self._board.stay():  # Redis was flushed: nobody has these any more
            self._take_back()

    def _take_in(self, shard: int, received: bytes) -> None:
        """Rows that came twice, or are not what they should be, are left alone: the latter are computed here."""
        rows = self._work.read(received, len(self._shards[shard])) if shard in self._left else None
        if rows is not None:
            self._settle(shard)
            self._arrived.append((self._shards[shard], rows))

    def _publish(self) -> None:
        """From the end, as this process works from the beginning: two for each helper, so that none has to wait."""
        room = min(2 * self._helpers, _MOST_OUT) - len(self._out)
        chosen = list(islice(reversed(self._todo), max(0, room)))
        if chosen:
            items = {n: [self._work.items[place] for place in self._shards[n]] for n in chosen}
            self._board.publish(self._work, items)
            self._out.update(chosen)
            for _ in chosen:
                self._todo.pop()

    def _go_alone(self, error: Exception) -> None:
        """For a while; helpers may go on with what they have, and what they bring is welcome later."""
        log.warning("goes on without help for now: Redis cannot be reached (%s)", type(error).__name__)
        self._away_until = time.monotonic() + _AWAY_SECONDS
        self._take_back()

    def _take_back(self) -> None:
        self._todo.extend(sorted(self._out))
        self._out.clear()


class _Helper:
    """What one worker does for the computations of others."""

    def __init__(self, client: redis.Redis, computers: Mapping[str, Compute]) -> None:
        self._redis, self._computers = client, computers
        self._known: dict[str, _Known | None] = {}

    def check(self) -> int | None:
        """Compute a shard of each computation that is open; returns how many, or None where there is none to help."""
        done = None
        for board in Board.open(self._redis):
            known = self._known_of(board)
            if known is not None:
                done = (done or 0) + self._do(board, *known)
        return done

    def _known_of(self, board: Board) -> _Known | None:
        """How the work is done; None where it is over, or left to others who have what it needs."""
        head = board.head()
        if head is None:
            return None
        if board.name not in self._known:
            self._known[board.name] = self._prepare(board, head)
        return self._known[board.name]

    def _prepare(self, board: Board, head: Head) -> _Known | None:
        try:
            do = make(head.needs) if (make := self._computers.get(head.kind)) else None
        except Exception as error:
            log.warning("leaves %s to its owner: %s", board.name, error)
            return None
        return None if do is None else _Known(head, do)

    def _do(self, board: Board, head: Head, do: Do) -> int:
        taken = board.take(head.lease)
        if taken is None:
            return 0
        shard, coded = taken
        try:
            rows = self._rows(board, shard, head, do, read(coded))
        except redis.RedisError:
            raise
        except Exception as error:
            log.warning("leaves shards of %s to their owner: %s", board.name, error)
            self._known[board.name] = None
            board.drop(shard)
            return 0
        return int(board.finish(shard, rows)) if rows is not None else 0

    def _rows(self, board: Board, shard: int, head: Head, do: Do, items: Sequence[str]) -> bytes | None:
        """Those of a shard, written; None when nobody wants it any more."""
        parts: list[bytes] = []
        for step in slices(range(len(items)), head.step):
            parts.append(write(do(items[step.start : step.stop])))
            if not board.renew(shard, head.lease):
                return None
        if (size := sum(map(len, parts))) > _MOST_BYTES:
            raise OverflowError(f"{size:,} bytes are too many to hand over")
        return b"".join(parts)


class _Known(NamedTuple):
    head: Head
    do: Do


def _cut(items: Sequence[str], most: int) -> list[range]:
    """Shards of up to so many items, fewer where these are long."""
    starts, length = [0], 0
    for place, item in enumerate(items):
        length += len(item)
        if place - starts[-1] == most or (length > _LONGEST and place > starts[-1]):
            starts.append(place)
            length = len(item)
    return [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(items)], strict=True)]
