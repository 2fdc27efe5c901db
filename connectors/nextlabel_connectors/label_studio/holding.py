"""Controls that are not learned in full are learned by what an answer holds: which labels, how many marks, how long.

That needs no detector, and says which tasks teach most. Nothing of it is pre-annotated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import log2
from statistics import fmean
from typing import cast
from xml.etree.ElementTree import Element

from nextlabel.labeling import LONGEST_LABEL, Label
from nextlabel_connectors.label_studio.config_xml import Unsupported, attribute, tag_name
from nextlabel_connectors.label_studio.controls import Control, is_nested, nested_choices, options_field, options_of
from nextlabel_connectors.label_studio.inputs import REFERENCE
from nextlabel_connectors.label_studio.values import PATH_SEPARATOR, Form, Value, finite_number

_WRITTEN = ("textarea", "chat")
_GIVEN = ("rating", "number")


@dataclass(frozen=True, slots=True)
class Held:
    """How a control is learned by what its answers hold, in words, and what an answer without any item of it says."""

    control: Control
    words: str
    silence: Label | None


def held_by(tag: Element, *, whole: bool) -> Held:
    """What is learned of any control; ``whole`` where it is asked of a task as a whole."""
    if whole and is_nested(tag):
        with suppress(Unsupported):
            nested = nested_choices(tag)
            return Held(nested, "what is chosen of it", () if nested.kind == "choices" else None)
    labels, options = tuple(dict.fromkeys(_labels(tag))), _options(tag)
    if labels or options:
        separator = PATH_SEPARATOR if _has_paths(tag) else ""
        control = Control("choices", _form(_names, _all_names), labels, options=options, separator=separator)
        return Held(control, "which of its labels the answer holds", ())
    if tag_name(tag) in _GIVEN:
        return Held(Control("number", _form(_number, _mean)), "the mean of what the answer gives", None)
    if tag_name(tag) in _WRITTEN:
        return Held(Control("number", _form(_length, _length_of_all)), "how long the answer is", 0.0)
    return Held(how_many(), "how much the answer marks", 0.0)


def how_many() -> Control:
    """The number of items that an answer has."""
    return Control("number", _form(lambda value: 1.0, _sum))


def _form(read: Callable[[Value], Label | None], together: Callable[[Sequence[Label]], Label]) -> Form:
    return Form("", read, lambda label: [], together)


def _labels(tag: Element) -> Iterator[str]:
    """The labels that stand in the config."""
    for kind in ("label", "choice"):
        for option, around in options_of(tag, kind):
            path = [attribute(one, "alias") or attribute(one, "value") for one in around]
            name = PATH_SEPARATOR.join(path) if _has_paths(tag) else path[-1]
            if name and len(name) <= LONGEST_LABEL and not (REFERENCE.search(name) and not attribute(option, "alias")):
                yield name


def _options(tag: Element) -> str:
    """The field in which each task has labels of its own; "" without one."""
    if tag_name(tag) in ("choices", "taxonomy") or tag_name(tag).endswith("labels"):
        with suppress(Unsupported):
            return options_field(tag)
    return ""


def _has_paths(tag: Element) -> bool:
    return tag_name(tag) == "taxonomy" or is_nested(tag)


def _names(value: Value) -> Label | None:
    """The labels of a region, of a choice, or the paths of a taxonomy; none where it has none yet."""
    found: list[str] = []
    for key, some in value.items():
        if (key in ("choices", "taxonomy") or key.endswith("labels")) and isinstance(some, list):
            for one in some:
                steps = one if isinstance(one, list) else [one]
                if not all(isinstance(step, str) for step in steps):
                    return None
                found.append(PATH_SEPARATOR.join(steps))
    return tuple(found)


def _all_names(labels: Sequence[Label]) -> Label:
    return tuple(sorted({name for some in cast(Sequence[tuple[str, ...]], labels) for name in some}))


def _number(value: Value) -> Label | None:
    return next((found for key in _GIVEN if (found := finite_number(value.get(key))) is not None), None)


def _mean(labels: Sequence[Label]) -> Label:
    return fmean(cast(Sequence[float], labels))


def _sum(labels: Sequence[Label]) -> Label:
    return float(sum(cast(Sequence[float], labels)))


def _length(value: Value) -> Label | None:
    """How many characters were written."""
    texts = value.get("text", value.get("chatmessage"))
    parts = texts if isinstance(texts, list) else [texts]
    stated = [one.get("content") if isinstance(one, dict) else one for one in parts]
    return float(sum(len(one) for one in stated if isinstance(one, str)))


def _length_of_all(labels: Sequence[Label]) -> Label:
    """Twice as long is one more, so that one long answer does not outweigh all others."""
    return log2(1 + cast(float, _sum(labels)))
