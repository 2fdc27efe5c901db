"""``python -m benchmarks.kinds_covered``: does the accuracy of the version in service hold for each kind of target?

On real data of `benchmarks.kinds` the model of 60 random labels asks for 100 more, those that it is most unsure of; to
these come audit labels, drawn at random from the other half of the tasks, many times over. What is learned of all of
them is held to its accuracy on all tasks, those with a label counted by models that had not seen them. ``make
bench-honesty`` runs it; finished draws are kept in ``.cache/honesty`` and never done twice.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks.kinds import SETS, Known, Set
from benchmarks.page import write_table
from nextlabel.estimators.by_kind import Fitted
from nextlabel.estimators.fitting import fit
from nextlabel.evaluation import accuracy
from nextlabel.evaluation.intervals import Interval
from nextlabel.features.encoders import encoder_for
from nextlabel.features.matrices import rows_of
from nextlabel.features.source import Source
from nextlabel.labeling.ranking import Floats

KEPT = Path(__file__).resolve().parent.parent / ".cache" / "honesty"
SIZES = (50, 100, 200)
HEADING = ("set", "kind", "accuracy", *(f"coverage with {n} audit labels" for n in SIZES))
_NAMES = ("yeast", "rated tweets", "rated tweets in fives", "tweets' entities")
_FIRST, _ASKED, _PIECE = 60, 100, 10
_DRAWS: Mapping[bool, int] = {False: 500, True: 40}  # of each number of audit labels, with ``QUICK``
_SLOW: Mapping[bool, int] = {False: 100, True: 10}  # of spans, of which a model takes seconds

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Held:
    """How right a version was about n audit labels, in the order in which they were drawn, and the ``truth``."""

    right: Floats
    truth: float
    tasks: int

    def interval(self) -> Interval:
        """As the service has it."""
        return accuracy.of_version(accuracy.figures_of("q", self.right, pool=self.tasks))["q"]

    @property
    def inside(self) -> bool:
        found = self.interval()
        return found.low <= self.truth <= found.high


class _Tasks:
    """The tasks of a set, encoded once, and what is learned of some of them."""

    def __init__(self, known: Known, seed: int) -> None:
        self.known, self.seed = known, seed
        source = Source()
        encoder = encoder_for(known.target, known.tasks, source)
        self._features = encoder.encode(list(known.tasks), source)
        self._space = encoder.space(self._features)
        order = np.random.default_rng([seed, 23]).permutation(len(known.tasks))
        self.asked_of, self.others = np.split(order, [len(order) // 2])

    def fitted(self, rows: Rows) -> Fitted:
        tasks, labels = ([of[row] for row in rows.tolist()] for of in (self.known.tasks, self.known.labels))
        return fit(self.known.target, tasks, rows_of(self._features, rows), labels, self._space, self.seed)

    def asked(self) -> Rows:
        """Random ones, and those that what is learned of these is most unsure of."""
        first, rest = np.split(self.asked_of, [_FIRST])
        tasks = [self.known.tasks[row] for row in rest.tolist()]
        unsure = self.fitted(first).model.predict(tasks, rows_of(self._features, rest)).uncertainty
        return np.concatenate([first, rest[np.argsort(-unsure, kind="stable")[:_ASKED]]])

    def held(self, asked: Rows, size: int, draw: int) -> Held:
        audits = np.random.default_rng([self.seed, size, draw]).choice(self.others, size, replace=False)
        labeled = np.concatenate([asked, audits])
        fitted = self.fitted(labeled)
        if fitted.out_of_fold is None:
            raise ValueError(f"{len(labeled)} labels are too few to judge a version by.")
        unseen = fitted.out_of_fold.correctness([self.known.labels[row] for row in labeled.tolist()])
        rest = np.setdiff1d(np.arange(len(self.known.tasks)), labeled)
        predicted = fitted.model.predict([self.known.tasks[row] for row in rest], rows_of(self._features, rest))
        right = predicted.correctness([self.known.labels[row] for row in rest.tolist()])
        truth = float(np.concatenate([unseen, right]).mean())
        return Held(unseen[len(asked) :], truth, len(self.known.tasks))


def draws_of(name: str, seed: int) -> Mapping[int, Sequence[Held]]:
    """Ten draws of each number of audit labels, from the file that keeps them where there is one."""
    path = KEPT / f"kinds-{name.replace(' ', '-')}-{seed}.npz"
    if not path.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # collinear columns, few labels
            found = _draw(_Tasks(_set(name).load(), seed))
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.npz")
        np.savez_compressed(unfinished, **found)  # type: ignore[arg-type]  # as if a name could be "allow_pickle"
        unfinished.replace(path)
    with np.load(path) as kept:
        return {size: [Held(row[2:], float(row[0]), int(row[1])) for row in kept[f"of {size}"]] for size in SIZES}


def _draw(tasks: _Tasks) -> dict[str, Floats]:
    asked, found = tasks.asked(), {}
    for size in SIZES:
        held = [tasks.held(asked, size, draw) for draw in range(_PIECE)]
        found[f"of {size}"] = np.stack([np.concatenate([[one.truth, one.tasks], one.right]) for one in held])
    return found


def _set(name: str) -> Set:
    return next(one for one in SETS if one.name == name)


def row(one: Set, draws: Mapping[int, Sequence[Held]]) -> str:
    """Of each number of audit labels how often the interval held, its half-width, and how many draws there were."""
    cells = [one.name, one.kind, f"{np.mean([held.truth for held in draws[SIZES[-1]]]):.3f}"]
    for size in SIZES:
        half = np.mean([(held.interval().high - held.interval().low) / 2 for held in draws[size]])
        cells.append(f"{covered(draws[size]):.1%} ± {half:.3f} ({len(draws[size])})")
    return f"| {' | '.join(cells)} |"


def covered(draws: Sequence[Held]) -> float:
    return float(np.mean([one.inside for one in draws]))


def told(*, quick: bool, workers: int) -> dict[str, float]:
    """Run what is not finished, print or write the table; the coverage of each kind over all numbers of labels."""
    pieces = {name: (_SLOW if _set(name).kind.startswith("spans") else _DRAWS)[quick] // _PIECE for name in _NAMES}
    jobs = [(name, seed) for name in _NAMES for seed in range(pieces[name])]
    doing = Parallel(n_jobs=workers, inner_max_num_threads=1, backend="loky")
    found = dict(zip(jobs, doing(delayed(draws_of)(*job) for job in jobs), strict=True))
    rows, shares = [], {}
    for name in _NAMES:
        draws = {size: [held for seed in range(pieces[name]) for held in found[name, seed][size]] for size in SIZES}
        rows.append(row(_set(name), draws))
        kind = _set(name).kind.partition(",")[0].replace(" ", "_")
        shares[f"coverage_{kind}"] = round(float(np.mean([covered(of_size) for of_size in draws.values()])), 4)
    print(*rows, sep="\n", flush=True)
    if not quick:
        write_table("kinds-covered", HEADING, rows)
    return shares


def main() -> None:
    """Run what is not finished, print or write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kinds_covered", description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    os.nice(10)
    print(told(quick=bool(os.environ.get("QUICK")), workers=given.workers))


if __name__ == "__main__":
    main()
