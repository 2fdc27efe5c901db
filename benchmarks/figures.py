"""Figures, the table they are printed in, and the summaries they are made from."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure: the value, the least and the most seen over the repeats, and what was aimed at."""

    group: str
    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    aim: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        return None if self.aim is None else self.value <= self.aim


def over_repeats(group: str, name: str, values: Sequence[float], unit: str, **more: object) -> Figure:
    """The median of several repeats, with their least and most."""
    return Figure(group, name, float(np.median(values)), unit, min(values), max(values), **more)  # type: ignore[arg-type]


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile (100: the most)."""
    return float(np.percentile(values, q))


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """The seconds since the block began; they stand still once it has ended."""
    start, end = time.perf_counter(), None

    def seconds() -> float:
        return (time.perf_counter() if end is None else end) - start

    yield seconds
    end = time.perf_counter()


def load() -> str:
    """How busy the machine is, as far as it tells."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def print_table(figures: Sequence[Figure], console: Console) -> None:
    """The figures beside their aims; nothing is asserted."""
    table = Table(title="nextlabel, measured", title_justify="left")
    for heading in ("", "what", "figure", "min - max", "aim", "note"):
        table.add_column(heading, justify="right" if heading in ("figure", "min - max", "aim") else "left")
    group = ""
    for figure in figures:
        if figure.group != group:
            table.add_section()
        spread = "" if figure.low is None or figure.high is None else f"{_number(figure.low)} - {_number(figure.high)}"
        aim = "" if figure.aim is None else f"{'[green]✓' if figure.reached else '[red]✗'} ≤ {figure.aim:g}[/]"
        shown = figure.group if figure.group != group else ""
        table.add_row(shown, figure.name, f"{_number(figure.value)} {figure.unit}", spread, aim, figure.note)
        group = figure.group
    console.print(table)


def _number(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
