"""From the scores that a model gives to how unsure it is of each task."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.errors import SettingsError
from nextlabel.hosting import HostedPrediction
from nextlabel.hosting.uncertainty import UNKNOWN, uncertainties
from nextlabel.options import REGION_SCORES


def predicted(score: object = None, *regions: object) -> HostedPrediction:
    return HostedPrediction([], score, tuple(regions), None)  # type: ignore[arg-type]


scores = st.one_of(st.none(), st.floats(), st.text(max_size=5), st.integers())


@pytest.mark.parametrize("way", REGION_SCORES)
@given(score=scores, regions=st.lists(scores, max_size=5))
def test_whatever_a_model_says_gives_a_number_in_the_unit_interval(
    way: str, score: object, regions: list[object]
) -> None:
    [unsure] = uncertainties([predicted(score, *regions)], way)
    assert 0 <= unsure <= 1


@pytest.mark.parametrize(
    ("way", "expected"),
    [("score", 0.1), ("mean", 0.3), ("min", 0.5), ("max", 0.1), ("product", 1 - 0.9 * 0.5), ("count", 0.6 / 1.6)],
)
def test_each_way_reads_the_regions_as_it_says(way: str, expected: float) -> None:
    assert uncertainties([predicted(0.9, 0.9, 0.5)], way) == pytest.approx([expected])


def test_without_scores_of_regions_the_predictions_own_counts_and_without_that_theirs() -> None:
    found = {way: uncertainties([predicted(0.8)], way)[0] for way in REGION_SCORES}
    assert found == pytest.approx(dict.fromkeys(REGION_SCORES, 0.2))
    assert uncertainties([predicted(None, 0.9, 0.5)]) == pytest.approx([0.3])


def test_a_model_that_gives_no_score_puts_its_tasks_neither_first_nor_last() -> None:
    nothing = [predicted(), predicted(float("nan")), predicted("high"), predicted(None, None, "low")]
    assert list(uncertainties(nothing)) == [UNKNOWN] * 4
    assert list(uncertainties([predicted(7.2), predicted(-3.0), predicted("0.25")])) == [0.0, 1.0, 0.75]
    assert list(uncertainties([])) == []


def test_an_unknown_way_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match="known are score, mean, min, max, product, count"):
        uncertainties([], "median")
