"""From probabilities to what people see: a label, its confidence, and how much an answer would teach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nextlabel import uncertainty
from nextlabel.labeling import Guess, Prediction, QueueVersion, Task
from nextlabel.ranking import Floats


def utilities_of(strategy: object, probabilities: Floats) -> Floats:
    """n utilities in [0, 1] of tasks taken one by one: the strategy's own, or the margin where it has none."""
    own = getattr(strategy, "utilities", None)
    return uncertainty.margin(probabilities) if own is None else np.asarray(own(probabilities))


def predictions_of(
    tasks: Sequence[Task],
    probabilities: Floats,
    utilities: Floats,
    *,
    classes: Sequence[str],
    target: str,
    version: QueueVersion,
    informative: bool,
) -> list[Prediction]:
    """One prediction per task, from n × k probabilities and n utilities.

    A model that knows nothing yet guesses nothing: pre-annotating at random would only bias annotators.
    """
    best = probabilities.argmax(axis=1).tolist()
    confidences = probabilities.max(axis=1).tolist()
    return [
        Prediction(
            task=task.id,
            version=version,
            guesses=(Guess(target, classes[column], confidence),) if informative else (),
            uncertainty=1 - confidence,
            utility=utility,
        )
        for task, column, confidence, utility in zip(tasks, best, confidences, utilities.tolist(), strict=True)
    ]
