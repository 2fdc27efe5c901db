"""`nextlabel tokens`: who may use the API and scrape the metrics."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table

from nextlabel.cli.context import look_into, read_settings
from nextlabel.service.tokens import SCOPES, Tokens

_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


@click.group()
def tokens() -> None:
    """Tokens for programs that use /api/v1 or scrape /metrics."""


@tokens.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="What it may be used for: read and write the API, scrape metrics. Repeatable.",
)
@_json
def create(name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make a token called NAME. It is shown this once."""
    made = _tokens().create(name, scopes)
    click.echo(json.dumps({"name": name, "scopes": sorted(set(scopes)), "token": made}) if as_json else made)
    if not as_json:
        click.echo("It is not shown again: only its hash is kept.", err=True)


@tokens.command("list")
@_json
def list_(as_json: bool) -> None:
    """The tokens there are, without themselves."""
    found = [
        {"name": one.name, "scopes": sorted(one.scopes), "created_at": one.created_at.isoformat()}
        for one in _tokens().all()
    ]
    if as_json:
        click.echo(json.dumps(found))
        return
    if not found:
        click.echo("There is no token yet: `nextlabel tokens create NAME --scope read` makes one.")
        return
    table = Table("name", "scopes", "since")
    for one in found:
        table.add_row(str(one["name"]), ", ".join(one["scopes"]), str(one["created_at"])[:16].replace("T", " "))
    Console().print(table)


@tokens.command()
@click.argument("name")
@_json
def revoke(name: str, as_json: bool) -> None:
    """From the next request on the token called NAME is refused."""
    _tokens().revoke(name)
    click.echo(json.dumps({"name": name, "revoked": True}) if as_json else f"The token '{name}' is revoked.")


def _tokens() -> Tokens:
    settings = read_settings()
    return look_into(settings).tokens
