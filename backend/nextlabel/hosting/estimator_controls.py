"""The control of a labeling config that a scikit-learn estimator learns: its labels read, its result items written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast
from xml.etree import ElementTree as ET

from nextlabel.errors import SchemaError
from nextlabel.hosting.answers import number
from nextlabel.hosting.label_interface import LabelInterface, Tag

Kind = Literal["choice", "choices", "rating", "number"]
Label = str | tuple[str, ...] | float
Item = dict[str, Any]

_LEARNED = {"classifier": "<Choices>", "regressor": "<Rating> or <Number>"}
_TYPES: Mapping[Kind, str] = {"choice": "choices", "choices": "choices", "rating": "rating", "number": "number"}
_MOST_STARS = "5"  # Label Studio's own default


@dataclass(frozen=True, slots=True)
class Control:
    """A control that is asked of a task as a whole.

    ``labels`` are its choices; numbers go from ``low`` to ``high`` (None: no limit) in steps of ``step`` (None: any).
    ``objects`` are the tags that show what it is about. ``silence`` is what an annotation without any item of it says
    (None: nothing).
    """

    name: str
    kind: Kind
    objects: tuple[Tag, ...]
    labels: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    step: float | None = None
    silence: Label | None = None

    def label(self, task: Mapping[str, Any]) -> Label | None:
        """What the annotation in force says; None without one, and where it says nothing that the config has."""
        annotation = in_force(task.get("annotations") or [])
        if annotation is None:
            return None
        said = [item for item in annotation.get("result") or [] if self._is_mine(item)]
        return self._read(said[-1]["value"]) if said else self.silence

    def item(self, label: Label, score: float | None) -> list[Item]:
        """The result item of a label, as Label Studio takes it; none for no choice at all, and for unknown ones."""
        value = self._value(label)
        if value is None:
            return []
        shown = {"from_name": self.name, "to_name": self.objects[0].name, "type": _TYPES[self.kind], "value": value}
        return [shown if score is None else {**shown, "score": score}]

    def nearest(self, value: float) -> float:
        """The closest number that can be given."""
        low, high = self.low, self.high
        value = value if low is None else max(value, low)
        value = value if high is None else min(value, high)
        if not self.step:
            return value
        origin = low or 0.0
        steps = round((value - origin) / self.step)
        if high is not None and origin + steps * self.step > high + 1e-9 * self.step:
            steps -= 1
        return round(origin + steps * self.step, 10)  # 0.1 × 3 is no 0.30000000000000004 to an annotator

    def _is_mine(self, item: object) -> bool:
        return (
            isinstance(item, dict)
            and (item.get("from_name"), item.get("type")) == (self.name, _TYPES[self.kind])
            and isinstance(item.get("value"), dict)
        )

    def _read(self, value: Mapping[str, object]) -> Label | None:
        if self.kind in ("rating", "number"):
            return self._number(value.get(self.kind))
        chosen = value.get("choices")
        if not isinstance(chosen, list) or not all(one in self.labels for one in chosen):
            return None
        if self.kind == "choices":
            return tuple(label for label in self.labels if label in chosen)
        return cast(str, chosen[0]) if len(chosen) == 1 else None

    def _number(self, said: object) -> float | None:
        value = number(said) if isinstance(said, int | float) and not isinstance(said, bool) else None
        if (
            value is None
            or (self.low is not None and value < self.low)
            or (self.high is not None and value > self.high)
        ):
            return None
        return value

    def _value(self, label: Label) -> dict[str, object] | None:
        match self.kind:
            case "rating":
                return {"rating": int(self.nearest(cast(float, label)))}
            case "number":
                return {"number": self.nearest(cast(float, label))}
        chosen = [label] if self.kind == "choice" else list(cast(tuple[str, ...], label))
        known = [one for one in chosen if one in self.labels]
        return {"choices": known} if known else None


def control_for(learner: str, label_config: str) -> Control:
    """The first control that suits a "classifier" or a "regressor". Raises `SchemaError` where there is none."""
    read = LabelInterface(label_config)
    reasons: list[str] = []
    for tag in read.controls:
        reason = _why_not(tag, learner)
        if reason is None:
            return _control(tag, label_config)
        reasons.append(f"<{tag.tag}> '{tag.name}' {reason}")
    raise SchemaError(
        f"The labeling config has nothing for a {learner}, which learns {_LEARNED[learner]} asked of a task as a "
        f"whole: {'; '.join(reasons) or 'it has no control'}. Add such a control, or host another estimator."
    )


def in_force(annotations: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The last annotation that was not cancelled, by when it was updated, then by id."""
    standing = [one for one in annotations if not one.get("was_cancelled")]
    return max(standing, key=_age, default=None)


def labeled(control: Control, tasks: Sequence[Item]) -> tuple[list[Item], list[Label]]:
    """The tasks whose annotation in force says something of the control, and what."""
    pairs = [(task, label) for task in tasks if (label := control.label(task)) is not None]
    return [task for task, _ in pairs], [label for _, label in pairs]


def _age(annotation: Mapping[str, Any]) -> tuple[datetime, float]:
    try:
        moment = datetime.fromisoformat(annotation.get("updated_at") or "")
    except (TypeError, ValueError):
        moment = datetime.min
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return moment, number(annotation.get("id")) or 0.0


def _why_not(tag: Tag, learner: str) -> str | None:
    if f"<{tag.tag.lower()}>" not in _LEARNED[learner].lower():
        return "is none of these"
    if len(tag.objects) != 1:
        return "is not about exactly one object of the config"
    if any(_attribute(tag, name).lower() == "true" for name in ("perRegion", "perItem")):
        return "is asked of parts of a task"
    if tag.tag.lower() != "choices":
        return None
    if _attribute(tag, "allowNested").lower() == "true":
        return "has choices inside choices"
    return None if tag.labels else "has no choices of its own"


def _control(tag: Tag, label_config: str) -> Control:
    objects = tuple(tag.objects)
    match tag.tag.lower():
        case "rating":
            stars = number(_attribute(tag, "maxRating") or _MOST_STARS) or float(_MOST_STARS)
            return Control(tag.name, "rating", objects, low=1.0, high=stars, step=1.0)
        case "number":
            low, high, step = (number(_attribute(tag, name)) for name in ("min", "max", "step"))
            return Control(tag.name, "number", objects, low=low, high=high, step=step)
    if _attribute(tag, "choice") != "multiple":
        return Control(tag.name, "choice", objects, tuple(tag.labels))
    silence = () if _asked_of_all(tag, label_config) and _attribute(tag, "required").lower() != "true" else None
    return Control(tag.name, "choices", objects, tuple(tag.labels), silence=silence)


def _asked_of_all(tag: Tag, label_config: str) -> bool:
    """Whether every annotator sees it, whatever they have answered before."""
    for element in ET.fromstring(label_config).iter():  # noqa: S314 - the team's own config, in the team's own process
        conditional = re.search(r"\b(visiblewhen|whenchoicevalue)\b", " ".join(element.attrib).lower())
        if conditional and any(inner.get("name") == tag.name for inner in element.iter()):
            return False
    return True


def _attribute(tag: Tag, name: str) -> str:
    """Label Studio's editor takes the names of attributes in lower case, too."""
    return (tag.attr.get(name) or tag.attr.get(name.lower()) or "").strip()
