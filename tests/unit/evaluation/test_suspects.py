"""Labels that are likely wrong: the ones that were made wrong come first, of each kind of target."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from cleanlab import filter as filters

from nextlabel.evaluation import cut_off
from nextlabel.evaluation.suspects import FEWEST, doubts_of
from nextlabel.labeling import Label, Placed, Scale, Span
from nextlabel.labeling.ranking import Floats
from nextlabel.measures.offered_predictions import OneOfferedPredictions, SomeOfferedPredictions
from nextlabel.measures.out_of_fold import OutOfFold
from nextlabel.measures.ranking_predictions import RankingPredictions
from nextlabel.measures.target_predictions import (
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    SpanPredictions,
    TargetPredictions,
)
from nextlabel.storage.kept_predictions import as_bytes, read

N, WRONG = 60, (7, 31)
Made = tuple[TargetPredictions, list[Label], Label]
"""Predictions, the labels that they agree with, and a label that is wrong for any row but the last."""


def noisy(shape: tuple[int, ...], seed: int = 0) -> Floats:
    """Of the rows that will be wrong a model is as sure as it gets."""
    noise = np.random.default_rng(seed).uniform(0.0, 0.1, shape)
    if len(noise) > max(WRONG):
        noise[list(WRONG)] = 0.0
    return noise


def choice() -> Made:
    chances = noisy((N, 3)) + np.eye(3)[np.arange(N) % 2]
    labels: list[Label] = [("a", "b")[row % 2] for row in range(N)]
    return ChoicePredictions(("a", "b", "c"), chances / chances.sum(axis=1, keepdims=True)), labels, "a"


def choices() -> Made:
    truth = [("a",) if row % 2 else ("a", "b") for row in range(N)]
    given = np.array([[True, row % 2 == 0, False] for row in range(N)])
    chances = np.where(given, 0.95 - noisy((N, 3)), 0.05 + noisy((N, 3), 1))
    return ChoicesPredictions(("a", "b", "c"), chances), list(truth), ("a", "b")


def number() -> Made:
    mean = np.linspace(0, 5, N)
    off = np.random.default_rng(1).normal(0, 0.3, N)
    return NumberPredictions(mean, np.full(N, 0.3), 1.5, Scale(0, 10)), list((mean + off).tolist()), 10.0


def spans() -> Made:
    found: list[tuple[Span, ...]] = [(Span(0, 3, "city"),) if row % 3 else () for row in range(N)]
    chances = [tuple(0.8 + 0.1 * (row % 2) for _ in some) for row, some in enumerate(found)]
    return SpanPredictions(found, chances, noisy((N,))), list(found), (Span(9, 12, "city"),)


def ranking() -> Made:
    items = [("x", "y", "z")] * N
    worths = [np.array([3.0, 0.0, -3.0]) + noisy((3,), row) * 5 for row in range(N)]
    right: Label = (Placed("", "x"), Placed("", "y"), Placed("", "z"))
    wrong: Label = (Placed("", "z"), Placed("", "y"), Placed("", "x"))
    return RankingPredictions(items, worths), [right] * N, wrong


def one_offered() -> Made:
    offered = [("a", f"b{row}") for row in range(N)]
    return (
        OneOfferedPredictions(offered, [np.array([0.9, 0.1]) + noisy((2,), row) / 9 for row in range(N)]),
        ["a"] * N,
        "b7",
    )


def some_offered() -> Made:
    offered = [("a", "b", f"c{row}") for row in range(N)]
    chances = [np.array([0.9, 0.1, 0.05]) + noisy((3,), row) / 2 for row in range(N)]
    return SomeOfferedPredictions(offered, chances), [("a",)] * N, ("b",)


KINDS = [choice, choices, number, spans, ranking, one_offered, some_offered]


@pytest.mark.parametrize("made", KINDS)
def test_wrong_labels_are_suspected_and_come_first_whatever_the_kind(made: Callable[[], Made]) -> None:
    predicted, truth, wrong = made()
    clean = doubts_of(predicted, truth)
    assert clean is not None
    assert clean.suspected.mean() <= 0.03
    rows = WRONG[:1] if made is one_offered else WRONG  # "b7" is offered there only
    given = [wrong if row in rows else label for row, label in enumerate(truth)]
    doubts = doubts_of(predicted, given)
    assert doubts is not None
    assert set(rows) <= set(doubts.worst)
    assert set(np.argsort(-doubts.doubt)[: len(rows)].tolist()) == set(rows)


@pytest.mark.parametrize("made", KINDS)
def test_kept_predictions_are_read_back_with_the_same_doubts(made: Callable[[], Made]) -> None:
    predicted, truth, _ = made()
    tasks = [f"t{row}" for row in range(N)]
    (name, kept), *others = read(as_bytes({"it": OutOfFold(tasks, predicted)}), "a file").items()  # type: ignore[arg-type]
    assert (name, others, list(kept.tasks)) == ("it", [], tasks)
    assert type(kept.predicted) is type(predicted)
    before, after = doubts_of(predicted, truth), doubts_of(kept.predicted, truth)
    assert before is not None
    assert after is not None
    np.testing.assert_allclose(after.doubt, before.doubt, rtol=1e-3, atol=1e-5)
    assert (after.suspected == before.suspected).all()


def test_of_too_many_labels_those_that_are_kept_stay_the_same_when_more_come() -> None:
    tasks = [f"t{row}" for row in range(100)]
    few = OutOfFold(tasks[:60], ChoicePredictions(("a", "b"), noisy((60, 2)))).at_most(30)  # type: ignore[arg-type]
    more = OutOfFold(tasks, ChoicePredictions(("a", "b"), noisy((100, 2)))).at_most(30)  # type: ignore[arg-type]
    assert len(few.tasks) == len(more.tasks) == len(more.predicted) == 30
    assert set(more.tasks) & set(tasks[:60]) <= set(few.tasks)


def test_too_few_labels_are_not_suspected() -> None:
    predicted, truth, _ = choice()
    assert doubts_of(predicted.of(range(FEWEST - 1)), truth[: FEWEST - 1]) is None


def tables() -> list[tuple[np.ndarray, Floats]]:
    """Labels and out-of-fold probabilities, some classes of which are rare or have no label at all."""
    made = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n, k = int(rng.integers(40, 200)), int(rng.integers(2, 7))
        true = rng.integers(k - (seed % 3 == 0 and k > 2), size=n)
        chances = rng.dirichlet(np.ones(k), n) + 2 * np.eye(k)[true]
        given = np.where(rng.random(n) < 0.1, rng.integers(true.max() + 1, size=n), true)
        made.append((given, chances / chances.sum(axis=1, keepdims=True)))
    return made


def test_the_confident_joint_is_counted_as_cleanlab_counts_it() -> None:
    for given, chances in tables():
        theirs = filters.find_label_issues(given, chances, filter_by="confident_learning", n_jobs=1)
        np.testing.assert_array_equal(cut_off.confident(given, chances), theirs)


def test_without_cleanlab_a_label_is_suspected_too_beside_which_another_is_likelier_by_half() -> None:
    for given, chances in tables():
        own = chances[np.arange(len(given)), given]
        confident, found = cut_off.confident(given, chances), cut_off.plain(given, chances)
        assert (found >= confident).all()
        assert (found >= (chances.max(axis=1) - own > 0.5)).all()


def test_with_cleanlab_the_cut_off_is_what_cleanlab_called_by_hand_gives() -> None:
    for given, chances in tables():
        theirs = filters.find_label_issues(given, chances, n_jobs=1)
        np.testing.assert_array_equal(cut_off.suspected(given, chances), theirs)
