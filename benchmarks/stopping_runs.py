"""Runs of ``benchmarks.stopping``: the service's own learning, and what each version that would be checked predicts.

Audit tasks are served among the ranked ones at their rate, and train the model like any other. Versions are fitted as
in the service; those between two checks are not judged, and share the temperature of the last check. What is kept of
each check is all that the advice is made from, so that the advice can be made anew without another run.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.audit_cost import asked, split_of
from nextlabel.estimators.choice import LinearChoice, fit_choice
from nextlabel.evaluation import savings, stopping
from nextlabel.evaluation.reserve import Reserve, least_of
from nextlabel.evaluation.stability import kappa
from nextlabel.features.encoders import encoder_for
from nextlabel.features.matrices import rows_of
from nextlabel.labeling import Label, TaskId
from nextlabel.labeling.ranking import Features, Floats
from nextlabel.measures.target_predictions import ChoicePredictions
from nextlabel.options import ProjectOptions
from nextlabel.simulate.learning import MatrixLearning, Problem, Rows, Split

KEPT = Path(__file__).resolve().parent.parent / ".cache" / "stopping"
_AFTER, _ROOM, _MOST_SHARE = 1.4, 110, 0.6
"""A run goes on after predictions were stable first: to so many times the labels, and so many labels; never beyond this
share of the pool."""
_DRAWS = 20

Run = Mapping[str, NDArray[np.generic]]


@dataclass(slots=True)
class _Kept:
    """What is kept of a run: of C checks, S tasks of the stop set and A audit tasks."""

    labels: list[int]
    stop: list[NDArray[np.uint8]]
    error: list[float]
    score: list[float]
    everywhere: list[float]
    audits: list[NDArray[np.uint8]]
    others: list[NDArray[np.uint8]]
    labeled: list[NDArray[np.bool_]]
    fewest: list[int]
    alone: dict[str, NDArray[np.generic]]


class Watched(MatrixLearning):
    """The service's learning, which judges only those versions that are checked."""

    def __init__(self, problem: Problem, split: Split, seed: int) -> None:
        super().__init__(problem, split, "accuracy", seed)
        known, tasks = self._matrices, split.train.tasks()
        self._space = encoder_for(split.target, tasks, problem.source()).space(known.train)
        self._weighed = {id(some): self._space.weigh(some) for some in (known.train, known.test)}
        self._names, self._temperature = split.target.labels, 1.0
        self.codes, self.rows = self._truth, len(self._truth)

    def learn(self, labeled: Rows) -> None:
        """Without judging it."""
        if len(np.unique(self._truth[labeled])) < 2:
            super().learn(labeled)
            return
        self._labeled = labeled
        model, _ = self._fitted(labeled, judged=False)
        self._use(LinearChoice.from_state(dict(model.state()) | {"temperature": self._temperature}))

    def check(self, labeled: Rows) -> tuple[Floats, Floats]:
        """Judged: n × k chances of all rows; and the same by models that had not seen them, for the labeled ones."""
        self._labeled = labeled
        model, held_out = self._fitted(labeled, judged=True)
        self._temperature = float(str(model.state()["temperature"]))
        self._use(model)
        chances = self._predict(self._matrices.train)
        unseen = chances.copy()
        if held_out is not None:
            unseen[labeled] = held_out.probabilities
        return chances, unseen

    def predict(self, train: Rows, *asked: Rows) -> list[NDArray[np.intp]]:
        """Codes of rows, by a model of these labels alone."""
        if len(np.unique(self._truth[train])) < 2:
            return [np.full(len(some), self._truth[train][0]) for some in asked]
        model, _ = self._fitted(train, judged=False)
        features = (rows_of(self._matrices.train, some) for some in asked)
        return [
            model.predict((), some).probabilities.argmax(axis=1) if some.shape[0] else np.empty(0, dtype=np.intp)
            for some in features
        ]

    def tested(self) -> tuple[Rows, Rows]:
        """What the last model predicts of the held-out rows, and their truth."""
        return self._predict(self._matrices.test).argmax(axis=1), self._test_truth

    def random_score(self, size: int, draws: int) -> float:
        """The mean accuracy on the held-out rows of models of so many random labels."""
        kept, scores = self._predict, []
        for n in range(draws):
            self.learn(np.random.default_rng([self._seed, size, n]).permutation(self.rows)[:size])
            scores.append(self.score())
        self._predict = kept
        return float(np.mean(scores))

    def _fitted(self, labeled: Rows, *, judged: bool) -> tuple[LinearChoice, ChoicePredictions | None]:
        names = [self._names[code] for code in self._truth[labeled].tolist()]
        features = rows_of(self._matrices.train, labeled)
        return fit_choice(features, names, classes=self._names, space=self._space, seed=self._seed, judged=judged)

    def _use(self, model: LinearChoice) -> None:
        self._predict = lambda some: model.predict_proba(self._of(some))

    def _of(self, some: Features) -> Features:
        known = self._weighed.get(id(some))
        return self._space.weigh(some) if known is None else known


def run(name: str, seed: int, batch: int, *, saving: bool, least: int = 0) -> Run:
    """From the file that keeps it, where there is one; ``saving``: models of audit labels alone are wanted too;
    ``least``: it goes on to so many labels, however early predictions were stable."""
    path = KEPT / f"{name.replace(':', '-')}-{batch}-{seed}.npz"
    if not path.exists():
        with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="nextlabel-stopping-") as cache:
            warnings.simplefilter("ignore")  # collinear columns, few labels
            found = _run(name, seed, batch, Path(cache), saving=saving, least=least)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.npz")
        np.savez_compressed(unfinished, **found)  # type: ignore[arg-type]
        unfinished.replace(path)
    with np.load(path) as kept:
        return dict(kept)


def _run(name: str, seed: int, batch: int, cache: Path, *, saving: bool, least: int) -> Run:
    split = split_of(name, seed)
    learning = Watched(Problem(split.train, cache), split, seed)
    rows = learning.rows
    everyone = [TaskId(str(row)) for row in range(rows)]
    reserve = Reserve(f"{name} {seed}", ProjectOptions().audit_share, least_of(rows)).sample(everyone)
    apart = set(reserve)
    compared = np.array([int(one) for one in stopping.stop_set(one for one in everyone if one not in apart)])
    audits = np.array([int(one) for one in reserve])
    kept = _Kept([], [], [], [], [], [], [], [], [], {})
    labeled, until = np.empty(0, dtype=np.int64), rows * _MOST_SHARE
    while len(labeled) <= until:
        if stopping.is_due(len(labeled), kept.labels[-1] if kept.labels else None) and _classes(learning, labeled) > 1:
            _check(learning, labeled, compared, audits, kept, saving=saving)
            if until == rows * _MOST_SHARE and _stable(kept):
                until = min(until, max(len(labeled) * _AFTER, len(labeled) + _ROOM, least))
        else:
            learning.learn(labeled)
        if len(labeled) >= rows:
            break
        labeled = np.concatenate([labeled, asked(learning, labeled, reserve, seed, batch)])
    learning.learn(np.arange(rows))
    fixed = {"full": np.array(learning.score()), "rows": np.array(rows), "truth": learning.codes[audits]}
    columns = {name: np.array(getattr(kept, name)) for name in _Kept.__slots__ if name != "alone"}
    return {**fixed, **columns, **kept.alone}


def _classes(learning: Watched, labeled: Rows) -> int:
    return len(np.unique(learning.codes[labeled]))


def _check(learning: Watched, labeled: Rows, compared: Rows, audits: Rows, kept: _Kept, *, saving: bool) -> None:
    chances, unseen = learning.check(labeled)
    kept.stop.append(chances[compared].argmax(axis=1).astype(np.uint8))
    kept.error.append(float(1 - unseen[compared].max(axis=1).mean()))
    right = unseen.argmax(axis=1) == learning.codes
    has_label = np.isin(audits, labeled)
    kept.labels.append(len(labeled))
    kept.score.append(learning.score())
    kept.everywhere.append(float(right.mean()))
    codes = unseen.argmax(axis=1).astype(np.uint8)
    kept.audits.append(codes[audits])
    kept.others.append(codes[compared[: savings.MOST_OTHERS]])
    kept.labeled.append(has_label)
    kept.fewest.append(int(np.bincount(learning.codes[labeled], minlength=int(learning.codes.max()) + 1).min()))
    if saving:
        _fit_alone(learning, audits, compared[: savings.MOST_OTHERS], kept)


def _fit_alone(learning: Watched, audits: Rows, others: Rows, kept: _Kept) -> None:
    has_label = kept.labeled[-1]
    mine = audits[has_label]
    before = max((int(one) for one in kept.alone.get("alone_audits", np.empty(0)).tolist()), default=0)
    if len(mine) < max(savings.FEWEST, before * savings.GROWN):
        return

    def predict(train: Rows, held: Rows, asked: Rows) -> tuple[list[float], list[float]]:
        first, second = learning.predict(mine[train], mine[held], others[asked])
        return first.tolist(), second.tolist()

    latest = kept.others[-1].tolist()
    found = savings.alone(predict, _same, latest, len(mine), len(mine))
    everyone = np.full(len(audits), -1)
    everyone[has_label] = found.audits
    fresh = {
        "alone_audits": len(mine),
        "alone_at": len(kept.labels) - 1,
        "alone_labels": found.labels,
        "alone_variance": found.variance,
        "alone_score": learning.random_score(found.labels, _DRAWS),
    }
    for key, value in fresh.items():
        kept.alone[key] = np.append(kept.alone.get(key, np.empty(0)), value)
    for key, codes in (("alone_predicted", everyone), ("alone_others", np.array(found.others))):
        kept.alone[key] = np.vstack([kept.alone.get(key, np.empty((0, len(codes)))), codes])


def _same(one: Sequence[Label], other: Sequence[Label]) -> Floats:
    return np.array([a == b for a, b in zip(one, other, strict=True)], dtype=np.float64)


def _stable(kept: _Kept) -> bool:
    """Whether all that advice takes but a second criterion is there."""
    if kept.fewest[-1] < stopping.FEWEST_OF_CLASS or kept.labeled[-1].sum() < stopping.FEWEST_AUDITS:
        return False
    return stopping.stabilising(checked(kept.labels, kept.stop, kept.error)).holds is True


def checked(labels: list[int], stop: list[NDArray[np.uint8]], error: list[float]) -> list[stopping.Checked]:
    """The history as the service has it."""
    found = []
    for n, (count, codes) in enumerate(zip(labels, stop, strict=True)):
        place = stopping.compared_to(count, labels[:n])
        if place is None:
            found.append(stopping.Checked(count, error={"q": error[n]}))
            continue
        alike, moved = kappa(stop[place], codes), float((stop[place] != codes).mean())
        found.append(stopping.Checked(count, labels[place], {"q": alike}, {"q": moved}, {"q": error[n]}))
    return found
