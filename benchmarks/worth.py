"""``python -m benchmarks.worth``: what the default order is worth where answers are learned by what they hold.

Each set is made here, the same every time; its order and random order learn from the same first labels, and are
measured on a third that neither may label. Finished runs are kept in ``.cache/worth`` and never done twice.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.finished import runs_in
from benchmarks.kinds import png_of
from benchmarks.page import write_table
from nextlabel.labeling import Input
from nextlabel.options import ProjectOptions
from nextlabel.simulate import LabeledData, load, simulate
from nextlabel.simulate.figures import labels_to, mean_of
from nextlabel.simulate.runs import Curve

RUNS = Path(__file__).resolve().parent.parent / ".cache" / "worth"
DEFAULT, RANDOM = ProjectOptions().strategy, "random"
_BATCH, _SHARE, _TESTED = 25, 0.9, 1_000


@dataclass(frozen=True, slots=True)
class Set:
    """A set, its metric, how many labels are spent, and the labels that are rare in it."""

    name: str
    make: Callable[[], LabeledData]
    metric: str
    budget: int
    rare: tuple[str, ...] = ()


def canvases() -> LabeledData:
    """3,000 pictures of 112 × 112 pixels with one to four digits anywhere in them; 8 and 9 are on 2 % each."""
    digits = load("mnist_5k")
    assert digits.numbers is not None  # noqa: S101 - a set of numbers
    shapes, of = digits.numbers.reshape(-1, 28, 28).astype(np.uint8), np.array(digits.labels)
    draw = np.random.default_rng(0)
    rows, rare = 3_000, {digit: set(draw.choice(3_000, 60, replace=False).tolist()) for digit in ("8", "9")}
    records, labels = [], []
    for row in range(rows):
        held = draw.choice(list("01234567"), draw.integers(1, 5)).tolist()
        for digit, places in rare.items():
            if row in places:
                held[draw.integers(len(held))] = digit
        records.append(
            {"image": png_of(_canvas([shapes[draw.choice(np.flatnonzero(of == one))] for one in held], draw))}
        )
        labels.append(tuple(sorted(set(held))))
    return _held_out(
        LabeledData("canvases", tuple(labels), records=tuple(records), read=(Input("image", "image"),), kind="choices")
    )


def _canvas(shapes: Sequence[NDArray[np.uint8]], draw: np.random.Generator) -> NDArray[np.uint8]:
    """Each shape somewhere in a cell of its own."""
    canvas = np.zeros((112, 112), dtype=np.uint8)
    for shape, cell in zip(shapes, draw.permutation(9), strict=False):
        down, across = 37 * np.array(divmod(int(cell), 3)) + draw.integers(9, size=2)
        canvas[down : down + 28, across : across + 28] = shape
    return canvas


def _held_out(data: LabeledData) -> LabeledData:
    """The last rows are tested on."""
    rows = np.arange(len(data))
    return replace(data.part(rows[:-_TESTED]), test=data.part(rows[-_TESTED:]))


SETS = (Set("canvases", canvases, "macro_f1", 500, rare=("8", "9")),)
HEADING = (
    "set",
    "metric",
    "seeds",
    "all labels",
    "random, mean",
    "order, mean",
    "gain",
    f"labels to {_SHARE:.0%} of all, order ÷ random",
    "rare ones found, order : random",
)


def run(one: Set, *, seeds: int, workers: int) -> None:
    """Do what is not in the set's file yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few labels
        simulate(
            one.make(),
            [DEFAULT, RANDOM],
            budget=one.budget,
            batch=_BATCH,
            initial=_BATCH,
            seeds=seeds,
            metric=one.metric,
            workers=workers,
            resume=_file(one),
        )


def _file(one: Set) -> Path:
    return RUNS / f"{one.name}.jsonl"


def row(one: Set) -> str | None:
    """The set's row of the table; None without two seeds that both orders have finished."""
    curves, full = runs_in(_file(one))
    ours, random = ({curve.seed: curve for curve in curves.get(name, [])} for name in (DEFAULT, RANDOM))
    seeds = sorted(ours.keys() & random.keys())
    if len(seeds) < 2 or not full:
        return None
    everything = float(np.mean(list(full.values())))
    means = [[float(np.mean(curves_of[seed].scores)) for seed in seeds] for curves_of in (ours, random)]
    gain = mean_of([mine - others for mine, others in zip(*means, strict=True)])
    ends = [[_to_line(found[seed], _SHARE * everything) for seed in seeds] for found in (ours, random)]
    truth = one.make().labels if one.rare else ()
    rare = [np.mean([_found(found[seed], truth, one.rare) for seed in seeds]) for found in (ours, random)]
    cells = [
        one.name,
        one.metric.replace("macro_f1", "macro-F1"),
        str(len(seeds)),
        f"{everything:.3f}",
        f"{np.mean(means[1]):.3f}",
        f"{np.mean(means[0]):.3f}",
        f"{gain.value:+.3f} ± {gain.error or 0:.3f}",
        f"{sum(ends[0]) / sum(ends[1]):.0%}",
        f"{rare[0]:.0%} : {rare[1]:.0%}" if one.rare else "–",
    ]
    return f"| {' | '.join(cells)} |"


def _to_line(curve: Curve, line: float) -> int:
    """Labels until it is reached; all that were spent where it is not."""
    return labels_to(curve, line) or curve.labels[-1]


def _found(curve: Curve, truth: Sequence[object], rare: Sequence[str]) -> float:
    """The share of all rows with a rare label that are among those labeled."""
    holds = np.array([bool(set(rare) & set(labels)) for labels in truth if isinstance(labels, tuple)])
    return float(holds[list(curve.rows)].sum() / max(holds.sum(), 1))


def main() -> None:
    """Run what is asked for, and write the table of all that is finished."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worth", description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"any of {', '.join(one.name for one in SETS)} [all]")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    os.nice(10)
    RUNS.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True, highlight=False)
    for one in (one for one in SETS if one.name in given.sets or not given.sets):
        run(one, seeds=given.seeds, workers=given.workers)
        console.print(row(one) or "", soft_wrap=True)
    write_table("worth", HEADING, [line for one in SETS if (line := row(one))])


if __name__ == "__main__":
    main()
