"""`nextlabel export`: predictions for all tasks of a project, and its model, to be used elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import cast

import click

from nextlabel.cli.context import chosen, look_into, read_settings
from nextlabel.cli.escaping import printable
from nextlabel.cli.output import written
from nextlabel.errors import SettingsError
from nextlabel.labeling import counted
from nextlabel.service import export_files
from nextlabel.service.export_files import FORMATS, Format
from nextlabel.service.exporting import ModelFormat
from nextlabel.wiring import Parts

_LABEL_STUDIO = "label-studio"

_project = click.option("--project", required=True, help="The project's id.")
_version = click.option("--version", help="A version of the project; without it the one in service.")
_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs: what was written, and where.")


@click.group()
def export() -> None:
    """Predictions for all tasks of a project, and its model, to be used elsewhere."""


@export.command()
@_project
@_version
@click.option(
    "--format",
    "format_",
    type=click.Choice([_LABEL_STUDIO, *FORMATS]),
    default="jsonl",
    show_default=True,
    help="label-studio: tasks with predictions, to be imported there.",
)
@click.option("-o", "--output", metavar="FILE", help="Where to; without it, or with -, the standard output.")
@click.option("--with-data", is_flag=True, help="Each task's data, too; label-studio always has it.")
@click.option("--with-audits", is_flag=True, help="In label-studio: also guesses about audit tasks without a label.")
@_json
def predictions(
    project: str,
    version: str | None,
    format_: str,
    output: str | None,
    with_data: bool,
    with_audits: bool,
    as_json: bool,
) -> None:
    """What a version says of every task of a project, labeled or not."""
    if format_ == "parquet" and output in (None, "-"):
        raise SettingsError("Parquet is no text: name a file with --output.")
    if as_json and output in (None, "-"):
        raise SettingsError("The predictions themselves go to the standard output: name a file for them with --output.")
    parts = _parts()
    name = chosen(parts, project).project
    pool = parts.exporting.pool(name, version)
    with written(output) as file:
        if format_ == _LABEL_STUDIO:
            pages = parts.exporting.in_words_of_the_tool(pool, blind=not with_audits)
            steps = export_files.write_tasks(pages, file)
        else:
            steps = export_files.write(pool, file, cast(Format, format_), data=with_data)
        tasks = _watched(steps, pool.tasks)
    if not pool.targets:
        click.echo(f"{pool.record.version} has learned nothing yet: no task has a prediction.", err=True)
    if as_json:
        click.echo(json.dumps({"project": name, "version": pool.record.version, "tasks": tasks, "file": output}))
    elif output not in (None, "-"):
        click.echo(printable(f"{counted(tasks, 'task')} by {pool.record.version} written to {output}."), err=True)


@export.command()
@_project
@_version
@click.option(
    "--format",
    "format_",
    type=click.Choice(["skops", "onnx"]),
    default="skops",
    show_default=True,
    help="skops: any model, for Python with nextlabel. onnx: models on tables, vectors and pictures, for anything.",
)
@click.option("-o", "--output", metavar="FILE", help="Where to.  [default: the version's name, here]")
@_json
def model(project: str, version: str | None, format_: str, output: str | None, as_json: bool) -> None:
    """The model of a version as one file, and how to use it elsewhere."""
    parts = _parts()
    made = parts.exporting.model(chosen(parts, project).project, cast(ModelFormat, format_), version)
    output = output or f"{made.record.version}.{format_}"
    with written(output) as file:
        file.write(made.content)
    how, size = made.how_to_use(output), len(made.content)
    if as_json:
        found = {"version": made.record.version, "file": output, "format": format_, "bytes": size}
        inputs = {name: one.words for name, one in made.inputs.items()}
        click.echo(json.dumps({**found, "inputs": inputs, "left_out": dict(made.left_out), "how_to_use": how}))
        return
    for target, why in made.left_out.items():
        click.echo(printable(f"'{target}' was left out: {why}."), err=True)
    click.echo(
        printable(f"{made.record.version} written to {output}, {size:,} bytes. To use it elsewhere:\n"), err=True
    )
    click.echo(printable(how))


def _parts() -> Parts:
    return look_into(read_settings())


def _watched(steps: Iterator[int], tasks: int) -> int:
    """How many were written, with a bar meanwhile where somebody can see one."""
    written = 0
    with click.progressbar(length=tasks, label="predicting", show_pos=True, file=sys.stderr) as bar:
        for step in steps:
            written += step
            bar.update(step)
    return written
