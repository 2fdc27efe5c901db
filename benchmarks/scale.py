"""``python -m benchmarks.scale [SIZE …] [--classes 2|20] [--write]``: the loop on pools of any size, against the first.

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
from dataclasses import dataclass, field
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
from nextlabel.features.text_cache import TextFeatureCache
from nextlabel.labeling import ProjectId
from nextlabel.loop import ActiveLearning
from nextlabel.model_store import preload
from nextlabel.ports import Connection, ToolAccess
from nextlabel.strategies import finding
from nextlabel.wiring import Parts

PROJECT = ProjectId("1")
SIZES = (10_000, 100_000)
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
    parser.add_argument("sizes", nargs="*", type=int, metavar="SIZE", help=f"how many tasks; {SIZES} without one")
    parser.add_argument("--classes", type=int, default=2, choices=(2, 20))
    parser.add_argument("--write", action="store_true", help="write the table into docs/benchmarks.md")
    given = parser.parse_args()
    sizes, console = given.sizes or SIZES, Console(stderr=True)
    before = load()
    figures: dict[str, dict[int, float]] = defaultdict(dict)
    for size in sizes:
        for name, figure in measured(size, given.classes):
            figures[name][size] = figure
            console.print(f"[dim]{size:>9,} tasks, {name}: {figure:,.2f}[/]", highlight=False)
    heading, rows = ["what", *(f"{size:,} tasks" for size in sizes)], [_row(*each, sizes) for each in figures.items()]
    print("\n".join([" | ".join(heading), *rows]))
    print(f"At the start: {before}; at the end: {load()}.")
    if given.write:
        write_table(f"scale-{given.classes}", heading, rows)


def _row(name: str, figures: dict[int, float], sizes: Sequence[int]) -> str:
    first = figures[sizes[0]]
    cells = [f"{_number(figures[size])} ({figures[size] / first:.1f}×)" for size in sizes[1:]]
    return f"| {name} | {' | '.join([_number(first), *cells])} |"


def _number(figure: float) -> str:
    return f"{figure:.2f}" if figure < 10 else f"{figure:,.0f}"


def measured(size: int, classes: int) -> Iterator[tuple[str, float]]:
    """The first turn; then, at each number of labels, the median of turns after `_NEW` more."""
    with temporary_home() as home:
        labeled: list[int] = []
        first = _apart(home, size, classes, labeled)
        yield "first pull, s", first.steps["sync"]
        yield "first features, s", first.steps["features"]
        yield "first order, s", first.seconds - first.steps["sync"] - first.steps["features"]
        yield "first turn, peak MB", first.peak
        yield "first turn, peak MB without mapped files", first.own
        drawn = np.random.default_rng(0).permutation(np.arange(1, size + 1)).tolist()
        for labels in LABELS:
            known = set(labeled)
            labeled += [n for n in drawn if n not in known][: labels - len(labeled)]
            caught_up = _apart(home, size, classes, labeled)
            rounds: list[Turn] = []
            for _ in range(_ROUNDS):
                labeled += list((rounds or [caught_up])[-1].next)[:_NEW]
                rounds.append(_apart(home, size, classes, labeled))
            middle = sorted(rounds, key=lambda turn: turn.seconds)[len(rounds) // 2]
            yield f"{labels:,} labels: a round after {_NEW} more, s", middle.seconds
            yield f"{labels:,} labels: the same, processor time, s", min(turn.busy for turn in rounds)
            for step in ("sync", "prepare", "features", "fit", "rank", "reorder"):
                yield f"{labels:,} labels: of it {step}, s", middle.steps.get(step, 0.0)
            yield f"{labels:,} labels: peak MB", max(turn.peak for turn in rounds)
            yield f"{labels:,} labels: peak MB without mapped files", max(turn.own for turn in rounds)
            yield f"{labels:,} labels: kB written to the tool", middle.written / 1000


def _apart(home: Path, size: int, classes: int, labeled: Sequence[int]) -> Turn:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_turn, home, size, classes, list(labeled)).result()


def _turn(home: Path, size: int, classes: int, labeled: Sequence[int]) -> Turn:
    preload()
    short_texts()
    parts, tool, turn = parts_of(home), PoolTool(size, classes, labeled), Turn()
    parts.connections.save(Connection(PROJECT, "label_studio", ToolAccess("http://pool", "none")))
    steps = _Steps()
    loop = _loop(parts, tool, steps.of_features)
    began = time.process_time()
    with _OwnMemory() as own, stopwatch() as seconds:
        done = loop.run(PROJECT, parts.models.next_fence(PROJECT), steps)
    turn.seconds, turn.steps, turn.written = seconds(), steps.seconds(), tool.written
    turn.busy = time.process_time() - began
    turn.peak, turn.own = _status_mb("VmHWM"), own.peak
    if done.receipt is None:
        raise RuntimeError(f"No order was made: {done.sentence()}")
    turn.next = [int(task) for task in parts.models.queues(PROJECT)[0].window[:_NEW]]
    return turn


def _loop(parts: Parts, tool: PoolTool, timed: Callable[[Source], Source]) -> ActiveLearning:
    """The loop as it is wired, but for the tool."""
    return ActiveLearning(
        connections=parts.connections,
        store=parts.store,
        registry=parts.models,
        open_connector=lambda connection: tool,
        strategy=finding.make,
        source=lambda project: timed(Source(TextFeatureCache(parts.settings.home / "features" / project).features)),
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

        return Source(count)

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
