"""``python -m benchmarks.audit_cost``: how many more labels it takes with audit tasks among the ranked ones.

On the sets of ``benchmarks.guard`` the service's own learning asks in its default order until the model has 95 % of its
score with all labels, once with a reserve of audit tasks, which are served at their rate and train the model like any
other, once without. Both have the same rows, and ask five at a time, later a tenth of what is labeled. ``make
bench-honesty`` runs it; finished runs are kept in ``.cache/honesty`` and never done twice.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from benchmarks.guard import DEFAULT, SETS
from benchmarks.page import write_table
from nextlabel.evaluation.reserve import Reserve, interleave, least_of
from nextlabel.features.matrices import rows_of
from nextlabel.labeling import TaskId
from nextlabel.learning.workbench import Candidates, order_seed
from nextlabel.options import ProjectOptions
from nextlabel.simulate import load
from nextlabel.simulate.learning import MatrixLearning, Problem, Rows, Split
from nextlabel.strategies.builtin import built_in
from nextlabel.strategies.diverse import Diverse

KEPT = Path(__file__).resolve().parent.parent / ".cache" / "honesty"
HEADING = ("set", "seeds", "full score", "labels without audits", "with audits, and how many of them", "more")
_SHARE, _LEAST_BATCH, _TEST_SHARE, _RESAMPLES = 0.95, 5, 0.3, 2000
_COLD = ProjectOptions().cold_start
_SEEDS: Mapping[str, int] = {"20newsgroups": 2, "reuters-r8": 8}  # of which a run takes minutes
_MOST_SEEDS, _QUICK_SEEDS, _QUICK_SETS = 30, 4, ("spam", "keel:phoneme", "wine", "digits")


@dataclass(frozen=True, slots=True)
class Needed:
    """How many labels one run took, and how many of them were of audit tasks; between two rounds by a straight line."""

    labels: float
    audits: float


@dataclass(frozen=True, slots=True)
class Pair:
    """One seed of a set: without audits and with them, to 95 % of the ``full`` score."""

    full: float
    without: Needed
    audited: Needed


def pair(name: str, seed: int) -> Pair:
    """From the file that keeps it, where there is one."""
    path = KEPT / f"audit-cost-{name.replace(':', '-')}-{seed}.json"
    if not path.exists():
        with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="nextlabel-audit-cost-") as cache:
            warnings.simplefilter("ignore")  # collinear columns, few labels
            found = _run_both(name, seed, Path(cache))
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(found), encoding="utf-8")
        unfinished.replace(path)
    known = json.loads(path.read_text(encoding="utf-8"))
    return Pair(known["full"], Needed(*known["without"]), Needed(*known["audited"]))


def _run_both(name: str, seed: int, cache: Path) -> dict[str, object]:
    split = split_of(name, seed)
    problem = Problem(split.train, cache)
    learning = MatrixLearning(problem, split, "accuracy", seed)
    rows = len(split.train)
    learning.learn(np.arange(rows))
    full = learning.score()
    everyone = [TaskId(str(row)) for row in range(rows)]
    reserve = Reserve(f"{name} {seed}", ProjectOptions().audit_share, least_of(rows)).sample(everyone)
    without, audited = (_labels_to(_SHARE * full, learning, some, seed, rows) for some in ((), reserve))
    return {"full": full, "without": without, "audited": audited}


def split_of(name: str, seed: int) -> Split:
    """Seven of ten rows to be labeled, unless the set has a test part of its own."""
    data = load(name)
    if data.test is not None:
        return Split(data.target, data, data.test)
    order = np.random.default_rng([seed, 1]).permutation(len(data))
    size = round(len(order) * (1 - _TEST_SHARE))
    return Split(data.target, data.part(order[:size]), data.part(order[size:]))


def _labels_to(
    score: float, learning: MatrixLearning, reserve: Sequence[TaskId], seed: int, rows: int
) -> tuple[float, float]:
    """How many labels it takes to that score, and how many of them are of the ``reserve``."""
    labeled, before = np.empty(0, dtype=np.int64), (0.0, 0, 0)
    while True:
        learning.learn(labeled)
        audits = len({TaskId(str(row)) for row in labeled.tolist()}.intersection(reserve))
        now = learning.score(), len(labeled), audits
        if now[0] >= score or len(labeled) == rows:
            break
        before = now
        size = max(_LEAST_BATCH, len(labeled) // 10)
        labeled = np.concatenate([labeled, asked(learning, labeled, reserve, seed, size)])
    part = 1.0 if now[0] <= before[0] else min(1.0, (score - before[0]) / (now[0] - before[0]))
    return before[1] + part * (now[1] - before[1]), before[2] + part * (now[2] - before[2])


def asked(learning: MatrixLearning, labeled: Rows, reserve: Sequence[TaskId], seed: int, size: int) -> Rows:
    """The next ``size`` rows, audit tasks among them as in the service."""
    order = order_seed(seed, len(labeled))
    done = {TaskId(str(row)) for row in labeled.tolist()}
    waiting = [task for task in reserve if task not in done]
    strategy = Diverse() if learning.is_cold(_COLD) else built_in(DEFAULT)
    candidates = _others(learning.candidates(order), reserve)
    ranked = candidates.ranked(strategy, size).task_ids() if candidates.tasks else ()
    labels = len(reserve) - len(waiting)
    served = interleave(ranked, waiting, size=size, audit_labels=labels, salt=str(seed), version=str(order))
    return np.array([int(task) for task in served.tasks], dtype=np.int64)


def _others(candidates: Candidates, reserve: Sequence[TaskId]) -> Candidates:
    """Those of them that strategies may choose."""
    apart, pool = set(reserve), candidates.pool
    rows = np.array([row for row, task in enumerate(pool.tasks) if task not in apart], dtype=np.intp)
    tasks = [pool.tasks[row] for row in rows.tolist()]
    features = None if pool.features is None else rows_of(pool.features, rows)
    some = replace(pool, tasks=tasks, probabilities=pool.probabilities[rows], features=features)
    return replace(candidates, tasks=[task for task in candidates.tasks if task.id not in apart], pool=some)


def more(pairs: Sequence[Pair]) -> float:
    """The share of labels that audits cost."""
    return float(np.sum([one.audited.labels for one in pairs]) / np.sum([one.without.labels for one in pairs]) - 1)


def row(name: str, pairs: Sequence[Pair]) -> str:
    drawn = np.random.default_rng(0).integers(len(pairs), size=(_RESAMPLES, len(pairs)))
    low, high = np.quantile([more([pairs[n] for n in some]) for some in drawn.tolist()], [0.025, 0.975])
    cells = [
        name.removeprefix("keel:"),
        str(len(pairs)),
        f"{np.mean([one.full for one in pairs]):.3f}",
        f"{np.mean([one.without.labels for one in pairs]):.0f}",
        f"{np.mean([one.audited.labels for one in pairs]):.0f}, {np.mean([one.audited.audits for one in pairs]):.0f}",
        f"{more(pairs):+.0%} ({low:+.0%} to {high:+.0%})",
    ]
    return f"| {' | '.join(cells)} |"


def told(*, quick: bool, workers: int) -> dict[str, float]:
    """Run what is not finished, print or write the table; the mean over the sets of what audits cost."""
    names = _QUICK_SETS if quick else tuple(SETS)
    seeds = {name: _QUICK_SEEDS if quick else _SEEDS.get(name, _MOST_SEEDS) for name in names}
    jobs = [(name, seed) for name in names for seed in range(seeds[name])]
    doing = Parallel(n_jobs=workers, inner_max_num_threads=1, backend="loky")
    found = dict(zip(jobs, doing(delayed(pair)(*job) for job in jobs), strict=True))
    by_set = {name: [found[name, seed] for seed in range(seeds[name])] for name in names}
    mean = float(np.mean([more(pairs) for pairs in by_set.values()]))
    rows = [*(row(name, pairs) for name, pairs in by_set.items()), f"| mean | | | | | {mean:+.0%} |"]
    print(*rows, sep="\n", flush=True)
    if not quick:
        write_table("audit-cost", HEADING, rows)
    return {"audit_cost": round(mean, 4)}


def main() -> None:
    """Run what is not finished, print or write the table, and end with one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit_cost", description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    os.nice(10)
    print(json.dumps(told(quick=bool(os.environ.get("QUICK")), workers=given.workers)))


if __name__ == "__main__":
    main()
