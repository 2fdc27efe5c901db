"""``python -m benchmarks.stopping``: when labeling may stop, what the next labels bring, and how many were saved.

Runs of the service's own learning on seven sets (``benchmarks.stopping_runs``) are kept in ``.cache/stopping`` and
never done twice; the advice is then made from what was kept, by the code that serves. Published figures of stopping
stand beside those of their protocol (``benchmarks.stopping_published``). ``QUICK=1`` does fewer. The last line is one
JSON object; tables go into ``docs/benchmarks.md`` (with ``QUICK=1`` they are only printed).
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression

from benchmarks import recall
from benchmarks.page import write_table
from benchmarks.stopping_published import CRITERIA, PUBLISHED, kept_in, stopped
from benchmarks.stopping_runs import KEPT, Run, checked, run
from nextlabel.evaluation.forecast import AHEAD, Forecast, forecast
from nextlabel.evaluation.savings import Ahead, Gain, Saved, gain, saved
from nextlabel.evaluation.stopping import FEWEST_OF_CLASS, Checked, Wanted, advice
from nextlabel.labeling.ranking import Floats
from nextlabel.options import ProjectOptions

SETS = ("spam", "digits", "mnist_5k", "keel:spambase", "keel:phoneme", "reuters-r8", "keel:segment")
SAVED_ALSO = ("keel:optdigits", "keel:penbased", "keel:texture")
"""Sets on which labels saved are measured alone: their runs go on to as many labels as a figure is wanted by."""
SAVED_ON = ("mnist_5k", "keel:spambase", "keel:phoneme", "reuters-r8", *SAVED_ALSO)
ROUNDS, ROUNDS_ON, _USUAL = (1, 3, 10, 30), ("spam", "keel:segment"), 10
_BY_LABELS, _GOOD, _WORST = 1_000, 0.98, 0.95
_OF_RUNS, _SHOWN_IN = 0.80, 0.50
_WORTH = ProjectOptions().worth_points

Job = tuple[str, int, int]
"""A set, a seed, and how many labels a round has."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Seeds of each set, of the rounds of other sizes, of what is published, of `SAVED_ALSO`, and of recall."""

    seeds: int
    rounds: int
    published: int
    saved_also: int
    recall: int


FULL, QUICK = Effort(30, 30, 30, 20, 20), Effort(2, 1, 3, 1, 2)


@dataclass(frozen=True, slots=True)
class Ended:
    """Where a run was stopped: after how many labels, of how many, and the share of the final score that it had.

    ``advised`` is whether there was an advice; without one all labels of the pool were spent.
    """

    labels: int
    pool: int
    share: float
    advised: bool


@dataclass(frozen=True, slots=True)
class Read:
    """A run, as it was kept, and what the service would have found by it."""

    kept: Run

    @property
    def labels(self) -> list[int]:
        return [int(n) for n in self._of("labels")]

    @property
    def history(self) -> list[Checked]:
        return checked(self.labels, list(cast("NDArray[np.uint8]", self.kept["stop"])), self._of("error").tolist())

    def ended(self, history: Sequence[Checked], forecasts: Sequence[Forecast | None]) -> Ended:
        """At the first advice to stop."""
        rows, full, score = int(self._of("rows")), float(self._of("full")), self._of("score")
        for n, found in enumerate(forecasts):
            rare = {"q": {"a class": 0}} if self._of("fewest")[n] < FEWEST_OF_CLASS else {}
            given = advice(
                history[: n + 1],
                wanted=Wanted(_WORTH),
                labels=self.labels[n],
                audits=int(self._of("labeled")[n].sum()),
                rare=rare,
                accuracy={},
                forecasts={} if found is None else {"q": found},
            )
            if given.stop:
                return Ended(self.labels[n], rows, float(score[n]) / full, advised=True)
        return Ended(rows, rows, 1.0, advised=False)

    def forecasts(self, history: Sequence[Checked]) -> list[Forecast | None]:
        """After each check."""
        right, labeled = self._of("audits") == self._of("truth"), self.kept["labeled"].astype(bool)
        return [
            forecast(self.labels[: n + 1], right[: n + 1][:, labeled[n]] * 1.0, one.changed.get("q", 1.0))
            for n, one in enumerate(history)
        ]

    def gained(self) -> Floats:
        """By the next labels after each check, in the accuracy on the held-out rows; NaN where the run had ended."""
        labels, score = np.array(self.labels, dtype=np.float64), self._of("score")
        return np.asarray(np.interp(labels + AHEAD, labels, score, right=np.nan) - score, dtype=np.float64)

    def saved(self) -> list[tuple[int, Saved, float]]:
        """After each check: its labels, what is found, and how many chosen labels are truly worth as much."""
        return [
            (curves[-1], saved(*curves), self._worth(float(self._of("alone_score")[place])))
            for place, curves in self._curves()
        ]

    def gains(self) -> list[tuple[Gain, float]]:
        """After each check: what is found of the gain over random order, and what it truly is on the held-out rows."""
        found = [(gain(*curves), place) for place, curves in self._curves()]
        return [(one, self._gained(one.labels, place)) for one, place in found if one is not None]

    def _gained(self, labels: int, place: int) -> float:
        random = float(self._of("alone_score")[place])
        return float(np.interp(labels, self.labels, self._of("score"))) - random

    def _curves(self) -> Iterator[tuple[int, tuple[list[int], list[Ahead], int, float, int]]]:
        """After each check: which models of audit labels alone there are, and how far versions were ahead of them, as
        `saved` and `gain` take it."""
        if "alone_at" not in self.kept:
            return
        at = self._of("alone_at")
        for n, labels in enumerate(self.labels):
            if not (at <= n).any():
                continue
            place = int(np.flatnonzero(at <= n)[-1])
            random, variance = int(self._of("alone_labels")[place]), float(self._of("alone_variance")[place])
            ahead = [self._ahead(version, n, place) for version in range(n + 1)]
            yield place, (self.labels[: n + 1], ahead, random, variance, labels)

    def _ahead(self, version: int, latest: int, place: int) -> Ahead:
        """A version beside models of audit labels alone, by the truth and by what the latest version predicts."""
        alone, others = self._of("alone_predicted")[place], self._of("alone_others")[place]
        known = alone >= 0
        by, truth = self._of("audits")[:, known], self._of("truth")[known]
        of_others = self._of("others")

        def apart(mine: Floats, theirs: Floats, right: Floats) -> Floats:
            return np.asarray((mine == right) * 1.0 - (theirs == right))

        return Ahead(
            apart(by[version], alone[known], truth),
            apart(by[version], alone[known], by[latest]),
            apart(of_others[version], others, of_others[latest]),
        )

    def _worth(self, score: float) -> float:
        """How many chosen labels have that accuracy on the held-out rows."""
        labels, rising = np.array(self.labels, dtype=np.float64), np.asarray(isotonic_regression(self._of("score")))
        over = np.flatnonzero(rising >= score)
        if not len(over):
            return float("inf")
        n = int(over[0])
        if n == 0:
            return float(labels[0])
        return float(np.interp(score, rising[n - 1 : n + 1], labels[n - 1 : n + 1]))

    def _of(self, name: str) -> Floats:
        return np.asarray(self.kept[name], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Found:
    """What the runs of a set came to."""

    name: str
    ended: Sequence[Ended]
    inside: Sequence[bool]
    saved: Sequence[Sequence[tuple[int, Saved, float]]]
    gains: Sequence[tuple[Gain, float]]

    @property
    def good(self) -> float:
        return float(np.mean([one.share >= _GOOD for one in self.ended]))

    @property
    def shown(self) -> float:
        """The share of runs in which labels saved are shown soon enough."""
        of_runs = [any(one.is_shown and labels <= _BY_LABELS for labels, one, _ in run) for run in self.saved]
        return float(np.mean(of_runs)) if of_runs else float("nan")

    @property
    def held(self) -> list[bool]:
        """Of each figure shown, whether its interval holds the truth."""
        shown = [(one, truth) for run in self.saved for _, one, truth in run if one.is_shown and one.high is not None]
        return [one.low - 0.5 <= truth <= (one.high or 0) + 0.5 for one, truth in shown]

    def row(self) -> str:
        share, part = [one.share for one in self.ended], [one.labels / one.pool for one in self.ended]
        cells = [
            self.name.removeprefix("keel:"),
            str(len(self.ended)),
            f"{np.median([one.labels for one in self.ended]):.0f} of {self.ended[0].pool} ({np.median(part):.0%})",
            f"{np.median(share):.3f}",
            f"{self.good:.0%}",
            f"{np.min(share):.3f}",
            f"{np.mean([not one.advised for one in self.ended]):.0%}",
            f"{np.mean(self.inside):.0%} of {len(self.inside)}" if self.inside else "–",
        ]
        return f"| {' | '.join(cells)} |"


def found_of(name: str, runs: Sequence[Run]) -> Found:
    """All figures of a set."""
    ended, inside, savings, gains = [], [], [], []
    for kept in runs:
        one = Read(kept)
        history = one.history
        forecasts = one.forecasts(history)
        ended.append(one.ended(history, forecasts))
        for ahead, brought in zip(forecasts, one.gained().tolist(), strict=True):
            if ahead is not None and np.isfinite(brought):
                inside.append(ahead.low <= brought <= ahead.high)
        if name in SAVED_ON:
            savings.append(one.saved())
            gains += one.gains()
    return Found(name, ended, inside, savings, gains)


def saved_row(one: Found) -> str:
    """How often labels saved were shown, and what was claimed at the end."""
    last = [run[-1][1] for run in one.saved if run and run[-1][1].is_shown]
    claims = [(found.random, found.chosen or 0) for found in last]
    worth = f"{np.mean([k for _, k in claims]):.0f} for {np.mean([m for m, _ in claims]):.0f}" if claims else "–"
    held = f"{np.mean(one.held):.0%} of {len(one.held)}" if one.held else "–"
    return f"| {one.name.removeprefix('keel:')} | {len(one.saved)} | {one.shown:.0%} | {worth} | {held} |"


def rounds_row(name: str, by_size: Mapping[int, Sequence[Run]]) -> str:
    """The mean labels at the stop of the same seeds, by the size of rounds."""
    cells = [name.removeprefix("keel:"), str(min(map(len, by_size.values())))]
    for size in ROUNDS:
        ended = found_of("", by_size[size]).ended
        mean, share = np.mean([one.labels for one in ended]), np.mean([one.share for one in ended])
        cells.append(f"{mean:.0f} ({share:.3f})")
    return f"| {' | '.join(cells)} |"


def published_rows(done: Mapping[tuple[str, int], Mapping[str, Sequence[float]]]) -> list[str]:
    """A row for each set and criterion, of the seeds in which it stopped."""
    rows = []
    for name, theirs in PUBLISHED.items():
        for criterion in CRITERIA:
            runs = [found for (of, _), found in done.items() if of == name]
            stops = [found[criterion] for found in runs if criterion in found]
            if not stops:
                continue
            labels, accuracy = (np.array([one[n] for one in stops]) for n in (0, 1))
            low, high = np.quantile(labels, [0.025, 0.975])
            known = theirs[criterion]
            away = f"{labels.mean() / known.labels - 1:+.0%}, {100 * (accuracy.mean() - known.accuracy):+.1f} points"
            ours = f"{labels.mean():.0f} ({low:.0f}–{high:.0f}) | {accuracy.mean():.3f}"
            shown = f"{known.labels} | {known.accuracy:.3f}"
            rows.append(f"| {name} | {criterion} | {len(stops)} of {len(runs)} | {ours} | {shown} | {away} |")
    return rows


def summary(found: Sequence[Found], saved_also: Sequence[Found]) -> dict[str, float]:
    """The figures by the names under which they are watched; of ``saved_also`` only those of labels saved."""
    ended = [one for some in found for one in some.ended]
    saving = [one for one in (*found, *saved_also) if one.saved]
    held = [one for some in saving for one in some.held]
    gains = [(float(one.low <= truth <= one.high), one.is_shown) for some in saving for one, truth in some.gains]
    figures = {
        "saved_shown": min((one.shown for one in saving), default=float("nan")),
        "saved_sets_ok": sum(one.shown >= _SHOWN_IN for one in saving),
        "saved_coverage": float(np.mean(held)) if held else float("nan"),
        "gain_coverage": float(np.mean([inside for inside, _ in gains])) if gains else float("nan"),
        "gain_coverage_shown": float(np.mean([inside for inside, shown in gains if shown] or [np.nan])),
        "gain_shown": float(np.mean([shown for _, shown in gains])) if gains else float("nan"),
        "stop_sets_ok": sum(one.good >= _OF_RUNS for one in found),
        "stop_worst_share": float(np.mean([one.share >= _WORST for one in ended])),
        "stop_median_pool": float(np.median([one.labels / one.pool for one in ended])),
        "forecast_80": float(np.mean([one for some in found for one in some.inside])),
    }
    return {name: round(figure, 4) for name, figure in figures.items()}


STOPS = (
    "set",
    "seeds",
    "labels at the stop, median",
    "share of the final score",
    "≥ .98",
    "worst",
    "no advice",
    "gain inside its 80 %",
)
SAVED = (
    "set",
    "runs",
    "shown by 1,000 labels",
    "chosen labels for random ones, at the end",
    "interval holds the truth",
)
OF_ROUNDS = ("set", "seeds", *(f"rounds of {size}" for size in ROUNDS))
OF_OTHERS = ("set", "criterion", "stopped", "labels", "accuracy", "labels, theirs", "accuracy, theirs", "ours − theirs")


def _jobs(effort: Effort) -> list[Job]:
    usual = [(name, seed, _USUAL) for seed in range(effort.seeds) for name in SETS]
    others = [(name, seed, size) for seed in range(effort.rounds) for name in ROUNDS_ON for size in ROUNDS]
    saving = [(name, seed, _USUAL) for seed in range(effort.saved_also) for name in SAVED_ALSO]
    return list(dict.fromkeys([*usual, *others, *saving]))


def _by_size(kept: Mapping[Job, Run], seeds: int) -> dict[str, dict[int, list[Run]]]:
    """By set and size of rounds, the runs of those seeds of which there are all sizes."""
    found = {}
    for name in ROUNDS_ON:
        whole = [seed for seed in range(seeds) if all((name, seed, size) in kept for size in ROUNDS)]
        if whole:
            found[name] = {size: [kept[name, seed, size] for seed in whole] for size in ROUNDS}
    return found


def _of_set(name: str, kept: Mapping[Job, Run]) -> Found:
    return found_of(name, [one for job, one in kept.items() if (job[0], job[2]) == (name, _USUAL)])


def _is_saving(job: Job) -> bool:
    return job[0] in SAVED_ON and job[2] == _USUAL


def _least(job: Job) -> int:
    """Labels that a run has at least."""
    return _BY_LABELS if job[0] in SAVED_ALSO else 0


def _finished(jobs: Sequence[Job]) -> list[Job]:
    return [job for job in jobs if (KEPT / f"{job[0].replace(':', '-')}-{job[2]}-{job[1]}.npz").exists()]


def main() -> None:
    """Run what is not finished, print or write the tables, and end with one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stopping", description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="only of what is finished")
    given = parser.parse_args()
    os.nice(10)
    quick = bool(os.environ.get("QUICK"))
    effort = QUICK if quick else FULL
    jobs = _finished(_jobs(effort)) if given.table else _jobs(effort)
    doing = Parallel(n_jobs=given.workers, inner_max_num_threads=1, backend="loky")
    kept = dict(
        zip(jobs, doing(delayed(run)(*job, saving=_is_saving(job), least=_least(job)) for job in jobs), strict=True)
    )
    found, saved_also = ([one for name in names if (one := _of_set(name, kept)).ended] for names in (SETS, SAVED_ALSO))
    by_size = _by_size(kept, effort.rounds)
    theirs = [(name, seed) for name in PUBLISHED for seed in range(effort.published)]
    if given.table:
        theirs = [(name, seed) for name, seed in theirs if kept_in(name, seed).exists()]
    done = dict(zip(theirs, doing(delayed(stopped)(*one) for one in theirs), strict=True))
    classes = [(name, seed) for seed in range(effort.recall) for name in recall.SETS]
    if given.table:
        classes = [(name, seed) for name, seed in classes if recall.kept_in(name, seed).exists()]
    seen = dict(zip(classes, doing(delayed(recall.checks)(*one) for one in classes), strict=True))
    by_set = {name: [some for (of, _), some in seen.items() if of == name] for name in recall.SETS}
    tables = {
        "stopping": (STOPS, [one.row() for one in found]),
        "stopping-rounds": (OF_ROUNDS, [rounds_row(name, some) for name, some in by_size.items()]),
        "stopping-published": (OF_OTHERS, published_rows(done)),
        "labels-saved": (SAVED, [saved_row(one) for one in (*found, *saved_also) if one.saved]),
        "stopping-recall": (recall.HEADING, [recall.row(name, runs) for name, runs in by_set.items() if runs]),
    }
    for name, (heading, rows) in tables.items():
        print(f"| {' | '.join(heading)} |", *rows, sep="\n", flush=True)
        if not quick:
            write_table(name, heading, rows)
    print(json.dumps(summary(found, saved_also) | {"recall_bound": round(recall.holds(list(seen.values())), 4)}))


if __name__ == "__main__":
    main()
