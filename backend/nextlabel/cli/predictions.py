"""`nextlabel predictions`: whose the predictions are that the labeling tool stores, and the removal of some by name."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nextlabel.cli.context import chosen, look_into, read_settings
from nextlabel.cli.escaping import printable
from nextlabel.labeling import ProjectId, QueueVersion
from nextlabel.service.predictions import Held, Predictions


@click.command()
@click.option("--project", required=True, help="The project's id.")
@click.option(
    "--remove", "doomed", multiple=True, metavar="VERSION", help="Remove this version's predictions. Repeatable."
)
@click.option("--yes", is_flag=True, help="Remove without asking.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def predictions(project: str, doomed: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """List the versions of predictions that the tool stores for a project, and whose they are; or remove some."""
    settings = read_settings()
    parts = look_into(settings)
    name = chosen(parts, project).project
    if doomed:
        _remove(parts.predictions, name, [QueueVersion(version) for version in doomed], yes)
    elif as_json:
        click.echo(json.dumps([asdict(one) for one in parts.predictions.held(name)]))
    else:
        _show(name, parts.predictions.held(name))


def _show(project: ProjectId, held: Sequence[Held]) -> None:
    title = escape(printable(f"Predictions of project {project}"))
    table = Table("version", "predictions", "written by", title=title, title_justify="left")
    for one in held:
        table.add_row(escape(printable(one.version)), str(one.predictions), one.whose)
    Console().print(table)


def _remove(held: Predictions, project: ProjectId, versions: Collection[QueueVersion], yes: bool) -> None:
    number = held.to_remove(project, versions)
    if not yes:
        click.confirm(
            f"Remove {number} predictions under {', '.join(versions)}? Nobody can bring them back.", abort=True
        )
    with click.progressbar(length=number, label="removing", show_pos=True) as bar:
        for removed in held.remove(project, versions):
            bar.update(removed)
