"""``python -m benchmarks.published``: the numbers of Lu, Li & Lin (2023, arXiv 2306.08954), reproduced with `simulate`.

Their protocol: 40 % of the rows for testing, 20 labels at random, features standardised, an SVC (RBF, gamma="auto",
C=1) that asks and is tested, one query a round until nothing is left. Their AUBC is the trapezoid of the accuracies
*after* each query over the number of queries, which is a little less than the mean height of the curve.

Data is fetched at run time (`nextlabel.simulate.datasets`), finished runs are kept in ``.cache/published`` and never
done twice, the table goes into ``docs/benchmarks.md``.
"""

from __future__ import annotations

import argparse
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.svm import SVC

from benchmarks.finished import runs_in
from benchmarks.page import read_table, write_table
from nextlabel.errors import ConfigurationError
from nextlabel.labeling.ranking import CandidatePool, Floats, Ranking
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.simulate import load, simulate
from nextlabel.simulate.runs import Curve
from nextlabel.strategies.random_order import RandomOrder
from nextlabel.strategies.uncertainty import Margin, best_first

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / ".cache" / "published"
_THEIR_SEEDS = 100
_SMALL, _FEW = 1000, 3  # sets of more rows are given few seeds: they take hours


@dataclass(frozen=True, slots=True)
class Published:
    """A set, where its rows come from, and the published AUBC of each strategy in the order of `STRATEGIES`."""

    name: str
    source: str | None
    aubc: tuple[float, float, float, float]
    note: str = ""


SETS = (
    Published("sonar", "keel:sonar", (0.7463, 0.7762, 0.7655, 0.7420), "rounded to 3 decimals"),
    Published("heart", "keel:heart", (0.8051, 0.8157, 0.8130, 0.8105)),
    Published("haberman", "keel:haberman", (0.7308, 0.7295, 0.7304, 0.7267)),
    Published("ionosphere", "keel:ionosphere", (0.9180, 0.9300, 0.9278, 0.9134), "rounded to 3 decimals, 33 features"),
    Published("wdbc", "breast_cancer", (0.9539, 0.9652, 0.9626, 0.9586)),
    Published("breast", "keel:wisconsin", (0.9616, 0.9632, 0.9630, 0.9626)),
    Published("australian", "keel:australian", (0.8483, 0.8504, 0.8494, 0.8478), "some decimal points are lost"),
    Published("diabetes", "keel:pima", (0.7424, 0.7479, 0.7472, 0.7491)),
    Published("mammographic", "keel:mammographic", (0.8130, 0.8177, 0.8169, 0.8162)),
    Published("tic-tac-toe", "keel:tic-tac-toe", (0.8718, 0.8720, 0.8719, 0.8716), "one 0/1 column per value"),
    Published("german", "keel:german", (0.7340, 0.7417, 0.7395, 0.7365), "one 0/1 column per value; theirs has 24"),
    Published("spambase", "keel:spambase", (0.9103, 0.9205, 0.9190, 0.9052)),
    Published("phoneme", "keel:phoneme", (0.8254, 0.8355, 0.8318, 0.8240)),
    Published("banana", "keel:banana", (0.8926, 0.8787, 0.8908, 0.8930)),
    Published("clean1", None, (0.8183, 0.8425, 0.8341, 0.7897), "in no package that we know"),
)


class MixedCommittee:
    """Vote entropy (Dagan & Engelson, 1995) of the paper's four: logistic regression, two SVCs, LDA."""

    name = "committee"

    def utilities(self, probabilities: Floats) -> Floats:
        return np.full(len(probabilities), 0.5)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        assert pool.labels is not None  # noqa: S101 - a simulation has some
        members = (LogisticRegression(), SVC(kernel="linear"), SVC(gamma="auto"), LinearDiscriminantAnalysis())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # collinear columns, few labels
            votes = np.stack([m.fit(pool.labeled_features, pool.labels).predict(pool.features) for m in members])
        shares = np.stack([(votes == label).mean(axis=0) for label in np.unique(pool.labels)])
        logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
        return best_first(pool, -(shares * logs).sum(axis=0), size, self.name)


class CoreSet:
    """The row farthest from all labeled ones (Sener & Savarese, 2018), one at a time."""

    name = "core-set"

    def utilities(self, probabilities: Floats) -> Floats:
        return np.full(len(probabilities), 0.5)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        _, distances = pairwise_distances_argmin_min(pool.features, pool.labeled_features)
        return best_first(pool, distances, size, self.name)


STRATEGIES: dict[str, QueryStrategy] = {
    "random": RandomOrder(),
    "margin": Margin(),
    "committee": MixedCommittee(),
    "core-set": CoreSet(),
}


def run(one: Published, strategies: Sequence[str], seeds: int, *, workers: int) -> None:
    """Do every (strategy, seed) that is not in the set's file yet."""
    data = load(one.source or "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulate(
            data,
            {name: STRATEGIES[name] for name in strategies},
            budget=len(data),
            batch=1,
            initial=20,
            cold_start="random",
            seeds=seeds,
            test_share=0.4,
            estimator=SVC(kernel="rbf", gamma="auto", C=1.0),
            workers=workers,
            resume=RUNS / f"{one.name}.jsonl",
        )


def their_area(curve: Curve) -> float:
    """AUBC as they define it: without the accuracy before the first query, over the number of queries."""
    return float(np.trapezoid(curve.scores[1:]) / (len(curve.scores) - 1))


@dataclass(frozen=True, slots=True)
class Compared:
    """Our mean with its standard error and their mean; ``apart`` in standard errors of the difference."""

    ours: float
    error: float
    theirs: float
    apart: float
    seeds: int

    def __str__(self) -> str:
        mark = "" if abs(self.apart) <= 2 else " **≠**"
        return f"{self.ours:.4f} ± {self.error:.4f} ({self.theirs:.4f}; {self.apart:+.1f}){mark}"


def compare(curves: Sequence[Curve], theirs: float) -> Compared:
    """Their mean's own error is taken to be our spread over 100 seeds."""
    areas = [their_area(curve) for curve in curves]
    mean, spread = float(np.mean(areas)), float(np.std(areas, ddof=1)) if len(areas) > 1 else float("nan")
    apart = (mean - theirs) / (spread * np.sqrt(1 / len(areas) + 1 / _THEIR_SEEDS))
    return Compared(mean, spread / np.sqrt(len(areas)), theirs, float(apart), len(areas))


def finished(one: Published) -> dict[str, list[Curve]]:
    """Every curve in the set's file, by strategy."""
    curves, _ = runs_in(RUNS / f"{one.name}.jsonl")
    return {name: curves.get(name, []) for name in STRATEGIES}


def table_row(one: Published, curves: Mapping[str, Sequence[Curve]], before: Sequence[str] = ()) -> str:
    """The set's line of the table. Where there are no runs here, the cell of ``before`` stays: they take hours,
    and those of another day or machine are no less true."""
    kept = dict(zip(("set", "seeds", *STRATEGIES), before, strict=False))
    seeds = {len(runs) for runs in curves.values() if len(runs) > 1}
    cells = []
    for name, theirs in zip(STRATEGIES, one.aubc, strict=True):
        if len(curves[name]) > 1:
            cells.append(str(compare(curves[name], theirs)))
        else:
            cells.append(kept.get(name, f"– ({theirs:.4f})"))
            seeds |= (
                {int(n) for n in re.findall(r"\d+", kept.get("seeds", "")) if n != "0"} if "±" in cells[-1] else set()
            )
    ordered = sorted(seeds) or [0]
    shown = str(ordered[0]) if len(ordered) == 1 else f"{ordered[0]}–{ordered[-1]}"
    return f"| {one.name} | {shown} | {' | '.join(cells)} | {one.note} |"


def main() -> None:
    """Run what was asked for and write the table of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published", description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"any of {', '.join(one.name for one in SETS)}; those under 1,000 rows")
    parser.add_argument("--strategy", action="append", choices=list(STRATEGIES), help="default: all four")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="only write the table of what is finished")
    given = parser.parse_args()
    os.nice(10)
    console = Console(stderr=True, highlight=False)
    for one in () if given.table else _chosen(given.sets):
        try:
            seeds = min(given.seeds, _FEW) if _is_large(one) else given.seeds
            run(one, given.strategy or list(STRATEGIES), seeds, workers=given.workers)
            console.print(table_row(one, finished(one)), soft_wrap=True)
        except ConfigurationError as error:
            console.print(f"[red]{one.name}: {error}[/]")
    heading = ["set", "seeds", *(name if name != "random" else "uniform" for name in STRATEGIES), "data"]
    before = {row[0]: row for row in read_table("published")}
    write_table("published", heading, [table_row(one, finished(one), before.get(one.name, ())) for one in SETS])


def _chosen(names: Sequence[str]) -> list[Published]:
    """The sets named; without names, all that are small and can be had."""
    return [one for one in SETS if one.source and (one.name in names if names else not _is_large(one))]


def _is_large(one: Published) -> bool:
    return len(load(one.source or "")) > _SMALL


if __name__ == "__main__":
    main()
