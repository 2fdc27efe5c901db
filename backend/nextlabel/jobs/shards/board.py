"""What stands in Redis of one computation: shards that wait, those that were taken, and rows that came back.

Every key runs out by itself unless the owner of the computation renews it, so that nothing is left of one that died.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import redis

from nextlabel.features.work import Work

KEPT_SECONDS = 30  # after the owner was heard of last

_OPEN = "nextlabel:shards"  # the computations that want help
_PARTS = ("head", "waiting", "taken", "items", "rows")

_NOW = "local t = redis.call('TIME'); local now = tonumber(t[1]) + tonumber(t[2]) / 1e6\n"  # one clock for all hosts

# KEYS waiting, taken, items · ARGV lease, kept → a shard and its items: one that waits, or whose lease ran out
_TAKE = (
    _NOW
    + """
local shard = redis.call('LPOP', KEYS[1])
if not shard then shard = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1)[1] end
if not shard then return false end
local items = redis.call('HGET', KEYS[3], shard)
if not items then redis.call('ZREM', KEYS[2], shard); return false end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[1]), shard)
redis.call('EXPIRE', KEYS[2], ARGV[2])
return {shard, items}
"""
)

# KEYS taken · ARGV shard, lease → 0 when nobody wants it any more
_RENEW = (
    _NOW
    + """
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
return 1
"""
)

# KEYS taken, items, rows · ARGV shard, rows, kept: only the first who comes with a shard leaves its rows
_FINISH = """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('RPUSH', KEYS[3], ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[3])
return 1
"""

# KEYS waiting, taken → one that waits (it no longer does), or the one that was renewed longest ago (it stays taken)
_RECLAIM = """
return redis.call('LPOP', KEYS[1]) or redis.call('ZRANGE', KEYS[2], 0, 0)[1] or false
"""


class Head(NamedTuple):
    """What helpers know of a computation: see `Work`."""

    kind: str
    needs: str
    step: int
    lease: float


class Board:
    """The shards of one computation, by number. All methods raise `redis.RedisError`."""

    def __init__(self, client: redis.Redis, name: str) -> None:
        self.name, self._redis = name, client
        self._keys = {part: f"{_OPEN}:{name}:{part}" for part in _PARTS}

    # --- the owner ---

    def publish(self, work: Work[Any], shards: Mapping[int, Sequence[str]]) -> None:
        """Let helpers take these. What the work is stands beside them anew each time: Redis may have been flushed."""
        with self._redis.pipeline() as pipe:
            pipe.hset(self._keys["head"], "work", json.dumps(Head(work.kind, work.needs, work.step, work.lease)))
            pipe.hset(self._keys["items"], mapping={str(shard): _write(items) for shard, items in shards.items()})
            pipe.rpush(self._keys["waiting"], *map(str, shards))
            pipe.sadd(_OPEN, self.name)
            self._expire(pipe)
            pipe.execute()

    def stay(self) -> bool:
        """Keep all of it for another while; False where it is gone."""
        with self._redis.pipeline() as pipe:
            self._expire(pipe)
            head, *_ = pipe.execute()
        return bool(head)

    def collect(self) -> Iterator[tuple[int, bytes]]:
        """Shards that came back, with their rows as `work.write` wrote them; each comes once."""
        while isinstance(found := self._redis.lpop(self._keys["rows"]), bytes):
            yield int.from_bytes(found[:4], "little"), found[4:]

    def reclaim(self) -> int | None:
        """A shard that its owner had best do itself: one that waits, else one that a helper has had for long."""
        shard = self._run(_RECLAIM, ("waiting", "taken"))
        return int(shard) if isinstance(shard, bytes) else None

    def drop(self, shard: int) -> None:
        """Nobody needs to do this one any more. A helper that has it notices when it renews."""
        with self._redis.pipeline() as pipe:
            pipe.zrem(self._keys["taken"], str(shard))
            pipe.hdel(self._keys["items"], str(shard))
            pipe.execute()

    def close(self) -> None:
        """It is over: helpers find nothing left."""
        with self._redis.pipeline() as pipe:
            pipe.srem(_OPEN, self.name)
            pipe.delete(*self._keys.values())
            pipe.execute()

    def _expire(self, pipe: redis.client.Pipeline) -> None:
        for key in self._keys.values():
            pipe.expire(key, KEPT_SECONDS)

    # --- helpers ---

    @classmethod
    def open(cls, client: redis.Redis) -> list[Board]:
        """Those that want help, in any order."""
        return [cls(client, name.decode()) for name in client.smembers(_OPEN) if isinstance(name, bytes)]

    def head(self) -> Head | None:
        """What the work is; None when it is over."""
        received = self._redis.hget(self._keys["head"], "work")
        if isinstance(received, bytes):
            return Head(*json.loads(received))
        self._redis.srem(_OPEN, self.name)
        return None

    def take(self, lease: float) -> tuple[int, bytes] | None:
        """A shard and its items, as `read` reads them, for so many seconds."""
        taken = self._run(_TAKE, ("waiting", "taken", "items"), lease, KEPT_SECONDS)
        return (int(taken[0]), taken[1]) if isinstance(taken, list) else None

    def renew(self, shard: int, lease: float) -> bool:
        """False when nobody wants it any more."""
        return bool(self._run(_RENEW, ("taken",), shard, lease))

    def finish(self, shard: int, rows: bytes) -> bool:
        """Hand the rows to the owner; False when somebody else was quicker or it is over."""
        received = shard.to_bytes(4, "little") + rows
        return bool(self._run(_FINISH, ("taken", "items", "rows"), shard, received, KEPT_SECONDS))

    def _run(self, script: str, parts: Sequence[str], *arguments: bytes | float) -> object:
        result: object = self._redis.eval(script, len(parts), *(self._keys[part] for part in parts), *arguments)
        return result


def _write(items: Sequence[str]) -> bytes:
    return json.dumps(items, ensure_ascii=False).encode("utf-8", "surrogatepass")


def read(items: bytes) -> list[str]:
    """The items of a shard that was taken. Raises ValueError for anything but a list of strings."""
    found = json.loads(items.decode("utf-8", "surrogatepass"))
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError("A shard in Redis is not a list of strings.")
    return found
