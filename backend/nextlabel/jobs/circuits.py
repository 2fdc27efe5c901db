"""A circuit for each labeling tool, kept in Redis: one that is down is asked ever more rarely, and by one project only.

Each failure in a row makes the time until the next try half as long again, with full jitter (Brooker, "Exponential
backoff and jitter", 2015), so that workers that failed together do not come back together. From the third failure on
the circuit is open: no project of that tool asks until the time is over, then one of them tries (half-open), and its
success closes the circuit for all; so does a webhook, for a tool that speaks is not down. What Redis forgets costs a
few more tries.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import redis

from nextlabel.jobs.job_queue import redis_errors
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import Connection, Tool

SHORTEST, LONGEST, _GROWTH = 5.0, 300.0, 1.5  # so that a tool is found again about as long after as it was down
OPEN_FROM = 3
TRY_SECONDS = 90.0  # that the one who tries may take, before another does
_LONGEST_ASKED_FOR = 3600.0
_FORGET_SECONDS = 86_400
_PORTS = {"http": 80, "https": 443}

# KEYS circuit · ARGV now, end of the try → how long to wait: 0 is "ask", -1 is "ask, and everybody waits for it"
_ADMIT = """
local quiet = tonumber(redis.call('HGET', KEYS[1], 'until') or '')
if not quiet then return '0' end
if quiet > tonumber(ARGV[1]) then return tostring(quiet - tonumber(ARGV[1])) end
redis.call('HSET', KEYS[1], 'until', ARGV[2])
return '-1'
"""


@dataclass(frozen=True, slots=True)
class Circuit:
    """How a tool fails: so many times in a row, since when and why; it is left alone for ``wait`` more seconds."""

    failures: int
    wait: float
    since: datetime
    reason: str
    is_open: bool


class ToolCircuits:
    """The circuits of all tools; whichever process asks sees the same. Raises `JobQueueUnavailable`."""

    def __init__(self, connection: redis.Redis, chance: random.Random | None = None) -> None:
        self._redis = connection
        self._chance = chance or random.Random()  # noqa: S311 - spreads, keeps no secret
        self._admit = connection.register_script(_ADMIT)

    def admit(self, connection: Connection) -> tuple[float, bool]:
        """For how many seconds the tool must not be asked yet, and where it may be, whether this is the one that tries
        for all: then it says what came of it, with `answered` or `failed`."""
        with redis_errors():
            now = time.time()
            wait = float(self._admit(keys=[_key(connection)], args=[now, now + TRY_SECONDS]))
        return max(0.0, wait), wait < 0

    def failed(self, connection: Connection, reason: str, retry_after: float | None = None) -> float:
        """Count a failure; returns in how many seconds the project should try again.

        ``retry_after`` are the seconds that the tool itself asked for: it is left alone that long, by every project.
        """
        key, now = _key(connection), time.time()
        with redis_errors(), self._redis.pipeline() as pipe:
            pipe.hincrby(key, "failures", 1)
            pipe.hincrby(key, _own(connection.project), 1)
            pipe.hsetnx(key, "since", str(now))
            pipe.hset(key, "reason", reason)
            pipe.expire(key, _FORGET_SECONDS)
            failures, own, *_ = pipe.execute()
        asked_for = min(retry_after or 0.0, _LONGEST_ASKED_FOR)
        if failures < OPEN_FROM and not asked_for:
            return self._backoff(own)
        quiet = max(asked_for, self._backoff(failures))
        with redis_errors():
            self._redis.hset(key, "until", str(now + quiet))
        return quiet

    def answered(self, connection: Connection) -> None:
        """The tool answers again: everybody may ask it. Its failures still count, until a whole turn succeeds."""
        with redis_errors():
            self._redis.hdel(_key(connection), "until")

    def succeeded(self, connection: Connection) -> None:
        """The tool did all that a project wanted: it is well. What else fails there counts from the start again."""
        key = _key(connection)
        with redis_errors(), self._redis.pipeline() as pipe:
            pipe.hdel(key, "failures", "until", "since", "reason", _own(connection.project))
            pipe.execute()

    def state(self, connection: Connection) -> Circuit | None:
        """None where the tool did not fail lately."""
        return self.states([connection]).get(connection.project)

    def states(self, connections: Sequence[Connection]) -> dict[ProjectId, Circuit]:
        """Of each project whose tool failed lately; in one round trip."""
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            for connection in connections:
                pipe.hgetall(_key(connection))
            found = zip(connections, map(_circuit, pipe.execute()), strict=True)
        return {connection.project: circuit for connection, circuit in found if circuit is not None}

    def _backoff(self, failures: int) -> float:
        return self._chance.uniform(SHORTEST, min(LONGEST, SHORTEST * _GROWTH ** min(failures, 20)))


def _circuit(stored: Mapping[bytes, bytes]) -> Circuit | None:
    known = {_text(name): _text(value) for name, value in stored.items()}
    if "failures" not in known:
        return None
    wait = max(0.0, float(known.get("until", 0)) - time.time())
    since = datetime.fromtimestamp(float(known.get("since", 0)), UTC)
    return Circuit(int(known["failures"]), wait, since, known.get("reason", ""), "until" in known)


def same_tool(connection: Connection, other: Connection) -> bool:
    return is_same(connection.tool, other.tool)


def is_same(tool: Tool, other: Tool) -> bool:
    """Whether two are the same server, however its address is written."""
    return tool.kind == other.kind and _one_spelling(tool.access.url) == _one_spelling(other.access.url)


def _key(connection: Connection) -> str:
    tool = f"{connection.tool.kind} {_one_spelling(connection.tool.access.url)}"
    return f"nextlabel:circuit:{hashlib.sha256(tool.encode()).hexdigest()[:16]}"


def _one_spelling(url: str) -> str:
    """The same for all spellings of one address: the case of scheme and host, a port that goes without saying, a slash
    at the end."""
    try:
        address = urlsplit(url.strip())
        port = address.port or _PORTS.get(address.scheme)
    except ValueError:
        return url
    return f"{address.scheme}://{address.hostname}:{port}{address.path.rstrip('/')}" if address.hostname else url


def _own(project: ProjectId) -> str:
    return f"failures of {project}"


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
