"""What is said of annotators, held to simulated people whose truth is known: `make bench-quality` has these figures.

Three people label each task, right 95 times in 100 unless stated. `film_consensus` is of real people: which label of
sentences of film reviews counts, three of whose 15 to 29 raters are asked, held to the mean of all of them. Half a
minute with ``quick``, on one core.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.rated import rated, ratings
from nextlabel.estimators.fitting import fit
from nextlabel.evaluation.agreed import agreed_labels
from nextlabel.evaluation.consensus import one_coin
from nextlabel.evaluation.given import Given
from nextlabel.evaluation.people import standings
from nextlabel.evaluation.reliability import Ratings, krippendorff, krippendorff_interval
from nextlabel.features.encoders import encoder_for
from nextlabel.features.source import Source
from nextlabel.labeling import Annotation, AnnotationId, Input, Target, Task, TaskId
from nextlabel.labeling.ranking import Floats

_PEOPLE, _CLASSES, _RIGHT, _FALLEN = 3, 3, 0.95, 0.75
_STABLE, _FALLS_AT, _WATCHED = 1_000, 300, 100  # labels; after how many somebody falls, and how many more are watched


def figures(quick: bool) -> dict[str, float]:
    """``alpha_coverage``: how often the jackknife interval of α on 50 tasks holds the α of very many. ``drift_found``:
    how many falls from .95 to .75 are noticed within 100 shared labels. ``drift_false``: how many people who stay as
    good are flagged within 1,000 shared labels. ``quality_coverage``: how often the interval of a quality holds it, 100
    tasks."""
    runs, draw = 100 if quick else 500, np.random.default_rng(0)
    stable = [len(_fallen(draw, _STABLE, fall=None)) / _PEOPLE for _ in range(runs // 2)]
    return {
        "alpha_coverage": _alpha_coverage(draw, 4 * runs),
        "quality_coverage": _quality_coverage(draw, 2 * runs),
        "drift_found": float(np.mean([_is_found(draw) for _ in range(runs)])),
        "drift_false": float(np.mean(stable)),
    }


def film_consensus(seed: int = 0, sentences: int = 4_000, raters: int = 3) -> dict[str, float]:
    """How often each way is right that makes one label, "above 0" or not, of so many raters' ratings from −4 to 4.

    Held to the mean of all. Of labels "above 0" or not: the latest of them, what the service learns from (``agreed``),
    and CROWDLAB by cleanlab with the service's own model, out of fold, which is ``model`` alone. ``either`` are the
    same of those raters alone who did not give 0. Of the ratings themselves their mean, and what the service learns
    from numbers (``number``). Who gave a rating is not in the data: cleanlab takes those of a column for one person's.
    """
    draw = np.random.default_rng(seed)
    texts, means = rated("movieReviewSnippets")
    chosen = draw.permutation(len(texts))[:sentences].tolist()
    given = ratings("movieReviewSnippets")
    numbers = np.array([draw.choice(given[n], raters, replace=False) for n in chosen], dtype=np.float64)
    votes, either = np.where(numbers > 0, 1.0, 0.0), np.where(numbers, numbers > 0, np.nan)
    truth = np.array([means[n] > 0 for n in chosen])
    tasks = [Task(TaskId(str(n)), {"text": texts[n]}) for n in chosen]
    predicted = _predicted(tasks, _agreed(votes) > 0)
    ways = {
        "latest": votes[:, -1],
        "agreed": _agreed(votes),
        "crowdlab": _by_cleanlab(votes, predicted),
        "agreed_either": _agreed(either),
        "crowdlab_either": _by_cleanlab(either, predicted),
        "number": _agreed(numbers, of_numbers=True),
        "mean": numbers.mean(axis=1),
        "model": predicted[:, 1] - 0.5,
    }
    return {f"film_{name}": float(((way > 0) == truth).mean()) for name, way in ways.items()}


def _agreed(given: Floats, *, of_numbers: bool = False) -> Floats:
    """As the store has it, of tasks × raters; 0 where all are NaN."""
    annotated = {
        TaskId(str(task)): [
            Annotation(
                AnnotationId(f"{task}-{n}"), {"": one if of_numbers else str(one)}, f"2026-01-01T{n:02}", by=str(n)
            )
            for n, one in enumerate(row)
            if not np.isnan(one)
        ]
        for task, row in enumerate(given.tolist())
    }
    return np.array([float(str(labels.get("", 0.0))) for labels in agreed_labels(annotated).values()])


def _by_cleanlab(table: Floats, predicted: Floats) -> Floats:
    """The model where nobody gave a label."""
    multiannotator = importlib.import_module("cleanlab.multiannotator")
    found, known = predicted[:, 1] > 0.5, ~np.isnan(table).all(axis=1)
    of = multiannotator.get_label_quality_multiannotator(
        table[known], predicted[known], return_detailed_quality=False, return_annotator_stats=False, verbose=False
    )
    found[known] = of["label_quality"]["consensus_label"].to_numpy() == 1
    return np.asarray(found, dtype=np.float64)


def _predicted(tasks: Sequence[Task], agreed: NDArray[np.bool_]) -> Floats:
    target = Target("above", "choice", (Input("text"),), ("False", "True"))
    encoder = encoder_for(target, tasks, Source())
    features = encoder.encode(tasks, Source())
    found = fit(target, tasks, features, [str(one) for one in agreed.tolist()], encoder.space(features), 0)
    assert found.out_of_fold is not None  # noqa: S101 - there are labels enough
    return found.out_of_fold.probabilities


def labels(draw: np.random.Generator, right: Floats) -> Ratings:
    """Of tasks × people, each right with that chance, or any other class."""
    tasks = len(right)
    truth = draw.integers(0, _CLASSES, (tasks, 1))
    wrong = (truth + draw.integers(1, _CLASSES, right.shape)) % _CLASSES
    given = np.where(draw.random(right.shape) < right, truth, wrong)
    rows, columns = np.indices(right.shape).reshape(2, -1)
    return Ratings(rows, columns, given.reshape(-1).astype(np.float64))


def _alpha_coverage(draw: np.random.Generator, runs: int) -> float:
    held = []
    for right in (0.95, 0.8, 0.65):
        alpha = krippendorff(labels(draw, np.full((200_000, _PEOPLE), right)))
        found = [krippendorff_interval(labels(draw, np.full((50, _PEOPLE), right))) for _ in range(runs // 3)]
        held += [one.low <= alpha <= one.high for one in found]
    return float(np.mean(held))


def _quality_coverage(draw: np.random.Generator, runs: int) -> float:
    truth, held = np.array([0.95, 0.9, 0.8]), []
    for _ in range(runs):
        coin = one_coin(labels(draw, np.tile(truth, (100, 1))))
        found = [coin.quality_interval(n) for n in range(_PEOPLE)]
        held += [one.low <= right <= one.high for one, right in zip(found, truth, strict=True)]
    return float(np.mean(held))


def _is_found(draw: np.random.Generator) -> bool:
    """Whether the person who fell is flagged, within so many labels of tasks that all three labeled."""
    return "0" in _fallen(draw, _FALLS_AT + _WATCHED, fall=_FALLS_AT)


def _fallen(draw: np.random.Generator, tasks: int, fall: int | None) -> Sequence[str]:
    """Who is flagged, as the report has it."""
    right = np.full((tasks, _PEOPLE), _RIGHT)
    if fall is not None:
        right[fall:, 0] = _FALLEN
    rows = labels(draw, right)
    given = Given(rows, "nominal", [TaskId(str(n)) for n in range(tasks)], [str(n) for n in range(_PEOPLE)])
    found = standings(given, [f"{task:06}" for task in rows.tasks.tolist()])
    return [name for name, one in found.items() if one.drift is not None and one.drift.since is not None]


if __name__ == "__main__":
    import json
    import sys

    print(json.dumps(figures(quick="--quick" in sys.argv) | film_consensus()))
