"""`nextlabel annotators`: who labeled what, and how far people agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nextlabel.cli.context import chosen, read_settings, wired
from nextlabel.cli.escaping import printable
from nextlabel.evaluation.accuracy import in_words
from nextlabel.labeling import counted
from nextlabel.service.annotators import FEWEST_SHARED, AnnotatorsReport, Person


@click.command()
@click.option("--project", required=True, help="The project's id.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def annotators(project: str, as_json: bool) -> None:
    """Who labeled what, and how far people agree on the tasks that several of them labeled."""
    with wired(read_settings()) as parts:
        report = parts.annotators.report(chosen(parts, project).project)
    if as_json:
        click.echo(json.dumps(asdict(report)))
        return
    for line in _agreement(report):
        click.echo(printable(line))
    if report.people:
        Console().print(_table(report))


def _agreement(report: AnnotatorsReport) -> Iterator[str]:
    for one in report.agreement:
        alpha = f"alpha {one.alpha.value:.2f} ({one.alpha.low:.2f} to {one.alpha.high:.2f})"
        ac1 = "" if one.ac1 is None else f", AC1 {one.ac1:.2f}"
        yield f"{one.target}: {alpha}{ac1}, on {counted(one.shared, 'task')} that several people labeled"
    for target, shared in report.too_few.items():
        yield (
            f"{target}: {counted(shared, 'task')} that several people labeled; agreement is shown from "
            f"{FEWEST_SHARED} on. Have some tasks labeled twice."
        )
    if report.unknown:
        yield f"{counted(report.unknown, 'annotation')} without an account: the tool does not tell who gave them"
    if not report.people and not report.unknown:
        yield "nobody has labeled anything yet"


def _table(report: AnnotatorsReport) -> Table:
    table = Table("account", "tasks", "median seconds", "agrees with others", "longest run of one label")
    for one in report.people:
        seconds = "unknown" if one.seconds is None else f"{one.seconds:.0f}"
        row = (one.account, f"{one.tasks:,}", seconds, "\n".join(_shared(one)), str(one.longest_run))
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _shared(one: Person) -> Iterator[str]:
    for target, n in one.shared.items():
        found = one.agreement.get(target)
        words = in_words(found.value, found.low, found.high) if found else "too few tasks"
        yield f"{f'{target}: ' if len(one.shared) > 1 else ''}{words}, on {counted(n, 'shared task')}"
