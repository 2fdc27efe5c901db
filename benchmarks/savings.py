"""``python -m benchmarks.savings``: labels that the default strategy needs, beside random order's, set by set.

The default asks ten at a time, from cluster representatives on; random order is random from the first label. Both
train the service's own model (texts) or a logistic regression (numbers) and are measured on rows that neither may
label. On the large texts random order is measured every 50 labels only, because it needs thousands; it is then taken
to have crossed a line at the earliest point that this allows.

Finished runs are kept in ``.cache/savings`` and never done twice; the table goes into ``docs/benchmarks.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.against_random import CACHE, DEFAULT, RANDOM, finished, main, run
from nextlabel.simulate import load
from nextlabel.simulate.figures import labels_to, mean_of
from nextlabel.simulate.runs import Curve

_BATCH, _SHARE, _RESAMPLES = 10, 0.95, 2000


@dataclass(frozen=True, slots=True)
class Set:
    """A set, how it is measured, how many labels the default and random order get, and how often random is measured."""

    name: str
    ours: int
    random: int
    metric: str = "accuracy"
    step: int = _BATCH
    seeds: int = 10

    @property
    def large(self) -> bool:
        """Whether it is one of the large texts, which have a test part of their own."""
        return self.step != _BATCH


_KEEL = ("sonar", "heart", "ionosphere", "pima", "mammographic", "tic-tac-toe", "german", "spambase", "phoneme")
_TABULAR = ("breast_cancer", *(f"keel:{name}" for name in _KEEL))
SETS = (
    Set("reuters-r8", 500, 2000, "macro_f1", step=50),
    Set("reuters-r52", 500, 2000, "macro_f1", step=50),
    Set("20newsgroups", 500, 2000, "macro_f1", step=50),
    Set("spam", 300, 600),
    Set("mnist_5k", 600, 1200),
    Set("digits", 400, 800),
    *(Set(name, 300, 600, seeds=60) for name in _TABULAR),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """The curves of one set, by seed in the same order, and each seed's full-data score."""

    one: Set
    ours: Sequence[Curve]
    random: Sequence[Curve]
    full: dict[int, float]

    def ratio(self) -> str:
        """Our labels ÷ random's to the line, and its 95 % bootstrap interval; ≥ or ≤ where a run fell short of it."""
        ours, theirs = self._labels(self.ours, ours=True), self._labels(self.random, ours=False)
        if not any(reached for _, reached in ours):
            return "–"
        spent, others = (np.array([n for n, _ in found], dtype=float) for found in (ours, theirs))
        drawn = np.random.default_rng(0).integers(len(spent), size=(_RESAMPLES, len(spent)))
        low, high = np.quantile(spent[drawn].sum(axis=1) / others[drawn].sum(axis=1), [0.025, 0.975])
        more, less = (not all(reached for _, reached in found) for found in (ours, theirs))
        bound = {(True, False): "≥ ", (False, True): "≤ ", (True, True): "~ "}.get((more, less), "")
        return f"{bound}{spent.sum() / others.sum():.0%} ({low:.0%}–{high:.0%})"

    def to_line(self, curves: Sequence[Curve], *, ours: bool) -> str:
        """Mean labels to the line, and in how many seeds it was not reached."""
        found = self._labels(curves, ours=ours)
        missed = sum(not reached for _, reached in found)
        mean = mean_of([n for n, _ in found]).with_digits(0)
        return f"≥ {mean} ({missed} of {len(found)} short)" if missed else mean

    def same_score(self) -> str:
        """On large texts: what ours has at the end, and how many labels random order needs for as much (means)."""
        if not self.one.large:
            return "–"
        end, labels = float(np.mean([c.scores[-1] for c in self.ours])), self.ours[0].labels[-1]
        mean = np.mean([c.scores for c in self.random], axis=0)
        reached = np.flatnonzero(mean >= end)
        needed = self.random[0].labels[reached[0]] - (self.one.step - _BATCH) if len(reached) else None
        most = self.random[0].labels[-1]
        share = f"{labels / needed:.0%}" if needed else f"< {labels / most:.0%}"
        return f"{end:.3f} at {labels}: {f'{needed}' if needed else f'> {most}'} ({share})"

    def area(self) -> str:
        """Our mean height less random's over the labels that both have, ± its standard error."""
        until = min(self.ours[0].labels[-1], self.random[0].labels[-1])
        grid = np.arange(_BATCH, until + 1)
        gained = [
            float(np.mean(np.interp(grid, a.labels, a.scores) - np.interp(grid, b.labels, b.scores)))
            for a, b in zip(self.ours, self.random, strict=True)
        ]
        mean = mean_of(gained)
        return f"{mean.value:+.3f} ± {mean.error or 0:.3f}"

    def _labels(self, curves: Sequence[Curve], *, ours: bool) -> list[tuple[int, bool]]:
        """Each run's labels to the line, or all it had; and whether it got there."""
        early = 0 if ours else self.one.step - _BATCH
        needed = [(curve, labels_to(curve, _SHARE * self.full[curve.seed])) for curve in curves]
        return [(curve.labels[-1], False) if n is None else (max(n - early, _BATCH), True) for curve, n in needed]

    def row(self) -> str:
        full = mean_of(list(self.full.values()))
        cells = [
            self.one.name.removeprefix("keel:"),
            self.one.metric.replace("macro_f1", "macro-F1"),
            str(len(self.ours)),
            f"{full.value:.3f}",
            self.to_line(self.random, ours=False),
            self.to_line(self.ours, ours=True),
            self.ratio(),
            self.same_score(),
            self.area(),
        ]
        return f"| {' | '.join(cells)} |"


HEADING = (
    "set",
    "metric",
    "seeds",
    "full data",
    "random: labels to 95 %",
    "default",
    "default ÷ random",
    "random's labels for the default's end score",
    "mean gain",
)


def do(one: Set, seeds: int | None, workers: int) -> None:
    """Do what is not in the set's files yet."""
    data = load(one.name)
    for ours in (True, False):
        run(
            data,
            [DEFAULT if ours else RANDOM],
            _file(one, ours=ours),
            budget=one.ours if ours else one.random,
            batch=_BATCH if ours else one.step,
            initial=_BATCH,
            cold_start="diverse" if ours else "random",
            seeds=seeds or one.seeds,
            metric=one.metric,
            estimator=LogisticRegression(max_iter=1000) if data.texts is None else None,
            workers=workers,
        )


def row(one: Set) -> str | None:
    """The set's row of the table; None without two seeds that both orders have finished."""
    pair = finished(_file(one, ours=True), _file(one, ours=False), one_test_set=one.large)
    return Compared(one, *pair).row() if pair else None


def _file(one: Set, *, ours: bool) -> Path:
    return CACHE / "savings" / f"{one.name.replace(':', '-')}-{DEFAULT if ours else RANDOM}.jsonl"


if __name__ == "__main__":
    main("savings", __doc__, HEADING, SETS, do, row)
