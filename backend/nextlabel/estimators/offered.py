"""Choices among the labels that each task offers: a model of the labels seen so far, and what options are worth.

Labels that people have chosen at least twice have a model of their own, from the task. Every option, also one that no
other task offers, is scored by its words and by its place among the options.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, cast

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit, softmax

from nextlabel.estimators.choice import LinearChoice, fit_choice
from nextlabel.estimators.choices import LinearChoices, best_threshold, fit_choices
from nextlabel.estimators.worth import FOLDS, Pairs, Worths, fit_worths, held_out_worths, worths_of
from nextlabel.features.spaces import Space
from nextlabel.labeling import KINDS, Label, Target, Task
from nextlabel.labeling.ranking import Features, Floats
from nextlabel.measures.offered_predictions import OneOfferedPredictions, SomeOfferedPredictions
from nextlabel.measures.target_predictions import RAREST, ChoicePredictions, ChoicesPredictions, TargetPredictions

_MOST = 1_000  # labels that have a model of their own, the most frequent ones
_KEPT = ("name", "kind", "labels", "options", "separator")  # of a target

Offers = Sequence[Mapping[str, str]]
OfferedPredictions = OneOfferedPredictions | SomeOfferedPredictions


class OfferedLabels:
    """Chances of the labels that each task offers, and of no other. Make one with `fit_offered`.

    ``model`` knows labels seen before (None: none often enough), ``rare`` is the chance of any other. ``mix`` is how
    much the worth of an option counts beside that, and what is added to the score of all of them where any number may
    be given, from the chance ``threshold`` on (None: exactly one).
    """

    kind = "offered/1"
    informative: bool = True

    def __init__(
        self,
        target: Target,
        model: LinearChoice | LinearChoices | None,
        worths: Worths | None,
        *,
        rare: float,
        mix: tuple[float, float] = (1.0, 0.0),
        threshold: float | None = None,
    ) -> None:
        self._target, self._model, self._worths = target, model, worths
        self._rare, self._mix, self._threshold = rare, mix, threshold

    def predict(self, tasks: Sequence[Task], features: Features) -> OfferedPredictions:
        offers = [self._target.offered(task) for task in tasks]
        known = None if self._model is None else self._model.predict(tasks, features)
        worths = worths_of(self._worths, _groups(offers))
        return _combined(offers, _of_known(known, offers, self._rare), worths, self._mix, self._threshold)

    def state(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "target": {name: getattr(self._target, name) for name in _KEPT},
            "model": None if self._model is None else self._model.state(),
            "worths": None if self._worths is None else self._worths.state(),
            "numbers": [self._rare, *self._mix],
            "threshold": self._threshold,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> OfferedLabels:
        kept = cast("dict[str, Any]", state["target"])
        target = Target(**kept | {"labels": tuple(kept["labels"])}, inputs=())
        model, worths = (cast("Mapping[str, object] | None", state[part]) for part in ("model", "worths"))
        rare, *mix = cast("list[float]", state["numbers"])
        of_kind: type[LinearChoice | LinearChoices] = LinearChoice if target.kind == "choice" else LinearChoices
        return cls(
            target,
            None if model is None else of_kind.from_state(model),
            None if worths is None else Worths.from_state(worths),
            rare=rare,
            mix=cast("tuple[float, float]", tuple(mix)),
            threshold=cast("float | None", state["threshold"]),
        )


def fit_offered(
    target: Target,
    tasks: Sequence[Task],
    features: Features,
    labels: Sequence[Label],
    *,
    space: Space,
    seed: int = 0,
    judged: bool = True,
) -> tuple[OfferedLabels, OfferedPredictions | None]:
    """Fit on n labeled tasks of a ``choice`` or ``choices`` with options.

    Returns the model, and what one that had not seen the task predicts for it (None: fewer than ten tasks, or not
    ``judged``). How much the worth of options counts is taken from that, by log loss.
    """
    offers = [target.offered(task) for task in tasks]
    names = [_names(target, label) for label in labels]
    preferred = [_preferred(offer, given) for offer, given in zip(offers, names, strict=True)]
    model, known = _fit_known(target, tasks, features, names, offers, space, seed)
    worths, rare = fit_worths(_groups(offers), preferred), 1 / (len(tasks) + 2)
    threshold = None if target.kind == "choice" else 0.5
    if not judged or len(tasks) < 2 * FOLDS:
        return OfferedLabels(target, model, worths, rare=rare, threshold=threshold), None
    base, held_out = _of_known(known, offers, rare), held_out_worths(_groups(offers), preferred, seed)
    mix = _mix(offers, base, held_out, labels, threshold)
    if threshold is not None:
        flat = _combined(offers, base, held_out, mix, threshold)
        truth = np.array([name in given for offer, given in zip(offers, names, strict=True) for name in offer])
        threshold = best_threshold(np.concatenate([np.empty(0), *flat.chances]), truth)
    fitted = OfferedLabels(target, model, worths, rare=rare, mix=mix, threshold=threshold)
    return fitted, _combined(offers, base, held_out, mix, threshold)


def _names(target: Target, label: Label) -> frozenset[str]:
    names = KINDS[target.kind].names
    return frozenset(names(label) if names else ())


def _preferred(offer: Mapping[str, str], given: frozenset[str]) -> Pairs:
    """What was given, to each that was not."""
    order = list(offer)
    return [
        (n, m) for n, one in enumerate(order) if one in given for m, other in enumerate(order) if other not in given
    ]


def _fit_known(
    target: Target,
    tasks: Sequence[Task],
    features: Features,
    names: Sequence[frozenset[str]],
    offers: Offers,
    space: Space,
    seed: int,
) -> tuple[LinearChoice | LinearChoices | None, TargetPredictions | None]:
    """A model of the labels that were given twice at least, and what one that had not seen a task predicts for it."""
    counts = Counter(chain.from_iterable(names))
    known = tuple(label for label, count in counts.most_common(_MOST) if count > 1)
    if target.kind == "choices":
        if not known:
            return None, None
        given = [tuple(label for label in known if label in one) for one in names]
        offered = np.array([[label in offer for label in known] for offer in offers])
        return fit_choices(features, given, labels=known, space=space, seed=seed, offered=offered)
    rows = [row for row, one in enumerate(names) if one & set(known)]
    if len(known) < 2:
        return None, None
    chosen = [next(iter(names[row])) for row in rows]
    model, held_out = fit_choice(features[rows], chosen, classes=known, space=space, seed=seed)
    chances = model.predict(tasks, features).probabilities  # of tasks with a rare label: it has not seen them
    chances[rows] = 1 / len(known) if held_out is None else held_out.probabilities
    return model, ChoicePredictions(known, chances)


def _groups(offers: Offers) -> list[list[str]]:
    return [list(offer.values()) for offer in offers]


def _of_known(known: TargetPredictions | None, offers: Offers, rare: float) -> list[Floats]:
    """The chance of each label that is offered, as the model of those seen before has it."""
    match known:
        case ChoicePredictions(labels, rows) | ChoicesPredictions(labels, rows):
            place = {label: n for n, label in enumerate(labels)}
        case _:
            return [np.full(len(offer), rare) for offer in offers]
    return [
        np.array([row[place[label]] if label in place else rare for label in offer], dtype=np.float64)
        for offer, row in zip(offers, rows, strict=True)
    ]


def _combined(
    offers: Offers,
    base: Sequence[Floats],
    worths: Sequence[Floats],
    mix: tuple[float, float],
    threshold: float | None,
) -> OfferedPredictions:
    strength, shift = mix
    labels = [tuple(offer) for offer in offers]
    pairs = [(np.clip(some, RAREST, 1 - RAREST), worth) for some, worth in zip(base, worths, strict=True)]
    if threshold is None:
        chances = [softmax(np.log(some) + strength * worth) if len(some) else some for some, worth in pairs]
        return OneOfferedPredictions(labels, chances)
    return SomeOfferedPredictions(
        labels, [expit(logit(some) + strength * worth + shift) for some, worth in pairs], threshold
    )


def _mix(
    offers: Offers, base: Sequence[Floats], worths: Sequence[Floats], truth: Sequence[Label], threshold: float | None
) -> tuple[float, float]:
    """Strength and shift with the least log loss."""

    def loss(parameters: Floats) -> float:
        mix = float(parameters[0]), float(parameters[1])
        return float(_combined(offers, base, worths, mix, threshold).losses(truth).mean())

    bounds = [(0.0, 2.0), (-3.0, 3.0) if threshold is not None else (0.0, 0.0)]
    tries = [minimize(loss, np.array([start, 0.0]), method="L-BFGS-B", bounds=bounds) for start in (0.0, 1.0)]
    found = min(tries, key=lambda one: float(one.fun)).x
    return float(found[0]), float(found[1])
