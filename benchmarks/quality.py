"""``python -m benchmarks.quality``: whether wrong labels are found, and what reviewing them is worth.

A tenth of the labels of digits and Reuters R8 is flipped: to any other class, or within pairs of classes that a model
confuses most. The service's own model is fitted on these, then without those that are in doubt by its folds, and what
these folds predict is what `nextlabel suspects` goes by. Then the worst 5 and 10 % of the labels are put right, and the
model is fitted again: how much of the accuracy that the flips have cost comes back, on rows that nobody labels? Beside
it stands what half of the flips bring back, drawn at random by somebody who knows them all. ActiveLab runs as cleanlab
has it (`benchmarks.activelab`; WALL_ROBOT names the file, where it is not ``../shared/data/wall-robot-24.csv.gz``).
What is said of people who label, and which label counts where they differ, comes from `benchmarks.annotator_figures`.

It needs the extra ``quality``. Finished runs are kept in ``.cache/quality``, never done twice; ``QUICK=1`` does fewer.
The last line is one JSON object; tables go into ``docs/benchmarks.md`` (with ``QUICK=1`` they are only printed).
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from benchmarks import activelab, annotator_figures
from benchmarks.page import write_table
from nextlabel.errors import ConfigurationError
from nextlabel.estimators.choice import fit_choice, predict_trusting
from nextlabel.evaluation import cut_off
from nextlabel.evaluation.suspects import Doubts, doubts_of
from nextlabel.features.encoders import encoder_for
from nextlabel.features.matrices import rows_of
from nextlabel.features.spaces import Space
from nextlabel.labeling.ranking import Features
from nextlabel.measures.target_predictions import ChoicePredictions
from nextlabel.simulate import load
from nextlabel.simulate.learning import Problem

CACHE = Path(__file__).resolve().parent.parent / ".cache"
RUNS = CACHE / "quality"
SETS = ("digits", "reuters-r8")
_FLIPPED, _WORST, _REVIEWED = 0.1, 0.05, (0.05, 0.1)
_SEEDS = {"digits": 20, "reuters-r8": 3}
_QUICK_SEEDS = {"digits": 3, "reuters-r8": 1}
_FILM_SEEDS, _QUICK_FILM_SEEDS = 5, 1
_WALL_ROBOT = CACHE.parent.parent / "shared" / "data" / "wall-robot-24.csv.gz"  # beside the repository

Codes = NDArray[np.intp]
Figures = dict[str, float]


class Set:
    """A labeled set as the service reads it, and rows of it that nobody labels."""

    def __init__(self, name: str) -> None:
        data = load(name)
        problem = Problem(data, CACHE / "quality" / "features")
        source, tasks = problem.source(), data.tasks()
        encoder = encoder_for(data.target, tasks, source)
        features = encoder.encode(tasks, source)
        self.classes = tuple(data.target.labels)
        self.space: Space = encoder.space(features)
        truth = self._codes(data.labels)
        if data.test is not None:
            self.features, self.truth = features, truth
            self.test, self.test_truth = encoder.encode(data.test.tasks(), source), self._codes(data.test.labels)
            return
        rows, rest = train_test_split(np.arange(len(truth)), test_size=0.4, random_state=0, stratify=truth)
        self.features, self.truth = rows_of(features, rows), truth[rows]
        self.test, self.test_truth = rows_of(features, rest), truth[rest]

    def _codes(self, labels: Sequence[object]) -> Codes:
        place = {label: n for n, label in enumerate(self.classes)}
        return np.array([place[str(label)] for label in labels], dtype=np.intp)

    def out_of_fold(self, given: Codes, seed: int) -> tuple[ChoicePredictions, ChoicePredictions]:
        """As a round has it: by models of all labels, and by models of those that are not in doubt by these."""
        first = cast("ChoicePredictions", self._fit(self.features, given, seed, judged=True)[1])
        labels = [self.classes[code] for code in given]
        again = predict_trusting(self.features, labels, first, space=self.space, seed=seed)
        return first, cast("ChoicePredictions", again)

    def accuracy(self, given: Codes) -> float:
        model = self._fit(self.features, given, 0, judged=False)[0]
        return float((model.predict((), self.test).probabilities.argmax(axis=1) == self.test_truth).mean())

    def _fit(self, features: Features, given: Codes, seed: int, *, judged: bool) -> Any:
        labels = [self.classes[code] for code in given]
        return fit_choice(features, labels, classes=self.classes, space=self.space, seed=seed, judged=judged)


_set = cache(Set)


def kept(name: str, make: Callable[[], Any]) -> Any:
    """What a run came to, done once."""
    path = RUNS / f"{name}.json"
    if not path.exists():
        found = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".part").write_text(json.dumps(found), encoding="utf-8")
        path.with_suffix(".part").replace(path)
        print(f"{name}: {found}", flush=True)
    return json.loads(path.read_text(encoding="utf-8"))


def clean(name: str) -> Figures:
    """Nothing is flipped: how many labels are suspected, by cleanlab and without it, and the accuracy."""
    one = _set(name)
    first, predicted = one.out_of_fold(one.truth, 0)
    _keep_pairs(name, one, first)
    return {
        "suspected": float(cut_off.suspected(one.truth, predicted.probabilities).mean()),
        "suspected_plain": float(cut_off.plain(one.truth, predicted.probabilities).mean()),
        "accuracy": one.accuracy(one.truth),
    }


def _keep_pairs(name: str, one: Set, predicted: ChoicePredictions) -> None:
    """By class the one that it is confused with: pairs, those first that a model confuses most."""
    k = len(one.classes)
    mean = np.array([predicted.probabilities[one.truth == code].mean(axis=0) for code in range(k)])
    confused = mean + mean.T
    np.fill_diagonal(confused, -1)
    partner = list(range(k))
    while confused.max() >= 0:
        first, second = np.unravel_index(confused.argmax(), confused.shape)
        partner[int(first)], partner[int(second)] = int(second), int(first)
        confused[[first, second]] = -1
        confused[:, [first, second]] = -1
    kept(f"{name}-pairs", lambda: partner)


def flipped(one: Set, name: str, kind: str, seed: int) -> Codes:
    """The labels with a tenth of them wrong."""
    draw, k = np.random.default_rng(seed), len(one.classes)
    rows, given = draw.choice(len(one.truth), round(_FLIPPED * len(one.truth)), replace=False), one.truth.copy()
    if kind == "random":
        given[rows] = (given[rows] + draw.integers(1, k, len(rows))) % k
    else:
        given[rows] = np.array(kept(f"{name}-pairs", list))[given[rows]]
    return given


def run(name: str, kind: str, seed: int) -> Figures:
    """How many of the worst labels are wrong, what is suspected, and the accuracy before and after reviews."""
    one = _set(name)
    given = flipped(one, name, kind, seed)
    wrong, (first, predicted) = given != one.truth, one.out_of_fold(given, seed)
    labels = [one.classes[code] for code in given]
    doubts, before = (cast("Doubts", doubts_of(some, labels)) for some in (predicted, first))
    order, earlier = (np.argsort(-some.doubt, kind="stable") for some in (doubts, before))
    half = np.random.default_rng(seed).permutation(np.flatnonzero(wrong))[: round(_WORST * len(order))]
    reviews = {f"{share:.0%} reviewed": order[: round(share * len(order))] for share in _REVIEWED}
    accuracies = {"noisy": one.accuracy(given)}
    for review, rows in (reviews | {"half known": half}).items():
        right = given.copy()
        right[rows] = one.truth[rows]
        accuracies[review] = one.accuracy(right)
    plain = cut_off.plain(given, predicted.probabilities)
    return {
        "worst_precision": float(wrong[order[: round(_WORST * len(order))]].mean()),
        "worst_precision_before": float(wrong[earlier[: round(_WORST * len(order))]].mean()),
        "worst_tenth_precision": float(wrong[order[: round(_FLIPPED * len(order))]].mean()),
        "precision": float(wrong[doubts.suspected].mean()),
        "recall": float(doubts.suspected[wrong].mean()),
        "precision_plain": float(wrong[plain].mean()),
        "recall_plain": float(plain[wrong].mean()),
        "as_by_hand": float((doubts.suspected == _by_hand(given, predicted)).all()),
        **accuracies,
    }


def _by_hand(given: Codes, predicted: ChoicePredictions) -> np.ndarray[Any, Any]:
    filters = importlib.import_module("cleanlab.filter")
    return np.asarray(filters.find_label_issues(given, predicted.probabilities, n_jobs=1))


def recovered(found: Sequence[Figures], clean_accuracy: float, share: str) -> float:
    """Of the accuracy that flips have cost, the part that a review brings back; of all seeds together."""
    lost = sum(clean_accuracy - one["noisy"] for one in found)
    return sum(one[share] - one["noisy"] for one in found) / lost


def robot_accuracies(seeds: int) -> list[list[float]]:
    path = Path(os.environ.get("WALL_ROBOT") or _WALL_ROBOT)
    if not path.is_file():
        raise ConfigurationError(
            f"There is no file {path}. Get UCI's Wall-Following Robot Navigation Data (CC BY 4.0), write its "
            "sensor_readings_24 as CSV with a heading, gzip it, and set WALL_ROBOT to where it is."
        )
    return [kept(f"wall-robot-{seed}.v2", partial(_robot, path, seed)) for seed in range(seeds)]


def _robot(path: Path, seed: int) -> list[float]:
    return activelab.run(activelab.read(path, seed), seed)


def main() -> None:
    quick = os.environ.get("QUICK") == "1"
    if not cut_off.has_cleanlab():
        raise ConfigurationError("cleanlab is missing: pip install 'nextlabel[quality]'.")
    seeds = _QUICK_SEEDS if quick else _SEEDS
    of_clean = {name: kept(f"{name}-clean.v2", partial(clean, name)) for name in SETS}
    rows, of_settings = [], list[Figures]()
    for name in SETS:
        for kind in ("random", "pairs"):
            found = [kept(f"{name}-{kind}-{seed}.v2", partial(run, name, kind, seed)) for seed in range(seeds[name])]
            figures = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
            for share in _REVIEWED:
                back = recovered(found, of_clean[name]["accuracy"], f"{share:.0%} reviewed")
                figures[f"back_{share:.0%}"] = back
            figures["back_half"] = recovered(found, of_clean[name]["accuracy"], "half known")
            of_settings.append(figures)
            rows.append(_row(name, kind, len(found), figures, of_clean[name]))
    robots = robot_accuracies(1 if quick else 5)
    mean = np.mean(robots, axis=0)
    shown = [f"| {n} | {mean[n - 1]:.3f} | {theirs:.3f} |" for n, theirs in activelab.PUBLISHED.items()]
    _show("quality-suspects", _HEADING, rows, quick=quick)
    _show("quality-activelab", ("round", f"accuracy, {len(robots)} runs", "published"), shown, quick=quick)
    films = film_figures(_QUICK_FILM_SEEDS if quick else _FILM_SEEDS)
    _show("quality-consensus", ("the label of a sentence is", "right"), list(_film_rows(films)), quick=quick)
    print(json.dumps(_figures(of_settings, of_clean, float(mean[-1])) | films | _of_people(quick)))


def film_figures(seeds: int) -> Figures:
    """Means of so many draws of sentences and raters."""
    found = [kept(f"film-{seed}", partial(annotator_figures.film_consensus, seed)) for seed in range(seeds)]
    return {name: round(float(np.mean([one[name] for one in found])), 4) for name in found[0]}


def _film_rows(films: Figures) -> Iterator[str]:
    for name, way in _WAYS.items():
        yield f"| {way} | {films[f'film_{name}']:.4f} |"


_WAYS = {
    "latest": "the latest of three, above 0 or not",
    "agreed": "what most say, above 0 or not: what the service learns from",
    "crowdlab": "CROWDLAB (cleanlab) of the same",
    "agreed_either": "what most of those say who did not give 0",
    "crowdlab_either": "CROWDLAB (cleanlab) of the same",
    "number": "the ratings as numbers: what the service learns from",
    "mean": "the mean of the ratings",
    "model": "what the model predicts, out of fold, without any of them",
}
_HEADING = (
    *("set, flips, seeds", "of the worst 5, 10 % wrong", "suspected with cleanlab: precision, recall"),
    *("without it", "as by hand", "accuracy flipped → 5 % → 10 % reviewed (clean)", "brought back at 5, 10 %"),
    *("by half of the flips", "clean"),
)


def _row(name: str, kind: str, seeds: int, of: Figures, of_clean: Mapping[str, float]) -> str:
    accuracy = f"{of['noisy']:.3f} → {of['5% reviewed']:.3f} → {of['10% reviewed']:.3f} ({of_clean['accuracy']:.3f})"
    cells = (
        f"{name}, {kind}, {seeds}",
        f"{of['worst_precision']:.3f}, {of['worst_tenth_precision']:.3f}",
        f"{of['precision']:.3f}, {of['recall']:.3f}",
        f"{of['precision_plain']:.3f}, {of['recall_plain']:.3f}",
        f"{of['as_by_hand']:.0%}",
        accuracy,
        f"{of['back_5%']:.0%}, {of['back_10%']:.0%}",
        f"{of['back_half']:.0%}",
        f"{of_clean['suspected']:.1%}; {of_clean['suspected_plain']:.1%}",
    )
    return f"| {' | '.join(cells)} |"


def _show(name: str, heading: Sequence[str], rows: Sequence[str], *, quick: bool) -> None:
    print("\n".join([f"| {' | '.join(heading)} |", *rows]), flush=True)
    if not quick:
        write_table(name, heading, rows)


def _figures(settings: Sequence[Figures], of_clean: Mapping[str, Figures], robot: float) -> Figures:
    """Means of the four settings; of clean labels those of the worse set."""
    return {
        "suspects_worst5_precision": round(float(np.mean([one["worst_precision"] for one in settings])), 4),
        "recovered_at_5": round(float(np.mean([one["back_5%"] for one in settings])), 4),
        "recovered_at_10": round(float(np.mean([one["back_10%"] for one in settings])), 4),
        "suspected_clean": round(max(max(one["suspected"], one["suspected_plain"]) for one in of_clean.values()), 4),
        "activelab_20": round(robot, 4),
    }


def _of_people(quick: bool) -> Figures:
    """Of agreement and drift."""
    return dict(annotator_figures.figures(quick))


if __name__ == "__main__":
    main()
