"""Whether a labeled task is worth another label more than a new task is worth its first."""

from __future__ import annotations

import numpy as np
import pytest
from cleanlab.internal import multiannotator_utils
from cleanlab.multiannotator import get_active_learning_scores
from numpy.typing import NDArray

from nextlabel.evaluation.reliability import Ratings
from nextlabel.evaluation.worth_again import Scores, activelab, worth_more
from nextlabel.labeling.ranking import Floats


def drawn(draw: np.random.Generator, people: int, classes: int, several: float, model: float) -> tuple[Floats, Floats]:
    """A table of tasks × people (NaN: no label), of which ``several`` have two labels or more, and what a model
    predicts that is right so often."""
    truth = draw.integers(0, classes, 200)
    table = np.full((200, people), np.nan)
    for task, right in enumerate(truth):
        number = 1 + (draw.random() < several) * draw.integers(1, people)
        for person in draw.choice(people, number, replace=False):
            table[task, person] = right if draw.random() < 0.6 + 0.08 * person else draw.integers(0, classes)
    return table, predicted(draw, truth, classes, model)


def predicted(draw: np.random.Generator, truth: NDArray[np.intp], classes: int, right: float) -> Floats:
    chances = draw.dirichlet(np.ones(classes), len(truth))
    best = np.where(draw.random(len(truth)) < right, truth, draw.integers(0, classes, len(truth))).astype(int)
    chances[np.arange(len(truth)), best] += 2
    return np.asarray(chances / chances.sum(axis=1, keepdims=True))


def ratings_of(table: Floats) -> Ratings:
    tasks, people = np.nonzero(~np.isnan(table))
    return Ratings(tasks, people, table[tasks, people])


def counted(labels: Floats, *, num_classes: int) -> NDArray[np.intp]:
    """As `cleanlab.internal.util.value_counts` (2.9.0) counts whole numbers; labels beside NaN are floats, of which it
    takes those of any one class for those of the first."""
    return np.bincount(labels.astype(int), minlength=num_classes)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("several", [0.0, 0.05, 0.6])
@pytest.mark.parametrize("model", [0.5, 0.95])
def test_the_scores_are_those_of_cleanlab_once_it_counts_labels_by_their_class(
    classes: int, several: float, model: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiannotator_utils, "value_counts", counted)
    draw = np.random.default_rng(classes)
    table, of_labeled = drawn(draw, 4, classes, several, model)
    of_new = predicted(draw, draw.integers(0, classes, 50), classes, 0.7)
    labeled, new = get_active_learning_scores(table, of_labeled, of_new)
    ours = activelab(ratings_of(table), of_labeled, of_new)
    assert ours.labeled == pytest.approx(labeled, abs=1e-6)
    assert ours.new == pytest.approx(new, abs=1e-6)


def test_a_label_that_the_model_contradicts_is_worth_another_and_two_people_who_agree_settle_it() -> None:
    sure = np.array([[0.95, 0.05]] * 20)
    labels = np.zeros(20)
    labels[7] = 1
    one_each = Ratings(np.arange(20), np.arange(20) % 3, labels)
    scores = activelab(one_each, sure, np.array([[0.6, 0.4]] * 20))
    assert worth_more(scores, every=10) == [7]
    agreed = Ratings(np.append(np.arange(20), 7), np.append(np.arange(20) % 3, 0), np.append(labels, 1))
    assert activelab(agreed, sure, sure).labeled[7] > scores.labeled[7]


def test_labeled_tasks_have_one_place_in_so_many_and_none_stands_before_new_tasks_that_are_worth_more() -> None:
    new = np.linspace(0.5, 0.9, 45)
    assert worth_more(Scores(np.full(30, 0.1), new), every=10) == [0, 1, 2, 3, 4], "one in ten, however many wait"
    later = np.array([0.95, new[8] + 0.001, 0.1])  # the second best would come after nine new ones
    assert worth_more(Scores(later, new), every=10) == [2, 1]
    assert worth_more(Scores(np.array([new[9], 0.2]), new), every=10) == [1, 0]
    assert worth_more(Scores(np.array([new[9]]), new), every=10) == [], "ten new ones are worth as much or more"
    assert worth_more(Scores(np.array([0.1]), new[:8]), every=10) == [], "no new tasks among which it would stand"


def test_one_task_that_two_people_share_does_not_decide_how_far_the_model_is_trusted() -> None:
    """They agree on what the model is sure is wrong: cleanlab's own scores then go by the labels alone."""
    sure = np.array([[0.95, 0.05]] * 40)
    labels = np.zeros(41)
    labels[[7, 9, 40]] = 1  # two tasks have wrong labels, one of them of two people
    ratings = Ratings(np.append(np.arange(40), 9), np.append(np.arange(40) % 3, 1), labels)
    new = np.array([[0.6, 0.4]] * 40)
    assert worth_more(activelab(ratings, sure, new), every=10) == []
    assert set(worth_more(activelab(ratings, sure, new, fewest_shared=20), every=10)) == {7, 9}
