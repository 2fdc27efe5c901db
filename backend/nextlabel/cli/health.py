"""`nextlabel health`: for container health checks, so it loads next to nothing and changes nothing."""

from __future__ import annotations

import os
import socket
import sys

import click
import redis
from rq import Worker

from nextlabel.embedded_redis import EmbeddedRedis
from nextlabel.errors import JobQueueUnavailable
from nextlabel.settings import Settings


@click.command()
@click.argument("what", type=click.Choice(["worker"]))
def health(what: str) -> None:
    """Exit 0 when a worker on this host is alive."""
    settings = Settings.from_env(os.environ)
    client = redis.Redis.from_url(settings.redis_url or EmbeddedRedis(settings.home).url, socket_connect_timeout=3)
    try:
        alive = [worker for worker in Worker.all(connection=client) if worker.hostname == socket.gethostname()]
    except redis.RedisError as error:
        raise JobQueueUnavailable(f"Redis cannot be reached ({type(error).__name__}): check REDIS_URL.") from error
    click.echo(f"{len(alive)} {what}{'s' if len(alive) != 1 else ''} alive")
    sys.exit(0 if alive else 1)
