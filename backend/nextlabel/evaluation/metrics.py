"""How good a model is, from what it predicts for rows that it had not seen.

The rows are what annotators were asked, not a random sample: with an uncertainty strategy they are harder than the
average task, so these are lower figures than those on the whole pool.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import pearsonr
from sklearn.metrics import f1_score

from nextlabel.evaluation.spans import span_f1
from nextlabel.labeling import Label
from nextlabel.labeling.ranking import Floats
from nextlabel.measures.target_predictions import (
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    SpanPredictions,
    TargetPredictions,
    membership,
)


def metrics_of(predicted: TargetPredictions, truth: Sequence[Label]) -> dict[str, float]:
    """The figures that suit the kind of target, and how many labels they are taken from."""
    figures = {"labels": float(len(truth))}
    match predicted:
        case ChoicePredictions():
            figures |= _of_choice(predicted, [str(label) for label in truth])
        case ChoicesPredictions():
            figures |= _of_choices(predicted, truth)
        case NumberPredictions():
            figures |= _of_number(predicted.mean, np.array([label for label in truth if isinstance(label, float)]))
        case SpanPredictions():
            precision, recall, f1 = span_f1(truth, predicted.spans)  # type: ignore[arg-type]
            figures |= {"precision": precision, "recall": recall, "f1": f1}
    return figures


def _of_choice(predicted: ChoicePredictions, truth: Sequence[str]) -> dict[str, float]:
    """Accuracy with its standard error, macro-F1 and log loss."""
    best = [predicted.classes[column] for column in predicted.probabilities.argmax(axis=1)]
    accuracy = float(np.mean([one == true for one, true in zip(best, truth, strict=True)]))
    return {
        "accuracy": accuracy,
        "accuracy_standard_error": float(np.sqrt(accuracy * (1 - accuracy) / len(truth))),
        "macro_f1": float(f1_score(truth, best, average="macro", zero_division=0)),
        "log_loss": float(predicted.losses(truth).mean()),
    }


def _of_choices(predicted: ChoicesPredictions, truth: Sequence[Label]) -> dict[str, float]:
    """F1 over all labels of all tasks, over labels, and the share of tasks that are right in every label."""
    given, true = predicted.given, membership(truth, predicted.labels)
    return {
        "micro_f1": float(f1_score(true, given, average="micro", zero_division=0)),
        "macro_f1": float(f1_score(true, given, average="macro", zero_division=0)),
        "all_right": float((given == true).all(axis=1).mean()),
        "log_loss": float(predicted.losses(truth).mean()),
    }


def _of_number(mean: Floats, truth: Floats) -> dict[str, float]:
    """Mean absolute and root mean square error, and Pearson's correlation (0 where one side never changes)."""
    off = mean - truth
    constant = len(truth) < 2 or np.ptp(mean) == 0 or np.ptp(truth) == 0
    return {
        "mean_absolute_error": float(np.abs(off).mean()),
        "root_mean_square_error": float(np.sqrt((off**2).mean())),
        "correlation": 0.0 if constant else float(pearsonr(mean, truth).statistic),
    }
