"""Several labels at once: the measures are the papers', row by row, and in [0, 1]."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.errors import SettingsError
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool, Chances
from nextlabel.strategies.multilabel import MEASURES, MultiLabel

every_measure = pytest.mark.parametrize("name", MEASURES)
rows = st.integers(1, 5).flatmap(
    lambda labels: st.lists(st.lists(st.floats(0, 1), min_size=labels, max_size=labels), min_size=1, max_size=6)
)


@every_measure
@given(p=rows)
def test_every_measure_gives_a_number_in_the_unit_interval(name: str, p: list[list[float]]) -> None:
    values = MultiLabel(name).utilities(np.array(p))
    assert values.shape == (len(p),)
    assert ((values >= -1e-12) & (values <= 1 + 1e-12)).all()


@given(p=rows)
def test_the_figures_are_the_papers(p: list[list[float]]) -> None:
    for n, row in enumerate(p):
        confidence, score = [abs(2 * x - 1) for x in row], [2 * x - 1 for x in row]

        def loss(chosen: int, f: list[float] = score) -> float:
            return sum(max(0, 1 - (1 if j == chosen else -1) * value) for j, value in enumerate(f)) / (2 * len(f))

        given_labels = [j for j, value in enumerate(score) if value > 0 or value == max(score)]
        expected = {
            "avg_confidence": 1 - sum(confidence) / len(row),
            "min_confidence": 1 - min(confidence),
            "max_confidence": 1 - max(confidence),
            "avg_score": (sum(score) / len(row) + 1) / 2,
            "max_score": (max(score) + 1) / 2,
            "max_loss": loss(score.index(max(score))),
            "mean_max_loss": sum(loss(j) for j in given_labels) / len(given_labels),
        }
        for name, value in expected.items():
            assert MultiLabel(name).utilities(np.array(p))[n] == pytest.approx(value, abs=1e-9)


def test_the_measures_ask_for_what_their_names_say() -> None:
    one_doubtful, all_doubtful, likely = [0.5, 0.0, 0.0], [0.4, 0.4, 0.4], [0.9, 0.9, 0.1]
    names = ("one doubtful", "all doubtful", "likely")
    chances = Chances(np.array([one_doubtful, all_doubtful, likely]), np.empty((0, 3), dtype=bool))
    pool = CandidatePool([TaskId(name) for name in names], np.full((3, 2), 0.5), chances=chances)
    first = {name: MultiLabel(name).rank(pool, 1).task_ids()[0] for name in MEASURES}
    assert first["min_confidence"] == "one doubtful"
    assert first["avg_confidence"] == first["max_confidence"] == "all doubtful"
    assert first["avg_score"] == first["max_score"] == "likely"


def test_classes_are_not_taken_for_labels() -> None:
    with pytest.raises(SettingsError, match="'multilabel:avg_confidence' needs several labels at once"):
        MultiLabel().rank(CandidatePool([TaskId("1")], np.array([[0.5, 0.5]])), 1)


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        MultiLabel().utilities(np.array([[1.2, 0.1]]))
    with pytest.raises(ValueError, match="NaN"):
        MultiLabel().utilities(np.array([[np.nan, 0.1]]))
    with pytest.raises(SettingsError, match="no measure 'best': it has avg_confidence"):
        MultiLabel("best")
