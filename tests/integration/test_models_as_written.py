"""Models as teams really write them, beside the real label-studio-sdk: with 1.x of label-studio-ml, and with 2.x."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from everything import representing
from integration.test_hosting import CONFIG, annotated, task
from label_studio_sdk_beside import CHECKOUT_VARIABLE, LIKE_2_X, MODELS, search_path
from nextlabel.errors import HostedModelError
from nextlabel.hosting import HostedModel, HostedPrediction, ModelSource
from nextlabel.labeling import LabelSchema

WORDS = '<View><Text name="text" value="$text"/><Labels name="word" toName="text"><Label value="A"/></Labels></View>'
Maker = Callable[..., HostedModel]


def is_empty(predictions: list[HostedPrediction]) -> list[bool]:
    return [not one.result and one.score is None for one in predictions]


CHECKOUT = os.environ.get(CHECKOUT_VARIABLE)
VERSIONS = {"1.x": [], "like 2.x": [LIKE_2_X]} | ({"2.x of a checkout": [Path(CHECKOUT)]} if CHECKOUT else {})


@pytest.fixture(params=VERSIONS)
def host(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Maker]:
    """Hosts one of the models with that label-studio-ml installed."""
    monkeypatch.setenv("PYTHONPATH", search_path(tmp_path / "site", *VERSIONS[request.param]))
    made: list[HostedModel] = []

    def make(name: str, folder: str = "0001", config: str = CONFIG, **more: Any) -> HostedModel:
        source = ModelSource.parse(f"{MODELS}/as_written.py:{name}")
        made.append(
            HostedModel(source, project="7.17", schema=LabelSchema((), source=config), folder=tmp_path / folder, **more)
        )
        return made[-1]

    yield make
    for model in made:
        model.close()


def test_a_region_made_by_the_sdk_says_of_what_it_is_and_tasks_left_out_are_those_in_which_nothing_was_found(
    host: Maker,
) -> None:
    model = host("Tags")
    long, short = task("the match and the goal"), task("rates")
    predicted = model.predict([short, long, short, {**long, "data": {"text": "a longer text than the other one"}}])
    assert [one.score for one in predicted] == [None, 0.22, None, 0.32]
    (region,) = predicted[1].result
    assert region.pop("id")
    assert region == {"from_name": "topic", "to_name": "text", "type": "choices", "value": {"choices": ["sport"]}}
    assert is_empty(model.predict([short, short])) == [True, True]
    assert [one.score for one in model.predict([long, short])] == [0.22, None]


def test_relations_between_regions_stand_beside_them(host: Maker) -> None:
    (predicted,) = host("Related", config=WORDS).predict([task("a b")])
    one, two, relation = predicted.result
    assert (one["from_name"], two["type"], two["value"]["labels"]) == ("word", "labels", ["A"])
    assert (relation["type"], relation["from_id"], relation["to_id"]) == ("relation", one["id"], two["id"])


def test_a_model_that_answers_only_with_a_context_says_nothing_without(host: Maker) -> None:
    model = host("Interactive")
    assert is_empty(model.predict([task("one"), task("two")])) == [True, True]
    drawn = {"from_name": "topic", "to_name": "text", "type": "choices", "value": {"choices": ["sport"]}}
    (predicted,) = model.predict([task("one")], {"result": [drawn]})
    assert (predicted.result, predicted.score) == ([drawn], 0.7)
    assert not model.learns


def test_a_model_that_learns_from_annotations_events_gets_one_and_learns_once_what_is_the_same(
    host: Maker, tmp_path: Path
) -> None:
    typed_in = {"parameters": {"api_key": "sk-secret"}}
    first = host("Prompted", **typed_in)
    assert is_empty(first.predict([task("one"), task("two")])) == [True, True]
    state = first.fit(annotated(), into=tmp_path / "0002")
    assert state is not None
    second = host("Prompted", "0002", train_output=state, **typed_in)
    predicted = second.predict([task("one")])[0]
    assert (predicted.result, predicted.model_version) == ([{"value": "money"}], "sk-secret")
    assert second.fit(annotated(), into=tmp_path / "0003") is None
    assert not (tmp_path / "0003").exists()
    kept = [path.read_bytes() for folder in ("0001", "0002") for path in (tmp_path / folder).rglob("*.*")]
    assert b"sk-secret" not in b"".join([*kept, repr(state).encode()])


@pytest.mark.parametrize("token", representing(["0123abc", "eyJhbGciOiJI.eyJ0b2tlbiI6.c2lnbmF0"], {"0123abc"}))
def test_a_fit_that_fetches_its_labels_by_any_client_is_given_those_at_hand_with_either_kind_of_token(
    token: str, host: Maker, tmp_path: Path
) -> None:
    there = {"access": {"hostname": "http://label-studio.invalid/under/a/path", "access_token": token}}
    state = host("Fetches", **there).fit(annotated(), into=tmp_path / "0002")
    (predicted,) = host("Fetches", "0002", train_output=state, **there).predict([task("one")])
    labeled: list[Any] = annotated()
    results = [[one["result"] for one in labels["annotations"]] for labels in labeled]
    assert json.loads(predicted.model_version or "") == [results] * 3


def test_the_task_comes_whole_and_with_its_project(host: Maker) -> None:
    (predicted,) = host("ByProject").predict([{**task("one"), "inner_id": 3}])
    assert predicted.model_version == "[7, 3]"


def test_a_missing_module_is_named_by_the_package_to_install(tmp_path: Path) -> None:
    wants = tmp_path / "wants.py"
    for module, package in (
        ("label_studio_sdk.label_interface.object_tags", "label-studio-sdk"),
        ("label_studio_converter.brush", "label-studio-converter"),
    ):
        wants.write_text(f"from label_studio_ml.model import LabelStudioMLBase\nfrom {module} import ImageTag\n")
        source = ModelSource.parse(f"{wants}:Wants")
        with (
            HostedModel(source, project="7", schema=LabelSchema((), source=CONFIG), folder=tmp_path / "0001") as model,
            pytest.raises(HostedModelError, match=rf"not there \(.*pip install {package}\)"),
        ):
            model.predict([task("one")])
