"""`nextlabel train` and `nextlabel reorder`: a round, or only its order, now."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console

from nextlabel.cli.context import chosen, of_project, read_settings, wired
from nextlabel.cli.escaping import printable
from nextlabel.features.work import Progress
from nextlabel.labeling import ProjectId
from nextlabel.loop.turn import Round
from nextlabel.wiring import Parts

_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


@click.command()
@of_project
@_json
def train(project: str, as_json: bool) -> None:
    """Take a round of a project now, and wait for it: read, learn where labels are new, judge, put in order.

    The exit code is 1 where nothing could be learned.
    """
    _taken(project, as_json, lambda parts, known, progress: parts.by_hand.train(known, progress))


@click.command()
@of_project
@_json
def reorder(project: str, as_json: bool) -> None:
    """Have the tool serve the order of the version in service once more, now; nothing is learned."""
    _taken(project, as_json, lambda parts, known, progress: parts.by_hand.reorder(known, progress))


def _taken(project: str, as_json: bool, take: Callable[[Parts, ProjectId, Progress], Round]) -> None:
    settings = read_settings()
    console = Console(stderr=True)
    with wired(settings) as parts, _result_not_logged():
        known = chosen(parts, project).project
        with console.status("waiting for the project …") as shown:
            done = take(parts, known, lambda step, n: shown.update(f"{step}: {n:,} tasks"))
    if as_json:
        promotion, receipt = done.promotion, done.receipt
        values = {
            "project": known,
            "sentence": done.sentence(),
            "changed_tasks": done.changed,
            "labels": done.labels,
            "version": done.trained,
            "serves": promotion and promotion.promoted,
            "reason": promotion and promotion.reason,
            "failure": done.failure or None,
            "queue": receipt and receipt.version,
            "in_order": receipt and receipt.written,
        }
        click.echo(json.dumps(values))
    else:
        click.echo(printable(done.sentence()))
    sys.exit(1 if done.failure else 0)


@contextmanager
def _result_not_logged() -> Iterator[None]:
    """What the round did is printed: a line of the log beside it would say it twice."""
    log = logging.getLogger("nextlabel.service.turns")
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)
