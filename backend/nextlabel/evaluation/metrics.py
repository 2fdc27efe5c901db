"""How good a model is, from what it predicts for rows that it had not seen.

The rows are what annotators were asked, not a random sample: with an uncertainty strategy they are harder than the
average task, so these are lower figures than those on the whole pool.
"""

from __future__ import annotations

from collections.abc import Sequence

from nextlabel.labeling import Label
from nextlabel.measures.target_predictions import TargetPredictions


def metrics_of(predicted: TargetPredictions, truth: Sequence[Label]) -> dict[str, float]:
    """The figures that suit the kind of target, and how many labels they are taken from."""
    return {"labels": float(len(truth))} | predicted.metrics(truth)
