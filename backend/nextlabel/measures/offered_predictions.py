"""What a model says of some tasks where each offers labels of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlabel.labeling import Guess, Label, Result
from nextlabel.labeling.ranking import Floats
from nextlabel.measures.target_predictions import RAREST, Rows, as_two_classes, error_of_share


@dataclass(frozen=True, slots=True)
class OneOfferedPredictions:
    """One of the labels that each task offers: for each of n tasks its labels and their chances, which sum to 1.

    Nothing is said of a task that offers none, and nothing is unknown of it: an answer to it would teach nothing.
    """

    offered: Sequence[tuple[str, ...]]
    chances: Sequence[Floats]

    def __len__(self) -> int:
        return len(self.offered)

    def of(self, rows: Rows) -> OneOfferedPredictions:
        return OneOfferedPredictions([self.offered[n] for n in rows], [self.chances[n] for n in rows])

    @property
    def probabilities(self) -> Floats:
        """n × the most that a task offers, each row from the likeliest label down: columns are no classes."""
        rows = np.zeros((len(self), max(2, *map(len, self.offered)) if len(self) else 2))
        for row, chances in zip(rows, self.chances, strict=True):
            row[: len(chances)] = np.sort(chances)[::-1]
            row[0] += not len(chances)
        return rows

    @property
    def confidence(self) -> Floats:
        return np.array([chances.max() if len(chances) else 0.0 for chances in self.chances])

    @property
    def uncertainty(self) -> Floats:
        return np.asarray(1 - self.probabilities.max(axis=1))

    def guesses(self, target: str) -> list[Guess]:
        return [
            Guess(target, Result(()) if best is None else best, likely)
            for best, likely in zip(self._best, self.confidence.tolist(), strict=True)
        ]

    @property
    def _best(self) -> list[str | None]:
        pairs = zip(self.offered, self.chances, strict=True)
        return [labels[int(chances.argmax())] if labels else None for labels, chances in pairs]

    def losses(self, truth: Sequence[Label]) -> Floats:
        """−ln of the chance of each task's true label."""
        rows = zip(self.offered, self.chances, truth, strict=True)
        p = [chances[labels.index(str(true))] if true in labels else 0.0 for labels, chances, true in rows]
        return np.asarray(-np.log(np.clip(p, RAREST, 1)))

    def correctness(self, truth: Sequence[Label]) -> Floats:
        """Whether the likeliest label that is offered is the true one."""
        return np.array([float(best == true) for best, true in zip(self._best, truth, strict=True)])

    def metrics(self, truth: Sequence[Label]) -> dict[str, float]:
        """Accuracy with its standard error, and log loss."""
        accuracy = float(self.correctness(truth).mean())
        return {
            "accuracy": accuracy,
            "accuracy_standard_error": error_of_share(accuracy, len(truth)),
            "log_loss": float(self.losses(truth).mean()),
        }


@dataclass(frozen=True, slots=True)
class SomeOfferedPredictions:
    """Any number of the labels that each task offers: for each of n tasks its labels and the chance of each by itself.
    From ``threshold`` on a label is given."""

    offered: Sequence[tuple[str, ...]]
    chances: Sequence[Floats]
    threshold: float = 0.5

    def __len__(self) -> int:
        return len(self.offered)

    def of(self, rows: Rows) -> SomeOfferedPredictions:
        return SomeOfferedPredictions([self.offered[n] for n in rows], [self.chances[n] for n in rows], self.threshold)

    @property
    def confidence(self) -> Floats:
        """How likely each label is rightly given or left out, on the average; 1 where none is offered."""
        right = (np.where(some >= self.threshold, some, 1 - some) for some in self.chances)
        return np.array([one.mean() if len(one) else 1.0 for one in right])

    @property
    def uncertainty(self) -> Floats:
        """As that of `ChoicesPredictions`; 0 where none is offered."""
        return np.array([1 - np.abs(2 * some - 1).mean() if len(some) else 0.0 for some in self.chances])

    @property
    def probabilities(self) -> Floats:
        return as_two_classes(self.uncertainty)

    def guesses(self, target: str) -> list[Guess]:
        rows = zip(self.offered, self.chances, self.confidence.tolist(), strict=True)
        return [
            Guess(
                target,
                tuple(label for label, chance in zip(labels, some, strict=True) if chance >= self.threshold),
                likely,
                tuple(float(chance) for chance in some if chance >= self.threshold),
            )
            for labels, some, likely in rows
        ]

    def losses(self, truth: Sequence[Label]) -> Floats:
        """−ln of the chance of what is true of each label that is offered, on the average of these."""
        rows = zip(self.offered, self.chances, map(_names, truth), strict=True)
        return np.array([_loss(np.array([label in true for label in labels]), some) for labels, some, true in rows])

    def correctness(self, truth: Sequence[Label]) -> Floats:
        """Jaccard's index, as of `ChoicesPredictions`."""
        pairs = ((_names(guess.label), _names(true)) for guess, true in zip(self.guesses(""), truth, strict=True))
        return np.array([len(one & other) / len(one | other) if one | other else 1.0 for one, other in pairs])

    def metrics(self, truth: Sequence[Label]) -> dict[str, float]:
        """F1 over all labels of all tasks, and the share of tasks that are right in every label."""
        pairs = [(_names(guess.label), _names(true)) for guess, true in zip(self.guesses(""), truth, strict=True)]
        both, either = sum(len(one & other) for one, other in pairs), sum(len(one) + len(other) for one, other in pairs)
        return {
            "micro_f1": 2 * both / either if either else 0.0,
            "all_right": float(np.mean([one == other for one, other in pairs])),
            "log_loss": float(self.losses(truth).mean()),
        }


def _names(label: Label) -> frozenset[object]:
    return frozenset(label) if isinstance(label, tuple) else frozenset()


def _loss(true: NDArray[np.bool_], chances: Floats) -> float:
    p = np.where(true, chances, 1 - chances)
    return float(-np.log(np.clip(p, RAREST, 1)).mean()) if len(p) else 0.0
