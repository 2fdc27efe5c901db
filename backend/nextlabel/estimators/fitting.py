"""From labels to a model: which estimator fits what is known so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.sparse import csr_matrix

from nextlabel.estimators.prior import Prior
from nextlabel.estimators.text_choice import TextChoice, fit_text_choice
from nextlabel.labeling import Target
from nextlabel.ranking import Floats


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model, and n × k what a model that had not seen the row said of it (None: too few labels)."""

    model: Prior | TextChoice
    out_of_fold: Floats | None


def fit(target: Target, counts: csr_matrix, labels: Sequence[str], pool: csr_matrix, seed: int) -> Fitted:
    """Fit the target's estimator on n labeled rows; until two classes have a label, the prior.

    ``pool`` holds any rows of the project, labeled or not. Labels must be of the target's labels.
    """
    if len(set(labels)) < 2:
        return Fitted(Prior(target.labels, [labels.count(label) for label in target.labels]), None)
    return Fitted(*fit_text_choice(counts, labels, classes=target.labels, inputs=target.inputs, pool=pool, seed=seed))
