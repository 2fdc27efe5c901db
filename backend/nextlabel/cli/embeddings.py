"""`nextlabel embeddings`: ready-made models for texts and pictures, listed, downloaded and measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nextlabel.cli.context import chosen, look_into, read_settings
from nextlabel.cli.escaping import printable
from nextlabel.errors import SettingsError
from nextlabel.features.model_folders import Embeddings, ModelName
from nextlabel.features.text import read_text
from nextlabel.labeling import LabelSchema, Task
from nextlabel.settings import Settings

_MOST_READ = 1000  # texts of a project that are read to see how long they take
_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


@click.group(invoke_without_command=True)
@_json
@click.pass_context
def embeddings(context: click.Context, as_json: bool) -> None:
    """Ready-made models that read texts and pictures: which there are, and which is used.

    NEXTLABEL_EMBEDDINGS and NEXTLABEL_IMAGE_EMBEDDINGS name one each: a folder, or a model of the hub by its name, once
    `nextlabel embeddings download` has fetched it. Nothing else downloads anything.
    """
    if context.invoked_subcommand is None:
        from nextlabel.service.embeddings import listed  # noqa: PLC0415 - scikit-learn, which a download does not need

        found = [asdict(one) for one in listed(read_settings())]
        click.echo(json.dumps(found)) if as_json else _show(found)


def _show(found: list[dict[str, Any]]) -> None:
    table = Table("name", "kind", "MB", "languages", "licence", "here", "used for", "worth", title_justify="left")
    for one in found:
        here = one["revision"][:8] or ("a folder" if one["folder"] else "")
        cells = [one["name"], one["kind"], str(one["megabytes"] or ""), one["languages"], one["licence"], here]
        table.add_row(*(escape(printable(cell)) for cell in (*cells, one["used_for"], one["worth"])))
    console = Console()
    Console(width=None if console.is_terminal else 200).print(table)


@embeddings.command()
@click.argument("name")
@click.option("--file", default="", metavar="PATH", help="The model among several in the repository.")
@_json
def download(name: str, file: str, as_json: bool) -> None:
    """Fetch the model NAME of the hub, owner/name or owner/name@revision, into NEXTLABEL_HOME.

    Only a tokenizer, one *.onnx or *.safetensors, and small settings beside it are fetched, each checked against the
    digest that the hub has of it; 2 GB at most.
    """
    from nextlabel.service import downloading  # noqa: PLC0415

    settings, model = read_settings(), _named(name)
    with _bar(name, DownloadColumn(), shown=not as_json) as progress:
        about = downloading.download(model, settings.embeddings_folder, file=file, progress=progress)
    if as_json:
        click.echo(json.dumps(asdict(about)))
        return
    variable = "NEXTLABEL_IMAGE_EMBEDDINGS" if about.kind == "image" else "NEXTLABEL_EMBEDDINGS"
    click.echo(
        printable(
            f"{model} ({about.kind}, {about.bytes / 1e6:.0f} MB, licence: {about.licence}) is in "
            f"{model.folder(settings.embeddings_folder)}, revision {about.revision}. Set {variable}={model} to use it."
        )
    )


def _named(name: str) -> ModelName:
    model = ModelName.read(name)
    if model is None:
        raise SettingsError(f"{name!r} is no name of a model: it must be owner/name, or owner/name@revision.")
    return model


@embeddings.command()
@click.argument("name", required=False)
@click.option("--project", help="Also what it is worth on this project's own labels.")
@_json
def measure(name: str | None, project: str | None, as_json: bool) -> None:
    """How quick the model NAME is here, a name or a folder [what NEXTLABEL_EMBEDDINGS names].

    With --project the figures of its targets without the model and with it: each label is predicted by a model that has
    not seen it. The project's texts or pictures are encoded for that, which may take minutes; the vectors are kept.
    """
    from nextlabel.service import embeddings as measuring  # noqa: PLC0415 - scikit-learn

    settings = read_settings()
    setting = name or settings.embeddings or settings.image_embeddings
    if not setting:
        raise SettingsError("Which model? Name one, or set NEXTLABEL_EMBEDDINGS or NEXTLABEL_IMAGE_EMBEDDINGS.")
    folder = Embeddings.of(settings).folder(setting)
    if project is None:
        _tell(setting, asdict(measuring.speed(folder)), None, as_json=as_json)
    else:
        _measure_on(project, settings, setting, folder, as_json=as_json)


def _measure_on(project: str, settings: Settings, setting: str, folder: Path, *, as_json: bool) -> None:
    from nextlabel.service import embeddings as measuring  # noqa: PLC0415 - scikit-learn

    parts = look_into(settings)
    connection = chosen(parts, project)
    schema = parts.open_connector(connection).label_schema()
    labeled, still_open = parts.store.labeled(connection.project), parts.store.open(connection.project)
    speed = measuring.speed(folder, _texts(schema, [*labeled.tasks, *still_open][:_MOST_READ]))
    both = measuring.instead(Embeddings.of(settings), setting, speed.kind)
    with _bar("encoding", MofNCompleteColumn(), shown=not as_json) as progress:
        source = replace(parts.sources.at_once(connection.project), progress=progress)
        worth = measuring.worth(schema, labeled, still_open, source, *both)
    _tell(setting, asdict(speed), asdict(worth), as_json=as_json)


def _texts(schema: LabelSchema, tasks: list[Task]) -> list[str]:
    fields = [one.field for target in schema.targets for one in target.inputs if one.kind == "text"]
    return [text for task in tasks if (text := read_text(task.data, fields))] if fields else []


def _tell(setting: str, speed: Mapping[str, Any], worth: Mapping[str, Any] | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"model": setting, **speed, "worth": worth}))
        return
    of = "pictures" if speed["kind"] == "image" else "texts"
    click.echo(
        printable(f"{setting} ({speed['kind']}): {speed['per_second']:,.0f} {of} a second, {speed['columns']} columns.")
    )
    if worth:
        plain = "plain features" if speed["kind"] == "image" else "words alone"
        table = Table("figure", plain, "with the model", title=f"{worth['labels']} labels, each held out once")
        for figure, value in worth["without"].items():
            if figure.rpartition(".")[2] != "labels":
                table.add_row(escape(printable(figure)), f"{value:.3f}", f"{worth['with_model'].get(figure, 0):.3f}")
        Console().print(table)


@contextmanager
def _bar(what: str, amount: Any, *, shown: bool) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task(escape(printable(what)), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
