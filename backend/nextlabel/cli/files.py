"""`nextlabel files` and `nextlabel next`: tasks in a file put in order, with no server at all."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from nextlabel.cli.connecting import Report
from nextlabel.cli.context import chosen, look_into, read_settings, wired
from nextlabel.errors import SettingsError
from nextlabel.labeling import ProjectId, ToolProjectId
from nextlabel.ports.tool import OrderedFile, ToolAccess
from nextlabel.service.connecting import Wanted

_PAUSE_SECONDS = 1.0


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
def files(path: Path, as_json: bool) -> None:
    """Read a file of tasks and the labels beside it, learn, and write the order. Run it again after more labels."""
    report, labels = Report(as_json), path.with_suffix(".labels.jsonl")
    wanted = Wanted("files", ToolAccess(str(path.parent)), ToolProjectId(path.stem))
    with wired(read_settings()) as parts, report.console.status("reading …") as shown:
        project, queue = parts.connecting.connect(
            wanted, {}, report=report, progress=lambda step, n: shown.update(f"{step}: {n} tasks")
        )
    ok = report.end(project, queue=queue)
    if ok and not as_json:
        example = json.dumps({"id": "…", "label": "…"}, ensure_ascii=False)
        click.echo(f"Label from the top of the order: append lines such as {example} to {labels}.")
        click.echo(
            f"Then run this again, or leave `nextlabel up` running. To print it: nextlabel next --project {project}"
        )
    sys.exit(0 if ok else 1)


@click.command("next")
@click.option("--project", required=True, help="The project, by its id or as TOOL:ID.")
@click.option("--follow", is_flag=True, help="Wait for new orders, and go on with tasks that were not printed yet.")
def next(project: str, follow: bool) -> None:  # noqa: A001 - the command's name
    """Print the order of a project whose order is a file: one task a line, as JSON, the next one first."""
    order = _order_of(project)
    printed = set[str]()
    for row in _rows(Path(order.path), follow=follow):
        if (known := _id(row)) not in printed:
            printed.add(known)
            click.echo(row)


def _order_of(project: str) -> OrderedFile:
    settings = read_settings()
    parts = look_into(settings)
    connection = chosen(parts, project)
    order = parts.open_connector(connection).order
    parts.database.dispose()
    if not isinstance(order, OrderedFile):
        raise SettingsError(
            f"Project {ProjectId(project)} has no order in a file: its annotators get it in their tool."
        )
    return order


def _rows(path: Path, *, follow: bool) -> Iterator[str]:
    """The lines of the order; then of each that takes its place, as long as somebody follows.

    A line is given only while its order is in force: where a new one came meanwhile, reading goes on at its top.
    """
    seen: tuple[int, int] | None = None
    while True:
        try:
            with path.open(encoding="utf-8") as file:
                seen = _which(path)
                for row in file:
                    yield row.rstrip("\n")
                    if follow and _which(path) != seen:
                        break
        except FileNotFoundError:
            if not follow:
                raise SettingsError(
                    f"There is no order at {path} yet: run `nextlabel files`, or `nextlabel up`."
                ) from None
        if not follow:
            return
        while _which(path) == seen:
            time.sleep(_PAUSE_SECONDS)


def _which(path: Path) -> tuple[int, int] | None:
    """What tells one order from the next: each is a file of its own."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _id(row: str) -> str:
    data: dict[str, Any] = json.loads(row)
    ours = data["meta"]["nextlabel"] if "nextlabel" in (data.get("meta") or {}) else data
    return str(ours.get("id"))
