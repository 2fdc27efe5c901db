"""``python -m benchmarks.worth``: what the default order is worth on what Label Studio's projects hold beside texts.

The sets are those of `worth_sets`. The default order and random order learn from the same first labels, and are
measured on rows that neither may label: the set's own last thousand, or three of ten that each seed draws. Free texts
are another matter: of them what counts is how many topics the answers cover, from the first label on.

Finished runs are kept in ``.cache/worth`` and never done twice; the table goes into ``docs/benchmarks.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import worth_sets
from benchmarks.against_random import CACHE, DEFAULT, RANDOM, Pair, finished, main, run
from benchmarks.finished import runs_in
from nextlabel.simulate import LabeledData
from nextlabel.simulate.figures import labels_to, mean_of
from nextlabel.simulate.runs import Curve

_SHARE, _SEEDS, _STEP = 0.9, 10, 10


@dataclass(frozen=True, slots=True)
class Set:
    """A set, its metric, how many labels are spent and how many at a time, and the labels that are rare in it.

    ``topics`` are what the answers of its rows are about, where these are to be covered.
    """

    name: str
    make: Callable[[], LabeledData]
    metric: str
    budget: int
    batch: int = 25
    rare: tuple[str, ...] = ()
    topics: Callable[[], Sequence[object]] | None = None

    @property
    def file(self) -> Path:
        return CACHE / "worth" / f"{self.name}.jsonl"


SETS = (
    Set("canvases", worth_sets.canvases, "macro_f1", 500, rare=("8", "9")),
    Set("sounds", worth_sets.sounds, "macro_f1", 600, batch=50, rare=worth_sets.RARE_SOUNDS),
    *(Set(name, partial(worth_sets.series, name), "accuracy", 150, batch=10) for name in ("JapaneseVowels", "OSULeaf")),
    Set("dialogues", worth_sets.dialogues, "accuracy", 600, batch=50),
    Set("entities, plain", worth_sets.tweets, "f1", 400, batch=50),
    Set("entities, hypertext", worth_sets.pages, "f1", 400, batch=50),
    Set("free texts", worth_sets.answers, "correlation", 300, batch=50, topics=worth_sets.topics),
)
HEADING = (
    "set",
    "metric",
    "seeds",
    "all labels",
    "random, mean",
    "order, mean",
    "gain",
    f"labels to {_SHARE:.0%} of all, order ÷ random",
    "rare ones found, order : random",
)


def do(one: Set, seeds: int | None, workers: int) -> None:
    """Do what is not in the set's file yet. What covers topics at random is no matter of learning."""
    how = {"budget": one.budget, "batch": one.batch, "initial": one.batch, "metric": one.metric}
    orders = [DEFAULT] if one.topics else [DEFAULT, RANDOM]
    run(one.make(), orders, one.file, seeds=seeds or _SEEDS, workers=workers, **how)


def row(one: Set) -> str | None:
    """The set's row of the table; None without two seeds that both orders have finished."""
    if not one.file.exists():
        return None
    data = one.make()
    pair = covering(one) if one.topics else finished(one.file, one.file, one_test_set=data.test is not None)
    if pair is None or len(pair.ours) < 2:
        return None
    means = [np.array([np.mean(curve.scores) for curve in curves]) for curves in pair[:2]]
    gain = mean_of((means[0] - means[1]).tolist())
    ends = [sum(_to_line(curve, _SHARE * pair.full[curve.seed]) for curve in curves) for curves in pair[:2]]
    cells = [
        one.name,
        "topics covered" if one.topics else one.metric.replace("macro_f1", "macro-F1"),
        str(len(pair.ours)),
        f"{np.mean([pair.full[curve.seed] for curve in pair.ours]):.3f}",
        f"{means[1].mean():.3f}",
        f"{means[0].mean():.3f}",
        f"{gain.value:+.3f} ± {gain.error or 0:.3f}",
        f"{ends[0] / ends[1]:.0%}",
        _rare_found(one, pair, data.labels) if one.rare else "–",
    ]
    return f"| {' | '.join(cells)} |"


def _rare_found(one: Set, pair: Pair, truth: Sequence[object]) -> str:
    ours, random = (np.mean([found(curve, truth, one.rare) for curve in curves]) for curves in pair[:2])
    return f"{ours:.0%} : {random:.0%}"


def _to_line(curve: Curve, line: float) -> int:
    """Labels until it is reached; all that were spent where it is not."""
    return labels_to(curve, line) or curve.labels[-1]


def found(curve: Curve, truth: Sequence[object], rare: Sequence[str]) -> float:
    """The share of all rows with a rare label that are among those labeled."""
    holds = np.array([bool(set(rare) & set(labels)) for labels in truth if isinstance(labels, tuple)])
    return float(holds[list(curve.rows)].sum() / max(holds.sum(), 1))


def covering(one: Set) -> Pair:
    """What of all topics the first labels cover, in the default order and at random: from the first label on, as a
    project without an order has no representatives either."""
    topics = one.topics() if one.topics else ()
    ours = runs_in(one.file)[0].get(DEFAULT, [])
    drawn = [(curve.seed, np.random.default_rng(curve.seed).permutation(len(topics)).tolist()) for curve in ours]
    return Pair(
        [covered(DEFAULT, curve.seed, curve.rows, topics) for curve in ours],
        [covered(RANDOM, seed, rows[: one.budget], topics) for seed, rows in drawn],
        {curve.seed: 1.0 for curve in ours},
    )


def covered(name: str, seed: int, rows: Sequence[int], topics: Sequence[object]) -> Curve:
    """The share of all topics that the first rows are about, ten by ten."""
    labels = range(_STEP, len(rows) + 1, _STEP)
    scores = [len({topics[row] for row in rows[:n]}) / len(set(topics)) for n in labels]
    return Curve(name, seed, tuple(labels), tuple(scores), rows=tuple(rows))


if __name__ == "__main__":
    main("worth", __doc__, HEADING, SETS, do, row)
