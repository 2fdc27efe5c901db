"""A version of a team's own model as a project's model: asked in pieces, and unsure by the scores that it gives."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson

from nextlabel.errors import HostedModelError
from nextlabel.features.source import Source
from nextlabel.hosting import HostedModel, HostedPrediction
from nextlabel.hosting.uncertainty import uncertainties
from nextlabel.labeling import Result, Task
from nextlabel.measures.opinions import ResultOpinions

log = logging.getLogger("nextlabel.hosted")

_FIRST_PIECE, _LARGEST_PIECE = 4, 500
_PIECE_SECONDS = 2.0  # what asking for one piece is to take, so that a time limit is kept to
_MOST_FAILURES = 20  # tasks that a model may fail on one by one, before it is the model that has failed
_HOPELESS = 3  # as many without a single answer

_NOTHING = HostedPrediction([], None, (), None)


@dataclass(frozen=True, slots=True)
class HostedFacts:
    """What is known of a version beside its files: which model, for which labeling config, and its train_output.

    ``learns`` is whether the model can be fitted, ``informative`` whether it has said anything of the tasks it was
    tried on, and ``trained`` whether it has seen labels.
    """

    name: str
    learner: str
    label_config: str
    train_output: Mapping[str, object] = field(default_factory=dict)
    learns: bool = True
    informative: bool = True
    trained: bool = False


class HostedProject:
    """Fulfils `Model`. ``way`` tells how region scores become one uncertainty, each time it is asked."""

    kind = "hosted/1"

    def __init__(self, hosted: HostedModel, facts: HostedFacts, files: Path | None, way: Callable[[], str]) -> None:
        self.hosted, self.facts, self.files, self._way = hosted, facts, files, way
        self._asker = _Asker(hosted, None)
        self._piece = _FIRST_PIECE

    @property
    def informative(self) -> bool:
        return self.facts.informative

    def predict(
        self, tasks: Sequence[Task], source: Source, context: Mapping[str, object] | None = None
    ) -> dict[str, ResultOpinions]:
        return self.opinions(list(self.ask(tasks, context)))

    def opinions(self, said: Sequence[HostedPrediction]) -> dict[str, ResultOpinions]:
        """By the model's name, as if it were the only target: what it says, it says of all controls at once."""
        results = [Result(tuple(one.result)) for one in said]
        return {self.facts.name: ResultOpinions(results, uncertainties(said, self._way()))}

    def start(self) -> None:
        """As `SlowModel.start`: the model's process. Raises `HostedModelError`."""
        _ = self.hosted.learns

    def say(self, tasks: Sequence[Task]) -> list[tuple[object, ...]]:
        """As `SlowModel.say`; the model may fail on a few tasks in all."""
        said = self._asker.answers([task_json(task) for task in tasks])
        return [(one.result, one.score, one.region_scores, one.model_version) for one in said]

    def heard(self, said: Sequence[object]) -> ResultOpinions:
        """As `SlowModel.heard`."""
        return self.opinions([_prediction(one) for one in said])[self.facts.name]

    def ask(
        self, tasks: Sequence[Task], context: Mapping[str, object] | None = None, until: float = float("inf")
    ) -> Iterator[HostedPrediction]:
        """Predictions of the tasks in order, of as many as are begun before ``until`` (`time.monotonic`), one at least.

        Nothing is said of a task on which the model fails. Raises `HostedModelError` where it fails on too many.
        """
        questions = [task_json(task) for task in tasks]
        asker = _Asker(self.hosted, context)
        start = 0
        while start < len(questions) and (start == 0 or time.monotonic() < until):
            piece = questions[start : start + self._piece]
            began = time.monotonic()
            yield from asker.answers(piece)
            start += len(piece)
            self._note_pace(len(piece), time.monotonic() - began)

    def _note_pace(self, asked: int, took: float) -> None:
        """The next piece, of any request, is as large as its time allows; at most four times as large as this one."""
        size = max(1, min(int(asked * min(_PIECE_SECONDS / max(took, 0.01), 4.0)), _LARGEST_PIECE))
        self._piece = size if took > _PIECE_SECONDS else max(size, self._piece)

    def state(self) -> dict[str, object]:
        facts = self.facts
        return {
            "kind": self.kind,
            "name": facts.name,
            "learner": facts.learner,
            "label_config": facts.label_config,
            "train_output": orjson.dumps(dict(facts.train_output)).decode(),
            "learns": facts.learns,
            "informative": facts.informative,
            "trained": facts.trained,
        }


def facts_of(state: Mapping[str, object]) -> HostedFacts:
    """The inverse of `HostedProject.state`. Raises KeyError, TypeError or ValueError for what is none."""
    return HostedFacts(
        name=str(state["name"]),
        learner=str(state["learner"]),
        label_config=str(state["label_config"]),
        train_output=cast("Mapping[str, object]", orjson.loads(str(state["train_output"]))),
        learns=bool(state["learns"]),
        informative=bool(state["informative"]),
        trained=bool(state["trained"]),
    )


def task_json(task: Task, annotations: Sequence[Mapping[str, object]] = ()) -> dict[str, object]:
    """A task as models for label-studio-ml are given it, with all that the tool has sent of it."""
    number = int(task.id) if task.id.isdecimal() else task.id
    plain: dict[str, object] = {"annotations": list(annotations), "predictions": []}
    return {**plain, **(task.whole or {}), "id": number, "data": dict(task.data)}


def _prediction(said: object) -> HostedPrediction:
    result, score, region_scores, version = cast("tuple[Any, Any, Any, Any]", said)
    return HostedPrediction(result, score, tuple(region_scores), version)


class _Asker:
    """Asks a model for a few tasks at a time, and for fewer where it fails, until it is down to the task at fault."""

    def __init__(self, hosted: HostedModel, context: Mapping[str, object] | None) -> None:
        self._hosted, self._context = hosted, context
        self._answered = self._failed = 0

    def answers(self, questions: Sequence[Mapping[str, object]]) -> list[HostedPrediction]:
        try:
            said = self._hosted.predict(questions, self._context)
        except HostedModelError as error:
            if len(questions) > 1:
                half = len(questions) // 2
                return [*self.answers(questions[:half]), *self.answers(questions[half:])]
            self._failed += 1
            if self._failed >= (_MOST_FAILURES if self._answered else _HOPELESS):
                raise
            log.warning("nothing is said of task %s: %s", questions[0]["id"], str(error).partition("\n")[0])
            return [_NOTHING]
        self._answered += len(said)
        return said
