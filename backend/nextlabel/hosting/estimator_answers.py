"""What a fitted scikit-learn estimator says, and how likely it is right by its own account."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline

from nextlabel.hosting.estimator_steps import tags_of

Floats = NDArray[np.float64]
Label = str | tuple[str, ...] | float
Answer = tuple[Label, float | None]
"""A label, and how likely it is right; None where the estimator does not say."""


@dataclass(frozen=True, slots=True)
class OneLabel:
    """One choice of several. Confidence is the probability of the label that is predicted."""

    def target(self, labels: Sequence[Label]) -> NDArray[Any]:
        """y: n texts."""
        return np.array(labels, dtype=str)

    def answers(self, estimator: Any, inputs: Any) -> list[Answer]:
        """A label for each task."""
        predicted = [str(label) for label in np.asarray(estimator.predict(inputs)).ravel()]
        classes = [str(label) for label in getattr(estimator, "classes_", ())]
        chances = _chances_of_classes(estimator, inputs)
        if chances is None or chances.shape != (len(predicted), len(classes)):
            return [(label, None) for label in predicted]
        places = [classes.index(label) for label in predicted]
        return list(zip(predicted, map(float, chances[np.arange(len(places)), places]), strict=True))


@dataclass(frozen=True, slots=True)
class SomeLabels:
    """Any of several choices. Confidence is how likely each is rightly given or left out, on the average.

    ``varying`` are the choices that some of the annotations have and others have not, ``always`` those that all have:
    of these there is nothing to learn.
    """

    labels: tuple[str, ...]
    varying: tuple[str, ...]
    always: tuple[str, ...]

    @classmethod
    def of(cls, labels: tuple[str, ...], answered: Sequence[Any]) -> SomeLabels:
        """``labels`` are all that there are; ``answered`` what was chosen of each task."""
        counts = {label: sum(label in chosen for chosen in answered) for label in labels}
        varying = tuple(label for label, count in counts.items() if 0 < count < len(answered))
        return cls(labels, varying, tuple(label for label, count in counts.items() if count == len(answered)))

    def target(self, answered: Sequence[Any]) -> NDArray[Any]:
        """y: n × l of 0 and 1. A single choice stands twice, because one column is read as two classes."""
        columns = self.varying * 2 if len(self.varying) == 1 else self.varying
        return np.array([[int(label in chosen) for label in columns] for chosen in answered])

    def answers(self, estimator: Any, inputs: Any) -> list[Answer]:
        """The labels of each task, in the target's order."""
        wide = len(self.varying)
        given = np.asarray(estimator.predict(inputs))[:, :wide] > 0.5
        chances = _chances_of_each(estimator, inputs)
        if chances is None:
            return [(self._names(row), None) for row in given]
        confidence = np.where(given, chances[:, :wide], 1 - chances[:, :wide]).mean(axis=1)
        return [(self._names(row), float(likely)) for row, likely in zip(given, confidence, strict=True)]

    def _names(self, row: NDArray[np.bool_]) -> tuple[str, ...]:
        chosen = {*self.always, *(label for label, yes in zip(self.varying, row, strict=True) if yes)}
        return tuple(label for label in self.labels if label in chosen)


@dataclass(frozen=True, slots=True)
class Amount:
    """A number. Confidence is 1 / (1 + its standard deviation), ½ where that is the labels' own, ``spread``."""

    spread: float

    def target(self, labels: Sequence[Label]) -> NDArray[Any]:
        """y: n numbers."""
        return np.array(labels, dtype=np.float64)

    def answers(self, estimator: Any, inputs: Any) -> list[Answer]:
        """A number for each task, on no scale yet."""
        if not _tells_its_spread(estimator):
            return [(float(value), None) for value in np.asarray(estimator.predict(inputs)).ravel()]
        means, spreads = estimator.predict(inputs, return_std=True)
        confidence = 1 / (1 + np.ravel(spreads) / self.spread)
        return list(zip(map(float, np.ravel(means)), map(float, confidence), strict=True))


def for_several_labels(estimator: Any) -> Any:
    """The estimator, or where it learns one label only, one such for each label, after the same steps before it."""
    if isinstance(estimator, Pipeline):
        *before, (name, last) = estimator.steps
        return clone(estimator).set_params(steps=[*before, (name, for_several_labels(last))])
    tags = tags_of(estimator)
    several = tags.target_tags.multi_output or (tags.classifier_tags is not None and tags.classifier_tags.multi_label)
    return estimator if several else OneVsRestClassifier(estimator)


def _chances_of_classes(estimator: Any, inputs: Any) -> Floats | None:
    """n × classes. Scores of a decision function pass through the logistic function or softmax: no true chances, but
    in the right order."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(inputs), dtype=np.float64)
    if not hasattr(estimator, "decision_function"):
        return None
    scores = np.asarray(estimator.decision_function(inputs), dtype=np.float64)
    if scores.ndim == 1:
        return np.column_stack([expit(-scores), expit(scores)])
    return np.asarray(softmax(scores, axis=1))


def _chances_of_each(estimator: Any, inputs: Any) -> Floats | None:
    """n × labels. Some estimators give n × 2 for each label, others one table."""
    if hasattr(estimator, "predict_proba"):
        answered = estimator.predict_proba(inputs)
        return np.column_stack([one[:, 1] for one in answered]) if isinstance(answered, list) else np.asarray(answered)
    if not hasattr(estimator, "decision_function"):
        return None
    return np.asarray(expit(np.asarray(estimator.decision_function(inputs), dtype=np.float64)))


def _tells_its_spread(estimator: Any) -> bool:
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    try:
        return "return_std" in inspect.signature(estimator.predict).parameters
    except ValueError:  # compiled code need not tell
        return False
