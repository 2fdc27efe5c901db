"""Sequences of any length: the measures are the papers', and a padded pool is the same as a ragged list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as shannon

from nextlabel.errors import SettingsError
from nextlabel.labeling import TaskId
from nextlabel.ranking import CandidatePool, Floats
from nextlabel.strategies.sequence import MEASURES, SequenceUncertainty, unpadded


def ragged(lengths: list[int], k: int = 3, seed: int = 0) -> list[Floats]:
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.full(k, 0.5), length) for length in lengths]


lengths = st.lists(st.integers(0, 6), max_size=8)


@given(lengths, st.integers(0, 99))
def test_the_figures_are_the_papers(lengths: list[int], seed: int) -> None:
    sequences = ragged(lengths, seed=seed)
    for n, tokens in enumerate(sequences):
        entropies = [float(shannon(token, base=3)) for token in tokens]
        best, length = tokens.max(axis=1, initial=0), max(len(tokens), 1)
        expected = {
            "mean_entropy": sum(entropies) / length,
            "total_entropy": sum(entropies) / (1 + sum(entropies)),
            "mnlp": 1 - np.exp(np.log(best).sum() / length),
            "least_confidence": 1 - best.prod(),
        }
        assert {name: MEASURES[name](sequences)[n] for name in expected} == pytest.approx(expected, abs=1e-6)
    for measure in MEASURES.values():
        assert measure(sequences).shape == (len(lengths),)


@given(lengths.filter(len))
def test_a_padded_pool_is_the_same_as_a_ragged_list(lengths: list[int]) -> None:
    sequences = ragged(lengths)
    padded = np.full((len(lengths), 7, 3), np.nan)
    for row, tokens in zip(padded, sequences, strict=True):
        row[: len(tokens)] = tokens
    for name, measure in MEASURES.items():
        np.testing.assert_array_equal(SequenceUncertainty(name).utilities(padded), measure(sequences))


def test_nan_inside_a_sequence_is_refused_and_behind_its_end_is_padding() -> None:
    p = np.array([[[0.5, 0.5], [np.nan, np.nan], [0.5, 0.5], [np.nan, np.nan]]])
    assert [len(tokens) for tokens in unpadded(p)] == [3]
    with pytest.raises(ValueError, match="NaN"):
        SequenceUncertainty().utilities(p)
    with pytest.raises(ValueError, match="n × T × k"):
        unpadded(np.zeros(3))


def test_long_sequences_come_first_only_where_asked_for() -> None:
    short, long = np.array([[0.6, 0.4]]), np.full((9, 2), [0.7, 0.3])
    first = {name: SequenceUncertainty(name).order([short, long])[0] for name in MEASURES}
    assert first == {"mean_entropy": 0, "mnlp": 0, "total_entropy": 1, "least_confidence": 1}


def test_a_pool_of_single_tokens_is_ranked() -> None:
    pool = CandidatePool([TaskId("sure"), TaskId("unsure")], np.array([[0.9, 0.1], [0.5, 0.5]]))
    for name in MEASURES:
        assert SequenceUncertainty(name).rank(pool, 2).task_ids() == ("unsure", "sure")
    with pytest.raises(SettingsError, match="no measure 'viterbi'"):
        SequenceUncertainty("viterbi")
