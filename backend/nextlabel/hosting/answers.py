"""What models answer, read: labels of scikit-learn models, the many shapes that label-studio-ml lets through, and a
clear word for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nextlabel.labeling import Label, Target, number_in


class Unreadable(Exception):
    """An answer that is not one prediction per task; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class HostedPrediction:
    """What a team's model says of a task.

    ``result`` is Label Studio's list of regions, as the model wrote it; ``score`` the prediction's own and
    ``region_scores`` those of the regions that have one, whatever the model means by them, but never NaN or infinite.
    ``model_version`` is the model's own word for itself. A scikit-learn model says a ``label`` of its target instead
    of a result (None: nothing), and its score is how likely that is right.
    """

    result: list[dict[str, Any]]
    score: float | None
    region_scores: tuple[float, ...]
    model_version: str | None
    label: Label | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is predicted for the task at all."""
        return not self.result and self.score is None and self.label is None


def read_predictions(answer: object, asked: int, version: str | None = None) -> list[HostedPrediction]:
    """One prediction per task, in order. Raises `Unreadable`.

    Read are a list, and a dict that has it under "predictions" or "results" (a ModelResponse comes as one). Of several
    predictions of one task the one with the highest score counts; None, {} or [] is a task for which nothing is
    predicted. An empty list says nothing of any task: interactive models answer so when there is no context.
    ``version`` stands in where a prediction names none.
    """
    if isinstance(answer, Mapping):
        version = _text(answer.get("model_version")) or version
        answer = answer.get("predictions", answer.get("results", answer))
    if not isinstance(answer, list):
        raise Unreadable(f"predict returned {_kind(answer)} for {asked} tasks: it must return a list of predictions")
    if not answer:
        answer = [None] * asked
    _check_number(answer, asked)
    return [_prediction(item, place, version) for place, item in enumerate(answer)]


def read_labels(answer: Sequence[Any], asked: int, target: Target) -> list[HostedPrediction]:
    """One prediction per task, in order, from labels and how likely each is right. Raises `Unreadable`.

    A number becomes the closest that can be given; a label that the target does not have is none.
    """
    _check_number(answer, asked)
    labels = [(_label(raw, target), likely) for raw, likely in answer]
    return [HostedPrediction([], None if label is None else likely, (), None, label) for label, likely in labels]


def _label(raw: Any, target: Target) -> Label | None:
    if target.scale is not None and isinstance(raw, float):
        raw = target.scale.nearest(raw)
    return target.read(raw)


def _check_number(answer: Sequence[object], asked: int) -> None:
    if len(answer) != asked:
        raise Unreadable(f"predict returned {len(answer)} predictions for {asked} tasks: it must return one per task")


def _prediction(item: object, place: int, version: str | None) -> HostedPrediction:
    if isinstance(item, list):
        several = [_prediction(one, place, version) for one in item]
        return max(several, key=_rank, default=HostedPrediction([], None, (), version))
    if item is None:
        item = {}
    if not isinstance(item, Mapping):
        raise Unreadable(f'prediction {place} is {_kind(item)}: it must be a dict with a "result"')
    result = item.get("result") or []
    if not isinstance(result, list) or not all(isinstance(region, dict) for region in result):
        raise Unreadable(f'prediction {place} has {_kind(result)} as its "result": it must be a list of dicts')
    scores = (number_in(region.get("score")) for region in result)
    return HostedPrediction(
        result=result,
        score=number_in(item.get("score")),
        region_scores=tuple(score for score in scores if score is not None),
        model_version=_text(item.get("model_version")) or version,
    )


def _rank(prediction: HostedPrediction) -> float:
    return -1.0 if prediction.score is None else prediction.score


def _text(raw: object) -> str | None:
    return str(raw) if raw not in (None, "") else None


def _kind(thing: object) -> str:
    match thing:
        case None:
            return "nothing (None)"
        case Mapping():
            return f"a dict of {', '.join(map(repr, list(thing)[:4])) or 'nothing'}"
        case str():
            return "a text"
        case Sequence():
            return "a list"
        case _:
            return f"{type(thing).__name__} {thing}"
