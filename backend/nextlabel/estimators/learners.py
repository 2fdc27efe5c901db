"""Models that a strategy or a simulation fits anew: the service's own on texts, or any scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from nextlabel.errors import ConfigurationError
from nextlabel.estimators.choice import fit_choice, spread_over_classes
from nextlabel.estimators.choices import fit_choices
from nextlabel.estimators.folds import Draws
from nextlabel.estimators.number import fit_number
from nextlabel.features.spaces import Space
from nextlabel.labeling import Scale
from nextlabel.labeling.ranking import Features, Floats

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

Predict = Callable[[Features], Floats]
Labels = NDArray[np.integer]


class LinearLearner:
    """The service's own model of one choice (`fit_choice`), over ``classes`` classes.

    ``space`` weighs the features. Without ``calibrated`` the same class is the likeliest, but how likely means
    nothing.
    """

    def __init__(self, space: Space, classes: int, *, calibrated: bool = True) -> None:
        self._space, self._calibrated = space, calibrated
        self._classes = tuple(map(str, range(classes)))
        self._weighed: list[tuple[Features, Features]] = []

    def remember(self, *features: Features) -> None:
        """Weigh these very matrices once for all models to come: a loop scores them in every round."""
        self._weighed += [(given, self._space.weigh(given)) for given in features]

    def fit(self, features: Features, labels: Labels, seed: int = 0, draws: Draws | None = None) -> Predict:
        """n × k probabilities; until two classes have a label, the classes' smoothed shares. ``draws`` as for
        `fit_choice`."""
        if len(np.unique(labels)) < 2:
            return _prior(labels, len(self._classes))
        names = [self._classes[label] for label in labels]
        model, _ = fit_choice(
            features, names, classes=self._classes, space=self._space, seed=seed, judged=self._calibrated, draws=draws
        )
        return lambda asked: model.predict_proba(self._weigh(asked))

    def _weigh(self, asked: Features) -> Features:
        for given, weighed in self._weighed:
            if given is asked:
                return weighed
        return self._space.weigh(asked)


class ChancesLearner:
    """The service's own model of several labels at once (`fit_choices`), as `ranking.Chances` has it.

    ``space`` weighs the features; it is asked for when the first model is fitted.
    """

    def __init__(self, space: Callable[[], Space], labels: Sequence[str]) -> None:
        self._space, self._labels = cache(space), tuple(labels)

    def fit(self, features: Features, labels: NDArray[Any], seed: int = 0) -> Predict:
        """n × l chances from m × l, whether a label was given."""
        given = [tuple(label for label, yes in zip(self._labels, row, strict=True) if yes) for row in labels]
        model, _ = fit_choices(features, given, labels=self._labels, space=self._space(), seed=seed, judged=False)
        return lambda asked: model.predict((), asked).chances


class NumbersLearner:
    """The service's own model of a number (`fit_number`), as `ranking.Numbers` has it.

    ``space`` weighs the features; it is asked for when the first model is fitted.
    """

    def __init__(self, space: Callable[[], Space]) -> None:
        self._space = cache(space)

    def fit(self, features: Features, labels: NDArray[Any], seed: int = 0) -> Predict:
        """n × 2, mean and spread, from m numbers; while all are the same, that one and nothing known of its spread."""
        numbers = labels.astype(np.float64)
        if len(np.unique(numbers)) < 2:
            return lambda asked: np.tile([numbers[0], 1.0], (asked.shape[0], 1))
        model, _ = fit_number(features, numbers.tolist(), scale=Scale(), space=self._space(), seed=seed, judged=False)

        def predict(asked: Features) -> Floats:
            predicted = model.predict((), asked)
            return np.column_stack([predicted.mean, predicted.spread])

        return predict


class ScikitLearner:
    """Any scikit-learn classifier, over ``classes`` classes. Without `predict_proba`, its decision function decides.

    A random state that the estimator leaves open is drawn from the seed. Raises `ConfigurationError` for what is no
    classifier.
    """

    def __init__(self, estimator: BaseEstimator, classes: int) -> None:
        if not hasattr(estimator, "fit") or not (
            hasattr(estimator, "predict_proba") or hasattr(estimator, "decision_function")
        ):
            raise ConfigurationError(
                f"{estimator!r} is no classifier: it needs fit, and predict_proba or decision_function."
            )
        self._estimator, self._classes = estimator, classes

    def fit(self, features: Features, labels: Labels, seed: int = 0) -> Predict:
        """n × k probabilities; until two classes have a label, the classes' smoothed shares.

        Raises `ConfigurationError` where the estimator refuses these features or labels.
        """
        from sklearn.base import clone  # noqa: PLC0415 - slow to load: see preload

        seen = np.unique(labels)
        if len(seen) < 2:
            return _prior(labels, self._classes)
        model: Any = clone(self._estimator)
        parameters = model.get_params()
        model.set_params(
            **{name: seed for name in parameters if name.endswith("random_state") and parameters[name] is None}
        )
        try:
            model.fit(features, labels)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"{self._estimator!r} cannot be fitted on {len(labels)} labels: {error}"
            ) from error
        return lambda asked: spread_over_classes(_probabilities(model, asked), seen, self._classes, len(labels))


def _probabilities(model: Any, asked: Features) -> Floats:
    if asked.shape[0] == 0:
        return np.empty((0, len(model.classes_)))
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(asked))
    scores = np.asarray(model.decision_function(asked))
    if scores.ndim == 1:
        return np.column_stack([expit(-scores), expit(scores)])
    return np.asarray(softmax(scores, axis=1))


def _prior(labels: Labels, k: int) -> Predict:
    shares = (np.bincount(np.asarray(labels, dtype=np.intp), minlength=k) + 1.0) / (len(labels) + k)
    return lambda asked: np.tile(shares, (asked.shape[0], 1))
