"""One run: one strategy under one seed, from the first labels to the last one of the budget."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from nextlabel.errors import ConfigurationError
from nextlabel.labeling import Label
from nextlabel.learning.workbench import order_seed
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.simulate.learning import Learning, MatrixLearning, Problem, Rows, ServiceLearning, Split
from nextlabel.strategies.diverse import Diverse
from nextlabel.strategies.random_order import RandomOrder

ColdStart = Literal["diverse", "random", "stratified"]
_SPLIT, _INITIAL = 1, 2  # so that no two uses of a seed share their random numbers


@dataclass(frozen=True, slots=True)
class Plan:
    """How labels are spent: ``initial`` by ``cold_start``, then ``batch`` by ``batch``, ``budget`` in all."""

    budget: int
    batch: int
    initial: int
    cold_start: ColdStart
    metric: str
    test_share: float
    scale: bool

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` naming what is out of range."""
        for name in ("budget", "batch", "initial"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} is {getattr(self, name)}: it must be 1 or more.")
        if not 0 < self.test_share < 1:
            raise ConfigurationError(f"test_share is {self.test_share}: it must be between 0 and 1.")
        known = get_args(ColdStart)
        if self.cold_start not in known:
            raise ConfigurationError(f"cold_start is {self.cold_start!r}: choose from {', '.join(known)}.")


@dataclass(frozen=True, slots=True)
class Curve:
    """What one run gave: ``scores`` on the held-out rows, each with that many ``labels``; ``rows`` are those of the
    training data in the order in which they were labeled."""

    strategy: str
    seed: int
    labels: tuple[int, ...]
    scores: tuple[float, ...]
    seconds: float = 0.0
    rows: tuple[int, ...] = ()


def run(problem: Problem, plan: Plan, strategy: QueryStrategy, name: str, seed: int, *, fast: bool = True) -> Curve:
    """Label, fit, measure and ask, until the budget or the pool is spent. The same arguments give the same curve.

    One single choice takes the fast path where it is not declined.
    """
    started = time.perf_counter()
    split = _split(problem, plan, seed)
    # Random order asks for no chances, and the metrics only which class is the likeliest.
    is_random = isinstance(strategy, RandomOrder)
    learning = _learning(problem, split, plan, seed, fast=fast, chances=not is_random)
    labeled = _initial(learning, split, plan, seed)
    labels, scores = [], []
    while True:
        learning.learn(labeled)
        labels.append(len(labeled))
        scores.append(learning.score())
        size = min(plan.batch, plan.budget - len(labeled), len(split.train) - len(labeled))
        if size < 1:
            break
        # As in the service: until the model can tell what it is unsure of, the cold start goes on.
        cold = not is_random and learning.is_cold(plan.initial)
        asked = _ask(learning, _start(plan) if cold else strategy, seed, labeled, size)
        labeled = np.concatenate([labeled, asked])
    seconds = round(time.perf_counter() - started, 3)
    return Curve(name, seed, tuple(labels), tuple(scores), seconds, tuple(labeled.tolist()))


def run_on_all(problem: Problem, plan: Plan, seed: int) -> float:
    """The metric of the same model with every label of the training rows."""
    split = _split(problem, plan, seed)
    learning = _learning(problem, split, plan, seed, fast=True, chances=False)
    learning.learn(np.arange(len(split.train)))
    return learning.score()


def _learning(problem: Problem, split: Split, plan: Plan, seed: int, *, fast: bool, chances: bool) -> Learning:
    is_fast = split.target.kind == "choice" and (fast or problem.estimator is not None)
    return (MatrixLearning if is_fast else ServiceLearning)(problem, split, plan.metric, seed, chances=chances)


def _split(problem: Problem, plan: Plan, seed: int) -> Split:
    data = problem.data
    if data.test is not None:
        return Split(data.target, data, data.test)
    order = np.random.default_rng([seed, _SPLIT]).permutation(len(data))
    size = min(max(round(len(order) * (1 - plan.test_share)), 1), len(order) - 1)
    return Split(data.target, data.part(order[:size]), data.part(order[size:]))


def _initial(learning: Learning, split: Split, plan: Plan, seed: int) -> Rows:
    """The rows labeled before any strategy is asked: under one seed, the same for all of them."""
    size, draw = min(plan.initial, plan.budget, len(split.train)), np.random.default_rng([seed, _INITIAL])
    if plan.cold_start == "random":
        return draw.permutation(len(split.train))[:size]
    if plan.cold_start == "stratified":
        return _stratified(split.train.labels, draw)[:size]
    nothing = np.empty(0, dtype=np.int64)
    learning.learn(nothing)
    return _ask(learning, _start(plan), seed, nothing, size)


def _start(plan: Plan) -> QueryStrategy:
    return Diverse() if plan.cold_start == "diverse" else RandomOrder()


def _stratified(labels: tuple[Label, ...], draw: np.random.Generator) -> Rows:
    """One row of each label, the most frequent first, then every label by its share."""
    order = draw.permutation(len(labels))
    names, truth = np.unique([repr(label) for label in labels], return_inverse=True)
    counts, place = np.bincount(truth), np.empty(len(truth), dtype=np.float64)
    for label in range(len(names)):
        members = order[truth[order] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
        place[members[0]] = -counts[label]
    return order[np.argsort(place[order], kind="stable")]


def _ask(learning: Learning, strategy: QueryStrategy, seed: int, labeled: Rows, size: int) -> Rows:
    """The rows to label next, in the pool that the service would give the strategy; what that raises is raised."""
    ranking = learning.candidates(order_seed(seed, len(labeled))).ranked(strategy, size)
    return np.array([int(task) for task in ranking.task_ids()], dtype=np.int64)
