"""`nextlabel doctor`: what is wrong, why, and what to do; with --mend what nextlabel can do is done."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click

from nextlabel.cli.connecting import Report
from nextlabel.cli.context import chosen, look_into, read_settings
from nextlabel.cli.escaping import printable
from nextlabel.errors import NextlabelError, StorageError
from nextlabel.service.doctor import Doctor, Symptom, of_storage, stopped
from nextlabel.service.health import without_database

_MARKS = {"problem": ("✗", "red"), "warning": ("!", "yellow")}


@click.command()
@click.option("--project", help="Only this project, beside the installation.")
@click.option("--mend", is_flag=True, help="Do what can be done without you.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def doctor(project: str | None, mend: bool, as_json: bool) -> None:
    """What is wrong with the installation and its projects, why, and what to do. Looking changes nothing.

    The exit code is 1 where there is a problem; warnings are none.
    """
    settings = read_settings()
    mended: list[dict[str, str]] = []
    try:
        parts = look_into(settings)
        found = list(parts.doctor.examine(chosen(parts, project).project if project else None))
    except StorageError as error:
        found = [of_storage(error), *(stopped(one) for one in without_database(settings) if one.runs is False)]
    if not as_json:
        _print(found)
    if mend and any(one.mend for one in found):
        mended = list(_mended(parts.doctor, found, Report(as_json)))
    if as_json:
        symptoms = [asdict(one) | {"mend": one.remedy} for one in found]
        click.echo(json.dumps({"healthy": not found, "symptoms": symptoms, "mended": mended}))
    sys.exit(1 if any(one.level == "problem" for one in found) else 0)


def _print(found: Sequence[Symptom]) -> None:
    for one in found:
        mark, colour = _MARKS[one.level]
        by_itself = f" (`nextlabel doctor --mend` can {one.remedy})" if one.remedy else ""
        click.echo(f"{click.style(mark, fg=colour)} {printable(one.message + by_itself)}")
    if not found:
        click.echo("All is well.")


def _mended(doctor: Doctor, found: Sequence[Symptom], report: Report) -> Iterator[dict[str, str]]:
    """Each thing once, however many symptoms call for it."""
    for one in {(one.project, one.mend): one for one in found if one.mend}.values():
        try:
            doctor.mend(one, report)
            outcome = "done"
        except NextlabelError as error:
            outcome = str(error)
        report.console.print(
            f"Project {one.project}: {one.remedy}: {printable(outcome)}", markup=False, highlight=False
        )
        yield {"project": str(one.project), "mend": one.remedy, "outcome": outcome}
