"""Asking a version about many tasks where each takes long: for as long as there is time, by every idle worker.

Only what is slow task by task is shared, a team's own model and the tagger of spans. All other estimators score a
hundred thousand tasks in less time than it takes to tell them to another process.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlabel.estimators.hosted import HostedProject
from nextlabel.estimators.project import Model, ProjectModel, SlowModel
from nextlabel.features.work import SCORE, Progress, Shards, Work, values
from nextlabel.labeling import ModelVersion, ProjectId, Task, TaskId
from nextlabel.measures.target_predictions import TargetPredictions

_FIRST_PIECE, _LARGEST_PIECE, _LARGEST_SHARD = 4, 500, 1_000
_PIECE_SECONDS = 2.0  # what asking for one piece is to take, so that a time limit is kept to
_ALONE_SECONDS = 2.0  # asked by this process alone, to learn how quick the model is
_WORTH_SECONDS = 3.0  # of work must be left to be worth sharing

Pieces = Generator[tuple[range, Sequence[object]], None, None]


@dataclass(frozen=True, slots=True)
class Scorer:
    """Asks the models of one version about tasks, drawn at random, until ``seconds`` have passed."""

    project: ProjectId
    version: ModelVersion
    shards: Shards
    seconds: float
    seed: int
    progress: Progress = lambda step, n: None

    def target_predictions(
        self, models: Mapping[str, SlowModel], tasks: Sequence[Task]
    ) -> tuple[NDArray[np.intp], dict[str, TargetPredictions]]:
        """Which of the tasks all models were asked about, in order, and what each predicts for those.

        A model's share of the time is as long as any other's. Each is asked about a few tasks at least; what it raises
        is raised.
        """
        rows = np.random.default_rng(self.seed).permutation(len(tasks))
        began, predicted = time.monotonic(), dict[str, TargetPredictions]()
        for n, (name, model) in enumerate(models.items(), start=1):
            until = began + self.seconds * n / len(models)
            places, fresh = self._ask(name, model, [tasks[row] for row in rows], until)
            predicted = {other: target_predictions.of(places) for other, target_predictions in predicted.items()} | {
                name: fresh
            }
            rows = rows[places]
        order = np.argsort(rows)
        return rows[order], {name: target_predictions.of(order) for name, target_predictions in predicted.items()}

    def _ask(
        self, name: str, model: SlowModel, tasks: Sequence[Task], until: float
    ) -> tuple[NDArray[np.intp], TargetPredictions]:
        """Places in ``tasks``, ascending, and what is predicted for them."""
        model.start()  # may take a minute, which says nothing of how quick it is
        answered: dict[int, object] = {}
        needs = json.dumps([self.project, self.version, name])
        with closing(_pieces(model, needs, tasks, self.shards)) as pieces:
            for places, rows in pieces:
                answered |= zip(places, rows, strict=True)
                self.progress("rank", len(answered))
                if time.monotonic() >= until:
                    break
        asked = sorted(answered)
        return np.array(asked, dtype=np.intp), model.from_plain_answers([answered[place] for place in asked])


def _pieces(model: SlowModel, needs: str, tasks: Sequence[Task], shards: Shards) -> Pieces:
    """First in this process alone, in pieces that grow, then in shards if much is left."""
    done, took, piece, rate = 0, 0.0, _FIRST_PIECE, 0.0
    # The first piece is no measure: many models are slow at first.
    while done < len(tasks) and (
        done <= _FIRST_PIECE or took < _ALONE_SECONDS or len(tasks) - done < rate * _WORTH_SECONDS
    ):
        places = range(done, min(done + piece, len(tasks)))
        began = time.monotonic()
        rows = model.plain_answers(tasks[done : places.stop])
        seconds = max(time.monotonic() - began, 1e-3)
        rate, took, done = len(places) / seconds, took + seconds, places.stop
        piece = max(1, min(int(rate * _PIECE_SECONDS), 4 * piece, _LARGEST_PIECE))
        yield places, rows
    if done < len(tasks):
        yield from _shared(model, needs, tasks, shards, done, rate)


def _shared(model: SlowModel, needs: str, tasks: Sequence[Task], shards: Shards, start: int, rate: float) -> Pieces:
    """Those from ``start`` on, of which this process is asked about ``rate`` a second."""
    size = max(1, min(int(rate * _PIECE_SECONDS), _LARGEST_SHARD))
    step = min(size, _LARGEST_PIECE)
    items = [_item(task) for task in tasks[start:]]
    work = Work(SCORE, needs, items, values, size, step)

    def plain_answers(places: range) -> Sequence[object]:
        return model.plain_answers(tasks[start + places.start : start + places.stop])

    with closing(shards.rows(work, plain_answers)) as pieces:
        for places, rows in pieces:
            yield range(start + places.start, start + places.stop), rows


def helper(
    load: Callable[[ProjectId, ModelVersion], Model], learner: Callable[[str, str], str]
) -> Callable[[str], Callable[[Sequence[str]], Sequence[object]] | None]:
    """How a worker takes shards of what a `Scorer` asks: by loading that version.

    It leaves them to others where the team's model is another one here: ``learner`` is `Hosts.learner`.
    """

    def prepare(needs: str) -> Callable[[Sequence[str]], Sequence[object]] | None:
        project, version, name = json.loads(needs)
        model = _asked(load(project, version), name)
        if isinstance(model, HostedProject) and learner(project, model.facts.name) != model.facts.learner:
            return None
        model.start()  # may take a minute, in which no shard need wait for it
        return lambda items: model.plain_answers([_task(item) for item in items])

    return prepare


def _asked(model: Model, name: str) -> SlowModel:
    found: object = model.targets[name].estimator if isinstance(model, ProjectModel) else model
    if not isinstance(found, SlowModel):
        raise TypeError(f"{type(found).__name__} is asked about all tasks at once.")
    return found


def _item(task: Task) -> str:
    return json.dumps([task.id, dict(task.data)])


def _task(item: str) -> Task:
    id, data = json.loads(item)  # noqa: A001 - of a task
    return Task(TaskId(id), data)
