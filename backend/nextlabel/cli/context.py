"""What every command starts with: settings from the environment, logging, Redis, an up-to-date database."""

from __future__ import annotations

import logging
import os

from nextlabel.embedded_redis import EmbeddedRedis
from nextlabel.settings import Settings
from nextlabel.wiring import Parts, build, embedded_redis


def read_settings() -> Settings:
    """Settings from the environment, with logging set up by them."""
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


def build_parts(settings: Settings, redis_url: str) -> Parts:
    """Everything wired, the database brought up to date, no connection left open."""
    parts = build(settings, redis_url)
    parts.database.migrate()
    parts.database.dispose()
    return parts
