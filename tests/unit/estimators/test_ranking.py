"""What is predicted of the order of the items that each task offers."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.estimators.ranking import LinearRanking, fit_ranking
from nextlabel.labeling import Input, Label, LabelSchema, Placed, Result, Target, Task, TaskId
from nextlabel.learning.fields import missing_fields
from nextlabel.measures.ranking_predictions import RankingPredictions, placed_in

WORDS = ["apple", "brick", "cloud", "drum", "engine", "fern", "glass", "horn", "ink", "jar", "kite", "lamp", "moss"]
WORDS += ["nail", "oak", "pin", "quill", "rope", "salt", "tin"]
QUESTION = (Input("items", "dialogue"), Input("question"))


def target(*buckets: str) -> Target:
    return Target("it", "ranking", QUESTION, buckets, options="items")


def asked(number: int, question: str, bodies: Sequence[str]) -> Task:
    items = [{"id": f"{number}-{n}", "body": body} for n, body in enumerate(bodies)]
    return Task(TaskId(str(number)), {"question": question, "items": items})


def best_first(number: int, merits: Sequence[int]) -> tuple[Placed, ...]:
    order = sorted(range(len(merits)), key=lambda n: -merits[n])
    return tuple(Placed("", f"{number}-{n}") for n in order)


def relevant(number: int) -> tuple[Task, Label]:
    """The more words of the question an answer has, the better."""
    chance = random.Random(number)
    question, shared = chance.sample(WORDS, 6), chance.sample(range(6), 4)
    others = [word for word in WORDS if word not in question]
    bodies = [" ".join(chance.sample(question, n) + chance.sample(others, 6 - n)) for n in shared]
    return asked(number, " ".join(question), bodies), best_first(number, shared)


def long(number: int) -> tuple[Task, Label]:
    """The longer an answer is, the better."""
    chance = random.Random(number)
    lengths = chance.sample(range(2, 60, 4), 4)
    return asked(number, "why?", [" ".join(chance.choices(WORDS, k=n)) for n in lengths]), best_first(number, lengths)


def early(number: int) -> tuple[Task, Label]:
    """Whoever answers leaves all items as they stand."""
    chance = random.Random(number)
    bodies = [" ".join(chance.choices(WORDS, k=5)) for _ in range(4)]
    return asked(number, "why?", bodies), best_first(number, [4, 3, 2, 1])


@pytest.mark.parametrize("make", [relevant, long, early])
def test_items_that_no_other_task_has_are_ordered_by_what_people_went_by(make: object) -> None:
    known, unseen = ([make(n) for n in numbers] for numbers in (range(40), range(100, 140)))  # type: ignore[operator]
    model, held_out = fit_ranking(target(), [task for task, _ in known], [label for _, label in known])
    found = model.predict([task for task, _ in unseen]).metrics([label for _, label in unseen])
    assert found["kendall_tau"] > 0.8
    assert held_out is not None
    assert abs(held_out.metrics([label for _, label in known])["kendall_tau"] - found["kendall_tau"]) < 0.15


@pytest.mark.parametrize("make", [relevant, long])
def test_items_are_put_into_the_bucket_that_people_went_by_too(make: object) -> None:
    """The best two of four are good."""
    known, unseen = ([make(n) for n in numbers] for numbers in (range(60), range(100, 140)))  # type: ignore[operator]
    labels = [
        [tuple(Placed("good" if n < 2 else "", one.item) for n, one in enumerate(placed_in(it))) for _, it in some]
        for some in (known, unseen)
    ]
    model, held_out = fit_ranking(target("", "good"), [task for task, _ in known], labels[0])
    found = model.predict([task for task, _ in unseen]).metrics(labels[1])
    assert found["bucket_agreement"] > 0.75
    assert held_out is not None
    assert abs(held_out.metrics(labels[0])["bucket_agreement"] - found["bucket_agreement"]) < 0.1


def test_the_chance_of_pairs_is_the_share_of_those_in_the_true_order() -> None:
    """In three tasks of four people put first what is superb."""
    chance, known = random.Random(5), []
    for number in range(160):
        words = chance.sample(["awful", "superb"], 2)
        agreed = chance.random() < 0.75
        merits = [int((word == "superb") == agreed) for word in words]
        known.append((asked(number, "", words), best_first(number, merits)))
    _, held_out = fit_ranking(target(), [task for task, _ in known], [label for _, label in known])
    assert held_out is not None
    assert held_out.confidence.mean() == pytest.approx(0.75, abs=0.08)


ids: st.SearchStrategy[object] = st.one_of(
    st.text(max_size=3), st.integers(-3, 3), st.sampled_from([None, True, 2.0, 0.5, "x" * 1_001, [], {}])
)
parts: st.SearchStrategy[object] = st.one_of(
    st.text(max_size=9), st.sampled_from([None, 7, ["a"], "<b>b</b>", "\ud800"])
)
items: st.SearchStrategy[object] = st.one_of(
    st.sampled_from([None, "", 7, {}, [None], ["a"], [{"id": "a"}] * 1_001]),
    st.lists(st.fixed_dictionaries({"id": ids}, optional={"title": parts, "body": parts, "html": parts}), max_size=6),
)


def _model(*buckets: str) -> LinearRanking:
    known = [relevant(n) for n in range(30)]
    placed: list[Label] = [
        tuple(Placed(buckets[n % len(buckets)] if buckets else "", one.item) for n, one in enumerate(placed_in(label)))
        for _, label in known
    ]
    return fit_ranking(target(*buckets), [task for task, _ in known], placed)[0]


_MODELS = {buckets: _model(*buckets) for buckets in [(), ("", "best", "worst"), ("best", "rest")]}


@pytest.mark.parametrize("buckets", _MODELS, ids=str)
@given(given_items=st.lists(items, max_size=4))
def test_a_prediction_names_each_item_that_the_task_offers_once_and_no_other(
    buckets: tuple[str, ...], given_items: list[object]
) -> None:
    it = target(*buckets)
    tasks = [Task(TaskId(str(n)), {"items": one, "question": "apple?"}) for n, one in enumerate(given_items)]
    predicted = _MODELS[buckets].predict(tasks)
    for task, guess in zip(tasks, predicted.guesses("it"), strict=True):
        offered = it.offered(task)
        if not offered:
            assert guess.label == Result(())
            continue
        assert it.read(guess.label) == guess.label
        assert sorted(one.item for one in guess.label) == sorted(offered)  # type: ignore[union-attr]
    for figure in (predicted.confidence, predicted.uncertainty):
        assert ((figure >= 0) & (figure <= 1)).all()
    assert np.allclose(predicted.probabilities.sum(axis=1), 1)


def test_what_is_left_in_the_list_stays_in_its_order() -> None:
    chances = [np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]])]
    predicted = RankingPredictions([("a", "b", "c", "d")], [np.array([0.0, 1.0, 5.0, 2.0])], ("", "best"), chances)
    (guess,) = predicted.guesses("it")
    assert guess.label == (Placed("", "a"), Placed("", "c"), Placed("best", "d"), Placed("best", "b"))


def test_a_task_is_the_less_sure_the_nearer_its_items_are_in_worth_or_their_buckets_in_chance() -> None:
    items_of = [("a", "b", "c")] * 3
    apart = RankingPredictions(items_of, [np.array([4.0, 2.0, 0.0]) * by for by in (2, 1, 0)])
    assert apart.uncertainty.tolist() == sorted(apart.uncertainty)
    assert (apart.uncertainty[2], apart.confidence[2]) == pytest.approx((1, 0.5))
    chances = [np.tile([0.5 + by, 0.5 - by], (3, 1)) for by in (0.5, 0.2, 0.0)]
    sorted_out = RankingPredictions(items_of, [np.zeros(3)] * 3, ("", "best"), chances)
    assert sorted_out.uncertainty == pytest.approx([0, 0.6, 1])


@given(st.permutations("abcdef"), st.permutations("abcdef"))
def test_the_figure_is_kendalls_tau(order: list[str], truth: list[str]) -> None:
    from scipy.stats import kendalltau

    predicted = RankingPredictions([tuple("abcdef")], [-np.array([order.index(one) for one in "abcdef"], dtype=float)])
    label = tuple(Placed("", one) for one in truth)
    tau = kendalltau([order.index(one) for one in "abcdef"], [truth.index(one) for one in "abcdef"]).statistic
    assert predicted.metrics([label])["kendall_tau"] == pytest.approx(tau)


def test_items_that_a_task_no_longer_offers_count_for_nothing() -> None:
    known = [relevant(n) for n in range(20)]
    labels = [(*label, Placed("", "gone")) for _, label in known]  # type: ignore[misc]
    one, _ = fit_ranking(target(), [task for task, _ in known], [label for _, label in known])
    other, held_out = fit_ranking(target(), [task for task, _ in known], labels)
    asked_of = [task for task, _ in known]
    assert one.predict(asked_of).guesses("it") == other.predict(asked_of).guesses("it")
    assert held_out is not None
    assert np.isfinite(held_out.losses(labels)).all()


def test_a_thousand_items_are_ordered_and_learned_from() -> None:
    bodies = [f"{WORDS[n % 20]} {n}" for n in range(1_000)]
    tasks = [asked(number, "", bodies) for number in range(12)]
    labels = [best_first(number, [-(n % 20) for n in range(1_000)]) for number in range(12)]
    model, held_out = fit_ranking(target(), tasks, labels)
    assert held_out is not None
    assert held_out.metrics(labels)["kendall_tau"] > 0.8
    assert len(model.predict(tasks[:1]).guesses("it")[0].label) == 1_000  # type: ignore[arg-type]


def test_a_person_is_told_of_how_many_tasks_the_items_cannot_be_ordered() -> None:
    data: list[object] = [[{"id": "a"}], [{"title": "no id"}], "a text", [], None]
    tasks = [Task(TaskId(str(n)), {"items": one, "question": "why?"}) for n, one in enumerate(data)]
    (found,) = missing_fields(LabelSchema((target(),)), tasks)
    assert found.message.startswith("In 2 of 3 tasks the items of 'items' cannot be ordered")
    assert missing_fields(LabelSchema((target(),)), tasks[:1]) == []
