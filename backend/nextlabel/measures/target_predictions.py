"""What a model says of some tasks about one target: which label, how likely, and how unsure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from nextlabel.labeling import Guess, Label, Scale, Span
from nextlabel.labeling.ranking import Floats
from nextlabel.measures.span_f1 import span_f1

Rows = Sequence[int] | NDArray[np.integer]

RAREST = 1e-6
"""A miss costs at most −ln of this."""
_LEAST_UNSURE = 1e-4  # of a label: what it is surer of is noise


def error_of_share(share: float, n: int) -> float:
    """The standard error of a share of n, with the spread as if two more were right and two more wrong (the share of
    Agresti & Coull, 1998): a few labels that are all right leave something open."""
    nearer = (share * n + 2) / (n + 4)
    return float(np.sqrt(nearer * (1 - nearer) / n))


class TargetPredictions(Protocol):
    """What a model says of n tasks about one target, row by row."""

    def __len__(self) -> int: ...

    def of(self, rows: Rows) -> TargetPredictions:
        """Those of some rows, in that order."""

    @property
    def confidence(self) -> Floats:
        """n chances in [0, 1] that the label is right."""

    @property
    def uncertainty(self) -> Floats:
        """n in [0, 1], higher is less sure: what tasks are ordered by where a label is not one of several classes."""

    @property
    def probabilities(self) -> Floats:
        """n × k, rows summing to 1, for query strategies: those of the classes, or two of which the margin says how
        unsure the model is."""

    def guesses(self, target: str) -> list[Guess]:
        """n guesses, as people are shown them."""

    def losses(self, truth: Sequence[Label]) -> Floats:
        """n, what each miss costs, lower is better; 0 at best for all but numbers, which may fall below."""

    def correctness(self, truth: Sequence[Label]) -> Floats:
        """n in [0, 1]: how right each is, 1 at best."""

    def metrics(self, truth: Sequence[Label]) -> dict[str, float]:
        """How good they are, by the figures that suit the kind of target."""


@dataclass(frozen=True, slots=True)
class ChoicePredictions:
    """One of k classes: n × k probabilities, rows summing to 1."""

    classes: Sequence[str]
    probabilities: Floats

    def __len__(self) -> int:
        return len(self.probabilities)

    def of(self, rows: Rows) -> ChoicePredictions:
        return ChoicePredictions(self.classes, self.probabilities[rows])

    @property
    def confidence(self) -> Floats:
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def uncertainty(self) -> Floats:
        return 1 - self.confidence

    def guesses(self, target: str) -> list[Guess]:
        best = [self.classes[column] for column in self.probabilities.argmax(axis=1).tolist()]
        return list(map(Guess, repeat(target), best, self.confidence.tolist()))

    def losses(self, truth: Sequence[Label]) -> Floats:
        """−ln of the probability given to each row's true class."""
        place = {label: column for column, label in enumerate(self.classes)}
        p = self.probabilities[np.arange(len(truth)), [place[str(label)] for label in truth]]
        return -np.log(np.clip(p, RAREST, 1))

    def correctness(self, truth: Sequence[Label]) -> Floats:
        """Whether the likeliest class is the true one."""
        best = self.probabilities.argmax(axis=1).tolist()
        return np.array([float(self.classes[n] == label) for n, label in zip(best, truth, strict=True)])

    def metrics(self, truth: Sequence[Label]) -> dict[str, float]:
        """Accuracy with its standard error, macro-F1 and log loss."""
        from sklearn.metrics import f1_score  # noqa: PLC0415 - slow to load: see preload

        true, best = [str(label) for label in truth], [self.classes[n] for n in self.probabilities.argmax(axis=1)]
        accuracy = float(self.correctness(true).mean())
        return {
            "accuracy": accuracy,
            "accuracy_standard_error": error_of_share(accuracy, len(true)),
            "macro_f1": float(f1_score(true, best, average="macro", zero_division=0)),
            "log_loss": float(self.losses(true).mean()),
        }


@dataclass(frozen=True, slots=True)
class ChoicesPredictions:
    """Any number of l labels: n × l chances, each label's by itself. From ``threshold`` on a label is given."""

    labels: Sequence[str]
    chances: Floats
    threshold: float = 0.5

    def __len__(self) -> int:
        return len(self.chances)

    def of(self, rows: Rows) -> ChoicesPredictions:
        return ChoicesPredictions(self.labels, self.chances[rows], self.threshold)

    @property
    def given(self) -> NDArray[np.bool_]:
        """n × l: which labels it would give."""
        return self.chances >= self.threshold

    @property
    def confidence(self) -> Floats:
        """How likely each label is rightly given or left out, on the average."""
        return np.asarray(np.where(self.given, self.chances, 1 - self.chances).mean(axis=1))

    @property
    def uncertainty(self) -> Floats:
        """1 − the mean confidence of the labels (Esuli & Sebastiani, 2009)."""
        return np.asarray(1 - np.abs(2 * self.chances - 1).mean(axis=1))

    @property
    def uncertainty_by_label(self) -> Floats:
        """n numbers in [0, 1): how unsure each label is beside its own mean over these tasks, on the average of the
        labels, as x ÷ (1 + x). A rare label, of which the model is seldom unsure, counts as much as a common one."""
        each = 1 - np.abs(2 * self.chances - 1)
        typical = each.sum(axis=0) / max(len(each), 1)
        beside = (each / np.maximum(typical, _LEAST_UNSURE)).mean(axis=1)
        return np.asarray(beside / (1 + beside))

    @property
    def probabilities(self) -> Floats:
        return as_two_classes(self.uncertainty)

    def guesses(self, target: str) -> list[Guess]:
        return [
            Guess(
                target,
                tuple(label for label, yes in zip(self.labels, row, strict=True) if yes),
                likely,
                tuple(float(chance) for chance in chances[row]),
            )
            for row, chances, likely in zip(self.given, self.chances, self.confidence.tolist(), strict=True)
        ]

    def losses(self, truth: Sequence[Label]) -> Floats:
        """−ln of the chance of what is true of each label, on the average of the labels."""
        is_true = membership(truth, self.labels)
        p = np.where(is_true, self.chances, 1 - self.chances)
        return np.asarray(-np.log(np.clip(p, RAREST, 1)).mean(axis=1))

    def correctness(self, truth: Sequence[Label]) -> Floats:
        """Jaccard's index: of the labels that were given or are true, those that are both; 1 where there is none."""
        return _jaccard(self.given, membership(truth, self.labels))

    def metrics(self, truth: Sequence[Label]) -> dict[str, float]:
        """F1 over all labels of all tasks, over labels, and the share of tasks that are right in every label."""
        from sklearn.metrics import f1_score  # noqa: PLC0415 - slow to load: see preload

        true = membership(truth, self.labels)
        return {
            "micro_f1": float(f1_score(true, self.given, average="micro", zero_division=0)),
            "macro_f1": float(f1_score(true, self.given, average="macro", zero_division=0)),
            "all_right": float((self.given == true).all(axis=1).mean()),
            "log_loss": float(self.losses(truth).mean()),
        }


@dataclass(frozen=True, slots=True)
class NumberPredictions:
    """A number: n means and n standard deviations. ``typical`` is how far the labels themselves spread."""

    mean: Floats
    spread: Floats
    typical: float
    scale: Scale

    def __len__(self) -> int:
        return len(self.mean)

    def of(self, rows: Rows) -> NumberPredictions:
        return NumberPredictions(self.mean[rows], self.spread[rows], self.typical, self.scale)

    @property
    def confidence(self) -> Floats:
        """The chance that the number lies within half a step; without steps, within half the labels' own spread."""
        half = (self.scale.step or self.typical or 1.0) / 2
        return np.asarray(2 * ndtr(half / np.maximum(self.spread, 1e-9)) - 1)

    @property
    def uncertainty(self) -> Floats:
        """The prediction's spread against that of the labels: ½ where they are the same."""
        return np.asarray(self.spread / (self.spread + max(self.typical, 1e-9)))

    @property
    def probabilities(self) -> Floats:
        return as_two_classes(self.uncertainty)

    def guesses(self, target: str) -> list[Guess]:
        return [
            Guess(target, self.scale.nearest(mean), likely)
            for mean, likely in zip(self.mean.tolist(), self.confidence.tolist(), strict=True)
        ]

    def losses(self, truth: Sequence[Label]) -> Floats:
        """−ln of the density at each true number, in units of the labels' own spread."""
        unit = max(self.typical, 1e-9)
        spread = np.maximum(self.spread / unit, 1e-3)
        low, high = self.scale.low, self.scale.high
        mean = np.clip(self.mean, -np.inf if low is None else low, np.inf if high is None else high)
        off = (np.array([float(number) for number in truth if isinstance(number, float | int)]) - mean) / unit
        return np.asarray(np.minimum(np.log(spread) + (off / spread) ** 2 / 2, -np.log(RAREST)))

    def correctness(self, truth: Sequence[Label]) -> Floats:
        """1 − the guess's error as a share of the scale; without both ends, of six of the labels' own deviations."""
        low, high = self.scale.low, self.scale.high
        width = 6 * self.typical if low is None or high is None else high - low
        guesses = np.array([self.scale.nearest(mean) for mean in self.mean.tolist()])
        off = np.abs(np.array([label for label in truth if isinstance(label, float)]) - guesses)
        return np.asarray(1 - np.clip(off / max(width, 1e-9), 0, 1))

    def metrics(self, truth: Sequence[Label]) -> dict[str, float]:
        """Mean absolute and root mean square error, and Pearson's correlation (0 where one side never changes)."""
        true = np.array([label for label in truth if isinstance(label, float)])
        off = self.mean - true
        constant = len(true) < 2 or np.ptp(self.mean) == 0 or np.ptp(true) == 0
        return {
            "mean_absolute_error": float(np.abs(off).mean()),
            "root_mean_square_error": float(np.sqrt((off**2).mean())),
            "correlation": 0.0 if constant else float(np.corrcoef(self.mean, true)[0, 1]),
        }


@dataclass(frozen=True, slots=True)
class SpanPredictions:
    """Spans of n texts, with each span's chance to be right as a whole, and n uncertainties in [0, 1]."""

    spans: Sequence[tuple[Span, ...]]
    chances: Sequence[tuple[float, ...]]
    uncertainty: Floats

    def __len__(self) -> int:
        return len(self.spans)

    def of(self, rows: Rows) -> SpanPredictions:
        return SpanPredictions([self.spans[n] for n in rows], [self.chances[n] for n in rows], self.uncertainty[rows])

    @property
    def confidence(self) -> Floats:
        return 1 - self.uncertainty

    @property
    def probabilities(self) -> Floats:
        return as_two_classes(self.uncertainty)

    def guesses(self, target: str) -> list[Guess]:
        return [
            Guess(target, spans, likely, chances)
            for spans, chances, likely in zip(self.spans, self.chances, self.confidence.tolist(), strict=True)
        ]

    def losses(self, truth: Sequence[Label]) -> Floats:
        """1 − F1 of the spans of each text; 0 where there is none and none was found."""
        pairs = zip(self.spans, truth, strict=True)
        return np.array([1 - _agreement(set(found), set(true)) for found, true in pairs])  # type: ignore[arg-type]

    def correctness(self, truth: Sequence[Label]) -> Floats:
        """F1 of the spans of each text; 1 where there is none and none was found."""
        return 1 - self.losses(truth)

    def metrics(self, truth: Sequence[Label]) -> dict[str, float]:
        precision, recall, f1 = span_f1(truth, self.spans)  # type: ignore[arg-type]
        return {"precision": precision, "recall": recall, "f1": f1}


@dataclass(frozen=True, slots=True)
class OwnPredictions:
    """What a team's own model says of n tasks, whatever it is about, with n uncertainties in [0, 1].

    A `Result` without items says nothing. ``scored`` is of which tasks it says how sure it is.
    """

    labels: Sequence[Label]
    uncertainty: Floats
    scored: Sequence[bool]

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, rows: Rows) -> OwnPredictions:
        return OwnPredictions([self.labels[n] for n in rows], self.uncertainty[rows], [self.scored[n] for n in rows])

    @property
    def confidence(self) -> Floats:
        return 1 - self.uncertainty

    @property
    def probabilities(self) -> Floats:
        return as_two_classes(self.uncertainty)

    def guesses(self, target: str) -> list[Guess]:
        return [
            Guess(target, label, likely, scored=scored)
            for label, likely, scored in zip(self.labels, self.confidence.tolist(), self.scored, strict=True)
        ]

    def losses(self, truth: Sequence[Label]) -> Floats:
        """Unknown, NaN: only the model itself knows how it came to say so."""
        return np.full(len(truth), np.nan)

    def correctness(self, truth: Sequence[Label]) -> Floats:
        """Unknown, NaN: it says whatever it says, of all controls at once."""
        return np.full(len(truth), np.nan)

    def metrics(self, truth: Sequence[Label]) -> dict[str, float]:
        return {}


def as_two_classes(uncertainty: Floats) -> Floats:
    """n × 2 probabilities whose margin, least confidence and entropy order tasks as these n uncertainties do; by
    the margin measure they are the very same numbers."""
    doubt = np.clip(np.asarray(uncertainty, dtype=np.float64), 0, 1) / 2
    return np.column_stack([1 - doubt, doubt])


def membership(truth: Sequence[Label], labels: Sequence[str]) -> NDArray[np.bool_]:
    """n × l: which label was given to which task."""
    rows = [[label in given for label in labels] for given in truth if isinstance(given, tuple)]
    return np.array(rows, dtype=np.bool_).reshape(len(truth), len(labels))


def _jaccard(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> Floats:
    """Of n rows of memberships."""
    both, either = (one & other).sum(axis=1), (one | other).sum(axis=1)
    return np.asarray(np.where(either == 0, 1.0, both / np.maximum(either, 1)))


def _agreement(predicted: set[Span], true: set[Span]) -> float:
    return 2 * len(predicted & true) / (len(predicted) + len(true)) if predicted or true else 1.0
