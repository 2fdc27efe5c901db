"""``python -m benchmarks.scale [SIZE,…]``: the loop on pools of any size, against the first; writes docs/benchmarks.md.

Every turn is taken by a new process, as RQ forks one for each job: its peak of memory is its own, and nothing is kept
from the turn before but what is on disk.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from scipy.sparse import csr_matrix

from benchmarks.figures import load, stopwatch
from benchmarks.mails import short_texts
from benchmarks.page import write_table
from benchmarks.pool import PoolTool
from benchmarks.processes import parts_of, temporary_home
from nextlabel.features.source import Source
from nextlabel.labeling import ProjectId
from nextlabel.loop.turn import ActiveLearning
from nextlabel.ports.tool import ToolAccess
from nextlabel.service.memory import spare_what_stays
from nextlabel.storage.model_store import preload
from nextlabel.strategies import finding
from nextlabel.testing import connection_to
from nextlabel.wiring import Parts

PROJECT = ProjectId("1")
CLASSES = (2, 20)
LABELS = (200, 2_000)
_NEW, _ROUNDS = 20, 3


@dataclass(slots=True)
class Turn:
    """Seconds of a turn, those that the processor was at work on it, and those of each of its steps; the peaks of its
    memory in MB, and bytes written to the tool.

    ``peak`` has mapped files in it, which go when memory runs short; ``own`` has not. ``next`` are the tasks that
    annotators get next.
    """

    seconds: float = 0.0
    busy: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)
    peak: float = 0.0
    own: float = 0.0
    written: int = 0
    next: Sequence[int] = ()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("sizes", nargs="?", default="10000,100000", metavar="SIZES", help="how many tasks: %(default)s")
    sizes = [int(size) for size in parser.parse_args().sizes.split(",")]
    console, before = Console(stderr=True), load()
    figures: dict[str, list[float]] = defaultdict(list)
    for size in sizes:
        for classes in CLASSES:
            for name, figure in measured(size, classes):
                figures[name].append(figure)
                console.print(f"[dim]{size:>9,} tasks, {name}: {figure:,.2f}[/]", highlight=False)
    heading = ["", *(f"{size:,} tasks" for size in sizes)]
    rows = [f"| {name} | {' | '.join(_cells(each))} |" for name, each in figures.items()]
    print("\n".join([" | ".join(heading), *rows]))
    print(f"At the start: {before}; at the end: {load()}.")
    write_table("scale", heading, rows)


def _cells(figures: Sequence[float]) -> list[str]:
    """Figures, and how many times the first of them each of the others is."""
    first, *others = figures
    return [_number(first), *(f"{_number(one)} ({one / first:.1f}×)" for one in others)]


def _number(figure: float) -> str:
    return f"{figure:.2f}" if figure < 10 else f"{figure:,.0f}"


def measured(size: int, classes: int) -> Iterator[tuple[str, float]]:
    """The first turn; then, at each number of labels, turns after `_NEW` more."""
    with temporary_home() as home:
        labeled: list[int] = []
        first = _apart(home, size, classes, labeled)
        if classes == CLASSES[0]:
            yield "first pull, s", first.steps["sync"]
            yield "first features, s", first.steps["features"]
            yield "first order, s", first.seconds - first.steps["sync"] - first.steps["features"]
            yield "first turn: processor time, s", first.busy
            yield from _memory("first turn", [first])
        drawn = np.random.default_rng(0).permutation(np.arange(1, size + 1)).tolist()
        for labels in LABELS:
            known = set(labeled)
            labeled += [n for n in drawn if n not in known][: labels - len(labeled)]
            turns = [_apart(home, size, classes, labeled)]
            for _ in range(_ROUNDS):
                labeled += turns[-1].next
                turns.append(_apart(home, size, classes, labeled))
            yield from _rounds(f"{labels:,} labels of {classes} classes", turns[1:])


def _rounds(name: str, turns: Sequence[Turn]) -> Iterator[tuple[str, float]]:
    """The median of the turns, with its steps."""
    middle = sorted(turns, key=lambda turn: turn.seconds)[len(turns) // 2]
    yield f"**{name}: a round after {_NEW} more, s**", middle.seconds
    for step in ("sync", "prepare", "features", "fit", "rank", "reorder"):
        yield f"{name}: of it {step}, s", middle.steps.get(step, 0.0)
    yield f"{name}: processor time, s", middle.busy
    yield from _memory(name, turns)
    yield f"{name}: written to the tool, kB", middle.written / 1000


def _memory(name: str, turns: Sequence[Turn]) -> Iterator[tuple[str, float]]:
    yield f"{name}: peak of memory, MB", max(turn.peak for turn in turns)
    yield f"{name}: the same without mapped files, MB", max(turn.own for turn in turns)


def _apart(home: Path, size: int, classes: int, labeled: Sequence[int]) -> Turn:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_turn, home, size, classes, list(labeled)).result()


def _turn(home: Path, size: int, classes: int, labeled: Sequence[int]) -> Turn:
    preload()
    short_texts()
    spare_what_stays()  # as a worker does before its first job
    parts, tool, turn = parts_of(home), PoolTool(size, classes, labeled), Turn()
    parts.connections.save(connection_to(PROJECT, "label_studio", ToolAccess("http://pool", "none")))
    steps = _Steps()
    loop = _loop(parts, tool, steps.of_features)
    began = time.process_time()
    with _OwnMemory() as own, stopwatch() as seconds:
        done = loop.run(PROJECT, parts.fences.next(PROJECT), steps)
    turn.seconds, turn.steps, turn.written = seconds(), steps.seconds(), tool.written
    turn.busy = time.process_time() - began
    turn.peak, turn.own = _status_mb("VmHWM"), own.peak
    if done.receipt is None:
        raise RuntimeError(f"No order was made: {done.sentence()}")
    turn.next = [int(task) for task in parts.orders.announced(PROJECT)[0].window[:_NEW]]
    return turn


def _loop(parts: Parts, tool: PoolTool, timed: Callable[[Source], Source]) -> ActiveLearning:
    """The loop as it is wired, but for the tool."""
    return ActiveLearning(
        connections=parts.connections,
        store=parts.store,
        registry=parts.models,
        orders=parts.orders,
        reserves=parts.reserves,
        checkpoints=parts.checkpoints,
        fences=parts.fences,
        reviews=parts.reviews,
        open_connector=lambda connection: tool,
        strategy=finding.make,
        source=lambda project: timed(parts.sources(project)),
        hosts=parts.hosts,
    )


class _Steps:
    """How long each step of a turn took, from the progress that it tells: ``prepare`` is what is done between the pull
    and the fit, ``features`` is taken out of the step that they fell in."""

    def __init__(self) -> None:
        self._step, self._since = "sync", time.perf_counter()
        self._taken: dict[str, float] = defaultdict(float)

    def __call__(self, step: str, n: int) -> None:
        self._begin(step)

    def _begin(self, step: str) -> None:
        now = time.perf_counter()
        self._taken[self._step] += now - self._since
        self._step, self._since = step, now

    def of_features(self, source: Source) -> Source:
        """The same, timed; it is asked for as soon as the pull has ended."""
        self._begin("prepare")

        def count(texts: Sequence[str]) -> csr_matrix:
            step = self._step
            self._begin("features")
            try:
                return source.count(texts)
            finally:
                self._begin(step)

        return replace(source, count=count)

    def seconds(self) -> dict[str, float]:
        self._begin("")
        return dict(self._taken)


class _OwnMemory(threading.Thread):
    """Looks twenty times a second how much memory the process has, without mapped files."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self._ended = threading.Event()

    def __enter__(self) -> _OwnMemory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            self.peak = max(self.peak, _status_mb("RssAnon"))


def _status_mb(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    main()
