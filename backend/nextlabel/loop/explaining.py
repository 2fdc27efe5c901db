"""Why each task stands where it does in an order, kept with the order for whoever asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from nextlabel.labeling import Label, TaskId
from nextlabel.labeling.ranking import CandidatePool, Floats, Ranking
from nextlabel.learning.weights import Weights, counting
from nextlabel.learning.workbench import Candidates
from nextlabel.measures.likeliest import Answers, expected, in_doubt, largest
from nextlabel.measures.target_predictions import Rows, TargetPredictions
from nextlabel.ports.state import OrderFacts, TaskFacts

_PARTS = 20  # of the histogram
_MOST_CLASSES, _MOST_TASKS = 50, 1_000
_MOST_LABELED = 5_000  # among which the most similar is looked for
_SAMPLE, _UNLIKE = 200, 0.25


def order_facts(
    candidates: Candidates,
    rows: Sequence[int],
    ranking: Ranking,
    *,
    cold: bool,
    informative: bool,
    labels: Mapping[TaskId, Mapping[str, Label]],
    seed: int,
) -> OrderFacts:
    """``rows`` are the candidates of the ``ranking``, the first first; ``labels`` are those in force."""
    some = list(rows[:_MOST_TASKS])
    given = candidates.uncertainty(np.arange(len(candidates.tasks)))
    everyone = np.clip(np.nan_to_num(given, nan=1.0), 0, 1)  # what is no number is no sureness
    histogram, _ = np.histogram(everyone, bins=_PARTS, range=(0, 1))
    outside = candidates.outside is not None
    predicted = {} if outside or not informative else candidates.target_predictions
    exploring = frozenset(one.task for one in ranking.tasks if one.explores)
    tasks = _tasks(candidates, some, everyone, seed, exploring)
    return OrderFacts(
        "outside" if outside else "cold" if cold else "strategy",
        ranking.strategy,
        informative,
        len(candidates.tasks),
        histogram.tolist(),
        {name: found for name, one in predicted.items() if (found := expected(one, _MOST_CLASSES))},
        {name: largest(counts, _MOST_CLASSES) for name, counts in _counted(labels).items()},
        tasks,
    )


def _tasks(
    candidates: Candidates, rows: Sequence[int], everyone: Floats, seed: int, exploring: Collection[TaskId]
) -> dict[TaskId, TaskFacts]:
    doubts = _doubts(candidates, rows)
    nearest, line = _nearest(candidates.pool, rows, seed)
    return {
        candidates.tasks[row].id: TaskFacts(
            round(float(everyone[row]), 4),
            target,
            tuple((name, round(chance, 4)) for name, chance in answers),
            None if like is None else round(like, 4),
            like is not None and like < line,
            candidates.tasks[row].id in exploring,
        )
        for row, (target, answers), like in zip(rows, doubts, nearest, strict=True)
    }


def _doubts(candidates: Candidates, rows: Rows) -> list[tuple[str, Answers]]:
    """Of each task the target that is least sure, among those that count, and what the model hesitates between."""
    predicted = {name: one.of(rows) for name, one in _counting(candidates).items()}
    if not predicted or not len(rows):
        return [("", ())] * len(rows)
    names, answers = list(predicted), [in_doubt(one) for one in predicted.values()]
    least_sure = np.argmax([one.uncertainty for one in predicted.values()], axis=0).tolist()
    return [(names[target], answers[target][n]) for n, target in enumerate(least_sure)]


def _counting(candidates: Candidates) -> Mapping[str, TargetPredictions]:
    weights: Weights = candidates.weights
    return {} if candidates.outside is not None else counting(candidates.target_predictions, weights)


def _nearest(pool: CandidatePool, rows: Sequence[int], seed: int) -> tuple[list[float | None], float]:
    """How like each the most similar labeled task is, by the cosine of their features, and below what three quarters of
    all open tasks are not; None where features are not known, or labels are too many to look at them all."""
    features, others = pool.features, pool.labeled_features
    if features is None or others is None or not 0 < others.shape[0] <= _MOST_LABELED:
        return [None] * len(rows), 0.0
    drawn = np.random.default_rng(seed).permutation(len(pool))[:_SAMPLE]
    line = float(np.quantile(_most_alike(features[drawn], others), _UNLIKE)) if len(drawn) else 0.0
    inside = [row for row in rows if row < len(pool)]  # tasks with nothing to read come after the pool
    found = dict(zip(inside, _most_alike(features[inside], others).tolist(), strict=True)) if inside else {}
    return [found.get(row) for row in rows], line


def _most_alike(some: Any, others: Any) -> Floats:
    """Of each row, sparse or dense, the cosine to the most similar one of the others."""
    from sklearn.preprocessing import normalize  # noqa: PLC0415 - slow to load: see preload

    most: Any = (normalize(some) @ normalize(others).T).max(axis=1)
    whole: Any = most.toarray() if hasattr(most, "toarray") else most
    found: Floats = np.clip(np.asarray(whole).reshape(-1), 0, 1)
    return found


def _counted(labels: Mapping[TaskId, Mapping[str, Label]]) -> dict[str, Counter[str]]:
    """By target how many tasks have each name, of labels that are names."""
    found = dict[str, Counter[str]]()
    for given in labels.values():
        for target, label in given.items():
            names = [label] if isinstance(label, str) else label if isinstance(label, tuple) else ()
            found.setdefault(target, Counter()).update(name for name in names if isinstance(name, str))
    return {target: counts for target, counts in found.items() if counts}
