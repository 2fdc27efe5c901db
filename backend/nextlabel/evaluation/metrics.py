"""How good a model is, from predictions on rows that it had not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import f1_score

from nextlabel.evaluation.promotion import log_losses
from nextlabel.ranking import Floats


def out_of_fold_metrics(probabilities: Floats, columns: Sequence[int]) -> dict[str, float]:
    """Accuracy with its standard error, macro-F1 and log loss of n × k out-of-fold probabilities.

    ``columns`` are the true classes as columns. The rows are what annotators were asked, not a random sample:
    with an uncertainty strategy they are harder than the average task, so this is a lower figure than
    the accuracy on the whole pool.
    """
    truth = np.asarray(columns)
    said = probabilities.argmax(axis=1)
    accuracy = float((said == truth).mean())
    return {
        "labels": float(len(truth)),
        "accuracy": accuracy,
        "accuracy_standard_error": float(np.sqrt(accuracy * (1 - accuracy) / len(truth))),
        "macro_f1": float(f1_score(truth, said, average="macro", zero_division=0)),
        "log_loss": float(log_losses(probabilities, columns).mean()),
    }
