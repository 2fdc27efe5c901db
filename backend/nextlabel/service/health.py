"""What runs of an installation: Redis, its workers, and the backend."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import redis

from nextlabel.errors import SettingsError
from nextlabel.jobs.embedded_redis import BAD_REDIS_URL, EmbeddedRedis
from nextlabel.jobs.workers import alive
from nextlabel.settings import Settings

DEFAULT_ADDRESS = "http://localhost:9090"
_SECONDS, _MOST_BYTES, _MOST_ADDRESSES = 3.0, 2**16, 10
_START = "start it with `nextlabel up` or `nextlabel"


@dataclass(frozen=True, slots=True)
class Running:
    """Whether a part of the installation runs (None: that cannot be told), and a sentence for a person."""

    name: str
    runs: bool | None
    message: str


def redis_and_workers(settings: Settings, host: str | None = None) -> tuple[Running, Running]:
    """Redis, and the workers that it knows of: on this host only, or on all."""
    client = _client(settings)
    try:
        client.ping()
        workers = alive(client, host)
    except redis.RedisError as error:
        return Running("redis", False, _no_redis(settings, error)), Running(
            "workers", None, "Whether a worker runs cannot be seen without Redis."
        )
    number = f"{workers} worker{'' if workers == 1 else 's'} alive"
    none = f"No worker is alive{' on this host' if host else ''}, so nothing is learned: {_START} work`."
    return Running("redis", True, "Redis answers"), Running("workers", workers > 0, number if workers else none)


def without_database(settings: Settings) -> list[Running]:
    """Each part of the installation, where it cannot be read at which addresses the backend is."""
    return [*redis_and_workers(settings), backend([settings.backend_url or DEFAULT_ADDRESS])]


def _client(settings: Settings) -> redis.Redis:
    try:
        url = settings.redis_url or EmbeddedRedis(settings.home).url
        return redis.Redis.from_url(url, socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS)
    except ValueError:
        raise SettingsError(BAD_REDIS_URL) from None


def _no_redis(settings: Settings, error: redis.RedisError) -> str:
    if settings.redis_url:
        return f"Redis cannot be reached ({type(error).__name__}): check that it runs and that REDIS_URL is right."
    return (
        f"Redis does not run for {settings.home}: `nextlabel up` starts it with all the rest, or set REDIS_URL (or "
        "NEXTLABEL_HOME) to what the running nextlabel has."
    )


def backend(addresses: Iterable[str]) -> Running:
    """Whether nextlabel's backend answers at one of some addresses: a tool may reach it by another one than we do."""
    different = list(dict.fromkeys(addresses))[:_MOST_ADDRESSES]
    with ThreadPoolExecutor(len(different)) as threads:
        answers = list(threads.map(_backend, different))
    return next((one for one in answers if one.runs), answers[0])


def _backend(address: str) -> Running:
    try:
        answer = _read(_ask(f"{address}/health"))
    except (OSError, HTTPException, ValueError) as error:
        why = getattr(error, "reason", None) or error
        return Running("backend", False, f"The backend does not answer at {address} ({why}): {_START} serve`.")
    if answer.keys().isdisjoint({"model_class", "error"}):
        return Running("backend", False, f"Something else than nextlabel answers at {address}: {_START} serve`.")
    alarm = answer.get("error")
    return Running("backend", not alarm, str(alarm) if alarm else f"The backend answers at {address}")


def _ask(url: str) -> bytes:
    """The answer, whatever its status. Raises OSError, HTTPException and ValueError."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=_SECONDS) as answer:
            return bytes(answer.read(_MOST_BYTES))
    except HTTPError as error:
        return error.read(_MOST_BYTES)


def _read(answer: bytes) -> dict[str, object]:
    try:
        found = json.loads(answer)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
