"""Every shape of answer that label-studio-ml lets through is one prediction per task, or refused with its reason."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from nextlabel.hosting.answers import HostedPrediction, Unreadable, read_predictions
from nextlabel.hosting.compat import ModelResponse, PredictionValue
from nextlabel.hosting.plain import plain
from nextlabel.hosting.state import FOLDER, at_home, portable

REGION = {"from_name": "topic", "to_name": "text", "type": "choices", "value": {"choices": ["a"]}}


def through_json(answer: Any) -> Any:
    return json.loads(json.dumps(answer, default=plain))


@pytest.mark.parametrize(
    "answer",
    [
        [{"result": [REGION], "score": 0.7, "model_version": "v1"}],
        [{"result": [REGION], "score": np.float32(0.7).astype(float), "model_version": "v1"}],
        [[{"result": [REGION], "score": "0.7", "model_version": "v1"}, {"result": [], "score": 0.2}]],
        ({"result": (REGION,), "score": 0.7},),
        {"predictions": [{"result": [REGION], "score": np.array(0.7)}]},
        {"results": [{"result": [REGION], "score": 0.7}]},
        ModelResponse(predictions=[{"result": [REGION], "score": 0.7}], model_version="v1"),
        ModelResponse(predictions=[PredictionValue(result=[REGION], score=0.7)]),
    ],
)
def test_one_prediction_is_read_from_every_shape(answer: Any) -> None:
    [prediction] = read_predictions(through_json(answer), 1, "v1")
    assert prediction.score == pytest.approx(0.7)
    assert (prediction.result, prediction.model_version) == ([REGION], "v1")


@pytest.mark.parametrize("nothing", [None, {}, [], {"result": None}, {"result": [], "score": float("nan")}])
def test_a_task_of_which_nothing_is_said_has_an_empty_prediction(nothing: Any) -> None:
    assert read_predictions([nothing], 1) == [HostedPrediction([], None, (), None)]


def test_scores_that_are_no_numbers_are_no_scores_and_those_of_regions_stand_beside() -> None:
    scores = ["0.9", "high", None, float("nan"), float("inf"), 0.4, 10**400]
    [prediction] = read_predictions([{"score": "unsure", "result": [{**REGION, "score": s} for s in scores]}], 1)
    assert prediction.score is None
    assert prediction.region_scores == (0.9, 0.4)


def test_a_score_that_was_never_given_to_an_object_of_the_sdk_is_none() -> None:
    class Value:
        """As label-studio-sdk's, which is pydantic's: a score of 0.0 unless one is given."""

        result, score, model_version, model_fields_set = [REGION], 0.0, None, {"result"}

    assert read_predictions(through_json([Value()]), 1)[0].score is None


@pytest.mark.parametrize(
    ("answer", "received"),
    [
        (None, r"returned nothing \(None\) for 2 tasks"),
        ("hello", "returned a text for 2 tasks"),
        ({"result": []}, "returned a dict of 'result' for 2 tasks"),
        ([{"result": []}], "returned 1 predictions for 2 tasks: it must return one per task"),
        ([{"result": []}, "sport"], "prediction 1 is a text: it must be a dict"),
        ([{"result": []}, {"result": "sport"}], 'prediction 1 has a text as its "result"'),
    ],
)
def test_what_is_not_one_prediction_per_task_is_refused_with_what_it_is(answer: Any, received: str) -> None:
    with pytest.raises(Unreadable, match=received):
        read_predictions(answer, 2)


def test_a_state_names_its_folder_wherever_it_lies_and_no_other(tmp_path: Any) -> None:
    here, there = tmp_path / "1", tmp_path / "elsewhere"
    predicted = {"file": f"{here}/m.pkl", "all": [str(here), f"{here}0/m.pkl"], "n": 3, "json": f'{{"f": "{here}/x"}}'}
    kept = portable(predicted, here)
    assert kept["file"] == f"{FOLDER}/m.pkl"
    assert at_home(kept, here) == predicted
    assert at_home(kept, there)["all"] == [str(there), f"{here}0/m.pkl"]
    assert at_home(kept, there)["json"] == f'{{"f": "{there}/x"}}'
