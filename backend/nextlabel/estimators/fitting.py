"""From labels to a model: which estimator fits a target, and what is known of it so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nextlabel.estimators.choice import fit_choice
from nextlabel.estimators.choices import fit_choices
from nextlabel.estimators.number import fit_number
from nextlabel.estimators.prior import Prior
from nextlabel.estimators.project import Estimator
from nextlabel.estimators.spans import NoSpans, NothingMarked, fit_spans
from nextlabel.features.spaces import Space
from nextlabel.labeling import Label, Scale, Span, Target, Task
from nextlabel.labeling.ranking import Features
from nextlabel.measures.target_predictions import TargetPredictions


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model, and what one that had not seen the row predicts for each (None: too few labels)."""

    model: Estimator
    out_of_fold: TargetPredictions | None = None


def fit(
    target: Target,
    tasks: Sequence[Task],
    features: Features,
    labels: Sequence[Label],
    space: Space,
    seed: int,
    *,
    judged: bool = True,
) -> Fitted:
    """Fit the target's estimator on n labeled rows; until two labels differ, the prior.

    Without ``judged`` nothing is known of rows that it has not seen, which is quicker: it answers the same, but for a
    single choice how sure it is means nothing. Several choices are always judged, for they are given by it. The prior
    it stays where tasks hold recordings and nothing else. ``space`` knows all tasks of the project, labeled
    or not. Labels must be such as `Target.read` gives.
    """
    if target.kind == "spans":
        marked: list[tuple[Span, ...]] = [label for label in labels if isinstance(label, tuple)]  # type: ignore[misc]
        try:
            return Fitted(*fit_spans(target, tasks, marked, seed=seed, judged=judged))
        except NothingMarked:
            return Fitted(NoSpans())
    if len(set(labels)) < 2 or _report_nothing(target, features):
        return Fitted(Prior(target.labels, [labels.count(label) for label in target.labels]))
    match target.kind:
        case "choice":
            texts = [label for label in labels if isinstance(label, str)]
            return Fitted(*fit_choice(features, texts, classes=target.labels, space=space, seed=seed, judged=judged))
        case "choices":
            given: list[tuple[str, ...]] = [label for label in labels if isinstance(label, tuple)]  # type: ignore[misc]
            return Fitted(*fit_choices(features, given, labels=target.labels, space=space, seed=seed))
        case _:
            numbers = [label for label in labels if isinstance(label, float)]
            scale = target.scale or Scale()
            return Fitted(*fit_number(features, numbers, scale=scale, space=space, seed=seed, judged=judged))


def _report_nothing(target: Target, features: Features) -> bool:
    """Whether tasks hold nothing beside recordings that are not read. Where texts or pictures come out empty, they may
    be there the next time: then there is a model, for the gate to judge."""
    if any(one.kind != "metadata" for one in target.inputs):
        return False
    return not (features.any() if isinstance(features, np.ndarray) else features.count_nonzero())
