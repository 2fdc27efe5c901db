"""``python -m benchmarks.honesty``: whether the figures that nextlabel shows hold, and a worse model is kept out.

A fast path: on three real sets the service's own learning asks for labels in half of the rows, and what each version
says of the other half is kept in ``.cache/honesty``. Audit tasks are then drawn from that half many times over, none
twice, each predicted by the version that its place calls for: here audits do not train the model. They do for the
*version in service*, whose out-of-fold predictions come from models fitted on ranked and audit labels alike; it is held
to its accuracy on all tasks, those with a label counted by models that had not seen them. Pairs for the gate are two
versions of one run whose accuracies differ by what the row names; simulated ones differ in nothing but what they miss.

Finished runs are kept and never done twice. ``QUICK=1`` does fewer. The last line is one JSON object; tables go into
``docs/benchmarks.md`` (with ``QUICK=1`` they are only printed).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks import audit_cost, kinds_covered
from benchmarks.page import write_table
from nextlabel.estimators.choice import fit_choice
from nextlabel.estimators.folds import draws_of
from nextlabel.estimators.learners import LinearLearner
from nextlabel.evaluation import accuracy, sanity
from nextlabel.evaluation.always_valid import log_evidence
from nextlabel.evaluation.intervals import Interval
from nextlabel.evaluation.paired import AGAINST_ANCHOR, e_values, head_start, squared_miss
from nextlabel.evaluation.promotion import HeldOut
from nextlabel.evaluation.reserve import audit_rate
from nextlabel.features.encoders import encoder_for
from nextlabel.features.matrices import rows_of, stacked
from nextlabel.labeling.ranking import Features, Floats
from nextlabel.learning.workbench import order_seed
from nextlabel.measures.target_predictions import ChoicePredictions
from nextlabel.simulate import load
from nextlabel.simulate.learning import MatrixLearning, Problem, Rows, Split
from nextlabel.strategies.builtin import built_in
from nextlabel.strategies.diverse import Diverse

RUNS = Path(__file__).resolve().parent.parent / ".cache" / "honesty"
SETS = ("digits", "spam", "keel:spambase")
MORE_SETS = (*SETS, "reuters-r8")
_BATCH, _LABELS, _MOST_AUDITS, _FIRST = 10, 300, 500, 20
_SIZES = (50, 100, 200)  # audit labels that the version in service is measured with
_AWAY = {"≥ 10 worse": (-0.13, -0.10), "5 worse": (-0.055, -0.045), "3 worse": (-0.035, -0.025)}
_AWAY |= {"equal": (-0.002, 0.002), "3 better": (0.025, 0.035)}
_JUDGED_AT = (100, 200)
_PAIRS, _ACCEPTED = 200, 0.3
SPOILED = ("honest", "30 % of the labels wrong", "a class dropped", "features shuffled")
_SPOILED_AT, _NEWEST, _NOISE = 100, 30, 0.3  # audit labels, labels that a version has learned beside, and wrong ones
_COMMON = 5  # labels of a class that is dropped
_NO_POOL = 10**9  # tasks: so many that none is left out of an interval

Run = Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Version:
    """A version in service: of n audit labels whether models that had not seen them were ``right`` and how ``sure``
    they were, how sure they were of m audit tasks ``unlabeled``, and its accuracy on all tasks, the ``truth``.

    For that one too, tasks with a label count by what models without it say.
    """

    right: Floats
    sure: Floats
    unlabeled: Floats
    truth: float
    tasks: int

    def interval(self, *, powered: bool) -> Interval:
        """As the service has it; or without what is said of unlabeled tasks."""
        sure = accuracy.Confidence(self.sure, self.unlabeled) if powered else None
        return accuracy.of_version(accuracy.figures_of("q", self.right, pool=self.tasks, sure=sure))["q"]

    def unblinded(self, seed: Sequence[int]) -> Version:
        """As it would be if annotators saw its guesses with audit tasks, and accepted three of ten wrong ones."""
        accepted = np.random.default_rng(seed).random(len(self.right)) < _ACCEPTED
        return replace(self, right=np.maximum(self.right, accepted))

    def row(self) -> Floats:
        """All of it in one row."""
        return np.concatenate([[self.truth, self.tasks], self.right, self.sure, self.unlabeled])

    @classmethod
    def of(cls, row: Floats, audits: int) -> Version:
        """From what `row` gave."""
        right, sure, unlabeled = np.split(row[2:], [audits, 2 * audits])
        return cls(right, sure, unlabeled, float(row[0]), int(row[1]))


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done: learning runs for each set, draws of audits from each, draws that models are fitted for, and
    versions that are ``spoiled`` in each way."""

    runs: int
    draws: int
    fits: int
    spoiled: int


FULL, QUICK = Effort(20, 1000, 1000, 200), Effort(2, 500, 60, 20)


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A version of labels ``given`` to some rows, and what models that had not seen them predict."""

    rows: Rows
    given: Sequence[str]
    held_out: ChoicePredictions | None

    def on(self, audits: Collection[int]) -> tuple[ChoicePredictions, list[str]]:
        """The predictions for the audit tasks among its rows, and the labels of these."""
        assert self.held_out is not None  # noqa: S101 - asked of versions that have some
        places = [place for place, row in enumerate(self.rows.tolist()) if row in audits]
        return self.held_out.of(places), [self.given[place] for place in places]


def _is_stopped(anchor: Spoiled, newer: Spoiled, audits: frozenset[int]) -> bool:
    vanished = sanity.vanished("q", "choice", list(anchor.given), list(newer.given))
    if not vanished.passed or newer.held_out is None:
        return True
    shared = audits.intersection(newer.rows.tolist())
    (was, truth), (now, given) = anchor.on(shared), newer.on(shared)
    before, after = (accuracy.figures_of("q", one.correctness(truth), pool=_NO_POOL) for one in (was, now))
    behind, ahead = (squared_miss(one.losses(truth)) for one in (now, was))
    held_out = HeldOut(behind, ahead, ahead, np.empty(0), np.empty(0))
    same = sum(one == other for one, other in zip(truth, given, strict=True))
    return not sanity.fell("q", after, before, same=same).passed or held_out.judge() is not None


class Fitted(MatrixLearning):
    """The service's learning, with what its models say of all rows: of those that may be asked, then the other half;
    ``draws`` fix each row's fold."""

    def __init__(self, problem: Problem, split: Split, seed: int) -> None:
        super().__init__(problem, split, "accuracy", seed)
        known = self._matrices
        self._rows, self._classes = _stacked(known.train, known.test), np.append(self._truth, self._test_truth)
        self.asked_of, self.rows = len(self._truth), len(self._classes)
        cast(LinearLearner, known.learner).remember(self._rows)
        tasks, source = split.train.tasks(), problem.source()
        self._space, self._names = encoder_for(split.target, tasks, source).space(known.train), split.target.labels
        self.draws = draws_of([*tasks, *split.test.tasks()], seed)

    def predicted(self, labeled: Rows) -> tuple[Floats, Floats]:
        """Of each row, by a model of the labeled ones: is it right (1 or 0), and the chance of the truth."""
        learner = self._matrices.learner
        chances = learner.fit(rows_of(self._rows, labeled), self._classes[labeled], self._seed)(self._rows)
        right = np.asarray(chances.argmax(axis=1) == self._classes, dtype=np.float64)
        return right, np.asarray(chances[np.arange(len(chances)), self._classes])

    def in_service(self, labeled: Rows, audits: Rows, unlabeled: Rows) -> Version:
        """The version that is learned of these rows' labels; ``audits`` are the places of audit tasks among them."""
        names = [self._names[code] for code in self._classes[labeled].tolist()]
        ours, others = rows_of(self._rows, labeled), rows_of(self._rows, unlabeled)
        model, held_out = fit_choice(
            ours,
            names,
            classes=self._names,
            space=self._space,
            seed=self._seed,
            others=others,
            draws=self.draws[labeled],
        )
        if held_out is None:
            raise ValueError(f"{len(labeled)} labels are too few to judge a version by.")
        right = self._right(model.predict((), self._rows), np.arange(self.rows))
        right[labeled] = self._right(held_out.of(range(len(labeled))), labeled)
        sure = held_out.confidence
        return Version(right[labeled[audits]], sure[audits], sure[len(labeled) :], float(right.mean()), self.rows)

    def stopped(self, asked: Rows, audits: Rows, seed: Sequence[int]) -> list[bool]:
        """Whether the next version is turned down by sanity checks or by all audit labels, if its labels are honest or
        spoiled in one of the ways of `SPOILED`. It is held to the version before the newest labels ``asked`` for."""
        rng, k = np.random.default_rng(seed), len(self._names)
        rows, before = np.concatenate([asked, audits]), np.concatenate([asked[:-_NEWEST], audits])
        noisy = self._classes[rows]
        wrong = np.flatnonzero(rng.random(len(asked)) < _NOISE)
        noisy[wrong] = (noisy[wrong] + rng.integers(1, k, len(wrong))) % k
        common = np.flatnonzero(np.bincount(self._classes[before]) >= _COMMON)
        kept = self._classes[rows] != rng.choice(common)
        shuffled = np.concatenate([rng.permutation(asked), rng.permutation(audits)])
        anchor = self._learned(before, self._classes[before], before)
        tried = [(rows, self._classes[rows], rows), (rows, noisy, rows)]
        tried += [(rows[kept], self._classes[rows[kept]], rows[kept]), (rows, self._classes[rows], shuffled)]
        return [_is_stopped(anchor, self._learned(*one), frozenset(audits.tolist())) for one in tried]

    def _learned(self, rows: Rows, classes: Rows, features: Rows) -> Spoiled:
        """What is learned of some rows if these were their classes, and the features were those of other rows."""
        given = [self._names[code] for code in classes.tolist()]
        known = rows_of(self._rows, features)
        if len(set(given)) < 2:
            return Spoiled(rows, given, None)
        return Spoiled(
            rows, given, fit_choice(known, given, classes=self._names, space=self._space, seed=self._seed)[1]
        )

    def _right(self, predicted: ChoicePredictions, rows: Rows) -> Floats:
        return predicted.correctness([self._names[code] for code in self._classes[rows].tolist()])


def _stacked(first: Features, second: Features) -> Features:
    if isinstance(first, csr_matrix) and isinstance(second, csr_matrix):
        return stacked([first, second])
    return np.concatenate([first, second])


def learned(name: str, seed: int, effort: Effort) -> Run:
    """One run of a set: of each version, whether it is ``right`` of each held-out row and its chance of the ``truth``;
    and for each number of audit labels, what fold models said of some draws of so many."""
    path = RUNS / f"{name.replace(':', '-')}-{seed}-{effort.fits}.v3.npz"
    if not path.exists():
        with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="nextlabel-honesty-") as cache:
            warnings.simplefilter("ignore")  # collinear columns, few labels
            found = _learn(name, seed, effort, Path(cache))
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.npz")
        np.savez_compressed(unfinished, **found)  # type: ignore[arg-type]  # as if a name could be "allow_pickle"
        unfinished.replace(path)
    with np.load(path) as kept:
        return dict(kept)


def _learn(name: str, seed: int, effort: Effort, cache: Path) -> dict[str, Floats]:
    data = load(name)
    order = np.random.default_rng([seed, 17]).permutation(len(data))
    split = Split(data.target, data.part(order[: len(order) // 2]), data.part(order[len(order) // 2 :]))
    learning = Fitted(Problem(data, cache), split, seed)
    rows, said = np.empty(0, dtype=np.int64), []
    while len(rows) < _LABELS:
        learning.learn(rows)
        strategy = Diverse() if learning.is_cold(_BATCH) else built_in("adaptive")
        asked = learning.candidates(order_seed(seed, len(rows))).ranked(strategy, _BATCH).task_ids()
        rows = np.concatenate([rows, np.array([int(task) for task in asked], dtype=np.int64)])
        right, truth = learning.predicted(rows)
        said.append(np.stack([right, truth])[:, learning.asked_of :])
    found = dict(zip(("right", "truth"), np.stack(said, axis=1), strict=True))
    for size in _SIZES:
        draws = [_drawn(learning, rows, size, [seed, size, n]) for n in range(-(-effort.fits // effort.runs))]
        found[f"of {size}"] = np.stack(draws)
    tried = [_spoiled(learning, rows, [seed, 31, n]) for n in range(-(-effort.spoiled // effort.runs))]
    return found | {"stopped": np.array(tried, dtype=np.float64)}


def _spoiled(learning: Fitted, rows: Rows, seed: Sequence[int]) -> list[bool]:
    held_out = np.random.default_rng(seed).permutation(learning.rows - learning.asked_of) + learning.asked_of
    return learning.stopped(rows, held_out[:_SPOILED_AT], seed)


def _drawn(learning: Fitted, rows: Rows, size: int, seed: Sequence[int]) -> Floats:
    """After so many random audit labels beside those that were asked for: what `Version.row` keeps."""
    held_out = np.random.default_rng(seed).permutation(learning.rows - learning.asked_of) + learning.asked_of
    unlabeled = held_out[size:][: accuracy.MOST_UNLABELED]
    labeled = np.concatenate([rows, held_out[:size]])
    return learning.in_service(labeled, np.arange(len(rows), len(labeled)), unlabeled).row()


def versions_asked(versions: int) -> NDArray[np.intp]:
    """Which version predicts the n-th audit task, as the serving rate falls; the last one from the last label on."""
    ranked = np.cumsum([1 / audit_rate(n) - 1 for n in range(_MOST_AUDITS)])
    return np.clip(ranked.astype(np.intp) // _BATCH, 1, versions - 1)


def simultaneous(right: Floats, draws: int, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each of many draws of audit tasks, whether the always-valid interval held after every label from the 20th on,
    and whether Wilson's did."""
    asked, accuracy = versions_asked(len(right)), right.mean(axis=1)
    size = min(_MOST_AUDITS, right.shape[1])
    order = np.random.default_rng(seed).random((draws, right.shape[1])).argsort(axis=1)[:, :size]
    counts = np.arange(1.0, size + 1)
    sums = np.cumsum(right[asked[:size], order], axis=1)
    truth = np.cumsum(accuracy[asked[:size]]) / counts
    looks = np.s_[:, _FIRST - 1 :]
    counts, truth = (np.broadcast_to(one, sums.shape)[looks] for one in (counts, truth))
    always = log_evidence(sums[looks], counts, truth) < np.log(20)
    wilson = _in_wilson(sums[looks] / counts, counts, truth)
    return np.asarray(always.all(axis=1)), np.asarray(wilson.all(axis=1))


def _in_wilson(shares: Floats, counts: Floats, truth: Floats) -> NDArray[np.bool_]:
    """Wilson's interval is the means whose score test does not reject."""
    return np.asarray((shares - truth) ** 2 <= 1.96**2 * truth * (1 - truth) / counts)


@dataclass(frozen=True, slots=True)
class Covered:
    """How often intervals held the truth, and their mean half-width."""

    share: float
    half: float
    n: int

    @classmethod
    def of(cls, intervals: Sequence[Interval], truths: Sequence[float]) -> Covered:
        inside = [one.low <= truth <= one.high for one, truth in zip(intervals, truths, strict=True)]
        return cls(float(np.mean(inside)), float(np.mean([(one.high - one.low) / 2 for one in intervals])), len(inside))


def of_version(runs: Sequence[Run], size: int) -> tuple[Covered, Covered, Covered]:
    """The interval of the version in service after so many audit labels: without PPI++, as the service shows it, and as
    it would show it if audit tasks were not blind."""
    drawn = [Version.of(row, size) for run in runs for row in run[f"of {size}"]]
    truths = [one.truth for one in drawn]
    unblinded = [one.unblinded([size, n]) for n, one in enumerate(drawn)]
    ways = (drawn, False), (drawn, True), (unblinded, True)
    plain, shown, seen = (
        Covered.of([one.interval(powered=powered) for one in versions], truths) for versions, powered in ways
    )
    return plain, shown, seen


@dataclass(frozen=True, slots=True)
class Through:
    """How challengers of one kind fared: the share that stays at 100 and at 200 audit labels, and that was stopped."""

    pairs: int
    stays: Mapping[int, float]
    stopped: Mapping[int, float]


def through(worse_by: Floats) -> Through:
    """Of draws × 200 paired differences: what the gate would do after 100 and after 200 audit labels."""
    evidence = np.maximum.accumulate(e_values(worse_by), axis=1)
    stopped = {n: evidence[:, n - 1] >= AGAINST_ANCHOR for n in _JUDGED_AT}
    ahead = {n: worse_by[:, :n].sum(axis=1) <= head_start(n) for n in _JUDGED_AT}
    stays = {n: float((ahead[n] & ~stopped[n]).mean()) for n in _JUDGED_AT}
    return Through(1, stays, {n: float(one.mean()) for n, one in stopped.items()})


def real_pairs(runs: Sequence[Run], draws: int) -> dict[str, Through]:
    """Versions of one run, held to each other on audit tasks that are drawn many times."""
    found: dict[str, Through] = {}
    rng = np.random.default_rng(3)
    for name, (least, most) in _AWAY.items():
        pairs = _pairs(runs, least, most)
        rng.shuffle(pairs)
        if chosen := pairs[:_PAIRS]:
            found[name] = _mean([_fared(run, one, other, draws, rng) for run, one, other in chosen])
    return found


def _pairs(runs: Sequence[Run], least: float, most: float) -> list[tuple[Run, int, int]]:
    """Runs with two of their versions, the first of which is better by between ``least`` and ``most``."""
    pairs = []
    for run in runs:
        accuracy = run["right"].mean(axis=1)
        better = accuracy[:, None] - accuracy
        fits = (better >= least) & (better <= most) & ~np.eye(len(better), dtype=np.bool_)
        pairs += [(run, int(newer), int(other)) for newer, other in np.argwhere(fits)]
    return pairs


def _fared(run: Run, newer: int, other: int, draws: int, rng: np.random.Generator) -> Through:
    order = rng.random((max(draws // _PAIRS, 10), run["right"].shape[1])).argsort(axis=1)[:, : _JUDGED_AT[-1]]
    return through(((1 - run["truth"][newer]) ** 2 - (1 - run["truth"][other]) ** 2)[order])


def simulated_pairs(discordance: float, draws: int = 20_000) -> dict[str, Through]:
    """Versions that differ in whether they are right, on this share of all tasks; their losses are 0 or 1."""
    rng, found = np.random.default_rng(4), {}
    for name, points in {"10 worse": 0.10, "5 worse": 0.05, "3 worse": 0.03, "equal": 0.0, "3 better": -0.03}.items():
        drawn = rng.random((draws, _JUDGED_AT[-1]))
        worse = (drawn < (discordance + points) / 2).astype(np.float64)
        found[name] = through(worse - (drawn > 1 - (discordance - points) / 2))
    return found


def _mean(fared: Sequence[Through]) -> Through:
    stays, stopped = (
        {n: float(np.mean([getattr(one, part)[n] for one in fared])) for n in _JUDGED_AT}
        for part in ("stays", "stopped")
    )
    return Through(sum(one.pairs for one in fared), stays, stopped)


@dataclass(frozen=True, slots=True)
class Found:
    """What one set showed: ``always`` and ``wilson``, how often each held at every look; by number of audit labels, the
    version in service as `of_version` has it; and how challengers fared."""

    name: str
    always: float
    wilson: float
    version: Mapping[int, tuple[Covered, Covered, Covered]]
    gate: Mapping[str, Through]
    stopped: Mapping[str, float]

    def row(self) -> str:
        cells = [self.name.removeprefix("keel:"), f"{self.always:.1%}", f"{1 - self.wilson:.1%}"]
        for size in _SIZES:
            plain, shown, _ = self.version[size]
            narrower = 1 - shown.half / plain.half
            cells.append(f"{plain.share:.1%} ± {plain.half:.3f}; {shown.share:.1%}, {narrower:+.0%} ({plain.n})")
        return f"| {' | '.join(cells)} |"


def measured(name: str, effort: Effort, workers: int) -> Found:
    """All figures of a set, from runs that are made where they are not kept yet."""
    jobs = (delayed(learned)(name, seed, effort) for seed in range(effort.runs))
    runs: list[Run] = Parallel(n_jobs=workers, inner_max_num_threads=1, backend="loky")(jobs)
    draws = -(-effort.draws // effort.runs)
    held = [simultaneous(run["right"], draws, seed) for seed, run in enumerate(runs)]
    always, wilson = (float(np.concatenate(one).mean()) for one in zip(*held, strict=True))
    version = {size: of_version(runs, size) for size in _SIZES}
    stopped = dict(zip(SPOILED, np.concatenate([run["stopped"] for run in runs]).mean(axis=0).tolist(), strict=True))
    return Found(name, always, wilson, version, real_pairs(runs, effort.draws * 10), stopped)


def gate_rows(found: Sequence[Found]) -> list[str]:
    """Real pairs of all sets, then simulated ones."""
    kinds = {f"real, {name}": _mean([one.gate[name] for one in found if name in one.gate]) for name in _AWAY}
    for discordance in (0.1, 0.2):
        kinds |= {f"simulated, {discordance:.0%} differ, {k}": one for k, one in simulated_pairs(discordance).items()}
    return [
        f"| {name} | {one.pairs} | {' | '.join(f'{part[n]:.1%}' for part in (one.stays, one.stopped) for n in part)} |"
        for name, one in kinds.items()
    ]


def spoiled_rows(found: Sequence[Found]) -> list[str]:
    """By set, how often the next version was turned down."""
    return [
        f"| {one.name.removeprefix('keel:')} | {' | '.join(f'{one.stopped[way]:.1%}' for way in SPOILED)} |"
        for one in found
    ]


def summary(found: Sequence[Found]) -> dict[str, float]:
    """The figures by the names under which they are watched, over all sets."""
    gate = {name: _mean([one.gate[name] for one in found if name in one.gate]) for name in _AWAY}
    plain, shown, seen = (
        float(np.mean([one.version[size][way].share for one in found for size in _SIZES])) for way in range(3)
    )
    figures = {
        "coverage_version": shown,
        "coverage_version_plain": plain,
        "coverage_always": float(np.mean([one.always for one in found])),
        "wilson_always": 1 - float(np.mean([one.wilson for one in found])),
        "blind_matters": shown - seen,
        "broken_through_100": gate["≥ 10 worse"].stays[100],
        "broken_through_200": gate["≥ 10 worse"].stays[200],
        "minus3_through_200": gate["3 worse"].stays[200],
        "better_promoted_200": gate["3 better"].stays[200],
        "equal_rolled_back_200": gate["equal"].stopped[200],
        "honest_turned_down": float(np.mean([one.stopped["honest"] for one in found])),
        "spoiled_stopped_100": float(np.mean([one.stopped[way] for one in found for way in SPOILED[1:]])),
    }
    figures |= {f"narrower_{one.name}": _narrower(one) for one in found if one.name in ("digits", "reuters-r8")}
    return {name: round(figure, 4) for name, figure in figures.items()}


def _narrower(one: Found) -> float:
    """By how much PPI++ makes the interval narrower, over all numbers of audit labels."""
    return float(np.mean([1 - shown.half / plain.half for plain, shown, _ in one.version.values()]))


FIGURES = (
    "set",
    "always valid: held at every look",
    "Wilson's: wrong at some look",
    *(f"version, {n}" for n in _SIZES),
)
GATE = ("challenger", "pairs", *(f"{what} at {n}" for what in ("stays", "stopped") for n in _JUDGED_AT))


def main() -> None:
    """Run what is not finished, print or write the tables, and end with one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.honesty", description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    os.nice(10)
    quick = bool(os.environ.get("QUICK"))
    found = []
    for name in MORE_SETS:
        found.append(measured(name, QUICK if quick else FULL, given.workers))
        print(found[-1].row(), flush=True)
    rows = gate_rows(found)
    print(*rows, *spoiled_rows(found), sep="\n")
    if not quick:
        write_table("honesty-spoiled", ("set", *SPOILED), spoiled_rows(found))
        write_table("honesty", FIGURES, [one.row() for one in found])
        write_table("honesty-gate", GATE, rows)
    kinds = kinds_covered.told(quick=quick, workers=given.workers)
    print(json.dumps(summary(found) | kinds | audit_cost.told(quick=quick, workers=given.workers)))


if __name__ == "__main__":
    main()
