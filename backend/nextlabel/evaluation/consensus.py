"""What several people's labels of a task come to together, and how often each person is right.

`one_coin` takes their labels alone, `crowdlab` also what a model predicts that has not seen them. A person's quality is
the share of their labels that are right. It can be estimated where three people share tasks with one another;
of two people only how often they agree is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextlabel.evaluation.intervals import Interval, wilson
from nextlabel.evaluation.reliability import Ratings
from nextlabel.labeling.ranking import Floats

_TURNS, _STILL = 200, 1e-6  # of expectation and maximisation, and a change of qualities that ends them
_PRIOR = 6.0  # labels that each quality begins with, as good as everybody's
_LEAST = 1e-6  # of the weights of CROWDLAB
_TIED = 1e-9
_LARGEST_WEIGHT = 6.0  # of a label: nobody is right in more than 400 of 401


class Votes(NamedTuple):
    """Labels of n tasks as m different votes, each a task and a class that somebody chose there, sorted by task.

    ``of`` has for each label the row of its vote.
    """

    tasks: NDArray[np.intp]
    classes: Floats
    of: NDArray[np.intp]


class Others(NamedTuple):
    """Of each label whether it is what the others say together (``agrees``), and how ``sure`` they are, as a chance."""

    agrees: NDArray[np.bool_]
    sure: Floats


@dataclass(frozen=True, slots=True)
class OneCoin:
    """Each person as a coin that shows the true class with some chance, and any of the others alike (Dawid & Skene,
    1979, with one number for each person).

    ``chances`` is how likely each vote is right. ``quality`` is by person how often their labels are, and ``worth`` how
    many labels whose truth is known would tell that as surely. ``scores`` are the votes' log odds against a class that
    nobody chose, to which a person's label adds their ``weights``.
    """

    votes: Votes
    chances: Floats
    quality: Floats
    worth: Floats
    labels: NDArray[np.intp]
    weights: Floats
    scores: Floats
    classes: int

    def best(self) -> NDArray[np.intp]:
        """By task its likeliest vote: a row of ``votes``. The first of several that are alike."""
        order = np.lexsort((-self.chances, self.votes.tasks))
        return order[np.unique(self.votes.tasks[order], return_index=True)[1]]

    def others(self, ratings: Ratings) -> Others:
        """What each of the same labels is held against: the votes of all others on its task."""
        votes, own, tasks = self.votes, self.votes.of, ratings.tasks
        n = int(votes.tasks.max()) + 1
        order = np.lexsort((-self.scores, votes.tasks))
        first = np.searchsorted(votes.tasks[order], np.arange(n))
        highest, others = self.scores[order[first]], self.classes - np.bincount(votes.tasks, minlength=n)
        # A class without a vote has a score of 0; with one vote only, that is the rival's.
        second = np.where(
            np.bincount(votes.tasks, minlength=n) > 1, self.scores[order[np.minimum(first + 1, len(order) - 1)]], 0.0
        )
        rival = np.where(order[first][tasks] == own, second[tasks], highest[tasks])
        odds = np.exp(self.scores - highest[votes.tasks])
        among = np.bincount(votes.tasks, weights=odds, minlength=n) + np.maximum(others, 0) * np.exp(-highest)
        left = self.scores[own] - self.weights[ratings.people]
        whole = among[tasks] - odds[own] + np.exp(left - highest[tasks])
        sure = np.exp(np.maximum(left, rival) - highest[tasks]) / whole
        return Others(left > rival + _TIED, sure)

    def quality_interval(self, person: int) -> Interval:
        """Of a person with labels; the truth is not known, so that it is wider than that of as many known ones."""
        value, n = float(self.quality[person]), int(self.labels[person])
        return wilson(value, n, float(max(self.worth[person], 1.0)), "one-coin model of several people's labels")


def votes_of(ratings: Ratings) -> Votes:
    pairs, of = np.unique(np.stack([ratings.tasks, ratings.values]), axis=1, return_inverse=True)
    return Votes(pairs[0].astype(np.intp), pairs[1], of.reshape(-1))


def one_coin(ratings: Ratings, classes: int = 0) -> OneCoin:
    """From labels of tasks 0, 1, … by people 0, 1, …; values are names. ``classes`` is how many could be chosen, where
    more could than were.

    All classes are taken to be as likely before anybody labels. A person with few labels is taken to be about as good
    as the others. Where everybody is, the likeliest class is that of most people. Raises `ValueError` for no labels.
    """
    if not len(ratings.tasks):
        raise ValueError("There are no labels.")
    votes, people = votes_of(ratings), ratings.people
    classes = max(classes, len(np.unique(ratings.values)), 2)
    labels = np.bincount(people)
    right, shared = _shares(votes), ratings.is_shared()
    quality: Floats = np.zeros(len(labels))
    for _ in range(_TURNS):
        before, quality = quality, _qualities(right[votes.of], people, labels, shared, classes)
        weights = np.minimum(np.log(quality * (classes - 1) / (1 - quality)), _LARGEST_WEIGHT)
        scores = np.asarray(
            np.bincount(votes.of, weights=weights[people], minlength=len(votes.tasks)), dtype=np.float64
        )
        right = _chances(votes, scores, classes)
        if np.abs(quality - before).max() < _STILL:
            break
    sure = right[votes.of] * (1 - right[votes.of]) / (quality * (1 - quality))[people]
    worth = np.bincount(people, weights=np.where(shared, 1 - sure, 0.0), minlength=len(labels))
    return OneCoin(votes, right, quality, np.maximum(worth, 0), labels, weights, scores, classes)


def _shares(votes: Votes) -> Floats:
    """Of a task's labels those that each vote has."""
    counts = np.bincount(votes.of)
    return np.asarray(counts / np.bincount(votes.tasks, weights=counts)[votes.tasks])


def _qualities(
    right: Floats, people: NDArray[np.intp], labels: NDArray[np.intp], shared: NDArray[np.bool_], classes: int
) -> Floats:
    """From how likely each label is right. What nobody else labeled says nothing: it would confirm itself."""
    counted, n = np.where(shared, right, 0.0), np.bincount(people, weights=shared, minlength=len(labels))
    everybody = counted.sum() / n.sum() if n.sum() else 0.8
    found = (np.bincount(people, weights=counted, minlength=len(labels)) + _PRIOR * everybody) / (n + _PRIOR)
    # Nobody is worse than chance, or their label would count for all other classes; nobody is perfect.
    return np.clip(found, 1 / classes, 1 - 0.5 / (n + 2))


def _chances(votes: Votes, scores: Floats, classes: int) -> Floats:
    """Of the votes, by task; classes without a vote have a score of 0."""
    tasks = int(votes.tasks.max()) + 1
    highest = np.zeros(tasks)
    np.maximum.at(highest, votes.tasks, scores)
    odds = np.exp(scores - highest[votes.tasks])
    others = np.maximum(classes - np.bincount(votes.tasks, minlength=tasks), 0) * np.exp(-highest)
    whole = np.bincount(votes.tasks, weights=odds, minlength=tasks) + others
    return np.asarray(odds / whole[votes.tasks])


@dataclass(frozen=True, slots=True)
class Crowd:
    """Of n tasks the consensus ``labels``, the ``chances`` of k classes (n × k) given these, and what each person and
    the model weigh in them."""

    labels: NDArray[np.intp]
    chances: Floats
    weights: Floats
    model: float


def crowdlab(ratings: Ratings, predicted: Floats) -> Crowd:
    """From labels of all of n tasks and what a model predicts of them that has not seen them (n × k): CROWDLAB (Goh,
    Tkachenko & Mueller, 2022). Values are the columns of ``predicted``.

    The consensus is made twice: of the majority at first, of as many the one that the model holds for likelier, and
    then of what comes of it. Raises `ValueError` where no task has several labels.
    """
    if not ratings.is_shared().any():
        raise ValueError("No task has several labels.")
    votes = np.zeros(predicted.shape)
    np.add.at(votes, (ratings.tasks, ratings.values.astype(np.intp)), 1)
    most = np.where(votes == votes.max(axis=1, keepdims=True), predicted, -1.0).argmax(axis=1)
    first = _crowd(ratings, predicted, votes, most)
    return _crowd(ratings, predicted, votes, first.chances.argmax(axis=1))


def _crowd(ratings: Ratings, predicted: Floats, votes: Floats, consensus: NDArray[np.intp]) -> Crowd:
    n, classes = predicted.shape
    number = votes.sum(axis=1)
    shared = number > 1
    likely = float((votes[np.arange(n), consensus] / number)[shared].mean())
    usual = max(float((consensus[shared] != np.bincount(consensus[shared]).argmax()).mean()), _LEAST)
    weights = np.maximum(1 - (1 - _agreeing(ratings, votes)) / usual, _LEAST)
    missed = float((predicted.argmax(axis=1) != consensus)[shared].mean())
    model = max(1 - missed / usual, _LEAST) * float(np.sqrt(number.mean()))
    own = weights[ratings.people]
    whole = np.bincount(ratings.tasks, weights=own, minlength=n)
    chances = predicted * model + ((1 - likely) / (classes - 1) * whole)[:, None]
    np.add.at(chances, (ratings.tasks, ratings.values.astype(np.intp)), own * (likely - (1 - likely) / (classes - 1)))
    return Crowd(consensus, chances / (whole + model)[:, None], weights, model)


def _agreeing(ratings: Ratings, votes: Floats) -> Floats:
    """By person how many of the other labels on their tasks are theirs; of whom nobody shares a task, as the others."""
    others = votes.sum(axis=1)[ratings.tasks] - 1
    alike = votes[ratings.tasks, ratings.values.astype(np.intp)] - 1
    both, of = (np.bincount(ratings.people, weights=some) for some in (alike, others))
    share = np.divide(both, of, out=np.full(len(of), np.nan), where=of > 0)
    return np.asarray(np.where(np.isnan(share), np.nanmean(share), share))
