"""Which encoder suits what tasks hold, and two things side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st

from nextlabel.estimators.fitting import fit
from nextlabel.features.cache import VectorCache
from nextlabel.features.encoders import Encoder, RecordEncoder, TextEncoder, encoder_for, restore_encoder
from nextlabel.features.source import Source
from nextlabel.features.tabular import TabularEncoder
from nextlabel.features.text_cache import TextFeatureCache
from nextlabel.labeling import Input, InputKind, Label, Target, TargetKind, Task, TaskId
from nextlabel.labeling.ranking import Floats

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


def about(*fields: str, kind: InputKind = "text") -> Target:
    return Target("t", "choice", tuple(Input(field, kind) for field in fields), ("a", "b"))


def test_fields_are_encoded_by_what_they_hold() -> None:
    tasks = [
        Task(TaskId(str(n)), {"age": n, "town": "ab"[n % 2], "story": f"a story {n}", "row": {"x": n}, "tags": ["a"]})
        for n in range(5)
    ]

    def kind_for(*fields: str) -> type[Encoder]:
        return type(encoder_for(about(*fields), tasks, SOURCE))

    assert kind_for("story") is kind_for("story", "town", "missing") is kind_for("missing") is TextEncoder
    assert kind_for("age") is kind_for("row") is kind_for("age", "town", "missing") is TabularEncoder
    assert kind_for("age", "story", "missing") is kind_for("age", "tags") is RecordEncoder


WORDS = [f"{one} {other}" for one in ("snow", "oven", "lift", "bread") for other in ("we like", "is here", "no more")]
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from(WORDS),
    "number": st.integers(0, 10**6) | st.floats(-10, 10),
    "number as text": st.integers(0, 10**6).map(str),
    "boolean": st.booleans(),
    "name": st.sampled_from(["red", "blue"]),
    "list": st.lists(st.sampled_from(WORDS) | st.integers(0, 9), min_size=1, max_size=3),
    "nested": st.fixed_dictionaries({"body": st.sampled_from(WORDS), "n": st.integers(0, 9)}),
    "missing": st.sampled_from([None, "", "  ", [], {}]),
    "number or text": st.integers(0, 99) | st.sampled_from(WORDS),
}
mixtures = st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4).flatmap(
    lambda kinds: st.lists(
        st.fixed_dictionaries({f"f{n}": VALUES[kind] for n, kind in enumerate(kinds)}), min_size=6, max_size=20
    )
)


@given(rows=mixtures, kind=st.sampled_from(["text", "table"]), place=st.integers(0, 4))
@settings(max_examples=40)
def test_whatever_fields_hold_a_text_among_them_is_read_and_so_is_a_number(
    rows: list[dict[str, object]], kind: InputKind, place: int
) -> None:
    data = [row | {"text": f"{WORDS[n % 12]} {n}", "number": n * 7 % 11} for n, row in enumerate(rows)]
    tasks = [Task(TaskId(str(n)), one) for n, one in enumerate(data)]
    fields = sorted(rows[0])
    fields.insert(place, "text")
    encoder = encoder_for(about(*fields, "number", kind=kind), tasks, SOURCE)
    changes: list[dict[str, object]] = [{}, {"text": "quite another story"}, {"number": 10_000}]
    before, otherwise, more = encoded(encoder, [Task(TaskId("x"), data[0] | change) for change in changes])
    assert np.linalg.norm(before - otherwise) > 0.3
    assert np.linalg.norm(before - more) > 0.05
    pool = encoded(encoder, tasks)
    assert np.isfinite(pool).all()
    assert 0.5 < np.linalg.norm(pool, axis=1).mean() < 2
    np.testing.assert_array_equal(encoded(restore_encoder(encoder.state()), tasks), pool)


@pytest.mark.parametrize(
    "beside", ["a number of its own", "a number as text", "a flag", "a name", "nothing", "a number or a text"]
)
def test_texts_are_learned_whatever_stands_beside_them(beside: str) -> None:
    rng = np.random.default_rng(0)
    values: dict[str, Callable[[int], object]] = {
        "a number of its own": lambda n: 1000 + n,
        "a number as text": lambda n: str(1000 + n),
        "a flag": lambda n: n % 3 == 0,
        "a name": lambda n: "xyz"[n % 3],
        "nothing": lambda n: None,
        "a number or a text": lambda n: n if n % 7 else "no ticket yet",
    }
    winter, kitchen = ["snow", "ski", "slope", "lift", "ice"], ["flour", "oven", "bread", "butter", "salt"]
    labels = [("a", "b")[(n * 7919) % 5 < 2] for n in range(140)]
    texts = [" and ".join(rng.choice(winter if label == "a" else kitchen, 3)) for label in labels]
    tasks = [Task(TaskId(str(n)), {"ticket": values[beside](n), "text": text}) for n, text in enumerate(texts)]
    target = about("ticket", "text")
    encoder = encoder_for(target, tasks, SOURCE)
    features = encoder.encode(tasks, SOURCE)
    model = fit(target, tasks[:70], features[:70], labels[:70], encoder.space(features), 0).model
    predicted = [guess.label for guess in model.predict(tasks[70:], features[70:]).guesses("t")]
    assert predicted == labels[70:]


def test_an_encoder_from_the_future_is_none() -> None:
    with pytest.raises(KeyError, match="smell"):
        restore_encoder({"kind": "smell"})
