"""Label Studio's labeling config: which controls nextlabel learns, and why the others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from xml.etree.ElementTree import Element

from nextlabel.errors import SchemaError
from nextlabel.labeling import Input, Label, LabelSchema, Target
from nextlabel_connectors.label_studio.config_xml import (
    Unsupported,
    attribute,
    enclosing,
    is_true,
    parents_of,
    read_tree,
    shown,
    tag_name,
)
from nextlabel_connectors.label_studio.controls import Control, control_of
from nextlabel_connectors.label_studio.inputs import count_fields, inputs_of, text_of
from nextlabel_connectors.label_studio.values import Form
from nextlabel_connectors.label_studio.visibility import Asked, asked

_Read = TypeVar("_Read")

# Tags that point at another tag without labeling anything.
_NOT_A_CONTROL = frozenset({"filter"})
# Each control is learned from every field that its object shows, so that both together have a bound, too.
_MOST_CONTROLS, _MOST_FIELDS, _MOST_INPUTS, _MOST_OPTIONS = 1_000, 1_000, 100_000, 200_000


@dataclass(frozen=True, slots=True)
class LearnedControl:
    """A control that is learned: its target, the object tag named in its results, and their form.

    ``silence`` is what an annotation without any item of it says (None: nothing), ``asked`` when it is asked at all.
    """

    target: Target
    to_name: str
    form: Form
    silence: Label | None
    asked: Asked


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """A labeling config as far as nextlabel follows it: what is learned, and how that stands in results, by name."""

    schema: LabelSchema
    controls: Mapping[str, LearnedControl]


def parse_label_config(xml: str) -> LabelConfig:
    """Read a labeling config. Raises `SchemaError` when it is unreadable, or asks more than a person can answer."""
    root = read_tree(xml)
    controls = [tag for tag in root.iter() if _is_control(tag)]
    _check_sizes(root, controls)
    reader = _Reader(root)
    learned: dict[str, LearnedControl] = {}
    left_out: dict[str, str] = {}
    for tag in controls:
        name = tag.get("name", "")
        try:
            learned[name] = reader.read(tag)
        except Unsupported as reason:
            left_out[name] = str(reason)
    targets = tuple(control.target for control in learned.values())
    return LabelConfig(LabelSchema(targets, left_out, source=xml, shown=reader.everything_shown()), learned)


def _is_control(tag: Element) -> bool:
    return bool(tag.get("name") and tag.get("toName")) and tag_name(tag) not in _NOT_A_CONTROL


def _check_sizes(root: Element, controls: list[Element]) -> None:
    """Before anything is made of it."""
    fields = {tag.get("name", ""): count_fields(tag) for tag in root.iter() if tag.get("name")}
    inputs = sum(fields.get(name, 0) for tag in controls for name in tag.get("toName", "").split(",")[:2])
    for number, most, what in (
        (len(controls), _MOST_CONTROLS, "controls"),
        (sum(fields.values()), _MOST_FIELDS, "fields of the task"),
        (inputs, _MOST_INPUTS, "fields, counted for each control on their object"),
        (_count_within(root, set(controls)), _MOST_OPTIONS, "options, counted for each control around them"),
    ):
        if number > most:
            raise SchemaError(
                f"The labeling config has {number:,} {what}; nextlabel reads {most:,} at most. Divide it into projects."
            )


def _count_within(root: Element, controls: set[Element]) -> int:
    """How many tags stand within controls; in a control within controls, they are options of each."""
    total, waiting = 0, [(root, 0)]
    while waiting:
        tag, around = waiting.pop()
        total += around
        waiting += [(child, around + (tag in controls)) for child in tag]
    return total


def _once(read: Callable[[Element], _Read]) -> Callable[[Element], _Read]:
    """Read each tag once, whether or not it can be: all the controls on an object share what was read."""
    known: dict[Element, _Read | Unsupported] = {}

    def reading(tag: Element) -> _Read:
        if tag not in known:
            try:
                known[tag] = read(tag)
            except Unsupported as reason:
                known[tag] = reason
        found = known[tag]
        if isinstance(found, Unsupported):
            raise Unsupported(str(found))
        return found

    return reading


class _Reader:
    """Reads controls against all other tags of their config."""

    def __init__(self, root: Element) -> None:
        self._parents = parents_of(root)
        named = [tag for tag in root.iter() if tag.get("name")]
        self._counts = Counter(tag.get("name", "") for tag in named)
        self._objects = {tag.get("name", ""): tag for tag in named if not tag.get("toName")}
        self._inputs, self._text = _once(inputs_of), _once(text_of)

    def read(self, tag: Element) -> LearnedControl:
        name = tag.get("name", "")
        if self._counts[name] > 1:
            raise Unsupported("Several tags have this name; names must differ.")
        around = [tag, *enclosing(tag, self._parents)]
        _check_asked_of_the_task(tag, around)
        control = control_of(tag)
        objects = self._shown(tag.get("toName", ""), compared=control.compared)
        target = Target(
            name,
            control.kind,
            self._asked_about(control, objects),
            control.labels,
            control.scale,
            compared=control.compared,
        )
        # The editor names a comparison itself as what it labels; the import takes only an object, such as the first.
        return LearnedControl(
            target, objects[0].get("name", ""), control.form, _silence(control, around), asked(tag, around)
        )

    def everything_shown(self) -> tuple[Input, ...]:
        """What of the task an annotator sees, as far as it can be read from the task."""
        found: dict[Input, None] = {}
        for tag in self._objects.values():
            with suppress(Unsupported):
                found |= dict.fromkeys(self._inputs(tag))
        return tuple(found)

    def _asked_about(self, control: Control, objects: list[Element]) -> tuple[Input, ...]:
        if control.kind == "spans":
            return (self._text(objects[0]),)
        if not control.compared:
            return self._inputs(objects[0])
        sides = [self._inputs(tag) for tag in objects]
        if any(one.kind == "metadata" for side in sides for one in side):
            raise Unsupported(
                "It compares recordings or pages, which nextlabel does not read; connect your own model for it."
            )
        if any(len(side) > 1 for side in sides) or sides[0] == sides[1]:
            raise Unsupported("It must compare two objects that show one field of the task each, and not the same one.")
        return (*sides[0], *sides[1])

    def _shown(self, to_name: str, *, compared: bool) -> list[Element]:
        names = to_name.split(",")
        if compared and (len(names) != 2 or names[0] == names[1]):
            raise Unsupported(f'toName="{shown(to_name)}" must name two objects, as in toName="one,other".')
        if not compared and len(names) > 1:
            raise Unsupported("It labels several objects at once, which Label Studio's editor cannot write down.")
        for name in names:
            if name not in self._objects or self._counts[name] > 1:
                raise Unsupported(f'toName="{shown(name)}" names no object of the config, or more than one.')
        return [self._objects[name] for name in names]


def _check_asked_of_the_task(tag: Element, around: list[Element]) -> None:
    """Only a control that is asked of a task as a whole can be learned from the task."""
    if "{{" in tag.get("name", "") + tag.get("toName", ""):
        raise Unsupported("It is repeated by a <Repeater>, which is not supported.")
    for name in ("perRegion", "perItem"):
        if is_true(tag, name):
            raise Unsupported(f'{name}="true" asks it of parts of a task, which is not supported.')
    if any(attribute(one, "visibleWhen") == "region-selected" for one in around):
        raise Unsupported('visibleWhen="region-selected" asks it of parts of a task, which is not supported.')


def _silence(control: Control, around: list[Element]) -> Label | None:
    """Who submits without any of several choices, or any region, says that there is none, unless not asked at all."""
    asked_of_some = any(attribute(one, "visibleWhen") or attribute(one, "whenChoiceValue") for one in around)
    if control.kind not in ("choices", "spans") or asked_of_some or is_true(around[0], "required"):
        return None
    return ()
