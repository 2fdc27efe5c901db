"""What nextlabel says of tasks, as Label Studio takes it: answers to `/predict`, and items of a window. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from nextlabel.labeling import Guess, Label, Prediction, QueueVersion, Result, Span, Target, TaskId
from nextlabel_connectors.label_studio.label_config import LabelConfig, LearnedControl
from nextlabel_connectors.label_studio.payloads import LAST, NO_DATA, JsonObject, answer_score, confidence_of, unit
from nextlabel_connectors.label_studio.values import Data
from nextlabel_connectors.label_studio.visibility import hidden

_Item = dict[str, object]


class Writer:
    """Writes predictions by a labeling config. Make one for each request or window: what is written of a label is made
    once, and kept as long as the writer is."""

    def __init__(self, config: LabelConfig) -> None:
        self._config = config
        self._controls = config.controls
        self._depends = any(control.asked.conditions for control in self._controls.values())
        self._blank = {
            name: control
            for name, control in self._controls.items()
            if control.primed and control.form.blank is not None
        }
        self._fits: dict[tuple[str, Label], bool] = {}
        self._items: dict[tuple[str, Label], Sequence[_Item]] = {}

    def shown(self, prediction: Prediction | None) -> Prediction | None:
        """Without the guesses that no longer fit the config, and those that answer what the editor does not ask beside
        the others (`visibleWhen`). Label Studio drops a whole prediction over one label that its config does not have.
        """
        if prediction is None:
            return None
        guesses = tuple([one for guess in prediction.guesses if (one := self._fitted(guess)) is not None])
        if self._depends:
            chosen = {guess.target: self._chosen(guess) for guess in guesses if guess.target in self._controls}
            not_asked = hidden({name: control.asked for name, control in self._controls.items()}, chosen)
            guesses = tuple(guess for guess in guesses if guess.target not in not_asked)
        return prediction if guesses == prediction.guesses else prediction._replace(guesses=guesses)

    def result(self, prediction: Prediction | None, data: Data = NO_DATA) -> list[_Item]:
        """A prediction's guesses as result items for a task with that data, as far as they are shown."""
        return self._result(self.shown(prediction), data)

    def answer(self, prediction: Prediction | None, version: QueueVersion, data: Data = NO_DATA) -> _Item:
        """One item of the answer to `/predict`."""
        shown = self.shown(prediction)
        if shown is None:
            return {"result": self._result(None, data), "score": LAST, "model_version": version}
        confidence = confidence_of(shown)
        answer: _Item = {
            "result": self._result(shown, data),
            "score": answer_score(confidence),
            "model_version": version,
            "uncertainty": unit(shown.uncertainty),
        }
        return {**answer, "confidence": confidence} if shown.guesses else answer

    def window_item(
        self, task: TaskId, score: float, prediction: Prediction | None, version: QueueVersion, data: Data = NO_DATA
    ) -> _Item:
        """One item of the bulk import that puts a task in the queue."""
        return {
            "task": int(task),
            "result": self.result(prediction, data),
            "score": score,
            "model_version": version,
        }

    # --- which guesses ----------------------------------------------------------------------------------------------

    def _fitted(self, guess: Guess) -> Guess | None:
        """What a team's own model says is not looked into: it knows the config."""
        if isinstance(guess.label, Result):
            return guess
        if (known := self._fits.get(key := (guess.target, guess.label))) is not None:
            return guess if known else None
        control = self._controls.get(guess.target)
        if control is None or not control.target.pre_annotated:
            return None
        # Where the config has any option of its own, the import takes no other that a task offers beside them.
        target = control.target
        if target.options:
            return _fitted_to_options(guess, target)
        fits = self._fits[key] = target.read(guess.label) is not None
        return guess if fits else None

    def _chosen(self, guess: Guess) -> list[str]:
        """The values of the options that a guess chooses, of nested ones the innermost."""
        control = self._controls[guess.target]
        if control.asked.options is None or isinstance(guess.label, Result):
            return []
        received = [value.get("choices") or value.get("taxonomy") for value in control.form.write(guess.label)]
        listed = cast("list[list[str | list[str]]]", received)
        return [one if isinstance(one, str) else one[-1] for some in listed for one in some]

    # --- how they are written ---------------------------------------------------------------------------------------

    def _result(self, shown: Prediction | None, data: Data) -> list[_Item]:
        items: list[_Item] = []
        if shown is not None:
            uncertainty = unit(shown.uncertainty)
            for guess in shown.guesses:
                made = self._items_of(guess, uncertainty, data)
                if items:  # who comes first speaks of a control
                    answered = {item.get("from_name") for item in items}
                    made = [item for item in made if item.get("from_name") not in answered]
                items += made
        if self._blank:
            answered = {item.get("from_name") for item in items}
            items += [
                _item(control, control.form.blank or {})
                for name, control in self._blank.items()
                if name not in answered
            ]
        return items

    def _items_of(self, guess: Guess, uncertainty: float, data: Data) -> list[_Item]:
        if isinstance(guess.label, Result):
            return [dict(item) for item in guess.label.items]
        sure = {**_scores(guess, guess.confidence), "uncertainty": uncertainty}
        if (known := self._items.get(key := (guess.target, guess.label))) is not None:
            return [{**item, **sure} for item in known]
        control = self._controls[guess.target]
        items = [_item(control, value) for value in control.form.of(data).write(guess.label)]
        if control.target.kind == "spans":
            return [
                {"id": _region_id(item), **item, **sure, **_scores(guess, part)}
                for item, part in zip(items, _parts(guess, len(items)), strict=True)
            ]
        if control.form.for_task is None:
            self._items[key] = items
        return [{**item, **sure} for item in items]


def _fitted_to_options(guess: Guess, target: Target) -> Guess | None:
    """Of a target whose options come from the tasks."""
    if target.labels:
        target = replace(target, options="")
    if target.kind == "spans":
        guess = _with_spans_of(guess, target)
    return guess if target.read(guess.label) is not None else None


def _with_spans_of(guess: Guess, target: Target) -> Guess:
    """Each span stands for itself, so that one more or less does not make the others wrong."""
    spans = cast("tuple[Span, ...]", guess.label)
    kept = [n for n, span in enumerate(spans) if target.read([span]) is not None]
    parts = tuple(guess.parts[n] for n in kept if n < len(guess.parts))
    return guess._replace(label=tuple(spans[n] for n in kept), parts=parts)


def _parts(guess: Guess, n: int) -> Sequence[float]:
    """The confidence of each of its n regions."""
    return guess.parts if len(guess.parts) == n else (guess.confidence,) * n


def _scores(guess: Guess, confidence: float) -> dict[str, object]:
    sure = unit(confidence)
    return {"score": sure, "confidence": sure} if guess.scored else {}


def _item(control: LearnedControl, value: JsonObject) -> _Item:
    return {
        "from_name": control.target.name,
        "to_name": control.to_name,
        "type": control.form.type,
        "value": dict(value),
    }


def _region_id(item: _Item) -> str:
    """What a region is known by, here and in what an annotator makes of it: the same for the same region, so that a
    prediction can be compared with the one that is stored."""
    said = (item["from_name"], sorted(cast(JsonObject, item["value"]).items()))
    return hashlib.sha256(repr(said).encode("utf-8", "replace")).hexdigest()[:10]
