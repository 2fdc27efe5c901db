"""A version of a team's own model as a project's model: asked in pieces, and unsure by the scores that it gives."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson

from nextlabel.errors import HostedModelError, OutdatedModel
from nextlabel.features.source import Source
from nextlabel.hosting import HostedModel, HostedPrediction
from nextlabel.hosting.plain_targets import plain_target, read_target
from nextlabel.hosting.uncertainty import uncertainties
from nextlabel.labeling import LabelSchema, Result, Target, Task
from nextlabel.measures.target_predictions import OwnPredictions

log = logging.getLogger("nextlabel.hosted")

_FIRST_PIECE, _LARGEST_PIECE = 4, 500
_PIECE_SECONDS = 2.0  # what asking for one piece is to take, so that a time limit is kept to
_MOST_FAILURES = 20  # tasks that a model may fail on one by one, before it is the model that has failed
_HOPELESS = 3  # as many without a single answer

_NOTHING = HostedPrediction([], None, (), None)


@dataclass(frozen=True, slots=True)
class HostedFacts:
    """What is known of a version beside its files: which model, for what, and its train_output.

    ``schema`` has the labeling config that a model for label-studio-ml reads, or the one target that a scikit-learn
    model learns. ``learns`` is whether the model can be fitted, ``informative`` whether it has predicted anything for
    the tasks it was tried on, and ``trained`` whether it has seen labels.
    """

    name: str
    learner: str
    schema: LabelSchema
    train_output: Mapping[str, object] = field(default_factory=dict)
    learns: bool = True
    informative: bool = True
    trained: bool = False

    @property
    def target(self) -> Target | None:
        """What a scikit-learn model learns; None for a model for label-studio-ml."""
        return next(iter(self.schema.targets), None)


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
    ) -> dict[str, OwnPredictions]:
        return {self.about: self.target_predictions(list(self.ask(tasks, context)))}

    @property
    def about(self) -> str:
        """What its predictions are about: its target. A model for label-studio-ml speaks of all controls at once, and
        its name stands for them."""
        return self.facts.target.name if self.facts.target else self.facts.name

    def target_predictions(self, predicted: Sequence[HostedPrediction]) -> OwnPredictions:
        """What it says of n tasks."""
        labels = [Result(tuple(one.result)) if one.label is None else one.label for one in predicted]
        scored = [one.score is not None or bool(one.region_scores) for one in predicted]
        return OwnPredictions(labels, uncertainties(predicted, self._way()), scored)

    def start(self) -> None:
        """As `SlowModel.start`: the model's process. Raises `HostedModelError`."""
        _ = self.hosted.learns

    def plain_answers(self, tasks: Sequence[Task]) -> list[tuple[object, ...]]:
        """As `SlowModel.plain_answers`; the model may fail on a few tasks in all."""
        predicted = self._asker.answers([self._question(task) for task in tasks])
        return [(one.result, one.score, one.region_scores, one.model_version, one.label) for one in predicted]

    def from_plain_answers(self, predicted: Sequence[object]) -> OwnPredictions:
        """As `SlowModel.from_plain_answers`."""
        return self.target_predictions([self._prediction(one) for one in predicted])

    def _prediction(self, predicted: object) -> HostedPrediction:
        """As JSON leaves it."""
        result, score, region_scores, version, label = cast("tuple[Any, Any, Any, Any, Any]", predicted)
        known = self.facts.target.read(label) if self.facts.target else None
        return HostedPrediction(result, score, tuple(region_scores), version, known)

    def _question(self, task: Task) -> dict[str, object]:
        return {"id": task.id, "data": dict(task.data)} if self.facts.target else task_json(task)

    def ask(
        self, tasks: Sequence[Task], context: Mapping[str, object] | None = None, until: float = float("inf")
    ) -> Iterator[HostedPrediction]:
        """Predictions of the tasks in order, of as many as are begun before ``until`` (`time.monotonic`), one at least.

        Nothing is predicted for a task on which the model fails. Raises `HostedModelError` where it fails on too many.
        """
        questions = [self._question(task) for task in tasks]
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
            "label_config": facts.schema.source,
            "target": orjson.dumps(plain_target(facts.target)).decode() if facts.target else "",
            "train_output": orjson.dumps(dict(facts.train_output)).decode(),
            "learns": facts.learns,
            "informative": facts.informative,
            "trained": facts.trained,
        }


def facts_of(state: Mapping[str, object]) -> HostedFacts:
    """The inverse of `HostedProject.state`. Raises KeyError, TypeError or ValueError for what is none, and
    `OutdatedModel` for a scikit-learn model of a release up to 0.2.0, which read Label Studio's words."""
    if "target" not in state and _read_words(state):
        raise OutdatedModel(
            f"The version of your own model '{state['name']}' was written by an earlier release, in Label "
            "Studio's words. A worker makes it again from its labels: ask again in a minute, or see that `nextlabel "
            "work` runs."
        )
    target = orjson.loads(str(state.get("target") or "null"))
    return HostedFacts(
        name=str(state["name"]),
        learner=str(state["learner"]),
        schema=LabelSchema((read_target(target),) if target else (), source=str(state["label_config"])),
        train_output=cast("Mapping[str, object]", orjson.loads(str(state["train_output"]))),
        learns=bool(state["learns"]),
        informative=bool(state["informative"]),
        trained=bool(state["trained"]),
    )


def _read_words(state: Mapping[str, object]) -> bool:
    """Whether a version of an earlier release is of a scikit-learn model. One that has learned nothing yet may well be:
    to make it again costs no training."""
    train_output = orjson.loads(str(state["train_output"]))
    nothing = state["learns"] and not (train_output or state["informative"])
    return bool(nothing) or set(train_output) == {"model_file", "control"}


def task_json(task: Task, annotations: Sequence[Mapping[str, object]] = ()) -> dict[str, object]:
    """A task as models for label-studio-ml are given it, with all that the tool has sent of it."""
    number = int(task.id) if task.id.isdecimal() else task.id
    plain: dict[str, object] = {"annotations": list(annotations), "predictions": []}
    return {**plain, **(task.whole or {}), "id": number, "data": dict(task.data)}


class _Asker:
    """Asks a model for a few tasks at a time, and for fewer where it fails, until it is down to the task at fault."""

    def __init__(self, hosted: HostedModel, context: Mapping[str, object] | None) -> None:
        self._hosted, self._context = hosted, context
        self._answered = self._failed = 0

    def answers(self, questions: Sequence[Mapping[str, object]]) -> list[HostedPrediction]:
        try:
            predicted = self._hosted.predict(questions, self._context)
        except HostedModelError as error:
            if len(questions) > 1:
                half = len(questions) // 2
                return [*self.answers(questions[:half]), *self.answers(questions[half:])]
            self._failed += 1
            if self._failed >= (_MOST_FAILURES if self._answered else _HOPELESS):
                raise
            log.warning("nothing is predicted for task %s: %s", questions[0]["id"], str(error).partition("\n")[0])
            return [_NOTHING]
        self._answered += len(predicted)
        return predicted
