"""`nextlabel serve`, `nextlabel work` and `nextlabel up`: the processes."""

from __future__ import annotations

import logging
import shlex
import socket
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import click
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from sqlalchemy.exc import SQLAlchemyError

from nextlabel.cli.context import alone_in, build_parts, find_redis, note_models, read_settings
from nextlabel.cli.supervisor import Supervisor
from nextlabel.errors import NextlabelError, SettingsError
from nextlabel.service.health import backend, redis_and_workers
from nextlabel.service.memory import keep_freed_memory, spare_what_stays
from nextlabel.settings import Settings
from nextlabel.storage.model_store import preload
from nextlabel.web import Operations, create_app
from nextlabel.web.heads import HeadsFirst
from nextlabel.web.pages import Pages
from nextlabel.wiring import Parts, build, embedded_redis
from nextlabel.worker import run_worker

log = logging.getLogger("nextlabel")

_SLOW_SECONDS = 60.0
_EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_DESKTOP = "host.docker.internal"  # Docker Desktop leads it to the loopback address

_host = click.option(
    "--host",
    help="Address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for every network. "
    "[env: NEXTLABEL_HOST; default: 127.0.0.1]",
)
_model = click.option(
    "--model",
    "models",
    multiple=True,
    metavar="[NAME=]FILE.py:CLASS",
    help="Learn with a model of your own, for label-studio-ml or scikit-learn. Repeatable: the first is for every "
    "project that does not say otherwise. [env: NEXTLABEL_MODEL]",
)
_port = click.option(
    "--port", type=click.IntRange(1, 65_535), default=9090, show_default=True, help="Port to listen on."
)


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """gunicorn without its command line. The application is made before the fork and connects after it."""

    def __init__(self, app: Flask, options: dict[str, Any]) -> None:
        self._app, self._options = app, options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app


class _ServerLogger(Logger):  # type: ignore[misc]
    """gunicorn's messages among ours: in JSON, too, where that is set."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


@click.command()
@_host
@_port
@_model
def serve(host: str | None, port: int, models: tuple[str, ...]) -> None:
    """Serve predictions and take webhooks (the ML backend)."""
    settings = read_settings(models)
    host = host or settings.host
    _refuse_taken_port(host, port)
    redis_url, server = find_redis(settings)
    parts = build_parts(settings, redis_url)
    note_models(parts)
    warn_of_unreachable(parts, host, port)
    _note_address(parts, host, port)
    shown = (parts.overview, parts.versions, parts.accounts, parts.suspects, parts.annotators, parts.doctor)
    pages = Pages(*shown, read_only=settings.pages == "read-only")
    app = create_app(parts.service, _operations(parts), max_request_mb=settings.max_request_mb, pages=pages)
    preload()
    parts.service.callers()  # loads the connectors, for which the first webhook would wait a fifth of a second
    options = {
        "bind": f"{host}:{port}",
        "worker_class": HeadsFirst,
        "workers": settings.web_workers,
        "threads": settings.web_threads,
        "preload_app": True,
        "timeout": 120,
        "graceful_timeout": 30,
        "loglevel": "warning",
        "logger_class": _ServerLogger,
        "control_socket_disable": True,
    }
    log.info("serving on http://%s:%d", host, port)
    keep_freed_memory()
    spare_what_stays()
    try:
        _Gunicorn(app, options).run()
    finally:
        if server is not None:
            server.stop()


@click.command()
@_model
def work(models: tuple[str, ...]) -> None:
    """Retrain and reorder (the workers)."""
    settings = read_settings(models)
    redis_url, server = find_redis(settings)
    parts = build_parts(settings, redis_url)
    supervisor = Supervisor({"REDIS_URL": redis_url})
    _start_workers(supervisor, settings)
    log.info("working with %d process%s", settings.workers, "" if settings.workers == 1 else "es")
    try:
        supervisor.run(_Housekeeping(parts, settings))
    finally:
        if server is not None:
            server.stop()


@click.command("worker-process", hidden=True)
def worker_process() -> None:
    """One RQ worker; `nextlabel work` starts and watches these."""
    settings = read_settings()
    redis_url, _ = find_redis(settings)
    run_worker(settings, redis_url)


@click.command("notes-process", hidden=True)
def notes_process() -> None:
    """Sends notes to people; `nextlabel work` and `up` start and watch it where NEXTLABEL_NOTES_URL is set."""
    settings = read_settings()
    redis_url, _ = find_redis(settings)
    build(settings, redis_url).notes.keep_sending()


@click.command()
@_host
@_port
@_model
def up(host: str | None, port: int, models: tuple[str, ...]) -> None:
    """Run everything on this machine: backend, worker and (without REDIS_URL) a Redis. Ctrl-C ends it all."""
    settings = read_settings(models)
    host = host or settings.host
    click.get_current_context().with_resource(alone_in(settings.home))
    _refuse_taken_port(host, port)
    redis_url, server = find_redis(settings)
    parts = build_parts(settings, redis_url)
    note_models(parts)
    address = _note_address(parts, host, port)
    supervisor = Supervisor({"REDIS_URL": redis_url})
    # A worker that finishes a round asks the tool whether it reaches the backend.
    supervisor.start("backend", "serve", "--host", host, "--port", str(port), ends_last=True)
    _start_workers(supervisor, settings)
    click.echo(f"nextlabel starts on port {port}, its state is in {settings.home} …")
    housekeeping, readiness = _Housekeeping(parts, settings), _Readiness(settings, redis_url, host, port, address)

    def tick() -> None:
        housekeeping()
        readiness()

    try:
        supervisor.run(tick)
    finally:
        if server is not None:
            server.stop()
    click.echo("nextlabel is down; nothing was lost.")


def _operations(parts: Parts) -> Operations:
    is_open = parts.settings.metrics == "open"
    return Operations(parts.figures, parts.overview, parts.versions, parts.tokens, metrics_open=is_open)


def _note_address(parts: Parts, host: str, port: int) -> str:
    """Where a tool finds this backend, for `connect`: what the settings say, or this machine as itself knows it."""
    address = (parts.settings.backend_url or _from_here(host, port)).rstrip("/")
    parts.connections.note_address(address)
    parts.database.dispose()
    return address


def _from_here(host: str, port: int) -> str:
    """The backend's address as this machine reaches it."""
    named = f"[{host}]" if ":" in host else host
    return f"http://{'127.0.0.1' if host in _EVERY_ADDRESS else named}:{port}"


def warn_of_unreachable(parts: Parts, host: str, port: int) -> None:
    """Warn where a tool calls an address that is not listened on: until 0.1 the default was every address."""
    if host not in _THIS_MACHINE:
        return
    called = [urlsplit(one.callback_url) for one in parts.connections.active()]
    elsewhere = {one.netloc for one in called if one.port == port and one.hostname not in (*_THIS_MACHINE, _DESKTOP)}
    if elsewhere:
        log.warning(
            "A tool calls nextlabel at %s, but nextlabel listens on %s only, where those calls may not arrive: "
            "start it with --host 0.0.0.0, or with the address of the network that both share.",
            ", ".join(sorted(elsewhere)),
            host,
        )


def _for_a_container(host: str, port: int) -> str:
    """What a Label Studio in a container on this machine needs."""
    if host in _EVERY_ADDRESS:
        return (
            "For a Label Studio in a container give its address for this machine as --backend-url, e.g. "
            f"http://{_DESKTOP}:{port} or http://172.17.0.1:{port}."
        )
    return (
        "It listens on this machine only. For a Label Studio in a container on Linux start it with --host 172.17.0.1 "
        f"(what containers call this machine), and connect with --backend-url http://172.17.0.1:{port}; Docker Desktop "
        f"finds it as it is, at http://{_DESKTOP}:{port}. For one on another machine start it with "
        "--host 0.0.0.0, behind a firewall or a proxy."
    )


def _connect_line(settings: Settings, address: str) -> str:
    """A command that can be pasted; what is not known stands in it as an example."""
    default = Settings.from_env({}).home
    home = [] if settings.home == default else [f"NEXTLABEL_HOME={shlex.quote(str(settings.home))}"]
    url = [] if settings.tool_url else ["--url", "http://localhost:8080"]
    token = [] if settings.tool_token else ["--token", "ACCESS_TOKEN"]
    line = [*home, "nextlabel", "connect", *url, *token, "--project", "1", "--backend-url", shlex.quote(address)]
    return " ".join(line)


def _start_workers(supervisor: Supervisor, settings: Settings) -> None:
    for n in range(settings.workers):
        supervisor.start(f"worker {n + 1}", "worker-process")
    if settings.notes_url:
        supervisor.start("notes", "notes-process")


class _Readiness:
    """Says once that `up` serves, and how to go on; and what is still missing where that takes long."""

    def __init__(self, settings: Settings, redis_url: str, host: str, port: int, address: str) -> None:
        self._settings, self._host, self._port, self._address = settings, host, port, address
        self._with_redis = replace(settings, redis_url=redis_url)
        self._is_ready = False
        self._again_at = 0.0
        self._complain_at = time.monotonic() + _SLOW_SECONDS

    def __call__(self) -> None:
        if self._is_ready or time.monotonic() < self._again_at:
            return
        found = [*redis_and_workers(self._with_redis, socket.gethostname())]
        found.append(backend([_from_here(self._host, self._port)]))
        self._is_ready = all(one.runs for one in found)
        self._again_at = time.monotonic() + 0.5
        if self._is_ready:
            self._print_how_to_go_on()
        elif time.monotonic() >= self._complain_at:
            self._complain_at = time.monotonic() + _SLOW_SECONDS
            log.warning("not ready yet: %s", " ".join(one.message for one in found if not one.runs))

    def _print_how_to_go_on(self) -> None:
        click.echo(
            f"nextlabel is ready: it is up on port {self._port}. Next, for each project, in another terminal with the "
            f"same settings:\n  {_connect_line(self._settings, self._address)}"
        )
        click.echo(f"See it in a browser at {self._address}; `nextlabel credentials` shows how to log in.")
        if urlsplit(self._address).hostname in _THIS_MACHINE:
            click.echo(_for_a_container(self._host, self._port))


class _Housekeeping:
    """What `nextlabel work` and `up` do besides their workers: dispatch what is due, and reconcile on a schedule.

    Every process may do this: requests are coalesced, so doing it twice does no harm.
    """

    def __init__(self, parts: Parts, settings: Settings) -> None:
        self._parts = parts
        self._embedded = None if settings.redis_url else embedded_redis(settings)
        self._every = settings.reconcile_seconds
        self._reconcile_at = 0.0
        self._everything = True  # at the start: nobody knows what happened while nobody looked
        self._pause_until = 0.0

    def __call__(self) -> None:
        if time.monotonic() < self._pause_until:
            return
        try:
            if time.monotonic() >= self._reconcile_at:
                self._parts.reconciling.run(self._every, all_tasks=self._everything)
                self._everything = False
                self._reconcile_at = time.monotonic() + self._every
            self._parts.job_queue.dispatch_due()
        except (NextlabelError, SQLAlchemyError) as error:
            log.error("%s", error)
            self._pause_until = time.monotonic() + 2
            self._start_redis_again()

    def _start_redis_again(self) -> None:
        """The embedded server ends with the process that started it, which need not have been this one."""
        with suppress(NextlabelError):
            if self._embedded is not None:
                self._embedded.ensure()


def _refuse_taken_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} on {host} cannot be used ({error.strerror}): choose others with --port and --host."
            ) from None
