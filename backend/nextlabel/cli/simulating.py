"""`nextlabel simulate`: how many labels would a strategy have saved on these data?"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from nextlabel.errors import SettingsError
from nextlabel.features.model_folders import Embeddings
from nextlabel.settings import Settings
from nextlabel.strategies import finding

if TYPE_CHECKING:
    from nextlabel.simulate import LabeledData, Results

_MOST_COLUMNS = 12
_WIDE = 150  # where nobody is looking, so that a table in a file is not folded


@click.command()
@click.argument("data")
@click.option("--strategy", "strategies", multiple=True, metavar="SPEC", help="Repeat to compare [adaptive, random].")
@click.option("--budget", type=click.IntRange(1), help="Labels in all, the first ones included [500, or all].")
@click.option("--batch", type=click.IntRange(1), default=10, show_default=True, help="Labels between two trainings.")
@click.option("--initial", type=click.IntRange(1), help="Labels before a strategy is asked [one batch].")
@click.option(
    "--cold-start",
    type=click.Choice(["diverse", "random", "stratified"]),
    default="diverse",
    show_default=True,
    help="How the first labels are chosen, the same for every strategy.",
)
@click.option("--seeds", type=click.IntRange(1), default=10, show_default=True, help="Repetitions of each strategy.")
@click.option(
    "--metric",
    metavar="NAME",
    help="accuracy or macro_f1 of a single choice, micro_f1 or all_right of several labels, correlation of a number, "
    "f1 of spans, kendall_tau of orders [the first that suits the labels]. It also says what labels are that could be "
    "read otherwise.",
)
@click.option("--test", type=click.Path(path_type=Path), help="A file of the same kind to be tested on.")
@click.option(
    "--test-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.3,
    show_default=True,
    help="The share that each seed splits off for testing, where the data has no test set.",
)
@click.option("--label", metavar="COLUMN", help="The column of the label [label, class, …, or the last one].")
@click.option("--text", metavar="COLUMN", help="The column of the text or picture [text, body, …, or the longest].")
@click.option("--features", metavar="A,B,…", help="The columns of numbers [all, where there is no text].")
@click.option("--estimator", metavar="DOTTED.PATH", help="A scikit-learn classifier [the service's own model].")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Runs at the same time.")
@click.option("--resume", type=click.Path(path_type=Path), help="Keep finished runs in this file, and go on from it.")
@click.option("--plot", type=click.Path(path_type=Path), help="Write the curves as PNG, SVG or PDF.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write everything as JSON; - is standard output.")
def simulate(
    data: str,
    strategies: tuple[str, ...],
    test: Path | None,
    label: str | None,
    text: str | None,
    features: str | None,
    estimator: str | None,
    metric: str | None,
    plot: Path | None,
    json_path: str | None,
    **settings: Any,
) -> None:
    """Active learning on DATA, whose labels are known, instead of on people.

    DATA is a CSV, TSV, JSONL, JSON or Parquet file, an export of Label Studio (JSON, JSON_MIN, CSV, TSV), or a name:
    digits, iris, wine, breast_cancer, spam, mnist_5k, reuters-r8, reuters-r52, 20newsgroups, keel:heart, …
    """
    from nextlabel import simulate as simulation  # noqa: PLC0415 - scikit-learn, which no other command needs at once

    service = Settings.from_env(os.environ)
    finding.use_folder(service.strategies_folder)
    finding.allow((), every=True)
    _check_outputs(plot, json_path)
    kind = simulation.kind_measured_by(metric) if metric else None
    columns = tuple(name.strip() for name in features.split(",")) if features else ()
    labeled = simulation.load(data, text=text, label=label, features=columns, test=test, kind=kind)
    _report(labeled)
    results = simulation.simulate(
        labeled,
        strategies or ("adaptive", "random"),
        estimator=_estimator(estimator) if estimator else None,
        metric=metric,
        embeddings=Embeddings.of(service),
        **settings,
    )
    _show(results, plot, json_path)


def _check_outputs(plot: Path | None, json_path: str | None) -> None:
    """Say what cannot be written before hours of work, not after."""
    if plot is not None:
        from nextlabel.simulate.plot import check_plot  # noqa: PLC0415

        check_plot(plot)
    if json_path and Path(json_path).is_dir():
        raise SettingsError(f"{json_path} is a folder: give a file to write the JSON into.")
    if json_path and json_path != "-" and not Path(json_path).parent.is_dir():
        raise SettingsError(f"There is no folder {Path(json_path).parent} to write the JSON into: make it first.")


def _report(data: LabeledData) -> None:
    test = f", {len(data.test)} more to be tested on" if data.test else ""
    console = Console(stderr=True, highlight=False)
    console.print(f"{data.name}: {len(data)} {data.rows}, {data.learned}{test}", markup=False)
    if data.label:
        inputs = ", ".join(f"'{name}'" for name in data.inputs[:_MOST_COLUMNS])
        more = f" and {len(data.inputs) - _MOST_COLUMNS} more" if len(data.inputs) > _MOST_COLUMNS else ""
        console.print(f"The label is the column '{data.label}', learned from {inputs}{more}.", markup=False)
    if data.left_out:
        console.print(f"{data.left_out} rows without a label were left out.")
    if data.licence:
        console.print(f"Licence of the data: {data.licence}.", markup=False)


def _estimator(path: str) -> Any:
    """A scikit-learn classifier by its dotted path. Raises `SettingsError` saying why it is none."""
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
        return found() if isinstance(found, type) else found
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise SettingsError(
            f"The estimator {path!r} cannot be had ({error}): give a dotted path such as sklearn.svm.SVC."
        ) from error


def _show(results: Results, plot: Path | None, json_path: str | None) -> None:
    if json_path == "-":
        click.echo(results.to_json())
    else:
        console = Console()
        Console(width=None if console.is_terminal else _WIDE).print(results.table())
    if json_path and json_path != "-":
        Path(json_path).write_text(results.to_json() + "\n", encoding="utf-8")
    if plot is not None:
        results.plot(plot)


COMMANDS = (simulate,)
