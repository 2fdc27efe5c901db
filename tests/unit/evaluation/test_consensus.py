"""What several people's labels come to together, held to how they were drawn."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from nextlabel.evaluation.consensus import one_coin
from nextlabel.evaluation.reliability import Ratings


def drawn(
    draw: np.random.Generator, tasks: int, quality: tuple[float, ...], *, classes: int = 3, each: int = 0
) -> tuple[Ratings, NDArray[np.intp]]:
    """Labels of people who are right so often, of ``each`` different ones a task (0: of all); and the truth."""
    truth, people = draw.integers(0, classes, tasks), len(quality)
    who = draw.random((tasks, people)).argsort(axis=1)[:, : each or people]
    right = draw.random(who.shape) < np.array(quality)[who]
    given = np.where(right, truth[:, None], (truth[:, None] + draw.integers(1, classes, who.shape)) % classes)
    rows = np.repeat(np.arange(tasks), who.shape[1])
    return Ratings(rows, who.reshape(-1), given.reshape(-1).astype(np.float64)), truth


@pytest.mark.parametrize(
    ("tasks", "quality", "classes", "each"),
    [(60, (0.95, 0.9, 0.8), 4, 0), (300, (0.95, 0.95, 0.85), 2, 0), (200, (0.95, 0.95, 0.95, 0.9, 0.75), 2, 3)],
)
def test_the_interval_of_a_quality_holds_the_truth_as_often_as_it_says(
    tasks: int, quality: tuple[float, ...], classes: int, each: int
) -> None:
    draw, held = np.random.default_rng(0), []
    for _ in range(100):
        coin = one_coin(drawn(draw, tasks, quality, classes=classes, each=each)[0])
        found = [coin.quality_interval(n) for n in range(len(quality))]
        held.append([one.low <= true <= one.high for one, true in zip(found, quality, strict=True)])
    assert np.mean(held) >= 0.93
    assert np.mean(held, axis=0).min() >= 0.9


def test_a_good_person_outvotes_two_bad_ones_who_agree_by_chance() -> None:
    ratings, truth = drawn(np.random.default_rng(1), 2000, (0.99, 0.6, 0.6), classes=2)
    coin = one_coin(ratings)
    consensus = coin.votes.classes[coin.best()]
    majority = np.bincount(ratings.tasks, weights=ratings.values) > 1.5
    assert (consensus == truth).mean() > 0.98
    assert (majority == truth).mean() < 0.85


def test_where_all_are_as_good_the_consensus_is_the_majority() -> None:
    ratings, _ = drawn(np.random.default_rng(2), 400, (0.8,) * 5, classes=2)
    coin = one_coin(ratings)
    majority = np.bincount(ratings.tasks, weights=ratings.values) > 2.5
    assert (coin.votes.classes[coin.best()] == majority).mean() > 0.99


def test_what_others_say_leaves_out_the_label_that_is_held_against_it() -> None:
    """By hand: of each label the votes of all others on its task, weighed, and classes that nobody chose."""
    ratings, _ = drawn(np.random.default_rng(3), 200, (0.9, 0.8, 0.7, 0.6), classes=4, each=3)
    coin = one_coin(ratings, classes=4)
    others = coin.others(ratings)
    for row, (task, person, value) in enumerate(zip(ratings.tasks, ratings.people, ratings.values, strict=True)):
        scores = np.zeros(4)
        for other in np.flatnonzero((ratings.tasks == task) & (ratings.people != person)):
            scores[int(ratings.values[other])] += coin.weights[ratings.people[other]]
        chances = np.exp(scores) / np.exp(scores).sum()
        assert others.sure[row] == pytest.approx(chances.max(), abs=1e-9)
        tied = (np.abs(scores - scores.max()) < 1e-9).sum() > 1
        assert others.agrees[row] == (not tied and scores.argmax() == value)


def test_labels_of_hundreds_of_people_for_one_task_have_finite_chances() -> None:
    tasks = np.repeat([0, 1], 500)
    ratings = Ratings(tasks, np.tile(np.arange(500), 2), np.zeros(1000))
    coin = one_coin(ratings)
    assert coin.chances == pytest.approx([1, 1])
    assert np.isfinite(coin.others(ratings).sure).all()
