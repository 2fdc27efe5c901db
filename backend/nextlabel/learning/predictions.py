"""From what a model says of each target to what people see: guesses, and how much an answer would teach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from math import inf
from statistics import fmean

import numpy as np

from nextlabel.labeling import Guess, Prediction, QueueVersion, Result, Span, Task
from nextlabel.labeling.ranking import Floats, Needs
from nextlabel.learning.weights import NO_WEIGHTS, Weights, counting, weight_of
from nextlabel.measures import uncertainty
from nextlabel.measures.target_predictions import ChoicesPredictions, OwnPredictions, TargetPredictions, as_two_classes


def utilities_of(
    strategy: object, target_predictions: Mapping[str, TargetPredictions], weights: Weights = NO_WEIGHTS
) -> Floats:
    """n utilities in [0, 1] of tasks taken one by one: the strategy's own, or the margin where it has none.

    One that needs the chances of several labels is given these. Raises what the strategy raises, and ValueError where
    what it gives is not one number for each task.
    """
    target_predictions = counting(target_predictions, weights)
    probabilities = overall_probabilities(target_predictions, weights)
    own, given = getattr(strategy, "utilities", None), probabilities
    if own is not None and Needs.LABEL_CHANCES in getattr(strategy, "needs", ()):
        predicted = next(iter(target_predictions.values()))
        own, given = (own, predicted.chances) if isinstance(predicted, ChoicesPredictions) else (None, given)
    if own is None:
        return uncertainty.margin(probabilities)
    utilities = np.asarray(own(given), dtype=np.float64)
    if utilities.shape != (len(given),) or not np.isfinite(utilities).all():
        raise ValueError(f"utilities(probabilities) must give one finite number for each of {len(given)} tasks")
    return utilities


def overall_uncertainty(target_predictions: Mapping[str, TargetPredictions], weights: Weights = NO_WEIGHTS) -> Floats:
    """n in [0, 1]: of several targets the weighted mean, since every one of them will be answered."""
    counted = counting(target_predictions, weights)
    if len(counted) == 1:
        (only,) = counted.values()
        return only.uncertainty
    given = [weight_of(name, weights) for name in counted]
    shares = given if any(given) else [1.0] * len(given)
    return np.asarray(np.average([one.uncertainty for one in counted.values()], axis=0, weights=shares))


def overall_probabilities(target_predictions: Mapping[str, TargetPredictions], weights: Weights = NO_WEIGHTS) -> Floats:
    """n × k for query strategies: of the only target that counts its own; of several, two classes by their overall
    uncertainty."""
    counted = counting(target_predictions, weights)
    if len(counted) == 1:
        (predicted,) = counted.values()
        return predicted.probabilities
    return as_two_classes(overall_uncertainty(counted, weights))


def predictions_of(
    tasks: Sequence[Task],
    target_predictions: Mapping[str, TargetPredictions],
    utilities: Floats,
    *,
    version: QueueVersion,
    informative: bool,
    least: Callable[[str], float] = lambda target: 0.0,
    unsure: Floats | None = None,
) -> list[Prediction]:
    """One prediction per task, from n predictions of each target and n utilities.

    A model that knows nothing yet guesses nothing: pre-annotating at random would only bias annotators. What a team's
    own model says is shown all the same: many answer only when an annotator asks them about something. What is right
    with a chance below the ``least`` of its target is left out of the guesses; the prediction stays. ``unsure`` are the
    tasks' uncertainties, where they are not the mean of the targets'.
    """
    speaking = {
        target: prediction
        for target, prediction in target_predictions.items()
        if informative or isinstance(prediction, OwnPredictions)
    }
    shown = [map(_shown, one.guesses(target), repeat(least(target))) for target, one in speaking.items()]
    guesses = [tuple(filter(None, row)) for row in zip(*shown, strict=True)] or [()] * len(tasks)
    if unsure is None:
        unsure = overall_uncertainty(target_predictions)
    return [
        Prediction(task.id, version, guess, doubt, utility)
        for task, guess, doubt, utility in zip(tasks, guesses, unsure.tolist(), utilities.tolist(), strict=True)
    ]


def _shown(guess: Guess, least: float) -> Guess | None:
    """What people see of a guess: a span by its own chance, several labels by the average of theirs.

    Nothing is known against what a team's own model says without a score.
    """
    if isinstance(guess.label, Result) and not guess.label.items:
        return None
    if isinstance(guess.label, tuple) and guess.label and isinstance(guess.label[0], Span):
        kept = [n for n, chance in enumerate(guess.parts) if not chance < least]
        spans = tuple(guess.label[n] for n in kept)
        return guess._replace(label=spans, parts=tuple(guess.parts[n] for n in kept)) if kept else None
    if not guess.scored:
        return guess if least < inf else None
    chance = fmean(guess.parts) if guess.parts else guess.confidence
    return None if chance < least else guess
