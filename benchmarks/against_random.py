"""Labeled sets in the default order and in random order: what is not finished is run, what is goes into a table."""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from rich.console import Console

from benchmarks.finished import runs_in
from benchmarks.page import read_table, write_table
from nextlabel.options import ProjectOptions
from nextlabel.simulate import LabeledData, simulate
from nextlabel.simulate.runs import Curve

CACHE = Path(__file__).resolve().parent.parent / ".cache"
DEFAULT, RANDOM = ProjectOptions().strategy, "random"


class Named(Protocol):
    """A set."""

    @property
    def name(self) -> str: ...


One = TypeVar("One", bound=Named)


class Pair(NamedTuple):
    """The curves of both orders by seed, in the same sequence, and each seed's score with all labels."""

    ours: Sequence[Curve]
    random: Sequence[Curve]
    full: dict[int, float]


def run(data: LabeledData, strategies: Sequence[str], file: Path, **how: Any) -> None:
    """Do what is not in the file yet; ``how`` is for `simulate`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # collinear columns, few labels
        simulate(data, strategies, resume=file, **how)


def finished(ours: Path, random: Path, *, one_test_set: bool) -> Pair | None:
    """The seeds that both orders have finished; None without two of them.

    With ``one_test_set``, which belongs to the data, there is one score with all labels, whatever the seed.
    """
    (curves, full), (others, more) = runs_in(ours), runs_in(random)
    mine = {curve.seed: curve for curve in curves.get(DEFAULT, [])}
    theirs = {curve.seed: curve for curve in others.get(RANDOM, [])}
    seeds, scores = mine.keys() & theirs.keys(), full | more
    if one_test_set and 0 in scores:
        scores = dict.fromkeys(seeds, scores[0])
    done = sorted(seeds & scores.keys())
    return Pair([mine[n] for n in done], [theirs[n] for n in done], scores) if len(done) > 1 else None


def main(
    name: str,
    about: str | None,
    heading: Sequence[str],
    sets: Sequence[One],
    do: Callable[[One, int | None, int], None],
    row: Callable[[One], str | None],
) -> None:
    """Run what the command line asks for, and write the table of all that is finished; other rows stay as they are.

    ``do`` is given a set, how many seeds (None: the set's own number) and how many workers.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    parser.add_argument("sets", nargs="*", help=f"any of {', '.join(one.name for one in sets)} [all]")
    parser.add_argument("--seeds", type=int, help="instead of each set's own number")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="only write the table of what is finished")
    given = parser.parse_args()
    os.nice(5)
    console = Console(stderr=True, highlight=False)
    for one in () if given.table else (one for one in sets if one.name in given.sets or not given.sets):
        do(one, given.seeds, given.workers)
        console.print(row(one) or "", soft_wrap=True)
    before = {cells[0]: f"| {' | '.join(cells)} |" for cells in read_table(name)}
    lines = [row(one) or before.get(one.name.removeprefix("keel:")) for one in sets]
    write_table(name, heading, [line for line in lines if line])
