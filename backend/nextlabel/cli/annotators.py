"""`nextlabel annotators`: who labeled what, how far people agree, and whose labels got worse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nextlabel.cli.context import chosen, look_into, read_settings
from nextlabel.cli.escaping import printable
from nextlabel.evaluation.accuracy import in_words
from nextlabel.evaluation.drifting import DRIFT_FROM
from nextlabel.evaluation.given import FEWEST_SHARED
from nextlabel.evaluation.intervals import Interval
from nextlabel.evaluation.people import Agreement, Drift, Standing
from nextlabel.labeling import counted
from nextlabel.service.annotators import AnnotatorsReport, Person

_PAIRS = 10  # that are shown


@click.command()
@click.option("--project", required=True, help="The project's id.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.option("--without-names", is_flag=True, help="Pseudonyms in place of accounts, to be shown to others.")
def annotators(project: str, as_json: bool, without_names: bool) -> None:
    """Who labeled what, how far people agree on the tasks that several of them labeled, and whose labels got worse."""
    parts = look_into(read_settings())
    report = parts.annotators.report(chosen(parts, project).project, names=not without_names)
    if as_json:
        click.echo(json.dumps(asdict(report)))
        return
    for line in (*_agreement(report), *_noticed(report)):
        click.echo(printable(line))
    if report.people:
        Console().print(_table(report))


def _agreement(report: AnnotatorsReport) -> Iterator[str]:
    for one in report.agreement:
        alpha = f"{one.scale} alpha {one.alpha.value:.2f} ({one.alpha.low:.2f} to {one.alpha.high:.2f})"
        ac1 = "" if one.ac1 is None else f", AC1 {one.ac1:.2f}"
        yield f"{one.target}: {alpha}{ac1}, on {counted(one.shared, 'task')} that several people labeled"
        yield from _pairs(one)
        if one.unsettled:
            tasks = ", ".join(task.task for task in one.unsettled)
            yield f"{one.target}: people differ most on {tasks}: have them labeled once more"
    for target, shared in report.too_few.items():
        yield (
            f"{target}: {counted(shared, 'task')} that several people labeled; agreement is shown from "
            f"{FEWEST_SHARED} on. Have some tasks labeled twice."
        )
    if report.unknown:
        yield f"{counted(report.unknown, 'annotation')} without an account: the tool does not tell who gave them"
    if not report.people and not report.unknown:
        yield "nobody has labeled anything yet"


def _pairs(one: Agreement) -> Iterator[str]:
    for pair in one.pairs[:_PAIRS]:
        kappa = "one label only" if pair.kappa is None else f"kappa {pair.kappa:.2f}"
        yield f"{one.target}: {pair.one} and {pair.other}: {kappa}, on {counted(pair.shared, 'task')} of both"


def _noticed(report: AnnotatorsReport) -> Iterator[str]:
    """What somebody should be asked about, and what cannot be known yet."""
    standings = [(who.account, target, one) for who in report.people for target, one in who.targets.items()]
    for account, target, one in standings:
        if one.drift is not None and one.drift.since is not None:
            yield f"{target}: the labels of {account} became worse: {_fall(one.drift)}"
        if one.low and one.quality is not None:
            yield f"{target}: fewer labels of {account} are right than of the others: {_share(one.quality)}"
    for target in dict.fromkeys(target for _, target, one in standings if one.drift is not None):
        needed = [
            f"{account} {one.drift.needed}"
            for account, of, one in standings
            if of == target and one.drift is not None and one.drift.needed
        ]
        if needed:
            yield (
                f"{target}: whether labels became worse is known from {DRIFT_FROM} labels on, of tasks that three "
                f"people label; still needed: {', '.join(needed)}"
            )


def _fall(one: Drift) -> str:
    since = (one.since or "")[:16].replace("T", " ")
    return f"{one.after:.0%} are what the others say since {since}, {one.before:.0%} were before"


def _table(report: AnnotatorsReport) -> Table:
    table = Table("account", "tasks", "median seconds", "agrees with others", "labels that are right", "longest run")
    for one in report.people:
        seconds = "unknown" if one.seconds is None else f"{one.seconds:.0f}"
        cells = ["\n".join(cell) for cell in zip(*(_cells(one, *of) for of in one.targets.items()), strict=True)]
        row = (one.account, f"{one.tasks:,}", seconds, *(cells or ["", ""]), str(one.longest_run))
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _cells(person: Person, target: str, one: Standing) -> Iterator[str]:
    before = f"{target}: " if len(person.targets) > 1 else ""
    model = "" if one.blind is None else f"; blind, with the model {_share(one.blind)}"
    on = f"on {counted(one.shared, 'shared task')}"
    if one.with_others is None:
        yield from (f"{before}too few tasks, {on}{model}", "")
        return
    together = "" if one.with_consensus is None else f"; with all together {_share(one.with_consensus)}"
    yield f"{before}{_share(one.with_others)}, {on}{together}{model}"
    yield before + ("unknown" if one.quality is None else _share(one.quality))


def _share(one: Interval) -> str:
    return in_words(one.value, one.low, one.high)
