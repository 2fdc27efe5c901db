"""What is predicted where each task offers labels of its own."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.estimators.fitting import fit
from nextlabel.estimators.offered import OfferedLabels
from nextlabel.estimators.project import Estimator
from nextlabel.features.encoders import encoder_for
from nextlabel.features.source import Source
from nextlabel.labeling import Input, Label, Result, Target, Task, TaskId
from nextlabel.labeling.ranking import Features
from nextlabel.measures.offered_predictions import OneOfferedPredictions, SomeOfferedPredictions

Kind = Literal["choice", "choices"]
KINDS: tuple[Kind, ...] = ("choice", "choices")
WORDS = {"winter": "snow ski ice", "kitchen": "oven bread salt", "sea": "ship sail wave", "wood": "tree leaf moss"}
GOOD, BAD = ("clear", "complete", "correct"), ("noisy", "broken", "missing")


def target(kind: Kind, fixed: tuple[str, ...] = (), separator: str = "") -> Target:
    return Target("it", kind, (Input("text"),), fixed, options="options", separator=separator)


def offering(id_: int, text: str, labels: Sequence[object]) -> Task:
    return Task(TaskId(str(id_)), {"text": text, "options": [{"value": one} for one in labels]})


def topics(numbers: range) -> tuple[list[Task], list[str]]:
    """Tasks that each offer the true topic and one of the others."""
    chance, tasks, truth = random.Random(numbers.start), [], []
    for n in numbers:
        true, other = chance.sample(list(WORDS), 2)
        tasks.append(offering(n, " ".join(chance.choices(WORDS[true].split(), k=3)), sorted([true, other])))
        truth.append(true)
    return tasks, truth


def sentences(numbers: range) -> tuple[list[Task], list[str]]:
    """Tasks whose options no other task has: a good one among bad ones."""
    chance, tasks, truth = random.Random(numbers.start), [], []
    for n in numbers:
        options = [f"{n}.{m} {chance.choice(GOOD if m == n % 3 else BAD)} {chance.choice('abc')}" for m in range(3)]
        tasks.append(offering(n, "which one?", options))
        truth.append(options[n % 3])
    return tasks, truth


def learned(it: Target, tasks: Sequence[Task], truth: Sequence[str]) -> tuple[Estimator, Features]:
    encoder = encoder_for(it, tasks, Source())
    features = encoder.encode(tasks, Source())
    labels: list[Label] = [one if it.kind == "choice" else (one,) for one in truth]
    return fit(it, tasks, features, labels, encoder.space(features), 0).model, features


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [topics, sentences])
def test_options_are_told_whether_tasks_share_them_or_not(kind: Kind, make: Any) -> None:
    (known, truth), (asked, answers) = make(range(60)), make(range(100, 160))
    it = target(kind)
    model, _ = learned(it, known, truth)
    features = encoder_for(it, known, Source()).encode(asked, Source())
    labels = [one if kind == "choice" else (one,) for one in answers]
    assert model.predict(asked, features).metrics(labels)["accuracy" if kind == "choice" else "micro_f1"] > 0.9


odd = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.just("x" * 1_001), st.lists(st.text(max_size=2)))
options = st.one_of(
    odd,
    st.lists(
        st.one_of(
            odd,
            st.fixed_dictionaries(
                {"value": st.sampled_from([*WORDS, "new", "", 7])},
                optional={
                    "alias": st.sampled_from(["sea", "other", ""]),
                    "html": odd,
                    "children": st.one_of(
                        odd, st.lists(st.fixed_dictionaries({"value": st.sampled_from(["new", "sea"])}))
                    ),
                },
            ),
        ),
        max_size=6,
    ),
)


@pytest.mark.parametrize("kind", KINDS)
@given(
    given_options=st.lists(options, min_size=1, max_size=4),
    fixed=st.sampled_from([(), ("sea", "none")]),
    separator=st.sampled_from(["", " > "]),
)
def test_a_prediction_never_names_what_the_task_does_not_offer(
    kind: Kind, given_options: list[object], fixed: tuple[str, ...], separator: str
) -> None:
    it = target(kind, fixed, separator)
    model = _MODELS[kind, fixed, separator]
    asked = [Task(TaskId(str(n)), {"text": "ship sail", "options": one}) for n, one in enumerate(given_options)]
    encoder = encoder_for(it, asked, Source())
    predicted = model.predict(asked, encoder.encode(asked, Source()))
    assert isinstance(predicted, OneOfferedPredictions | SomeOfferedPredictions)
    for task, guess, chances in zip(asked, predicted.guesses("it"), predicted.chances, strict=True):
        offered = set(it.offered(task))
        named = () if guess.label == Result(()) else (guess.label,) if kind == "choice" else guess.label
        assert set(named) <= offered  # type: ignore[arg-type]
        assert len(chances) == len(offered)
        assert kind == "choices" or not offered or np.sum(chances) == pytest.approx(1)
    for figure in (predicted.confidence, predicted.uncertainty):
        assert ((figure >= 0) & (figure <= 1)).all()
    assert np.allclose(predicted.probabilities.sum(axis=1), 1)


_FIXED: tuple[tuple[str, ...], ...] = (), ("sea", "none")
_MODELS = {
    (kind, fixed, separator): OfferedLabels.from_state(
        learned(target(kind, fixed, separator), *topics(range(40)))[0].state()
    )
    for kind in KINDS
    for fixed in _FIXED
    for separator in ("", " > ")
}


def test_options_within_options_are_labels_of_their_own_where_they_count() -> None:
    inner = [{"value": "b", "children": [{"value": "c", "html": "<b>C</b>"}]}, {"value": 5}]
    task = Task(
        TaskId("1"), {"options": [{"value": "a", "alias": "A", "children": inner}, {"value": "b", "children": 7}]}
    )
    assert target("choices", ("none",), " > ").offered(task) == {
        "none": "none",
        "A": "a",
        "A > b": "b",
        "A > b > c": "<b>C</b>",
        "b": "b",
    }
    assert list(target("choices").offered(task)) == ["A", "b"]


def test_options_within_options_have_a_bound() -> None:
    deepest: dict[str, object] = {"value": "d"}
    for _ in range(10_000):
        deepest = {"value": "d", "children": [deepest]}
    wide = {"value": "w", "children": [{"value": str(n), "children": [{"value": "x"}] * 2_000} for n in range(2_000)]}
    for option, most in ((deepest, 50), (wide, 1_000)):
        assert 1 < len(target("choices", separator=" > ").offered(Task(TaskId("1"), {"options": [option]}))) <= most


def test_a_label_is_no_less_likely_for_tasks_that_do_not_offer_it() -> None:
    """Half of the tasks offer "yes", and whoever is offered it takes it."""
    tasks = [offering(n, f"text {n}", ["yes", "no"] if n % 2 else ["no", "maybe"]) for n in range(60)]
    model, features = learned(target("choices"), tasks, ["yes" if n % 2 else "maybe" for n in range(60)])
    predicted = model.predict(tasks[:2], features[:2])
    assert [guess.label for guess in predicted.guesses("it")] == [("maybe",), ("yes",)]
