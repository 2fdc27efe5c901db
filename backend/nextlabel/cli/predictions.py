"""`nextlabel predictions`: whose the predictions are that the labeling tool stores, and the removal of some by name."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nextlabel.cli.context import build_parts, chosen, read_settings
from nextlabel.cli.escaping import printable
from nextlabel.errors import SettingsError, ToolUnavailable
from nextlabel.labeling import ProjectId, QueueVersion
from nextlabel.ports.tool import KeepsOldOrders, OwnOrder
from nextlabel.service.pruning import remove_all
from nextlabel.wiring import Parts, embedded_redis


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
    parts = build_parts(settings, settings.redis_url or embedded_redis(settings).url)
    connection = chosen(parts, project)
    connector = parts.open_connector(connection)
    in_force = connector.queue_in_force() if doomed else None
    if not isinstance(connector, KeepsOldOrders):
        raise SettingsError(f"{connection.tool.name} keeps no predictions of nextlabel's: there is nothing to list.")
    held = connector.predictions_held()
    if doomed:
        _remove(connector, connection.project, [QueueVersion(version) for version in doomed], held, in_force, yes)
    elif as_json:
        rows = _rows(parts, connection.project, held)
        click.echo(json.dumps([{"version": one, "predictions": n, "whose": whose} for one, n, whose in rows]))
    else:
        _show(parts, connection.project, held)


def _rows(parts: Parts, project: ProjectId, held: Mapping[QueueVersion, int]) -> list[tuple[QueueVersion, int, str]]:
    ours = {order.version: order for order in parts.models.own_orders(project)}
    return [(version, number, _whose(ours.get(version))) for version, number in held.items()]


def _whose(order: OwnOrder | None) -> str:
    if order is None:
        return "not written by nextlabel"
    return "nextlabel" if order.window is None else "nextlabel, before 0.1.1; others may be among them"


def _show(parts: Parts, project: ProjectId, held: Mapping[QueueVersion, int]) -> None:
    table = Table(
        "version",
        "predictions",
        "written by",
        title=escape(printable(f"Predictions of project {project}")),
        title_justify="left",
    )
    for version, number, whose in _rows(parts, project, held):
        table.add_row(escape(printable(version)), str(number), whose)
    Console().print(table)


def _remove(
    connector: KeepsOldOrders,
    project: ProjectId,
    versions: Collection[QueueVersion],
    held: Mapping[QueueVersion, int],
    in_force: QueueVersion | None,
    yes: bool,
) -> None:
    for version in versions:
        if version not in held:
            raise SettingsError(
                f"Project {project} has no predictions under the version '{version}': `nextlabel predictions --project "
                f"{project}` lists what it has."
            )
        if version == in_force:
            raise SettingsError(
                f"The queue of project {project} is served by the version '{version}', so it stays. To have nextlabel "
                "leave the project, run `nextlabel disconnect`."
            )
    number = sum(held[version] for version in versions)
    if not yes:
        click.confirm(
            f"Remove {number} predictions under {', '.join(versions)}? Nobody can bring them back.", abort=True
        )
    left = list(versions)
    with click.progressbar(length=number, label="removing", show_pos=True) as bar:
        for lot in remove_all(connector, [OwnOrder(version) for version in versions]):
            bar.update(lot.removed)
            left = [version for version in left if version not in lot.emptied]
        if left:
            raise ToolUnavailable(f"The tool keeps some predictions under {', '.join(left)}: its log says why.")
