"""What every command starts with: settings from the environment, logging, Redis, an up-to-date database."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from nextlabel.embedded_redis import EmbeddedRedis
from nextlabel.hosting.hosts import read_models
from nextlabel.settings import Settings
from nextlabel.wiring import Parts, build, embedded_redis


def read_settings(models: Sequence[str] = ()) -> Settings:
    """Settings from the environment, with logging set up by them. ``models`` are from the command line, and are put
    into the environment for the processes that this one starts."""
    if models:
        os.environ["NEXTLABEL_MODEL"] = ", ".join(models)
    settings = Settings.from_env(os.environ)
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S"
    )
    for chatty in ("httpx", "httpcore", "alembic", "rq.worker", "rq.scheduler"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return settings


def find_redis(settings: Settings) -> tuple[str, EmbeddedRedis | None]:
    """The URL of Redis, started here if nobody has; the second value is to be stopped at the end."""
    if settings.redis_url:
        return settings.redis_url, None
    server = embedded_redis(settings)
    return server.ensure(), server


def note_models(parts: Parts) -> None:
    """The models that this process names, or none, are those of every process that names none itself.

    Paths are noted whole, for others start elsewhere. Raises `SettingsError` for a model that is not there.
    """
    named = read_models(parts.settings.models)
    parts.connections.note_models(", ".join(f"{name}={model.module}:{model.name}" for name, model in named.items()))
    parts.database.dispose()


def build_parts(settings: Settings, redis_url: str) -> Parts:
    """Everything wired, the database brought up to date, no connection left open."""
    parts = build(settings, redis_url)
    parts.database.migrate()
    parts.database.dispose()
    return parts
