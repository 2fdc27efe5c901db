"""Sequences, such as words with tags: ask by the uncertainty of all their tokens (Settles & Craven, 2008).

A task is a T × k array of token probabilities, rows summing to 1; T differs from task to task and may be 0. Every
measure takes a list of n of them and returns n numbers in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from nextlabel import uncertainty
from nextlabel.errors import SettingsError
from nextlabel.ranking import CandidatePool, Floats, Ranking
from nextlabel.strategies.uncertainty import best_first

Sequences = Sequence[Floats]


class SequenceUncertainty:
    """By the uncertainty of all tokens: sequence:mean_entropy, total_entropy, mnlp, least_confidence.

    A pool's probabilities are n × T × k, padded with NaN behind each sequence's end, or n × k, which is n
    sequences of one token; `order` takes a ragged list.
    """

    def __init__(self, measure: str = "mnlp") -> None:
        if measure not in MEASURES:
            raise SettingsError(f"The strategy 'sequence' has no measure '{measure}': it has {', '.join(MEASURES)}.")
        self._measure, self.name = MEASURES[measure], f"sequence:{measure}"

    def utilities(self, probabilities: Floats) -> Floats:
        """n utilities in [0, 1]."""
        return self._measure(unpadded(probabilities))

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        return best_first(pool, self.utilities(pool.probabilities) if len(pool) else np.empty(0), size, self.name)

    def order(self, sequences: Sequences) -> NDArray[np.integer]:
        """The rows of a ragged list, least sure first; ties as they stand."""
        return np.argsort(-self._measure(sequences), kind="stable")


def unpadded(probabilities: Floats) -> list[Floats]:
    """n × T × k padded with NaN, or n × k, as a list of n T_i × k arrays. A gap inside a sequence is not padding."""
    p = np.asarray(probabilities)
    if p.ndim == 2:
        p = p[:, None, :]
        return list(p)
    if p.ndim != 3:
        raise ValueError(f"token probabilities must be n × T × k, not of shape {p.shape}")
    ends = np.where(np.isnan(p).all(axis=2), 0, np.arange(1, p.shape[1] + 1))
    lengths = ends.max(axis=1, initial=0)
    return [row[:length] for row, length in zip(p, lengths, strict=True)]


def mean_entropy(sequences: Sequences) -> Floats:
    """The mean entropy of a sequence's tokens over log k."""
    tokens, lengths = _joined(sequences)
    return np.asarray(_sums(uncertainty.entropy(tokens), lengths) / np.maximum(lengths, 1))


def total_entropy(sequences: Sequences) -> Floats:
    """The summed entropy h of a sequence's tokens, as h / (1 + h): long sequences first."""
    tokens, lengths = _joined(sequences)
    total = _sums(uncertainty.entropy(tokens), lengths)
    return np.asarray(total / (1 + total))


def mnlp(sequences: Sequences) -> Floats:
    """1 − the geometric mean of the likeliest tags' probabilities: normalised log-probability (Shen et al., 2018)."""
    tokens, lengths = _joined(sequences)
    return np.asarray(1 - np.exp(_sums(_log_best(tokens), lengths) / np.maximum(lengths, 1)))


def least_confidence(sequences: Sequences) -> Floats:
    """1 − the probability of the likeliest tagging, tokens taken as independent (Culotta & McCallum, 2005)."""
    tokens, lengths = _joined(sequences)
    return np.asarray(-np.expm1(_sums(_log_best(tokens), lengths)))


MEASURES: Mapping[str, Callable[[Sequences], Floats]] = MappingProxyType(
    {measure.__name__: measure for measure in (mean_entropy, total_entropy, mnlp, least_confidence)}
)


def _joined(sequences: Sequences) -> tuple[Floats, NDArray[np.integer]]:
    """All tokens, one below the other, and how many each sequence has."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    if not lengths.any():
        return np.empty((0, 1)), lengths
    return uncertainty.checked(np.concatenate([s for s in sequences if len(s)])), lengths


def _log_best(tokens: Floats) -> Floats:
    return np.asarray(np.log(np.clip(tokens.max(axis=1), np.finfo(tokens.dtype).tiny, 1)))


def _sums(values: Floats, lengths: NDArray[np.integer]) -> Floats:
    of = np.repeat(np.arange(len(lengths)), lengths)
    return np.asarray(np.bincount(of, weights=values, minlength=len(lengths)), dtype=np.float64)
