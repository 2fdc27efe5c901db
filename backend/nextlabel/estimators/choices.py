"""Any number of labels for each task: one logistic regression for each label, with calibrated chances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from nextlabel.estimators.folds import Draws, Split, known_enough, splits_of
from nextlabel.estimators.linear import LinearScores
from nextlabel.estimators.rows import Rows
from nextlabel.features.spaces import Space, active
from nextlabel.labeling import Task
from nextlabel.labeling.ranking import Features, Floats
from nextlabel.measures.target_predictions import ChoicesPredictions, membership

_FOLDS = 5
_STRENGTHS = (1.0, 20.0)
_THRESHOLDS = np.arange(0.2, 0.61, 0.05)

Which = NDArray[np.bool_]


class LinearChoices:
    """Chances of each label by itself. Make one with `fit_choices`."""

    kind = "choices/1"
    informative: bool = True

    def __init__(self, labels: Sequence[str], scores: LinearScores, threshold: float) -> None:
        self._labels, self._scores, self._threshold = tuple(labels), scores, threshold

    def predict(self, tasks: Sequence[Task], features: Features) -> ChoicesPredictions:
        return ChoicesPredictions(self._labels, expit(self._scores.of(features)), self._threshold)

    def state(self) -> dict[str, object]:
        own = {"labels": list(self._labels), "threshold": self._threshold}
        return {"kind": self.kind, **own, "scores": self._scores.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> LinearChoices:
        scores = LinearScores.from_state(cast("Mapping[str, object]", state["scores"]))
        return cls(cast("list[str]", state["labels"]), scores, cast(float, state["threshold"]))


def fit_choices(
    features: Features,
    given: Sequence[tuple[str, ...]],
    *,
    labels: Sequence[str],
    space: Space,
    seed: int = 0,
    judged: bool = True,
    offered: NDArray[np.bool_] | None = None,
    draws: Draws | None = None,
    row_weights: Floats | None = None,
) -> tuple[LinearChoices, ChoicesPredictions | None]:
    """Fit on n labeled rows; returns the model, and what one that had not seen the row predicts (None: too few labels).

    A label that all rows have, or none, keeps Laplace's share. Scores become chances by one slope and one shift for
    all labels together (Platt, 1999), taken from scores out of fold: single labels are often too rare for their own.
    So is the strength of regularisation, by log loss, and the chance from which on a label is given, by micro-F1.
    ``offered`` is n × labels, which could be given to which row at all (None: all): of others a row says nothing.
    ``draws`` fix the folds (`splits_of`); ``seed`` does without them. ``row_weights`` is how much each row counts
    in the fit (None: all alike).
    """
    truth = membership(given, labels)
    asked = np.ones_like(truth) if offered is None else offered
    counted = np.ones(len(truth)) if row_weights is None else row_weights
    columns, x = active(space.weigh(features))
    rows = Rows(x)
    tuned = _Tuned(_STRENGTHS[-1])
    if judged and len(truth) >= 2 * _FOLDS:
        splits = _splits(len(truth), seed, draws)
        tries = [_tuned(rows.numbers, truth, asked, counted, strength, splits) for strength in _STRENGTHS]
        tuned = min(tries, key=lambda one: one.loss)
    weights, intercept = _fit(rows.numbers, truth, asked, counted, tuned.strength)
    scores = LinearScores(
        space, columns, tuned.slope * rows.weights_of_columns(weights), tuned.slope * intercept + tuned.shift
    )
    model = LinearChoices(labels, scores, tuned.threshold)
    target_predictions = (
        None if tuned.chances is None else ChoicesPredictions(tuple(labels), tuned.chances, tuned.threshold)
    )
    return model, target_predictions


def choices_trusting(
    features: Features,
    given: Sequence[tuple[str, ...]],
    first: ChoicesPredictions,
    *,
    space: Space,
    seed: int = 0,
    draws: Draws | None = None,
    row_weights: Floats | None = None,
) -> ChoicesPredictions | None:
    """What models predict for n labeled rows that have seen neither the row nor what is in doubt of others: a label
    given, or left out, where ``first``, what `fit_choices` predicted of the rows, has the contrary likelier."""
    truth = membership(given, first.labels)
    likelier = (first.chances >= 1 / 2) == truth
    columns = [known_enough(*both) for both in zip(likelier.T, truth.T.astype(np.intp), strict=True)]
    trusted = np.stack(columns, axis=1) if columns else likelier
    _, predicted = fit_choices(
        features,
        given,
        labels=first.labels,
        space=space,
        seed=seed,
        offered=trusted,
        draws=draws,
        row_weights=row_weights,
    )
    return predicted


@dataclass(frozen=True, slots=True)
class _Tuned:
    """What was learned out of fold with one strength: ``chances`` are n × labels."""

    strength: float
    slope: float = 1.0
    shift: float = 0.0
    threshold: float = 0.5
    loss: float = 0.0
    chances: Floats | None = None


def _splits(n: int, seed: int, draws: Draws | None) -> list[Split]:
    from sklearn.model_selection import KFold  # noqa: PLC0415 - slow to load: see preload

    if draws is not None:
        return splits_of(draws, _FOLDS)
    return list(KFold(_FOLDS, shuffle=True, random_state=seed).split(np.zeros(n)))


def _tuned(x: Floats, truth: Which, asked: Which, counted: Floats, strength: float, splits: Sequence[Split]) -> _Tuned:
    scores = _out_of_fold(x, truth, asked, counted, strength, splits)
    slope, shift, loss = _platt(scores[asked], truth[asked])
    chances = expit(slope * scores + shift)
    return _Tuned(strength, slope, shift, best_threshold(chances[asked], truth[asked]), loss, chances)


def best_threshold(chances: Floats, truth: NDArray[np.bool_]) -> float:
    """Of those that give the best F1 over all labels the one nearest to ½."""
    tries = sorted(_THRESHOLDS, key=lambda at: abs(at - 0.5))
    right = [2 * (truth & (chances >= at)).sum() / max(truth.sum() + (chances >= at).sum(), 1) for at in tries]
    return float(tries[int(np.argmax(right))])


def _fit(x: Floats, truth: Which, asked: Which, counted: Floats, strength: float) -> tuple[Floats, Floats]:
    """Weights (columns × labels) and intercepts."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to load: see preload

    weights, intercept = np.zeros((x.shape[1], truth.shape[1])), np.empty(truth.shape[1])
    for label, (all_given, rows) in enumerate(zip(truth.T, asked.T, strict=True)):
        given = all_given[rows]
        share = (given.sum() + 1) / (len(given) + 2)
        intercept[label] = np.log(share / (1 - share))
        if given.any() and not given.all():
            model = LogisticRegression(C=strength, max_iter=300, tol=1e-4).fit(x[rows], given, counted[rows])
            weights[:, label], intercept[label] = model.coef_[0], model.intercept_[0]
    return weights, intercept


def _out_of_fold(
    x: Floats, truth: Which, asked: Which, counted: Floats, strength: float, splits: Sequence[Split]
) -> Floats:
    scores = np.empty(truth.shape)
    for train, test in splits:
        weights, intercept = _fit(x[train], truth[train], asked[train], counted[train], strength)
        scores[test] = x[test] @ weights + intercept
    return scores


def _platt(scores: Floats, truth: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Slope, shift, and the log loss that they leave."""

    def loss(parameters: Floats) -> float:
        z = (np.exp(parameters[0]) * scores + parameters[1]) * np.where(truth, 1, -1)
        return float(np.logaddexp(0, -z).mean())

    found = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[(-2.5, 2.5), (-3, 3)])
    return float(np.exp(found.x[0])), float(found.x[1]), float(found.fun)
