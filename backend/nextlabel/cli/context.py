"""What every command starts with: settings from the environment, logging, Redis, an up-to-date database."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

import click
import fsspec

from nextlabel.cli.logs import set_up
from nextlabel.errors import SettingsError
from nextlabel.hosting.hosts import read_models
from nextlabel.jobs.embedded_redis import EmbeddedRedis
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import Connection
from nextlabel.settings import Settings
from nextlabel.wiring import Parts, build, embedded_redis, make_home

_LONGEST_HOLDER = 100


def read_settings(models: Sequence[str] = ()) -> Settings:
    """Settings from the environment, with logging set up by them. ``models`` are from the command line, and are put
    into the environment for the processes that this one starts."""
    if models:
        os.environ["NEXTLABEL_MODEL"] = ", ".join(models)
    settings = Settings.from_env(os.environ)
    set_up(settings)
    return settings


def find_redis(settings: Settings) -> tuple[str, EmbeddedRedis | None]:
    """The URL of Redis, started here if nobody has; the second value is to be stopped at the end."""
    if settings.redis_url:
        return settings.redis_url, None
    server = embedded_redis(settings)
    make_home(settings.home)
    try:
        return server.ensure(), server
    except OSError as error:
        raise SettingsError(f"Redis cannot keep its files in {settings.home} ({error}): make it writable.") from error


@contextmanager
def wired(settings: Settings) -> Iterator[Parts]:
    """A process with a Redis, which ends with it if it was started here."""
    redis_url, server = find_redis(settings)
    try:
        yield build_parts(settings, redis_url)
    finally:
        if server is not None:
            server.stop()


def of_project(command: Callable[..., None]) -> Callable[..., None]:
    """A command about one project, which is named as its argument or, as elsewhere, with --project."""

    @wraps(command)
    def with_project(given: str | None, named: str | None, **options: object) -> None:
        if (given or named) is None or (given and named and given != named):
            raise click.UsageError("Name one project, by its id or as TOOL:ID.")
        command(project=given or named, **options)

    argued = click.argument("given", metavar="PROJECT", required=False)(with_project)
    return click.option("--project", "named", hidden=True, help="The same.")(argued)


def chosen(parts: Parts, project: str) -> Connection:
    """The project that was typed, by our own id or as ``tool:id``. Raises `NotConnected`."""
    named = parts.connections.named(project)
    return parts.connections.get(named.project if named else ProjectId(project))


@contextmanager
def alone_in(home: Path) -> Iterator[None]:
    """Hold a home for `nextlabel up`, which runs once in each: `serve` and `work` may run beside it, and several times.

    The kernel lets go of it with the process, however that ends. Raises `SettingsError` naming the one that holds it.
    """
    make_home(home)
    with (home / "up.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise SettingsError(
                f"`nextlabel up` runs already in {home}, as process {lock.read(_LONGEST_HOLDER).strip()}: end that one "
                "first, add workers to it with `nextlabel work`, or set NEXTLABEL_HOME to another folder."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()} on {socket.gethostname()}\n")
        lock.flush()
        yield


def note_models(parts: Parts) -> None:
    """The models that this process names, or none, are those of every process that names none itself.

    Paths are noted whole, for others start elsewhere. Raises `SettingsError` for a model that is not there.
    """
    named = read_models(parts.settings.models)
    parts.connections.note_models(", ".join(f"{name}={model.module}:{model.name}" for name, model in named.items()))
    parts.database.dispose()


def look_into(settings: Settings) -> Parts:
    """An installation as a command beside it sees it: no Redis is started for it."""
    return build_parts(settings, settings.redis_url or embedded_redis(settings).url)


def build_parts(settings: Settings, redis_url: str) -> Parts:
    """Everything wired, the database brought up to date, no connection left open."""
    _check_models_url(settings.models_url)
    parts = build(settings, redis_url)
    parts.database.migrate()
    parts.database.dispose()
    return parts


def _check_models_url(url: str) -> None:
    protocol, separator, _ = url.partition("://")
    try:
        fsspec.get_filesystem_class(protocol if separator else "file")
    except (ImportError, ValueError) as error:
        raise SettingsError(f"NEXTLABEL_MODELS_URL begins with {protocol}://, which cannot be used: {error}.") from None
