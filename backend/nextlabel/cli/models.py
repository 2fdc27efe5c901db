"""`nextlabel models`: the versions of a project, and which of them serves."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nextlabel.cli.context import chosen, look_into, read_settings, wired
from nextlabel.cli.escaping import printable
from nextlabel.evaluation import accuracy, agreement, sanity
from nextlabel.evaluation.sanity import Check
from nextlabel.labeling import ProjectId, counted
from nextlabel.ports.state import ModelRecord
from nextlabel.service.versions import Versions, values_of

_project = click.option("--project", required=True, help="The project's id.")
_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
_MOST_LISTED = 20


@click.group()
def models() -> None:
    """The versions of a project: list and show them, and choose which one serves."""


@models.command("list")
@_project
@_json
def list_(project: str, as_json: bool) -> None:
    """The newest versions, and what became of each."""
    found = _read(project, lambda versions, project: versions.all(project))
    if as_json:
        click.echo(json.dumps([values_of(one) for one in found]))
        return
    if not found:
        sentence = f"Project {project} has no version yet: label some tasks; `nextlabel status` says what is learned."
        click.echo(printable(sentence))
        return
    table = Table("version", "state", "labels", "accuracy", "why")
    for one in found[:_MOST_LISTED]:
        rows = (one.version, _state(one), str(one.labels), _accuracy(one), one.reason)
        table.add_row(*(Text(printable(row)) for row in rows))
    Console().print(table)
    if len(found) > _MOST_LISTED:
        click.echo(f"{counted(len(found), 'version')} in all: --json has them.")


@models.command()
@_project
@click.argument("version")
@_json
def show(project: str, version: str, as_json: bool) -> None:
    """All that is known of a version."""
    found = _read(project, lambda versions, project: versions.one(project, version))
    if as_json:
        click.echo(json.dumps(values_of(found)))
        return
    for name, value in values_of(found).items():
        click.echo(printable(f"{name:<26} {json.dumps(value) if isinstance(value, dict) else value}"))


@models.command()
@_project
@click.argument("version")
@_json
def promote(project: str, version: str, as_json: bool) -> None:
    """Have VERSION serve, and the queue be in its order, until you choose another or release it."""
    _decided(project, lambda versions, project: versions.promote(project, version), as_json)


@models.command()
@_project
@_json
def rollback(project: str, as_json: bool) -> None:
    """Have the version serve that did before the one in service, until you choose another or release it."""
    _decided(project, lambda versions, project: versions.rollback(project), as_json)


@models.command()
@_project
@_json
def release(project: str, as_json: bool) -> None:
    """Let new versions serve again, after promote or rollback."""
    _decided(project, lambda versions, project: versions.release(project), as_json)


@click.command()
@_project
@_json
def check(project: str, as_json: bool) -> None:
    """The sanity checks of the newest version. The exit code is 1 where one of those that stop a version failed."""
    versions = _read(project, lambda versions, project: versions.all(project))
    found = list(sanity.of_figures(versions[0].metrics)) if versions else []
    if as_json:
        values = [asdict(one) | {"limit": one.limit, "stops": one.stops, "passed": one.passed} for one in found]
        click.echo(json.dumps({"version": versions[0].version if versions else None, "checks": values}))
    else:
        _print_checks(versions[0].version if versions else "no version yet", found)
    sys.exit(0 if all(one.passed or not one.stops for one in found) else 1)


def _print_checks(version: str, checks: Sequence[Check]) -> None:
    table = Table("target", "check", "figure", "limit", "", title=version)
    for one in checks:
        word = "" if one.passed else f"{'stops it' if one.stops else 'look into it'}: {one.sentence}"
        row = (one.target, one.name, f"{one.figure:.3g}", f"{one.limit:.3g}", word)
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console().print(table)


def _decided(project: str, decide: Callable[[Versions, ProjectId], str], as_json: bool) -> None:
    """Tell what came of it, and which version serves now."""

    def decided(versions: Versions, project: ProjectId) -> dict[str, Any]:
        sentence = decide(versions, project)
        serving = next((one for one in versions.all(project) if one.state == "in_service"), None)
        chosen_by_person = bool(serving and serving.chosen)
        return {
            "project": project,
            "serving": serving and serving.version,
            "chosen": chosen_by_person,
            "sentence": sentence,
        }

    with wired(read_settings()) as parts:
        found = decided(parts.versions, chosen(parts, project).project)
    click.echo(json.dumps(found) if as_json else printable(found["sentence"]))


def _read(project: str, read: Callable[[Versions, ProjectId], Any]) -> Any:
    parts = look_into(read_settings())
    return read(parts.versions, chosen(parts, project).project)


def _state(one: ModelRecord) -> str:
    marks = [name for name, is_so in (("chosen by a person", one.chosen), ("anchor", one.anchor)) if is_so]
    return ", ".join([one.state.replace("_", " "), *marks])


def _accuracy(one: ModelRecord) -> str:
    found, several = accuracy.of_version(one.metrics), agreement.of_several(agreement.named(one.metrics))
    return "\n".join(
        f"{f'{target}: ' if several else ''}{accuracy.in_words(share.value, share.low, share.high)}"
        for target, share in found.items()
    )
