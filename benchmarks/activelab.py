"""ActiveLab (Goh & Mueller, 2023) as cleanlab has it, on Wall-robot with 30 simulated annotators: which task, or which
of those that are labeled already, is labeled next.

As in cleanlab's multiannotator-benchmarks: 3,000 readings by class, a third for testing, 1,000 tasks labeled at the
start (some by two people), 1,000 open; 100 labels a round; extremely randomized trees on five folds, whose mean
accuracy on the test rows counts; annotators confuse classes by one random matrix whose mean diagonal is .85. Their set
has the four simplified distances; here they are made from the 24 sensors of ``sensor_readings_24`` (Freire et al.,
2009, CC BY 4.0): the least of each arc, by which a decision tree tells every move. Beside it run the same order among
new tasks alone, and among labeled ones alone, which says what choosing between the two is worth.
"""

from __future__ import annotations

import gzip
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedKFold, train_test_split

POLICIES = ("either", "new", "again")
"""Which tasks may be chosen: all of them, those that nobody labeled, or those that somebody has."""
PUBLISHED = {1: 0.906, 10: 0.986, 20: 0.988}
_CLASSES = {"Move-Forward": 1100, "Sharp-Right-Turn": 900, "Slight-Left-Turn": 300, "Slight-Right-Turn": 700}
_ARCS = ((11, 15), (18, 20), (6, 9), (23, 27))  # front, left, right, back, by the number of the sensor
_PEOPLE, _TRACE, _ROUNDS, _PER_ROUND, _FOLDS, _ALSO = 30, 0.85, 20, 100, 5, 0.03

Floats = NDArray[np.floating]
Codes = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Robot:
    """Rows to be labeled and to be tested on: four distances each, and the move that was right."""

    rows: Floats
    moves: Codes
    test: Floats
    test_moves: Codes


def read(path: Path, seed: int) -> Robot:
    """The readings, a sample of each class."""
    _, *lines = gzip.decompress(path.read_bytes()).decode().split()
    cells = [line.split(",") for line in lines]
    sensors = np.array([row[:24] for row in cells], dtype=float)
    moves = np.array([list(_CLASSES).index(row[24]) for row in cells])
    draw = np.random.default_rng(seed)
    chosen = [draw.choice(np.flatnonzero(moves == move), n, replace=False) for move, n in enumerate(_CLASSES.values())]
    some = np.concatenate(chosen)
    arcs = [sensors[:, np.arange(first - 1, last) % 24].min(axis=1) for first, last in _ARCS]
    rows, test, known, tested = train_test_split(
        np.column_stack(arcs)[some], moves[some], test_size=1 / 3, random_state=seed
    )
    return Robot(rows, known, test, tested)


def run(robot: Robot, seed: int, rounds: int = _ROUNDS, policy: str = "either") -> list[float]:
    """The accuracy of the model in each round; ``policy`` is one of `POLICIES`. Ends where no task may be chosen."""
    draw = np.random.default_rng(seed)
    everyone = _labels_of_everyone(robot.moves, seed)
    n = len(robot.rows)
    given: list[list[int]] = [[] for _ in range(n)]  # by task the people who labeled it
    for task in range(n // 2):
        first, *others = draw.choice(_PEOPLE, 5, replace=False).tolist()
        given[task] = [first, *(other for other in others if draw.random() < _ALSO)]
    accuracies = []
    chances: Floats | None = None
    for _ in range(rounds):
        labeled = np.array([task for task in range(n) if given[task]])
        waiting = np.array([task for task in range(n) if not given[task]])
        table = _table(given, labeled, everyone)
        consensus = _consensus(table, None if chances is None else chances[labeled])
        accuracy, chances = _fit(robot, labeled, consensus, seed)
        accuracies.append(accuracy)
        if policy == "new" and len(waiting) < _PER_ROUND:
            break
        for task in _next(table, chances, labeled, waiting, policy):
            left = [person for person in range(_PEOPLE) if person not in given[task]]
            given[task].append(int(draw.choice(left)))
    return accuracies


def _labels_of_everyone(moves: Codes, seed: int) -> Codes:
    """What each of the people would say of each task."""
    from cleanlab.benchmarking import noise_generation  # noqa: PLC0415 - the extra `quality`

    k = len(_CLASSES)
    shares = np.bincount(moves, minlength=k) / len(moves)
    matrix = noise_generation.generate_noise_matrix_from_trace(
        k, trace=_TRACE * k, py=shares, valid_noise_matrix=True, seed=seed
    )
    draw = np.random.default_rng(seed)
    said = [[draw.choice(k, p=matrix[:, move]) for move in moves] for _ in range(_PEOPLE)]
    return np.array(said).T


def _table(given: list[list[int]], labeled: Codes, everyone: Codes) -> Floats:
    """Tasks × people, NaN where somebody gave none."""
    table = np.full((len(labeled), _PEOPLE), np.nan)
    for row, task in enumerate(labeled.tolist()):
        table[row, given[task]] = everyone[task, given[task]]
    return table


def _consensus(table: Floats, chances: Floats | None) -> Codes:
    from cleanlab import multiannotator  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if chances is None:
            return np.asarray(multiannotator.get_majority_vote_label(table, verbose=False), dtype=int)
        found = multiannotator.get_label_quality_multiannotator(
            table, chances, return_detailed_quality=False, return_annotator_stats=False, verbose=False
        )
    return np.asarray(found["label_quality"]["consensus_label"], dtype=int)


def _fit(robot: Robot, labeled: Codes, consensus: Codes, seed: int) -> tuple[float, Floats]:
    """The mean accuracy of the folds' models, and the chances of all tasks: out of fold, or the mean of the models."""
    k = len(_CLASSES)
    chances, accuracies = np.zeros((len(robot.rows), k)), []
    for train, rest in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(labeled, consensus):
        model = ExtraTreesClassifier(random_state=seed).fit(robot.rows[labeled[train]], consensus[train])
        known = np.asarray(model.classes_, dtype=int)
        mine = np.zeros_like(chances)
        mine[:, known] = model.predict_proba(robot.rows) / _FOLDS
        mine[labeled] = 0
        mine[np.ix_(labeled[rest], known)] = model.predict_proba(robot.rows[labeled[rest]])
        chances += mine
        accuracies.append(float((model.predict(robot.test) == robot.test_moves).mean()))
    return float(np.mean(accuracies)), np.clip(chances, 1e-6, 1) / np.clip(chances, 1e-6, 1).sum(axis=1, keepdims=True)


def _next(table: Floats, chances: Floats, labeled: Codes, waiting: Codes, policy: str) -> list[int]:
    """The tasks to be labeled next, by ActiveLab: labeled ones again, or new ones."""
    from cleanlab import multiannotator  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        open_ones = chances[waiting] if len(waiting) else None
        again, new = multiannotator.get_active_learning_scores(table, chances[labeled], open_ones)
    tasks = np.concatenate([labeled, waiting]).astype(int)
    scores = np.concatenate([again, new if len(waiting) else np.empty(0)])
    apart = {"either": slice(None), "new": slice(len(labeled), None), "again": slice(len(labeled))}[policy]
    tasks, scores = tasks[apart], scores[apart]
    return [int(task) for task in tasks[np.argsort(scores, kind="stable")][:_PER_ROUND]]
