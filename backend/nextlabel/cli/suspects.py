"""`nextlabel suspects`: which labels are likely wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nextlabel.cli.context import chosen, look_into, read_settings, wired
from nextlabel.cli.escaping import printable
from nextlabel.evaluation.suspects import FEWEST
from nextlabel.labeling import counted, label_in_words
from nextlabel.service.suspects import SuspectsReport

_SHOWN = 50
_MANY = 0.2  # of the labels; people are seldom so often wrong


@click.command()
@click.option("--project", required=True, help="The project's id.")
@click.option("--tab", is_flag=True, help="Also have a tab of the tool hold their tasks, or renew it.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def suspects(project: str, tab: bool, as_json: bool) -> None:
    """Which labels are likely wrong, by models that had not seen them. Nothing is relabeled.

    Submit a task again in the tool, corrected or as it is, and its label is not suspected any more.
    """
    settings = read_settings()
    with wired(settings) if tab else nullcontext(look_into(settings)) as parts:
        known = chosen(parts, project).project
        report = parts.suspects.report(known)
        shown = parts.suspects.show(known) if tab else None
    if as_json:
        click.echo(json.dumps(asdict(report) | {"tab": shown.message if shown else None}))
        return
    if report.suspects:
        Console().print(_table(report))
    for line in _lines(report):
        click.echo(printable(line))
    if shown:
        click.echo(printable(shown.message))


def _table(report: SuspectsReport) -> Table:
    several = len(report.labels) > 1
    table = Table("task", *(["target"] if several else []), "label", "more likely", "chance of the label")
    for one in report.suspects[:_SHOWN]:
        cells = [one.task, *([one.target] if several else []), label_in_words(one.given), label_in_words(one.instead)]
        table.add_row(*(Text(printable(cell)) for cell in (*cells, f"{one.self_confidence:.1%}")))
    return table


def _lines(report: SuspectsReport) -> Iterator[str]:
    if (more := len(report.suspects) - _SHOWN) > 0:
        yield f"… and {more:,} more: `--json` has them all"
    for target, n in report.labels.items():
        found = sum(one.target == target for one in report.suspects)
        yield f"{target}: {found:,} of {counted(n, 'label')} likely wrong, by version {report.version}"
        if found > _MANY * n:
            yield f"{target}: so many mean that the model is often wrong itself; review the first ones, and label more"
    for target, n in report.too_few.items():
        yield f"{target}: {counted(n, 'label')}; labels are suspected from {FEWEST} on"
    if report.under_review:
        yield f"{counted(report.under_review, 'task')} under review in the queue"
    if report.reviewed:
        yield f"{counted(report.reviewed, 'suspected label')} reviewed"
