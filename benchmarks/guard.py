"""``python -m benchmarks.guard``: has the default order, or the speed, become worse? Run before an issue is resolved.

On six fixed sets (texts, tables, pictures; 2 to 20 classes) the default order and random order spend the same labels,
under the same seeds. What is compared is the mean height of the curve with the figure that ``guard.json`` holds: worse
by more than two of its standard errors is a failure. Then `/predict` and a round are timed beside the last release,
code of the one and of the other by turns: slower by a fifth in every turn is a failure. ``--renew`` writes the figures
of this code into ``guard.json``, for a change that is meant to change them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.figures import load as busy
from nextlabel.options import ProjectOptions
from nextlabel.simulate import load, simulate
from nextlabel.simulate.figures import Mean, area, mean_of

HERE = Path(__file__).resolve().parent
FIGURES = HERE / "guard.json"
DEFAULT = ProjectOptions().strategy
_ERRORS = 2.0
_TURNS, _SLOWER = 3, 1.2


@dataclass(frozen=True, slots=True)
class Plan:
    """How many labels are spent on a set, how many at a time, and under how many seeds."""

    labels: int
    batch: int = 10
    seeds: int = 8


SETS: Mapping[str, Plan] = {
    "spam": Plan(150),
    "reuters-r8": Plan(150, 15, 4),
    "20newsgroups": Plan(200, 20, 4),
    "keel:phoneme": Plan(150),
    "wine": Plan(60),
    "digits": Plan(200),
}


@dataclass(frozen=True, slots=True)
class Areas:
    """Mean heights of the curves of one set, over all seeds."""

    default: Mean
    random: Mean
    gain: Mean


def measured(name: str, plan: Plan) -> Areas:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = simulate(
            load(name),
            [DEFAULT, "random"],
            budget=plan.labels,
            batch=plan.batch,
            seeds=plan.seeds,
            workers=os.cpu_count() or 1,
            progress=False,
        )
    default, random = ([area(curve) for curve in results.of(strategy)] for strategy in (DEFAULT, "random"))
    return Areas(mean_of(default), mean_of(random), mean_of([a - b for a, b in zip(default, random, strict=True)]))


def guard_order(console: Console, *, renew: bool) -> list[str]:
    """The names of sets on which the default order has become worse."""
    known = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    table = Table(title="Mean accuracy over the labels asked", title_justify="left")
    for heading in ("set", "labels", "random", "default", "default - random", "as committed", ""):
        table.add_column(heading, justify="left" if heading in ("set", "") else "right")
    worse, found = [], {}
    for name, plan in SETS.items():
        areas = measured(name, plan)
        found[name] = {"default": round(areas.default.value, 5), "error": round(areas.default.error or 0, 5)}
        committed = known.get(name)
        promotion, before = "not known yet", "-"
        if committed:
            before = f"{committed['default']:.3f} ± {committed['error']:.3f}"
            off = (areas.default.value - committed["default"]) / max(committed["error"], 1e-6)
            promotion = "worse" if off < -_ERRORS else "better" if off > _ERRORS else "as it was"
            worse += [name] if promotion == "worse" else []
        means = (one.with_digits(3) for one in (areas.random, areas.default, areas.gain))
        row = (name, str(plan.labels), *means, before, promotion)
        table.add_row(*row)
        console.print(f"[dim]{' | '.join(row)}[/]", highlight=False, soft_wrap=True)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    if renew:
        FIGURES.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        return []
    return worse


def last_release() -> str | None:
    """The tag of the newest release before this commit; None in a clone without tags."""
    return _git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^").decode().strip() or None


def checked_out(tag: str) -> Path:
    """The code of that release, in ``.cache/guard``."""
    folder = HERE.parent / ".cache" / "guard" / tag
    if not folder.is_dir():
        with tarfile.open(fileobj=BytesIO(_git("archive", tag))) as archive:
            archive.extractall(folder, filter="data")
    return folder


def _git(*arguments: str) -> bytes:
    """What git prints; nothing where it fails."""
    git = ("git", *arguments)
    return subprocess.run(git, cwd=HERE.parent, capture_output=True, check=False).stdout


_ROUND = "import json; from benchmarks.scale import measured; print(json.dumps(dict(measured(10_000, 2))))"


def timed(code: Path) -> dict[str, float]:
    """Seconds of rounds on 10,000 tasks and milliseconds of `/predict`, by the code in that folder."""
    path = os.pathsep.join(str(code / part) for part in ("backend", "connectors", "tests", "."))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}

    def answer(*arguments: str) -> dict[str, object]:
        done = subprocess.run(
            (sys.executable, *arguments), cwd=code, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments)} in {code.name} failed:\n{done.stderr[-2000:]}")
        return dict(json.loads(done.stdout))

    rounds = answer("-c", _ROUND)
    named = {name: re.fullmatch(r"\*\*(.*), s\*\*", name) for name in rounds}
    took = {found[1]: float(str(rounds[name])) for name, found in named.items() if found}
    predict = answer("-m", "benchmarks", "predict", "--json")["figures"]
    assert isinstance(predict, list)  # noqa: S101 - it is by our own program
    asked = [one for one in predict if one["group"] == "predict" and re.fullmatch(r"[\d,]+ texts?, .*s", one["name"])]
    return took | {f"/predict, {one['name']}": float(one["value"]) for one in asked if one["unit"] == "ms"}


def guard_speed(console: Console) -> list[str]:
    """What has become slower than in the last release."""
    tag = last_release()
    if tag is None:
        console.print("There is no earlier release in this clone: fetch its tags to have the speed compared.")
        return []
    before, here = checked_out(tag), HERE.parent
    turns: list[tuple[dict[str, float], dict[str, float]]] = []
    for n in range(_TURNS):
        console.print(f"[dim]speed, turn {n + 1} of {_TURNS} ({busy()})[/]", highlight=False)
        turns.append((timed(before), timed(here)))
    table = Table(title=f"Seconds (rounds) and milliseconds (/predict), beside {tag}", title_justify="left")
    for heading in ("what", tag, "now", "ratio, each turn", ""):
        table.add_column(heading, justify="left" if heading in ("what", "") else "right")
    slower = []
    for name, ratios in _ratios(turns):
        promotion = "slower" if min(ratios) > _SLOWER else "faster" if max(ratios) < 1 / _SLOWER else "as it was"
        slower += [name] if promotion == "slower" else []
        old, new = (f"{np.median([turn[side][name] for turn in turns]):.2f}" for side in (0, 1))
        table.add_row(name, old, new, " ".join(f"{ratio:.2f}" for ratio in ratios), promotion)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return slower


def _ratios(turns: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> Iterator[tuple[str, list[float]]]:
    for name in turns[0][0]:
        if all(name in side for turn in turns for side in turn):
            yield name, [new[name] / old[name] for old, new in turns]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--renew", action="store_true", help="write what is found into guard.json")
    parser.add_argument("--only", choices=("order", "speed"), help="one of both")
    given = parser.parse_args()
    os.environ["PYTHONWARNINGS"] = "ignore"  # in the processes of a simulation: collinear columns, few labels
    console, began = Console(stderr=True), busy()
    worse = guard_order(console, renew=given.renew) if given.only != "speed" else []
    slower = guard_speed(console) if given.only != "order" else []
    print(f"At the start: {began}; at the end: {busy()}.")
    if worse or slower:
        raise SystemExit(f"Worse than before: {', '.join([*worse, *slower])}.")


if __name__ == "__main__":
    main()
