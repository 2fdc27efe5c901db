"""Models of either interface are told apart by what they accept, the weaker signs giving way to the stronger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from nextlabel.hosting.interfaces import Hosted, interface_of, is_label_studio_ml
from nextlabel.hosting.label_interface import LabelInterface

# Each class is one that label-studio-ml's examples or their users have written, without its insides.


class TakesTrainOutput:
    def __init__(self, label_config: Any = None, train_output: Any = None, **kwargs: Any) -> None: ...
    def predict(self, tasks: Any, context: Any = None, **kwargs: Any) -> Any: ...


class FitsWithWorkdir:
    def predict(self, tasks: Any, context: Any = None, **kwargs: Any) -> Any: ...
    def fit(self, completions: Any, workdir: Any = None, **kwargs: Any) -> Any: ...


class UsesTrainOutput:
    train_output: Any

    def predict(self, tasks: Any, context: Any = None) -> Any:
        return self.train_output


class FitsEventsForTrainOutput:
    train_output: Any

    def predict(self, tasks: Any, **kwargs: Any) -> Any:
        return self.train_output

    def fit(self, event: Any, data: Any, **kwargs: Any) -> Any: ...


class SetsUp:
    def setup(self) -> None: ...
    def predict(self, tasks: Any, **kwargs: Any) -> Any: ...


class FitsEvents:
    def predict(self, tasks: Any, **kwargs: Any) -> Any: ...
    def fit(self, event: Any, data: Any, workdir: Any = None, **kwargs: Any) -> Any: ...


class IsInteractive:
    def predict(self, tasks: Any, context: Any = None, **kwargs: Any) -> Any: ...


class InheritsSetup(SetsUp):
    def predict(self, tasks: Any, **kwargs: Any) -> Any: ...


class ShowsNothing:
    def predict(self, tasks: Any, **kwargs: Any) -> Any: ...


class HasParameters:
    def get_params(self) -> Any: ...
    def predict(self, tasks: Any, **kwargs: Any) -> Any: ...


@pytest.mark.parametrize("made", [TakesTrainOutput, FitsWithWorkdir, UsesTrainOutput, FitsEventsForTrainOutput])
def test_models_of_1_x_are_known_by_their_train_output_and_workdir(made: type[Any]) -> None:
    assert interface_of(made, two_x_installed=False) == "1.x"


@pytest.mark.parametrize("made", [SetsUp, FitsEvents, IsInteractive, InheritsSetup])
def test_models_of_2_x_are_known_by_their_setup_events_and_context(made: type[Any]) -> None:
    assert interface_of(made, two_x_installed=False) == "2.x"


def test_a_model_that_shows_nothing_is_of_what_is_installed() -> None:
    assert interface_of(ShowsNothing, two_x_installed=False) == "1.x"
    assert interface_of(ShowsNothing, two_x_installed=True) == "2.x"


def test_a_fit_of_1_x_that_looks_for_the_webhook_among_its_other_arguments_is_given_it() -> None:
    class LooksForIt:
        def fit(self, tasks: list[Any], workdir: str = "", **kwargs: Any) -> Any:
            return {"project": kwargs["data"]["project"]["id"], "tasks": len(tasks)}

    question = {"project": "7.17", "label_config": "<View/>", "folder": "0002"}
    hosted = Hosted("1.x", LooksForIt(), question, {})
    done = hosted.fit([{"id": 1, "annotations": []}], "START_TRAINING")
    assert done == {"state": {"project": 7, "tasks": 1}, "changed": True}


def test_a_state_of_arrays_that_is_what_it_was_is_no_change(tmp_path: Path) -> None:
    class Weighs:
        def fit(self, tasks: list[Any], workdir: str = "") -> Any:
            return {"weights": np.arange(len(tasks))}

    question = {"project": "7", "label_config": "<View/>", "folder": str(tmp_path), "train_output": {"weights": [0, 1]}}
    hosted = Hosted("1.x", Weighs(), question, {})
    assert [hosted.fit([{"id": n} for n in range(size)], "START_TRAINING")["changed"] for size in (2, 3)] == [
        False,
        True,
    ]


def test_a_class_that_predicts_tasks_is_no_estimator_of_scikit_learns() -> None:
    assert all(map(is_label_studio_ml, (FitsWithWorkdir, ShowsNothing, HasParameters, object)))
    assert not any(map(is_label_studio_ml, (LogisticRegression, LogisticRegression(), make_pipeline, 3)))


def test_the_stand_in_reads_labeling_configs_as_models_ask_them() -> None:
    read = LabelInterface(
        """<View><Header value="Look"/><Text name="note" value="$note"/><Image name="picture" value="$url"/>
        <Choices name="topic" toName="note"><View><Choice value="A" alias="a"/><Choice value="b"/></View></Choices>
        <RectangleLabels name="box" toName="picture"><Label value="Car" predicted_values="car,truck"/></RectangleLabels>
        <Filter name="filter" toName="box"/></View>"""
    )
    assert read.get_first_tag_occurence("Choices", "Text") == ("topic", "note", "note")
    assert read.get_first_tag_occurence(("BrushLabels", "rectanglelabels"), "Image") == ("box", "picture", "url")
    assert read.get_tag("topic").labels == ["a", "b"]
    assert read.get_control("box").labels_attrs["Car"].attr["predicted_values"] == "car,truck"
    assert [tag.name for tag in read.controls] == ["topic", "box"]
    assert read.get_tag("box").get_object().value_name == "url"
    with pytest.raises(ValueError, match="has no Labels on Text"):
        read.get_first_tag_occurence("Labels", "Text")
    with pytest.raises(AttributeError, match="install label-studio-sdk"):
        read.validate_prediction({})
