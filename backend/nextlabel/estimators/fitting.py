"""From labels to a model: what is known of a target so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nextlabel.estimators.by_kind import BY_KIND, Fitted, Known
from nextlabel.estimators.prior import Prior
from nextlabel.estimators.starts import LastFit
from nextlabel.features.spaces import Space
from nextlabel.labeling import RECORDINGS, Label, Target, Task
from nextlabel.labeling.ranking import Features, Floats
from nextlabel.measures.target_predictions import TargetPredictions


def fit(
    target: Target,
    tasks: Sequence[Task],
    features: Features,
    labels: Sequence[Label],
    space: Space,
    seed: int,
    *,
    judged: bool = True,
    others: Features | None = None,
    last: LastFit | None = None,
    weights: Floats | None = None,
) -> Fitted:
    """Fit the target's estimator on n labeled rows; until two labels differ, the prior.

    Without ``judged`` nothing is known of rows that it has not seen, which is quicker: it answers the same, but for a
    single choice how sure it is means nothing. Several choices are always judged, for they are given by it. The prior
    it stays where tasks hold recordings that are not opened, and nothing else. ``space`` knows all tasks of the
    project, labeled or not. ``others`` are features of tasks without a label, which a single choice among fixed labels
    predicts too by models that have not seen all labels (`Fitted`). ``last`` is the last fit of the same target. Labels
    must be such as `Target.read` gives. ``weights`` is how much each row counts, for kinds whose models take
    that (None: all alike).
    """
    of_kind = BY_KIND[target.kind]
    if of_kind.from_two and (len(set(labels)) < 2 or _report_nothing(target, features)):
        return Fitted(Prior(target.labels, [labels.count(label) for label in target.labels]))
    return of_kind.fit(Known(target, tasks, features, labels, space, seed, judged, others, last, weights))


def trusting(
    target: Target,
    tasks: Sequence[Task],
    features: Features,
    labels: Sequence[Label],
    first: TargetPredictions,
    space: Space,
    seed: int,
    weights: Floats | None = None,
) -> TargetPredictions | None:
    """What models predict for n labeled rows that have seen neither the row nor any label that is in doubt by what was
    predicted ``first``, out of fold by `fit`; None for kinds of targets of which that is not known."""
    known = Known(target, tasks, features, labels, space, seed, judged=True, weights=weights)
    return BY_KIND[target.kind].trusting(known, first)


def _report_nothing(target: Target, features: Features) -> bool:
    """Whether tasks hold nothing beside recordings that are not opened. Where texts or pictures come out empty, they
    may be there the next time: then there is a model, for the gate to judge."""
    if any(one.kind not in RECORDINGS for one in target.inputs):
        return False
    return not (features.any() if isinstance(features, np.ndarray) else features.count_nonzero())
