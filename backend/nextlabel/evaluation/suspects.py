"""Which labels are likely wrong, by models that had not seen them: one by one, for each kind of target.

The doubt of a label is −ln(self-confidence) × expected gain². Self-confidence is the chance that such a model gives the
label (Northcutt, Jiang & Chuang, 2021), the gain is how much likelier the label is that it gives instead. The former
alone puts as many wrong labels first where labels were flipped at random (.996 of the worst 5 % on digits, this .997),
but fewer where classes were confused that are alike (.904, this .962); 1 − self-confidence in the place of its
logarithm has less on Reuters R8 (.949, this .989). More is worth that the models saw no other label in doubt either
(`nextlabel.estimators.fitting.trusting`), by which both are 1.000 on digits. Which labels are suspected at all is
decided apart, so that clean labels have few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from nextlabel.evaluation.cut_off import suspected
from nextlabel.labeling import Label, Span, TargetKind
from nextlabel.labeling.ranking import Floats
from nextlabel.measures.offered_predictions import OneOfferedPredictions, SomeOfferedPredictions
from nextlabel.measures.ranking_predictions import RankingPredictions
from nextlabel.measures.target_predictions import (
    RAREST,
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    SpanPredictions,
    TargetPredictions,
    membership,
)

FEWEST = 30
"""Labels of a target, below which chances mean too little to suspect any of them."""
_FAR = 3.5  # modified z-scores (Iglewicz & Hoaglin, 1993)
_NORMAL = 1.4826  # standard deviations of a normal distribution in its median absolute deviation

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Doubts:
    """Of n labels: the chance of each by models without it, how much likelier is what they say instead, both in [0, 1],
    and which are suspected."""

    self_confidence: Floats
    gain: Floats
    suspected: Bools

    @property
    def doubt(self) -> Floats:
        """n from 0 on: the higher, the sooner it should be reviewed."""
        return np.asarray(-np.log(np.clip(self.self_confidence, RAREST, 1)) * self.gain**2)

    @property
    def worst(self) -> list[int]:
        """The rows of those that are suspected, the most doubtful first."""
        rows = np.flatnonzero(self.suspected)
        return [int(row) for row in rows[np.argsort(-self.doubt[rows], kind="stable")]]


def doubts_of(predicted: TargetPredictions, truth: Sequence[Label]) -> Doubts | None:
    """Of each label, from what models predict that had not seen it; None where there are too few, or where these say
    nothing of single labels, as a team's own model does not."""
    of_kind = _BY_KIND.get(type(predicted))
    return of_kind(predicted, truth) if of_kind and len(truth) >= FEWEST else None


def kind_of(predicted: TargetPredictions) -> TargetKind:
    """What a label is of which these are predictions."""
    return _KINDS.get(type(predicted), "choice")


def _of_choice(predicted: ChoicePredictions, truth: Sequence[Label]) -> Doubts:
    place = {label: column for column, label in enumerate(predicted.classes)}
    return _of_classes(np.array([place[str(label)] for label in truth], dtype=np.intp), predicted.probabilities)


def _of_classes(given: NDArray[np.intp], probabilities: Floats) -> Doubts:
    rows, others = np.arange(len(given)), probabilities.copy()
    own = probabilities[rows, given]
    others[rows, given] = 0.0
    return Doubts(own, np.maximum(others.max(axis=1) - own, 0), suspected(given, probabilities))


def _of_choices(predicted: ChoicesPredictions, truth: Sequence[Label]) -> Doubts:
    """Each label of a task by itself, given or left out: the task has that of its most doubtful one."""
    true = membership(truth, predicted.labels)
    columns = [
        _of_classes(given.astype(np.intp), np.column_stack([1 - chances, chances]))
        for given, chances in zip(true.T, predicted.chances.T, strict=True)
    ]
    return _worst_of(*(np.stack(part) for part in zip(*map(_parts, columns), strict=True)))


def _parts(doubts: Doubts) -> tuple[Floats, Floats, Bools]:
    return doubts.self_confidence, doubts.gain, doubts.suspected


def _worst_of(self_confidence: Floats, gain: Floats, doubtful: Bools) -> Doubts:
    """Of l × n the label of each task that is suspected, or else the most doubtful."""
    doubt = Doubts(self_confidence, gain, doubtful).doubt
    worst = (doubt + doubtful * (1 - np.log(RAREST))).argmax(axis=0)
    rows = np.arange(self_confidence.shape[1])
    return Doubts(self_confidence[worst, rows], gain[worst, rows], np.asarray(doubtful.any(axis=0)))


def _of_number(predicted: NumberPredictions, truth: Sequence[Label]) -> Doubts:
    """A number is suspected that is further off than almost any other, for how far it was expected to be off."""
    numbers = np.array([label for label in truth if isinstance(label, float)])
    off = (numbers - predicted.mean) / np.maximum(predicted.spread, 1e-9)
    return Doubts(2 * ndtr(-np.abs(off)), 1 - predicted.correctness(truth), np.asarray(_far(off) | _far(-off)))


def _of_ranking(predicted: RankingPredictions, truth: Sequence[Label]) -> Doubts:
    """An order is suspected that is much less likely than the others, while a likelier one is known."""
    losses = predicted.losses(truth)
    likely = np.exp(-losses)
    gain = np.maximum(predicted.confidence - likely, 0)
    return Doubts(likely, gain, np.asarray(_far(losses) & (gain > 0)))


def _far(values: Floats) -> Bools:
    """Which are far above the median, by the median distance from it."""
    off = values - np.median(values)
    typical = _NORMAL * np.median(np.abs(off))
    return np.asarray(off > _FAR * typical) if typical > 0 else np.zeros(len(values), dtype=np.bool_)


def _of_one_offered(predicted: OneOfferedPredictions, truth: Sequence[Label]) -> Doubts:
    """As of classes; there is one threshold for all labels, for each task offers others."""
    rows = list(zip(predicted.offered, predicted.chances, map(str, truth), strict=True))
    own = np.array([chances[labels.index(true)] if true in labels else 0.0 for labels, chances, true in rows])
    best = np.array([_best_other(labels, chances, true) for labels, chances, true in rows])
    return Doubts(own, np.maximum(best - own, 0), (best >= own.mean()) & (best > own))


def _best_other(labels: Sequence[str], chances: Floats, true: str) -> float:
    return max((chance for label, chance in zip(labels, chances.tolist(), strict=True) if label != true), default=0.0)


def _of_some_offered(predicted: SomeOfferedPredictions, truth: Sequence[Label]) -> Doubts:
    """As of several labels; there are two thresholds for all of them, of those given and of those left out."""
    given = [np.array([label in true for label in labels]) for labels, true in _with_names(predicted, truth)]
    own = [np.where(yes, some, 1 - some) for yes, some in zip(given, predicted.chances, strict=True)]
    all_given, all_own = (np.concatenate([np.empty(0), *some]) for some in (given, own))
    sure = [float(all_own[all_given == yes].mean()) if (all_given == yes).any() else 1.0 for yes in (0, 1)]
    found = [_worst_offered(*both, sure) for both in zip(given, own, strict=True)]
    least, doubtful = (np.array([one[n] for one in found]) for n in (0, 1))
    return Doubts(least, np.maximum(1 - 2 * least, 0), doubtful.astype(np.bool_))


def _with_names(
    predicted: SomeOfferedPredictions, truth: Sequence[Label]
) -> list[tuple[tuple[str, ...], frozenset[object]]]:
    names = [frozenset(label) if isinstance(label, tuple) else frozenset() for label in truth]
    return list(zip(predicted.offered, names, strict=True))


def _worst_offered(given: Bools, own: Floats, sure: Sequence[float]) -> tuple[float, bool]:
    """The least chance of what was done with the labels of a task, and whether the contrary is sure enough of one."""
    if not len(own):
        return 1.0, False
    contrary = np.where(given, sure[0], sure[1])
    return float(own.min()), bool((((1 - own) >= contrary) & (own < 1 / 2)).any())


def _of_spans(predicted: SpanPredictions, truth: Sequence[Label]) -> Doubts:
    """A text is suspected where a span is found that was not given, with the chance that spans of its label have on the
    average where they were given; and where a span was given, while of none being there a model is as sure as it is on
    the average where there is none."""
    given = [frozenset(one for one in label if isinstance(one, Span)) for label in truth if isinstance(label, tuple)]
    sure = _sure_of_labels(predicted, given)
    rows = list(zip(predicted.spans, predicted.chances, given, strict=True))
    missing = [_missing(spans, chances, true, sure) for spans, chances, true in rows]
    likely = np.array([1 - chance for chance, _ in missing])
    doubtful = np.array([surely for _, surely in missing], dtype=np.bool_)
    nothing = np.array([bool(true) and not spans for spans, _, true in rows], dtype=np.bool_)
    rightly_none = np.array([not true and not spans for spans, _, true in rows], dtype=np.bool_)
    sure_of_none = predicted.confidence[rightly_none].mean() if rightly_none.any() else np.inf
    found_none = nothing & (predicted.confidence >= sure_of_none)
    own = np.where(found_none, np.minimum(likely, 1 - predicted.confidence), likely)
    return Doubts(own, np.maximum(1 - 2 * own, 0), doubtful | found_none)


def _sure_of_labels(predicted: SpanPredictions, given: Sequence[frozenset[Span]]) -> Mapping[str, float]:
    """By label the mean chance of the spans that were found and given."""
    found: dict[str, list[float]] = {}
    for spans, chances, true in zip(predicted.spans, predicted.chances, given, strict=True):
        for span, chance in zip(spans, chances, strict=True):
            if span in true:
                found.setdefault(span.label, []).append(chance)
    return {label: sum(chances) / len(chances) for label, chances in found.items()}


def _missing(
    spans: Sequence[Span], chances: Sequence[float], true: frozenset[Span], sure: Mapping[str, float]
) -> tuple[float, bool]:
    """The greatest chance of a span that was not given, and whether one is sure enough."""
    others = [(span, chance) for span, chance in zip(spans, chances, strict=True) if span not in true]
    greatest = max((chance for _, chance in others), default=0.0)
    return greatest, any(chance > 1 / 2 and chance >= sure.get(span.label, np.inf) for span, chance in others)


_KINDS: Mapping[type, TargetKind] = {
    ChoicePredictions: "choice",
    OneOfferedPredictions: "choice",
    ChoicesPredictions: "choices",
    SomeOfferedPredictions: "choices",
    NumberPredictions: "number",
    SpanPredictions: "spans",
    RankingPredictions: "ranking",
}
_BY_KIND: Mapping[type, Callable[[Any, Sequence[Label]], Doubts]] = {
    ChoicePredictions: _of_choice,
    ChoicesPredictions: _of_choices,
    NumberPredictions: _of_number,
    SpanPredictions: _of_spans,
    RankingPredictions: _of_ranking,
    OneOfferedPredictions: _of_one_offered,
    SomeOfferedPredictions: _of_some_offered,
}
