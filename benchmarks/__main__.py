"""``python -m benchmarks [webhook|predict|reorder|pruning|footprint|strategies|strangers …] [--json]``: figures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

from rich.console import Console

from benchmarks import footprint, prediction, pruning, reorder, scrape, strangers, strategy_speed, webhook
from benchmarks.figures import Figure, load, print_table

BENCHMARKS: dict[str, Callable[[], Iterator[Figure]]] = {
    "webhook": webhook.run,
    "predict": prediction.run,
    "reorder": reorder.run,
    "pruning": pruning.run,
    "footprint": footprint.run,
    "strategies": strategy_speed.run,
    "strangers": strangers.run,
    "scrape": scrape.run,
}


def main() -> None:
    """Run the benchmarks that were named (all: none), telling each figure as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join(BENCHMARKS)}; all without one")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}")
    progress = Console(stderr=True)
    figures: list[Figure] = []
    before = load()
    for name in given.names or BENCHMARKS:
        progress.print(f"[dim]{name} … ({load()})[/]")
        for figure in BENCHMARKS[name]():
            figures.append(figure)
            progress.print(
                f"[dim]  {figure.group}, {figure.name}: {figure.value:.2f} {figure.unit}[/]", highlight=False
            )
    if given.json:
        json.dump({"machine": before, "figures": [asdict(figure) for figure in figures]}, sys.stdout, indent=2)
        print()
    else:
        print_table(figures, Console(width=None if sys.stdout.isatty() else 160))
        print(f"At the start: {before}; at the end: {load()}.")


if __name__ == "__main__":
    main()
