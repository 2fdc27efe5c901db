"""`nextlabel health`: what runs of an installation. Containers ask it often, so it loads little and changes nothing."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict

import click

from nextlabel.cli.escaping import printable
from nextlabel.service.health import DEFAULT_ADDRESS, Running, backend, redis_and_workers
from nextlabel.settings import Settings


@click.command()
@click.argument("what", type=click.Choice(["redis", "worker", "backend"]), required=False)
@click.option(
    "--url", help=f"Where the backend is, as seen from here. [env: NEXTLABEL_BACKEND_URL] [{DEFAULT_ADDRESS}]"
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def health(what: str | None, url: str | None, as_json: bool) -> None:
    """Exit 0 when everything runs, or the one part that is named: redis, a worker on this host, or the backend."""
    settings = Settings.from_env(os.environ)
    found = list(_found(settings, what, url))
    if as_json:
        click.echo(json.dumps({"runs": all(one.runs for one in found), "services": [asdict(one) for one in found]}))
    for one in [] if as_json else found:
        click.secho(printable(one.message), fg=None if one.runs else "red", err=not one.runs)
    sys.exit(0 if all(one.runs for one in found) else 1)


def _found(settings: Settings, what: str | None, url: str | None) -> Iterator[Running]:
    if what != "backend":
        answers, workers = redis_and_workers(settings, socket.gethostname())
        if what != "worker" or not answers.runs:
            yield answers
        if what != "redis" and answers.runs:
            yield workers
    if what in (None, "backend"):
        yield backend([url or settings.backend_url or DEFAULT_ADDRESS])
