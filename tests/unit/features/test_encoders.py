"""Which encoder suits what tasks hold, and two things side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io

from nextlabel.estimators.fitting import fit
from nextlabel.features.cache import VectorCache
from nextlabel.features.encoders import Encoder, TextEncoder, encoder_for, restore_encoder
from nextlabel.features.source import Source
from nextlabel.features.tabular import TabularEncoder
from nextlabel.features.text_cache import TextFeatureCache
from nextlabel.labeling import Input, InputKind, Label, Target, TargetKind, Task, TaskId
from nextlabel.ranking import Floats

SOURCE = Source()
PAIRS: dict[str, tuple[list[tuple[object, object]], InputKind]] = {
    "texts": ([("good film", "bad film"), ("the film", "good good"), ("bad", "the film")], "text"),
    "numbers": ([(1, "14"), ("2", 3), (3.5, 90)], "text"),
    "a number and a text": ([("1", "no"), ("2", "not at all"), ("3", "by no means")], "text"),
    "tables": ([({"price": 1, "of": "wood"}, {"price": 5, "of": "tin"}), ({"price": 2}, {"of": "gold"})], "table"),
    "dialogues": ([([{"who": "ann", "said": "hello"}], [{"who": "ben", "said": "go away"}])] * 2, "dialogue"),
    "nothing": ([(None, ""), ({}, [])], "text"),
}


def pairs_of(name: str) -> tuple[Target, list[Task]]:
    pairs, kind = PAIRS[name]
    target = Target("better", "choice", (Input("a", kind), Input("b", kind)), ("left", "right"), compared=True)
    return target, [Task(TaskId(str(n)), {"a": first, "b": second}) for n, (first, second) in enumerate(pairs)]


def encoded(encoder: Encoder, tasks: list[Task]) -> Floats:
    features = encoder.encode(tasks, SOURCE)
    return np.asarray(features) if isinstance(features, np.ndarray) else features.toarray()


def turned(tasks: list[Task]) -> list[Task]:
    return [Task(task.id, {"a": task.data["b"], "b": task.data["a"]}) for task in tasks]


every_pair = pytest.mark.parametrize("name", PAIRS)


@every_pair
def test_two_things_weigh_the_same_on_either_side(name: str) -> None:
    target, tasks = pairs_of(name)
    encoder = encoder_for(target, tasks, SOURCE)
    rows = encoded(encoder, tasks)
    np.testing.assert_allclose(encoded(encoder, turned(tasks)), -rows, atol=1e-6)
    assert name == "nothing" or (np.abs(rows).max(axis=1) > 0.01).all()
    alike = [Task(task.id, {"a": task.data["a"], "b": task.data["a"]}) for task in tasks]
    np.testing.assert_allclose(encoded(encoder, alike), 0, atol=1e-6)


@every_pair
def test_two_things_are_compared_the_same_way_after_a_restart(name: str) -> None:
    target, tasks = pairs_of(name)
    encoder = encoder_for(target, tasks, SOURCE)
    again = restore_encoder(skops.io.loads(skops.io.dumps(encoder.state()), trusted=[]))
    np.testing.assert_array_equal(encoded(again, tasks), encoded(encoder, tasks))
    assert encoder.space(encoder.encode(tasks, SOURCE)).columns == encoded(encoder, tasks).shape[1]


@every_pair
def test_a_pair_of_which_something_is_missing_or_odd_breaks_nothing(name: str) -> None:
    target, tasks = pairs_of(name)
    odd: list[dict[str, object]] = [{}, {"a": None}, {"b": [1, {"c": {}}]}, {"a": {"price": "?"}, "b": 7}]
    rows = encoded(encoder_for(target, tasks, SOURCE), [Task(TaskId(str(n)), data) for n, data in enumerate(odd)])
    assert np.isfinite(rows).all()
    assert len(encoded(encoder_for(target, tasks, SOURCE), [])) == 0
    assert len(encoded(encoder_for(target, [], SOURCE), tasks)) == len(tasks)


ODD: list[Any] = [None, True, -1, 10**400, float("nan"), float("inf"), "", "\x00", "\ud800", "9" * 5000, "http://["]
ODD += [[], {}, [None], [{"text": None, "author": 7}], {"k": 10**400}, {"k": float("nan")}, [[1, 2], [3]]]


@pytest.mark.parametrize("kind", ["text", "dialogue", "table", "image", "metadata"])
@pytest.mark.parametrize("learned", ["choice", "number"])
def test_no_value_of_one_task_breaks_what_is_learned_from_the_others(
    kind: InputKind, learned: TargetKind, tmp_path: Path
) -> None:
    target = Target("t", learned, (Input("f", kind),), ("a", "b") if learned == "choice" else ())
    values = [*ODD, "plain words here", 3.0]
    tasks = [Task(TaskId(str(n)), {"f": value, "other": value}) for n, value in enumerate(values)]
    labels: list[Label] = ["ab"[n % 2] if learned == "choice" else float(n) for n in range(len(tasks))]
    source = Source(TextFeatureCache(tmp_path).features, VectorCache(tmp_path))
    encoder = encoder_for(target, tasks, source)
    features = encoder.encode(tasks, source)
    fitted = fit(target, tasks, features, labels, encoder.space(features), 1)
    assert len(fitted.model.predict(tasks, features).confidence) == len(tasks)


def test_records_are_encoded_as_numbers_and_texts_as_words() -> None:
    tasks = [Task(TaskId(str(n)), {"age": n, "story": f"a story {n}", "row": {"x": n}}) for n in range(5)]

    def kind_for(*inputs: Input) -> type[Encoder]:
        return type(encoder_for(Target("t", "choice", inputs, ("a", "b")), tasks, SOURCE))

    assert kind_for(Input("story")) is TextEncoder
    assert kind_for(Input("age")) is TabularEncoder
    assert kind_for(Input("row", "table")) is TabularEncoder
    assert kind_for(Input("age"), Input("story"), Input("missing")) is TextEncoder


def test_an_encoder_from_the_future_is_none() -> None:
    with pytest.raises(KeyError, match="smell"):
        restore_encoder({"kind": "smell"})
