"""For each kind of target: how its estimator is fitted and read back, and what it gives query strategies.

A new kind has a line in `BY_KIND`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from nextlabel.estimators.choice import LinearChoice, fit_choice, predict_trusting
from nextlabel.estimators.choices import LinearChoices, choices_trusting, fit_choices
from nextlabel.estimators.folds import Draws, draws_of
from nextlabel.estimators.learners import ChancesLearner, LinearLearner, NumbersLearner
from nextlabel.estimators.number import LinearNumber, fit_number
from nextlabel.estimators.offered import OfferedLabels, fit_offered
from nextlabel.estimators.prior import Prior
from nextlabel.estimators.project import Estimator
from nextlabel.estimators.ranking import LinearRanking, NothingOrdered, fit_ranking
from nextlabel.estimators.spans import NoSpans, NothingMarked, SpanTagger, fit_spans
from nextlabel.estimators.starts import LastFit
from nextlabel.features.spaces import Space
from nextlabel.labeling import Label, Scale, Span, Target, TargetKind, Task
from nextlabel.labeling.ranking import CandidatePool, Chances, Features, Floats, Numbers
from nextlabel.measures.target_predictions import (
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    TargetPredictions,
    membership,
)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model, and what one that had not seen the row predicts for each (None: too few labels).

    ``others`` is what the same models predict for tasks without a label, where that was asked for and is known.
    """

    model: Estimator
    out_of_fold: TargetPredictions | None = None
    others: TargetPredictions | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What a model of one target is fitted on: n labeled tasks, and how; ``others`` are features of tasks without a
    label that are to be predicted too; ``last`` is the last fit, from which a long one begins."""

    target: Target
    tasks: Sequence[Task]
    features: Features
    labels: Sequence[Label]
    space: Space
    seed: int
    judged: bool
    others: Features | None = None
    last: LastFit | None = None
    weights: Floats | None = None
    """How much each row counts, above 0; None: all alike."""


class Restored(Protocol):
    """The class of a model that is stored: ``kind`` names it there."""

    kind: str

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> Estimator: ...


Labels = Sequence[Label]
ToSpace = Callable[[], Space]
Offer = Callable[[CandidatePool, TargetPredictions, Labels, ToSpace], CandidatePool]
"""A pool of which only the margin says how unsure the model is, what that model predicts of the only target, that
target's labels, and the space of its features → the pool with what the kind has beside."""


@dataclass(frozen=True, slots=True)
class OfKind:
    """What a kind of target needs here."""

    fit: Callable[[Known], Fitted]
    models: tuple[type[Restored], ...]
    offer: Offer = lambda pool, predicted, labels, space: pool
    from_two: bool = True
    """Whether there is nothing to fit until two labels differ."""
    takes_weights: bool = False
    """Whether some rows may count more than others."""
    trusting: Callable[[Known, TargetPredictions], TargetPredictions | None] = lambda known, first: None
    """What models predict of the same tasks that have seen no label which is in doubt by what is predicted first; None
    where nobody knows."""


# --- fitting ----------------------------------------------------------------------------------------------------------


def _fit_offered(known: Known) -> Fitted:
    labeled = known.target, known.tasks, known.features, known.labels
    return Fitted(*fit_offered(*labeled, space=known.space, seed=known.seed, judged=known.judged))


def _draws(known: Known) -> Draws | None:
    """None where only features are known."""
    return draws_of(known.tasks, known.seed) if known.tasks else None


def _fit_choice(known: Known) -> Fitted:
    if known.target.options:
        return _fit_offered(known)
    labels = [label for label in known.labels if isinstance(label, str)]
    model, predicted = fit_choice(
        known.features,
        labels,
        classes=known.target.labels,
        space=known.space,
        seed=known.seed,
        judged=known.judged,
        others=known.others,
        last=known.last,
        draws=_draws(known),
        row_weights=known.weights,
    )
    if predicted is None:
        return Fitted(model)
    n = len(labels)
    others = None if known.others is None else predicted.of(range(n, len(predicted)))
    return Fitted(model, predicted.of(range(n)), others)


def _fit_choices(known: Known) -> Fitted:
    """Always judged: labels are given by what is known from that."""
    if known.target.options:
        return _fit_offered(replace(known, judged=True))
    given: list[tuple[str, ...]] = [label for label in known.labels if isinstance(label, tuple)]  # type: ignore[misc]
    draws, labels, weights = _draws(known), known.target.labels, known.weights
    space, seed = known.space, known.seed
    fitted = fit_choices(known.features, given, labels=labels, space=space, seed=seed, draws=draws, row_weights=weights)
    return Fitted(*fitted)


def _fit_number(known: Known) -> Fitted:
    numbers = [label for label in known.labels if isinstance(label, float)]
    return Fitted(
        *fit_number(
            known.features,
            numbers,
            scale=known.target.scale or Scale(),
            space=known.space,
            seed=known.seed,
            judged=known.judged,
            draws=_draws(known),
            row_weights=known.weights,
        )
    )


def _fit_spans(known: Known) -> Fitted:
    marked: list[tuple[Span, ...]] = [label for label in known.labels if isinstance(label, tuple)]  # type: ignore[misc]
    try:
        return Fitted(*fit_spans(known.target, known.tasks, marked, seed=known.seed, judged=known.judged))
    except NothingMarked:
        return Fitted(NoSpans())


def _fit_ranking(known: Known) -> Fitted:
    try:
        return Fitted(*fit_ranking(known.target, known.tasks, known.labels, seed=known.seed, judged=known.judged))
    except NothingOrdered:
        return Fitted(Prior(known.target.labels))


# --- without what is in doubt ----------------------------------------------------------------------------------------


def _choice_trusting(known: Known, first: TargetPredictions) -> TargetPredictions | None:
    if not isinstance(first, ChoicePredictions):  # each task offers labels of its own
        return None
    labels = [label for label in known.labels if isinstance(label, str)]
    return predict_trusting(
        known.features,
        labels,
        first,
        space=known.space,
        seed=known.seed,
        draws=_draws(known),
        row_weights=known.weights,
    )


def _choices_trusting(known: Known, first: TargetPredictions) -> TargetPredictions | None:
    if not isinstance(first, ChoicesPredictions):
        return None
    given: list[tuple[str, ...]] = [label for label in known.labels if isinstance(label, tuple)]  # type: ignore[misc]
    return choices_trusting(
        known.features,
        given,
        first,
        space=known.space,
        seed=known.seed,
        draws=_draws(known),
        row_weights=known.weights,
    )


# --- what query strategies are given ----------------------------------------------------------------------------------


def _offer_choice(pool: CandidatePool, predicted: TargetPredictions, labels: Labels, space: ToSpace) -> CandidatePool:
    """The probabilities of its classes, and a learner for further models."""
    learner = LinearLearner(space(), predicted.probabilities.shape[1])
    return replace(pool, probabilities=predicted.probabilities, learner=learner, classes=True)


def _offer_choices(pool: CandidatePool, predicted: TargetPredictions, labels: Labels, space: ToSpace) -> CandidatePool:
    if not isinstance(predicted, ChoicesPredictions):
        return pool
    given, learner = membership(labels, predicted.labels), ChancesLearner(space, predicted.labels)
    return replace(pool, chances=Chances(predicted.chances, given, learner))


def _offer_number(pool: CandidatePool, predicted: TargetPredictions, labels: Labels, space: ToSpace) -> CandidatePool:
    if not isinstance(predicted, NumberPredictions):
        return pool
    numbers = np.array([label for label in labels if isinstance(label, float)])
    known = Numbers(predicted.mean, predicted.spread, numbers, predicted.typical, NumbersLearner(space))
    return replace(pool, numbers=known)


BY_KIND: Mapping[TargetKind, OfKind] = {
    "choice": OfKind(
        _fit_choice, (LinearChoice, OfferedLabels), _offer_choice, takes_weights=True, trusting=_choice_trusting
    ),
    "choices": OfKind(_fit_choices, (LinearChoices,), _offer_choices, takes_weights=True, trusting=_choices_trusting),
    "number": OfKind(_fit_number, (LinearNumber,), _offer_number, takes_weights=True),
    "spans": OfKind(_fit_spans, (NoSpans, SpanTagger), from_two=False),
    "ranking": OfKind(_fit_ranking, (LinearRanking,)),
}
