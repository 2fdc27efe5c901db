"""Translators between Label Studio's JSON and nextlabel's values; pure, and strict about what they are given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import numpy as np
from scipy.optimize import isotonic_regression

from nextlabel.errors import PayloadError
from nextlabel.labeling import (
    Annotation,
    AnnotationId,
    Guess,
    Label,
    Prediction,
    QueueVersion,
    Result,
    Span,
    Target,
    Task,
    TaskId,
)
from nextlabel.ports.tool import TaskSeen, Unreadable
from nextlabel_connectors.label_studio.label_config import LabelConfig, LearnedControl
from nextlabel_connectors.label_studio.values import Data, Form
from nextlabel_connectors.label_studio.visibility import hidden

JsonObject = Mapping[str, object]
NO_DATA: Data = {}
"""Of a task that is not known."""

_LARGEST_ID = 2**63 - 1
_LONGEST_SECONDS = 30 * 86_400.0  # that an annotation is believed to have taken

# One scale of scores, ascending = sooner: the window fills the lower half, every other answer the upper one, so
# that whatever Label Studio stores under a version comes after the window. People see them as percentages and read
# them as how sure the model is, so that is what they say as far as the order allows.
_WINDOW_SHARE = 0.5
# Between two scores of a window that would be the same: far less than the two decimals that people see, far more than
# a stored number may be off.
_STEP = 1e-9
LAST = 1.0


def window_scores(predictions: Sequence[Prediction | None]) -> list[float]:
    """The scores of a window's tasks, in its order: in [0, 0.5), each higher than the one before.

    Each is the model's confidence, or the nearest to it that rises along the order and stays below the half.
    """
    if not predictions:
        return []
    wanted = np.minimum([0.0 if one is None else confidence_of(one) for one in predictions], _WINDOW_SHARE)
    rising = np.clip(isotonic_regression(wanted).x, 0, _WINDOW_SHARE - len(wanted) * _STEP)
    return [float(score) for score in rising + np.arange(len(wanted)) * _STEP]


def answer_score(confidence: float) -> float:
    """The score of a task outside the window: in [0.5, 1], the confidence itself from the half on."""
    sure = _unit(confidence)
    return max(sure, _WINDOW_SHARE + sure * _STEP)


def window_score(rank: int, size: int) -> float:
    """The score that releases before 0.1.1 wrote for the task at ``rank`` (0 = first) of a window of ``size`` tasks."""
    return _WINDOW_SHARE * rank / size


def confidence_of(prediction: Prediction) -> float:
    """How sure the model is of what it shows, of the least sure of several guesses; where it shows nothing, of what it
    would have shown."""
    if prediction.guesses:
        return min(_unit(guess.confidence) for guess in prediction.guesses)
    return 1 - _unit(prediction.uncertainty)


def is_window_score(score: object) -> bool:
    return isinstance(score, int | float) and score < _WINDOW_SHARE


def utc(text: object) -> str:
    """A time in UTC with six decimals, so that text order is time order and Label Studio's filters read it."""
    try:
        moment = datetime.fromisoformat(cast(str, text))
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise PayloadError(f"{text!r} is not a time.") from error
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def identifier(value: object, what: str) -> str:
    """An id of Label Studio's, as text."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_ID:
        return str(value)
    raise PayloadError(f"The {what} must be a positive whole number, not {_shown(value)}.")


def as_object(value: object, what: str) -> JsonObject:
    if isinstance(value, dict):
        return value
    raise PayloadError(f"The {what} must be a JSON object, not {_shown(value)}.")


def as_list(value: object, what: str) -> list[object]:
    if isinstance(value, list):
        return value
    raise PayloadError(f"The {what} must be a JSON array, not {_shown(value)}.")


def as_text(value: object, what: str) -> str:
    if isinstance(value, str):
        return value
    raise PayloadError(f"The {what} must be a text, not {_shown(value)}.")


# --- what Label Studio says ------------------------------------------------------------------------------


def read_task(raw: object, *, whole: bool = False) -> Task:
    """``whole`` keeps it as it is, too."""
    task = as_object(raw, "task")
    number = TaskId(identifier(task.get("id"), "task's id"))
    return Task(number, as_object(task.get("data"), "task's data"), task if whole else None)


def read_task_seen(raw: object, config: LabelConfig, *, whole: bool = False) -> tuple[TaskSeen, Sequence[Unreadable]]:
    """A task of the Data Manager's listing with its annotations, and those of them that cannot be read.

    ``whole`` keeps annotations as they are, too.
    """
    task = as_object(raw, "task")
    seen = read_task(task)
    annotations: list[Annotation] = []
    unreadable: list[Unreadable] = []
    for annotation in as_list(task.get("annotations") or [], "task's annotations"):
        try:
            annotations.append(read_annotation(annotation, config, seen.data, whole=whole))
        except PayloadError as error:
            unreadable.append(Unreadable(seen.id, str(error), _name_of(annotation)))
    return TaskSeen(seen, tuple(annotations), closed=task.get("is_labeled") is True), unreadable


def read_tasks_seen(
    raw: Iterable[JsonObject], config: LabelConfig, *, whole: bool = False
) -> tuple[list[TaskSeen], list[Unreadable]]:
    """Tasks of the Data Manager's listing, and what of them cannot be read; only that is set aside."""
    received: list[TaskSeen] = []
    set_aside: list[Unreadable] = []
    for task in raw:
        try:
            seen, unreadable = read_task_seen(task, config, whole=whole)
        except PayloadError as error:
            set_aside.append(Unreadable(TaskId(identifier(task.get("id"), "task's id")), str(error)))
        else:
            received.append(seen)
            set_aside += unreadable
    return received, set_aside


def read_annotation(raw: object, config: LabelConfig, data: Data = NO_DATA, *, whole: bool = False) -> Annotation:
    """An annotation of a task with that data; a skipped one has no labels, whatever its result says."""
    annotation = as_object(raw, "annotation")
    skipped = annotation.get("was_cancelled") is True
    result = as_list(annotation.get("result") or [], "annotation's result")
    return Annotation(
        AnnotationId(identifier(annotation.get("id"), "annotation's id")),
        {} if skipped else read_labels(result, config, data),
        utc(annotation.get("updated_at")),
        skipped,
        annotation if whole else None,
        _seconds(annotation.get("lead_time")),
        _is_marked(annotation),
    )


def _seconds(lead_time: object) -> float | None:
    """What an import says may be anything."""
    if isinstance(lead_time, bool) or not isinstance(lead_time, int | float):
        return None
    return float(lead_time) if 0 < lead_time <= _LONGEST_SECONDS else None


def _is_marked(annotation: JsonObject) -> bool:
    """Whether a person marked an annotation as ground truth. Imported ones are marked too, unless the import says
    otherwise; but only what a person has submitted, changed or marked has somebody who updated it."""
    return annotation.get("ground_truth") is True and annotation.get("updated_by") is not None


def _name_of(annotation: object) -> AnnotationId:
    """What to call an annotation that cannot be read, even where it is its id that cannot."""
    received = annotation.get("id") if isinstance(annotation, dict) else None
    return AnnotationId("without an id" if received is None else _shown(received))


def read_labels(result: Iterable[object], config: LabelConfig, data: Data = NO_DATA) -> dict[str, Label]:
    """What a result for a task with that data says of each target, even where the config no longer has that label.

    Other controls say nothing, and nor does one that holds anything else than labels: half a label is none.
    """
    values: dict[str, list[Label | None]] = {}
    forms = _Forms(data)
    for item in result:
        if isinstance(item, dict):
            for control in config.named(item.get("from_name")):
                values.setdefault(control.target.name, []).append(_read_item(item, forms.of(control)))
    received = ((name, _together(values.get(name, []), control)) for name, control in config.controls.items())
    return {name: label for name, label in received if label is not None}


class _Forms(dict[str, Form]):
    """The form of each control for a task with that data, made when it is asked for."""

    def __init__(self, data: Data) -> None:
        super().__init__()
        self._data = data

    def of(self, control: LearnedControl) -> Form:
        name = control.target.name
        if name not in self:
            self[name] = control.form.of(self._data)
        return self[name]


def _read_item(item: JsonObject, form: Form) -> Label | None:
    value = item.get("value")
    return form.read(value) if isinstance(value, dict) and form.type in ("", item.get("type")) else None


def _together(stated: Sequence[Label | None], control: LearnedControl) -> Label | None:
    if not stated:
        return control.silence
    if None in stated:
        return None
    return control.form.together(cast(Sequence[Label], stated))


# --- what we say -----------------------------------------------------------------------------------------


def as_shown(prediction: Prediction | None, config: LabelConfig) -> Prediction | None:
    """Without the guesses that no longer fit the config, and those that answer what the editor does not ask beside the
    others (`visibleWhen`)."""
    if prediction is None:
        return None
    guesses = _fitting(prediction, config)
    if any(control.asked.conditions for control in config.controls.values()):
        chosen = {guess.target: _chosen(guess, config) for guess in guesses if guess.target in config.controls}
        not_asked = hidden({name: control.asked for name, control in config.controls.items()}, chosen)
        guesses = [guess for guess in guesses if guess.target not in not_asked]
    shown = tuple(guesses)
    return prediction if shown == prediction.guesses else replace(prediction, guesses=shown)


def _chosen(guess: Guess, config: LabelConfig) -> list[str]:
    """The values of the options that a guess chooses, of nested ones the innermost."""
    control = config.controls[guess.target]
    if control.asked.options is None or isinstance(guess.label, Result):
        return []
    received = [value.get("choices") or value.get("taxonomy") for value in control.form.write(guess.label)]
    return [one if isinstance(one, str) else one[-1] for some in received for one in cast(list[str | list[str]], some)]


def write_result(prediction: Prediction | None, config: LabelConfig, data: Data = NO_DATA) -> list[dict[str, object]]:
    """A prediction's guesses as result items for a task with that data, as far as they are shown."""
    return _items(as_shown(prediction, config), config, data)


def _items(shown: Prediction | None, config: LabelConfig, data: Data) -> list[dict[str, object]]:
    guesses, uncertainty = ((), 1.0) if shown is None else (shown.guesses, _unit(shown.uncertainty))
    items: list[dict[str, object]] = []
    answered: set[object] = set()
    for guess in guesses:  # who comes first speaks of a control
        items += [one for one in _items_of(guess, uncertainty, config, data) if one.get("from_name") not in answered]
        answered = {item.get("from_name") for item in items}
    return items + [
        _item(control, control.form.blank)
        for name, control in config.controls.items()
        if control.primed and control.form.blank is not None and name not in answered
    ]


def write_answer(
    prediction: Prediction | None, config: LabelConfig, version: QueueVersion, data: Data = NO_DATA
) -> dict[str, object]:
    """One item of the answer to `/predict`."""
    prediction = as_shown(prediction, config)
    if prediction is None:
        return {"result": _items(None, config, data), "score": LAST, "model_version": version}
    answer: dict[str, object] = {
        "result": _items(prediction, config, data),
        "score": answer_score(confidence_of(prediction)),
        "model_version": version,
        "uncertainty": _unit(prediction.uncertainty),
    }
    if prediction.guesses:
        answer["confidence"] = min(_unit(guess.confidence) for guess in prediction.guesses)
    return answer


def write_window_item(
    task: TaskId,
    score: float,
    prediction: Prediction | None,
    config: LabelConfig,
    version: QueueVersion,
    data: Data = NO_DATA,
) -> dict[str, object]:
    """One item of the bulk import that puts a task in the queue."""
    return {
        "task": int(task),
        "result": write_result(prediction, config, data),
        "score": score,
        "model_version": version,
    }


def _fitting(prediction: Prediction, config: LabelConfig) -> list[Guess]:
    """Label Studio drops a whole prediction over one label that its config does not have.

    What a team's own model says is not looked into: it knows the config.
    """
    return [one for guess in prediction.guesses if (one := _fitted(guess, config)) is not None]


def _fitted(guess: Guess, config: LabelConfig) -> Guess | None:
    if isinstance(guess.label, Result):
        return guess
    control = config.controls.get(guess.target)
    if control is None or not control.target.pre_annotated:
        return None
    # Where the config has any option of its own, the import takes no other that a task offers beside them.
    target = control.target
    if target.options and target.labels:
        target = replace(target, options="")
    if control.target.options and target.kind == "spans":
        guess = _with_spans_of(guess, target)
    return guess if target.read(guess.label) is not None else None


def _with_spans_of(guess: Guess, target: Target) -> Guess:
    """Each span stands for itself, so that one more or less does not make the others wrong."""
    spans = cast("tuple[Span, ...]", guess.label)
    kept = [n for n, span in enumerate(spans) if target.read([span]) is not None]
    parts = tuple(guess.parts[n] for n in kept if n < len(guess.parts))
    return replace(guess, label=tuple(spans[n] for n in kept), parts=parts)


def _items_of(guess: Guess, uncertainty: float, config: LabelConfig, data: Data) -> list[dict[str, object]]:
    if isinstance(guess.label, Result):
        return [dict(item) for item in guess.label.items]
    return _result_items(guess, uncertainty, config, data)


def _result_items(guess: Guess, uncertainty: float, config: LabelConfig, data: Data) -> list[dict[str, object]]:
    control = config.controls[guess.target]
    written = control.form.of(data).write(guess.label)
    spans = control.target.kind == "spans"
    confidences = guess.parts if spans and len(guess.parts) == len(written) else (guess.confidence,) * len(written)
    items: list[dict[str, object]] = []
    for value, confidence in zip(written, map(_unit, confidences), strict=True):
        # A region is known by its id, here and in what an annotator makes of it.
        region = {"id": _region_id(guess.target, value)} if spans else {}
        scores = {"score": confidence, "confidence": confidence} if guess.scored else {}
        items.append({**region, **_item(control, value), **scores, "uncertainty": uncertainty})
    return items


def _item(control: LearnedControl, value: JsonObject) -> dict[str, object]:
    return {
        "from_name": control.target.name,
        "to_name": control.to_name,
        "type": control.form.type,
        "value": dict(value),
    }


def _region_id(target: str, value: JsonObject) -> str:
    """The same for the same region, so that a prediction can be compared with the one that is stored."""
    return hashlib.sha256(repr((target, sorted(value.items()))).encode("utf-8", "replace")).hexdigest()[:10]


def _unit(value: float) -> float:
    """Into [0, 1]; what is not a number counts as 0."""
    if 0.0 <= value <= 1.0:
        return float(value)
    return 1.0 if value > 1.0 else 0.0


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"
