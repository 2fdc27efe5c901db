"""`nextlabel notes`: the notes that were sent to people by a webhook, and whether it takes one."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nextlabel.cli.context import look_into, read_settings
from nextlabel.cli.escaping import printable
from nextlabel.errors import SettingsError

_SHOWN = 50


@click.command()
@click.option(
    "--test", "test", is_flag=True, help="Send a note that says only that it arrived; exit code 1 if not taken."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def notes(test: bool, as_json: bool) -> None:
    """The notes for people, sent by the webhook that NEXTLABEL_NOTES_URL names, the latest first."""
    settings = read_settings()
    parts = look_into(settings)
    if test:
        if not settings.notes_url:
            raise SettingsError("NEXTLABEL_NOTES_URL is not set: set it to the address of a webhook.")
        failure = parts.notes.try_now()
        sentence = f"It was not taken ({failure}): check NEXTLABEL_NOTES_URL." if failure else "It was taken."
        click.echo(json.dumps({"taken": not failure, "sentence": sentence}) if as_json else printable(sentence))
        sys.exit(1 if failure else 0)
    latest = parts.notes.store.last(_SHOWN)
    if as_json:
        click.echo(json.dumps([asdict(one) | {"at": one.at.isoformat()} for one in latest]))
        return
    table = Table("when", "project", "note", "")
    for one in latest:
        state = "waits" if one.waits else ""
        row = (f"{one.at:%Y-%m-%d %H:%M}", one.project or "all", one.sentence, state)
        table.add_row(*(Text(printable(cell)) for cell in row))
    if latest:
        Console().print(table)
    if not settings.notes_url:
        click.echo("No note is sent: NEXTLABEL_NOTES_URL is not set here. Set it to the address of a webhook.")
    elif not latest:
        click.echo("No note was sent yet: `nextlabel notes --test` sends one to try the webhook.")
