"""How much each control counts where several are asked: what may be typed, and what comes of it."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.errors import SettingsError
from nextlabel.labeling import Input, LabelSchema, Target
from nextlabel.learning.predictions import overall_probabilities, overall_uncertainty
from nextlabel.learning.weights import check_weights
from nextlabel.measures.target_predictions import ChoicePredictions
from nextlabel.measures.uncertainty import margin
from nextlabel.options import ProjectOptions

TEXT = (Input("text"),)
SCHEMA = LabelSchema(
    (Target("topic", "choice", TEXT, ("a", "b")), Target("tone", "choice", TEXT, ("a", "b"))), {"box": "It is a box."}
)
chances = st.lists(st.floats(0, 1), min_size=2, max_size=2)
weight = st.floats(0, 1_000)


def predicted(sure: list[float]) -> ChoicePredictions:
    return ChoicePredictions(("a", "b"), np.column_stack([sure, 1 - np.array(sure)]))


@given(chances, chances, weight, weight)
def test_the_overall_uncertainty_is_the_weighted_mean_and_strategies_order_by_it(
    topic: list[float], tone: list[float], one: float, other: float
) -> None:
    both = {"topic": predicted(topic), "tone": predicted(tone)}
    weights = {"topic": one, "tone": other}
    shares = [one, other] if one + other else [1.0, 1.0]
    expected = np.average([both["topic"].uncertainty, both["tone"].uncertainty], axis=0, weights=shares)
    np.testing.assert_allclose(overall_uncertainty(both, weights), expected)
    if one and other:
        np.testing.assert_allclose(margin(overall_probabilities(both, weights)), expected, atol=1e-9)


def test_a_control_without_a_weight_counts_once_and_one_with_zero_leaves_the_other_as_if_it_were_alone() -> None:
    both = {"topic": predicted([0.5, 1.0]), "tone": predicted([0.9, 0.6])}
    np.testing.assert_allclose(overall_uncertainty(both, {"topic": 3}), [0.4, 0.1])
    np.testing.assert_array_equal(overall_probabilities(both, {"topic": 0}), both["tone"].probabilities)
    np.testing.assert_array_equal(overall_probabilities({"topic": both["topic"]}, {"topic": 0})[0], [0.5, 0.5])


@pytest.mark.parametrize(
    "typed", ['{"topic": 2, "tone": 0.5}', {"topic": 2, "tone": 0.5}], ids=["on a command line", "in extra params"]
)
def test_weights_are_a_json_object_and_an_empty_one_takes_them_back(typed: object) -> None:
    options = ProjectOptions().updated({"weights": typed})
    assert options.weights == {"topic": 2, "tone": 0.5}
    check_weights(options.weights, SCHEMA, "")
    assert ProjectOptions.stored(options.row) == options
    assert options.updated({"weights": "{}"}) == ProjectOptions()


@pytest.mark.parametrize("bad", [-0.1, -inf, inf, nan, 1_001, 10**400, "2", None, True, [1], {}, "x" * 10_000])
def test_a_weight_that_is_none_is_refused_with_what_one_is(bad: object) -> None:
    with pytest.raises(SettingsError, match=r"control 'topic' .*from 0 .* to 1,000") as refused:
        ProjectOptions().updated({"weights": {"topic": bad}})
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("bad", ["", "topic=2", "[1]", 7, {"x" * 100_000: 1}])
def test_what_is_no_object_of_weights_is_refused(bad: object) -> None:
    with pytest.raises(SettingsError, match="'weights'"):
        ProjectOptions().updated({"weights": bad})


@pytest.mark.parametrize(
    ("weights", "hosted", "sentence"),
    [
        ({"mood": 1}, "", r"'mood', by which no task is ordered\. Name one of 'topic', 'tone'\."),
        ({"box": 1}, "", r"'box', .* left out: It is a box\. Name one of 'topic', 'tone'\."),
        ({"topic": 0, "tone": 0}, "", r"no control to order tasks by: give one of 'topic', 'tone' more than 0"),
        ({"topic": 2}, "yolo", r"your own model 'yolo' .* set weights to \{\}"),
    ],
)
def test_weights_that_do_not_suit_the_labeling_config_are_refused_with_what_to_do(
    weights: dict[str, float], hosted: str, sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        check_weights(weights, SCHEMA, hosted)


def test_weights_of_some_controls_leave_the_others_as_they_are() -> None:
    check_weights({}, SCHEMA, "yolo")
    check_weights({"topic": 0}, SCHEMA, "")
