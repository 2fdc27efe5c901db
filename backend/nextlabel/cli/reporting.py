"""`nextlabel report`: the story of a project as one HTML file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nextlabel.cli.context import chosen, look_into, of_project, read_settings
from nextlabel.cli.escaping import printable
from nextlabel.cli.output import written


@click.command()
@of_project
@click.option(
    "-o", "--output", metavar="FILE", help="Where to; - is the standard output.  [default: PROJECT.html, here]"
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs; without --output to the standard output.")
def report(project: str, output: str | None, as_json: bool) -> None:
    """The story of a project as one HTML file that needs nothing else: what was labeled, how good it became, whether to
    stop. People who label appear by pseudonym."""
    settings = read_settings()
    parts = look_into(settings)
    name = chosen(parts, project).project
    story = parts.story.of(name)
    if as_json:
        content, default = json.dumps(story), "-"
    else:
        from nextlabel.web.pages.story import html  # noqa: PLC0415 - Flask, which JSON does not need

        content, default = html(story), f"{Path(name).name}.html"
    where = output or default
    with written(where) as file:
        file.write(content.encode() + (b"\n" if as_json else b""))
    if where != "-":
        click.echo(printable(f"The story of project {name} is in {where}."), err=True)
