"""Whatever is labeled, a query strategy is given something that it can choose from."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from nextlabel.errors import SettingsError
from nextlabel.features.spaces import Centred
from nextlabel.labeling import Input, InputKind, Label, Placed, Scale, Span, Target, Task, TaskId
from nextlabel.labeling.ranking import CandidatePool, RankedTask, Ranking
from nextlabel.learning.pools import (
    Examples,
    blank_last,
    candidate_pool,
    classes_of,
    expected_seconds,
    nothing_to_read,
    unlike_pool,
)
from nextlabel.learning.workbench import Candidates
from nextlabel.measures.ranking_predictions import RankingPredictions
from nextlabel.measures.target_predictions import (
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    SpanPredictions,
    TargetPredictions,
)
from nextlabel.measures.uncertainty import margin
from nextlabel.strategies import finding

TEXT, N, LABELED = (Input("text"),), 30, 12
RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(N + LABELED, 4)).astype(np.float32)
CHOICE = Target("choice", "choice", TEXT, ("a", "b", "c"))
CHOICES = Target("choices", "choices", TEXT, ("a", "b", "c"))
NUMBER = Target("number", "number", TEXT, scale=Scale(1, 5, 1))
SPANS = Target("spans", "spans", TEXT, ("a", "b"))
KINDS: dict[str, tuple[Target, list[Label], TargetPredictions]] = {
    "choice": (CHOICE, ["a", "b", "c"] * 4, ChoicePredictions(CHOICE.labels, RNG.dirichlet([1, 1, 1], N))),
    "choices": (CHOICES, [("a",), (), ("a", "b")] * 4, ChoicesPredictions(CHOICES.labels, RNG.random((N, 3)))),
    "number": (NUMBER, [1.0, 3.0, 5.0] * 4, NumberPredictions(RNG.random(N), RNG.random(N) + 0.1, 1.0, Scale(1, 5, 1))),
    "spans": (
        SPANS,
        [(Span(0, 1, "a"),), ()] * 6,
        SpanPredictions([()] * N, [()] * N, RNG.random(N)),
    ),
    "ranking": (
        Target("ranking", "ranking", TEXT, options="items"),
        [(Placed("", "a"), Placed("", "b")), (Placed("", "b"), Placed("", "a"))] * 6,
        RankingPredictions([("a", "b")] * N, [RNG.normal(size=2) for _ in range(N)]),
    ),
}


def pool_of(*kinds: str) -> CandidatePool:
    lead, labels, _ = KINDS[kinds[0]]
    tasks = [Task(TaskId(str(n)), {}) for n in range(N + LABELED)]
    return candidate_pool(
        tasks[LABELED:],
        FEATURES[LABELED:],
        {kind: KINDS[kind][2] for kind in kinds},
        Examples(lead, tasks[:LABELED], labels, FEATURES[:LABELED]),
        lambda: Centred.of(FEATURES),
        seed=1,
    )


@pytest.mark.parametrize("kinds", [*((kind,) for kind in KINDS), ("choices", "number", "choice")])
@pytest.mark.parametrize("spec", ["adaptive", "margin", "entropy", "random", "diverse", "kcenter"])
def test_every_kind_of_target_and_several_together_can_be_ranked(kinds: tuple[str, ...], spec: str) -> None:
    ranked = finding.make(spec).rank(pool_of(*kinds), 10).task_ids()
    assert len(set(ranked)) == 10


@pytest.mark.parametrize("spec", ["committee?members=3", "error_reduction", "value_of_information"])
def test_one_target_can_also_be_ranked_by_further_models_and_others_say_that_they_cannot(spec: str) -> None:
    strategy = finding.make(spec)
    for kind in ("choice", "choices", "number"):
        assert len(strategy.rank(pool_of(kind), 5)) == 5
    for kinds in (("spans",), ("ranking",), ("choice", "number")):
        with pytest.raises(SettingsError, match="a model of one control that can be fitted again"):
            strategy.rank(pool_of(*kinds), 5)


def test_several_labels_and_numbers_are_handed_over_as_what_they_are() -> None:
    chances, numbers = pool_of("choices").chances, pool_of("number").numbers
    assert chances is not None
    assert numbers is not None
    assert chances.chances is KINDS["choices"][2].chances  # type: ignore[attr-defined]
    assert chances.given[:3].tolist() == [[True, False, False], [False, False, False], [True, True, False]]
    assert numbers.mean is KINDS["number"][2].mean  # type: ignore[attr-defined]
    assert numbers.given[:3].tolist() == [1, 3, 5]
    for pool in (pool_of("choice"), pool_of("spans"), pool_of("ranking"), pool_of("choices", "number")):
        assert (pool.chances, pool.numbers) == (None, None)
    assert [pool_of(kind).classes for kind in KINDS] == [True, False, False, False, False]


def test_the_likeliest_of_several_labels_come_first_where_that_is_asked_for() -> None:
    chances = KINDS["choices"][2].chances  # type: ignore[attr-defined]
    ranked = finding.make("multilabel:max_score").rank(pool_of("choices"), N).task_ids()
    assert [int(task) - LABELED for task in ranked] == np.argsort(-chances.max(axis=1)).tolist()


def test_a_label_is_expected_to_take_longer_the_more_there_is_to_read_lunch_or_not() -> None:
    tasks = [Task(TaskId(str(n)), {"text": "x" * (10 * n + 10), "note": "y" * 999}) for n in range(40)]
    seconds = [float(2 * n + 2) for n in range(40)]
    seconds[3] = 3600.0
    costs = expected_seconds(tasks[:20], seconds[:20], tasks, TEXT)
    assert costs is not None
    assert costs[2:18] == pytest.approx(np.arange(6, 38, 2), rel=0.5)
    assert (np.diff(costs) >= 0).all()
    assert expected_seconds(tasks[:4], seconds[:4], tasks, TEXT) is None
    assert expected_seconds(tasks[:20], [None] * 20, tasks, TEXT) is None
    same = expected_seconds(tasks[:20], seconds[:20], tasks, [Input("image", "image")])
    assert same is not None and len(set(same.tolist())) == 1


def test_margin_orders_by_the_uncertainty_of_the_target() -> None:
    for kind in ("choices", "number", "spans", "ranking"):
        unsure = KINDS[kind][2].uncertainty
        first = finding.make("margin").rank(pool_of(kind), 1).task_ids()[0]
        assert int(first) - LABELED == int(unsure.argmax())


def test_several_labels_are_told_apart_by_the_rarest_of_them() -> None:
    codes, k = classes_of(CHOICES, [("a",), ("a", "b"), ("a",), (), ("a", "c"), ("a", "c")])
    assert (codes.tolist(), k) == ([0, 1, 0, 3, 2, 2], 4)
    codes, k = classes_of(SPANS, [(Span(0, 1, "a"), Span(2, 3, "b")), (Span(0, 1, "a"),), ()])
    assert (codes.tolist(), k) == ([1, 0, 2], 3)


def test_a_choice_is_told_apart_by_its_place_among_the_labels_of_the_target() -> None:
    codes, k = classes_of(CHOICE, ["c", "a", "c", "b"])
    assert (codes.tolist(), k) == ([2, 0, 2, 1], 3)


@pytest.mark.parametrize("target", [CHOICE, CHOICES, NUMBER, SPANS], ids=lambda it: it.kind)
def test_every_label_has_a_class_even_where_none_is_given_yet(target: Target) -> None:
    codes, k = classes_of(target, KINDS[target.kind][1])
    assert len(codes) == LABELED
    assert ((codes >= 0) & (codes < k)).all()
    none, still = classes_of(target, [])
    assert (none.tolist(), still) == ([], k)


def test_numbers_are_told_apart_by_their_middle() -> None:
    assert classes_of(NUMBER, [1.0, 5.0, 2.0, 4.0])[0].tolist() == [0, 1, 0, 1]
    assert classes_of(NUMBER, [])[0].tolist() == []


class Backwards:
    """The tasks of the pool, last one first."""

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        return Ranking(tuple(RankedTask(task, 0.5) for task in reversed(pool.tasks))[:size], "backwards")


NOTHING: list[object] = [None, "", " \n", [], {}]
EVERY_KIND: list[InputKind] = list(get_args(InputKind))
BLANK: list[tuple[InputKind, object, bool]] = [
    *((kind, value, True) for kind in EVERY_KIND for value in NOTHING),
    ("text", "<p>&nbsp;<br></p><!-- no --><script>x()</script>", True),
    ("text", "\u200b \ufeff", True),
    ("text", float("nan"), True),
    ("dialogue", [{"author": "", "text": " "}, ""], True),
    ("table", {"a": None, "b": ""}, True),
    ("text", 0, False),
    ("text", False, False),
    ("text", "<3", False),
    ("dialogue", [{"author": "", "text": "hi"}], False),
    ("table", {"a": 0}, False),
    ("metadata", "/data/1.mp3", False),
    ("image", "data:image/png;base64,iVBORw0KGgo=", False),
    ("pdf", ["data:application/pdf;base64,JVBERi0="], False),
    ("text", "data:image/png;base64,iVBORw0KGgo=", True),
]


@pytest.mark.parametrize(("kind", "value", "blank"), BLANK)
def test_a_task_is_blank_where_its_fields_hold_nothing(kind: InputKind, value: object, blank: bool) -> None:
    target = Target("t", "choice", (Input("f", kind), Input("missing", kind)), ("a", "b"))
    task = Task(TaskId("1"), {"f": value, "other": "not asked about"})
    assert nothing_to_read(target, [task], np.ones((1, 3), dtype=np.float32)).tolist() == [blank]


def test_a_picture_that_cannot_be_had_is_nothing_to_read() -> None:
    target = Target("t", "choice", (Input("f", "image"),), ("a", "b"))
    tasks = [Task(TaskId(str(n)), {"f": f"/data/{n}.png"}) for n in range(2)]
    features = np.array([[0, 0.5], [0, 0]], dtype=np.float32)
    assert nothing_to_read(target, tasks, features).tolist() == [False, True]


def test_what_is_blank_comes_after_all_that_a_strategy_ranks_and_is_worth_nothing() -> None:
    blank = np.array([True, False, False, True, False])
    order, readable = blank_last(blank)
    tasks = [Task(TaskId(str(n)), {}) for n in order]
    pool = CandidatePool([task.id for task in tasks[: len(readable)]], np.full((len(readable), 2), 0.5))
    predicted = ChoicePredictions(["a", "b"], np.full((5, 2), 0.5))
    candidates = Candidates(tasks, {"label": predicted}, pool)
    assert candidates.ranked(Backwards(), 10).task_ids() == ("4", "2", "1", "0", "3")
    assert candidates.ranked(Backwards(), 4).task_ids() == ("4", "2", "1", "0")
    assert candidates.ranked(Backwards(), 2).task_ids() == ("4", "2")
    assert candidates.utilities(Backwards(), [3, 0, 4]).tolist() == [0, 1, 0]
    everything, chosen = blank_last(np.ones(3, dtype=bool))
    assert everything.tolist() == chosen.tolist() == [0, 1, 2]  # then there is nothing to tell them apart by


def test_of_several_labels_a_doubt_about_a_rare_one_is_asked_before_a_larger_one_about_a_common_one() -> None:
    chances = np.tile([0.4, 0.01], (20, 1))
    chances[7, 0], chances[3, 1] = 0.5, 0.1
    predicted = ChoicesPredictions(("common", "rare"), chances)
    tasks = [Task(TaskId(str(n)), {}) for n in range(20)]
    pool = unlike_pool(tasks, None, {"t": predicted}, (np.empty(0, dtype=np.intp), 2), None, 0)
    assert (int(margin(pool.probabilities).argmax()), int(predicted.uncertainty.argmax())) == (3, 7)
