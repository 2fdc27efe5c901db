"""What several people's labels come to together, held to how they were drawn."""

from __future__ import annotations

import numpy as np
import pytest
from cleanlab.multiannotator import get_label_quality_multiannotator
from numpy.typing import NDArray

from nextlabel.evaluation.consensus import crowdlab, one_coin
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


def model_of(draw: np.random.Generator, truth: NDArray[np.intp], classes: int, right: float) -> NDArray[np.float64]:
    """What a model predicts that is right so often, more surely where it is."""
    guess = np.where(draw.random(len(truth)) < right, truth, draw.integers(0, classes, len(truth)))
    sure = draw.uniform(0.4, 0.9, len(truth)) + np.where(guess == truth, 0.08, 0.0)
    found = np.repeat(((1 - sure) / (classes - 1))[:, None], classes, axis=1)
    found[np.arange(len(truth)), guess] = sure
    return found


@pytest.mark.parametrize(("classes", "each"), [(2, 0), (3, 3), (4, 2)])
def test_crowdlab_is_that_of_cleanlab(classes: int, each: int) -> None:
    draw = np.random.default_rng(classes)
    ratings, truth = drawn(draw, 300, (0.95, 0.9, 0.8, 0.7, 0.6), classes=classes, each=each)
    predicted, table = model_of(draw, truth, classes, 0.85), np.full((300, 5), np.nan)
    table[ratings.tasks, ratings.people] = ratings.values
    theirs = get_label_quality_multiannotator(table, predicted, verbose=False, return_weights=True)
    ours = crowdlab(ratings, predicted)
    assert ours.labels.tolist() == theirs["label_quality"]["consensus_label"].tolist()
    chosen = ours.chances[np.arange(300), ours.labels]
    assert chosen == pytest.approx(theirs["label_quality"]["consensus_quality_score"].to_numpy(), abs=1e-6)
    assert ours.weights == pytest.approx(theirs["annotator_weight"], abs=1e-6)
    assert ours.model == pytest.approx(theirs["model_weight"], abs=1e-6)


def test_a_model_that_has_not_seen_the_labels_makes_the_consensus_better() -> None:
    draw = np.random.default_rng(0)
    ratings, truth = drawn(draw, 2000, (0.9, 0.8, 0.7), classes=3)
    crowd = crowdlab(ratings, model_of(draw, truth, 3, 0.9))
    coin = one_coin(ratings)
    assert (crowd.labels == truth).mean() > (coin.votes.classes[coin.best()] == truth).mean() + 0.01
