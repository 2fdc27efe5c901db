"""From what a model says of each target to what people see: guesses, and how much an answer would teach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nextlabel import uncertainty
from nextlabel.labeling import Prediction, QueueVersion, Task
from nextlabel.opinions import Opinions, as_two_classes
from nextlabel.ranking import Floats


def utilities_of(strategy: object, probabilities: Floats) -> Floats:
    """n utilities in [0, 1] of tasks taken one by one: the strategy's own, or the margin where it has none."""
    own = getattr(strategy, "utilities", None)
    return uncertainty.margin(probabilities) if own is None else np.asarray(own(probabilities))


def overall_uncertainty(opinions: Mapping[str, Opinions]) -> Floats:
    """n in [0, 1]: of several targets the mean, since every one of them will be answered."""
    return np.asarray(np.mean([said.uncertainty for said in opinions.values()], axis=0))


def overall_probabilities(opinions: Mapping[str, Opinions]) -> Floats:
    """n × k for query strategies: a single target's own; of several, two classes by the mean uncertainty."""
    if len(opinions) == 1:
        (said,) = opinions.values()
        return said.probabilities
    return as_two_classes(overall_uncertainty(opinions))


def predictions_of(
    tasks: Sequence[Task],
    opinions: Mapping[str, Opinions],
    utilities: Floats,
    *,
    version: QueueVersion,
    informative: bool,
) -> list[Prediction]:
    """One prediction per task, from n opinions of each target and n utilities.

    A model that knows nothing yet guesses nothing: pre-annotating at random would only bias annotators.
    """
    said = [opinion.guesses(target) for target, opinion in opinions.items()] if informative else []
    guesses = list(zip(*said, strict=True)) or [()] * len(tasks)
    unsure = overall_uncertainty(opinions).tolist()
    return [
        Prediction(task=task.id, version=version, guesses=guess, uncertainty=doubt, utility=utility)
        for task, guess, doubt, utility in zip(tasks, guesses, unsure, utilities.tolist(), strict=True)
    ]
