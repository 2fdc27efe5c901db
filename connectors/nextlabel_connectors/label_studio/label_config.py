"""Label Studio's labeling config: which controls nextlabel learns, and why the others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TypeVar
from xml.etree.ElementTree import Element

from nextlabel.errors import SchemaError
from nextlabel.labeling import OPENED, RECORDINGS, Input, Label, LabelSchema, Target
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
from nextlabel_connectors.label_studio.holding import held_by, how_many
from nextlabel_connectors.label_studio.inputs import MARKED_BY, count_fields, fields_of, inputs_of, text_of
from nextlabel_connectors.label_studio.rankings import ranking_form
from nextlabel_connectors.label_studio.regions import regions_form
from nextlabel_connectors.label_studio.values import Form
from nextlabel_connectors.label_studio.visibility import Asked, asked

_Read = TypeVar("_Read")

_ANSWER = "(the whole answer)"  # a target of configs none of whose controls is learned by itself; no tag is called so

# Tags that point at another tag without labeling anything.
_NOT_A_CONTROL = frozenset({"filter"})
_READ_BESIDE, _MOST_BESIDE = ("text", "dialogue", "table"), 20  # kinds of input that are read beside a list, so many
# Each control is learned from every field that its object shows, so that both together have a bound, too.
_MOST_CONTROLS, _MOST_FIELDS, _MOST_INPUTS, _MOST_OPTIONS = 1_000, 1_000, 100_000, 200_000


@dataclass(frozen=True, slots=True)
class LearnedControl:
    """A control that is learned: its target, the object tag named in its results, and their form.

    ``silence`` is what an annotation without any item of it says (None: nothing), ``asked`` when it is asked at all.
    ``items`` are the names beside its own under which its labels stand in results; None where all items are its own.
    One about several objects is ``primed``: Label Studio's editor writes its answers only into an item that a
    prediction has, be it blank.
    """

    target: Target
    to_name: str
    form: Form
    silence: Label | None
    asked: Asked
    items: frozenset[str] | None = frozenset()
    primed: bool = False


@dataclass(frozen=True)
class LabelConfig:
    """A labeling config as far as nextlabel follows it: what is learned, and how that stands in results, by name."""

    schema: LabelSchema
    controls: Mapping[str, LearnedControl]

    def named(self, from_name: object) -> Sequence[LearnedControl]:
        """The controls that an item of a result is about."""
        return self._by_name.get(from_name, self._of_all) if isinstance(from_name, str) else ()

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[LearnedControl]]:
        found: dict[str, list[LearnedControl]] = {}
        for one in self.controls.values():
            for name in () if one.items is None else (one.target.name, *one.items):
                found.setdefault(name, list(self._of_all)).append(one)
        return found

    @cached_property
    def _of_all(self) -> Sequence[LearnedControl]:
        return [one for one in self.controls.values() if one.items is None]


def parse_label_config(xml: str) -> LabelConfig:
    """Read a labeling config. Raises `SchemaError` when it is unreadable, or asks more than a person can answer."""
    root = read_tree(xml)
    controls = [tag for tag in root.iter() if _is_control(tag)]
    _check_sizes(root, controls)
    reader = _Reader(root)
    learned: dict[str, LearnedControl] = {}
    left_out: dict[str, str] = {}
    held: dict[str, tuple[LearnedControl, str]] = {}
    for tag in controls:
        name = tag.get("name", "")
        if why := reader.why_unclear(tag):
            left_out[name] = why
            continue
        try:
            learned[name] = reader.read(tag)
        except Unsupported as reason:
            left_out[name], held[name] = str(reason), reader.read_held(tag)
    held = _worth_learning(held, beside=bool(learned))
    if not learned and not held and controls:
        held[_ANSWER] = reader.answer()
    in_order = [*dict.fromkeys(tag.get("name", "") for tag in controls), _ANSWER]
    found = learned | {name: control for name, (control, _) in held.items()}
    followed = {name: found[name] for name in in_order if name in found}
    schema = LabelSchema(
        tuple(control.target for control in followed.values()),
        {name: why for name, why in left_out.items() if name not in held},
        source=xml,
        shown=reader.everything_shown,
        held={
            name: f"by {words}, and is not pre-annotated. {left_out.get(name, '')}".strip()
            for name, (_, words) in held.items()
        },
    )
    return LabelConfig(schema, followed)


def _worth_learning(
    held: Mapping[str, tuple[LearnedControl, str]], *, beside: bool
) -> dict[str, tuple[LearnedControl, str]]:
    """What is chosen is worth learning beside other controls; how much there is only where nothing else is."""
    labels = {name: one for name, one in held.items() if one[0].target.kind != "number"}
    return labels if labels or beside else dict(held)


def _is_control(tag: Element) -> bool:
    return bool(tag.get("name") and tag.get("toName")) and tag_name(tag) not in _NOT_A_CONTROL


def _check_sizes(root: Element, controls: list[Element]) -> None:
    """Before anything is made of it."""
    fields = {tag.get("name", ""): count_fields(tag) for tag in root.iter() if tag.get("name")}
    everything = sum(fields.values())
    inputs = sum(_count_shown(tag, fields) or everything for tag in controls)
    for number, most, what in (
        (len(controls), _MOST_CONTROLS, "controls"),
        (everything, _MOST_FIELDS, "fields of the task"),
        (inputs, _MOST_INPUTS, "fields, counted for each control on their object"),
        (_count_within(root, set(controls)), _MOST_OPTIONS, "options, counted for each control around them"),
    ):
        if number > most:
            raise SchemaError(
                f"The labeling config has {number:,} {what}; nextlabel reads {most:,} at most. Divide it into projects."
            )


def _count_shown(tag: Element, fields: Mapping[str, int]) -> int:
    """How many fields the objects of a control show."""
    return sum(fields.get(name, 0) for name in set(tag.get("toName", "").split(",")))


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
        self._controls = [tag for tag in named if tag.get("toName")]
        self._inputs, self._text = _once(inputs_of), _once(text_of)

    def why_unclear(self, tag: Element) -> str:
        """Why results do not tell what is this tag's; "" where they do."""
        if self._counts[tag.get("name", "")] > 1:
            return "Several tags have this name; names must differ."
        if "{{" in tag.get("name", "") + tag.get("toName", ""):
            return "It is repeated by a <Repeater>, which is not supported."
        return ""

    def read(self, tag: Element) -> LearnedControl:
        """A control that is learned in full. Raises `Unsupported` where it cannot be."""
        name, around = tag.get("name", ""), [tag, *enclosing(tag, self._parents)]
        if parts := _asked_of_parts(around):
            raise Unsupported(f"{parts} asks it of parts of a task.")
        control = control_of(tag)
        objects = self._shown(tag.get("toName", ""), control)
        inputs = self._asked_about(tag, control, objects)
        several = len(objects) > 1 and not control.compared
        target = Target(
            name,
            control.kind,
            inputs,
            control.labels,
            control.scale,
            compared=control.compared,
            options=inputs[0].field if control.kind == "ranking" else control.options,
            separator=control.separator,
        )
        # The editor names a comparison itself as what it labels; the import takes only an object, such as the first.
        return LearnedControl(
            target,
            objects[0].get("name", ""),
            _form(tag, control, target),
            _silence(control, around),
            asked(tag, around),
            primed=several,
        )

    def read_held(self, tag: Element) -> tuple[LearnedControl, str]:
        """The same control, learned by what its answers hold; and what that is."""
        name, around = tag.get("name", ""), [tag, *enclosing(tag, self._parents)]
        held = held_by(tag, whole=not _asked_of_parts(around))
        control, names = held.control, tag.get("toName", "").split(",")
        objects = [self._objects[one] for one in dict.fromkeys(names) if one in self._objects]
        fields = [self._read_somehow(shown_there) for shown_there in objects]
        inputs = _together(fields)
        target = Target(
            name,
            control.kind,
            inputs or self.everything_shown,
            control.labels,
            pre_annotated=False,
            options=control.options,
            separator=control.separator,
        )
        silence = None if _is_asked_of_some(around) or is_true(tag, "required") else held.silence
        also = self._tracks(names) if tag_name(tag) == "labels" else frozenset[str]()
        return LearnedControl(target, names[0], control.form, silence, asked(tag, around), also), held.words

    def answer(self) -> tuple[LearnedControl, str]:
        """What stands for all controls where none of them can be learned by itself."""
        control = how_many()
        target = Target(_ANSWER, control.kind, self.everything_shown, pre_annotated=False)
        whole = LearnedControl(target, "", control.form, 0.0, Asked((), None, is_choices=False), items=None)
        return whole, "how much the answer marks"

    def _tracks(self, objects: Collection[str]) -> frozenset[str]:
        """The controls of a video that write the labels of <Labels> into their own items."""
        tracks = [tag for tag in self._controls if tag_name(tag) == "videorectangle"]
        return frozenset(tag.get("name", "") for tag in tracks if tag.get("toName") in objects)

    def _read_somehow(self, shown_there: Element) -> tuple[Input, ...]:
        """What an object shows; where that is not read, a recording, for which all other fields of the task stand."""
        try:
            return self._inputs(shown_there)
        except Unsupported:
            with suppress(Unsupported):
                return fields_of(shown_there)
        return ()

    @cached_property
    def everything_shown(self) -> tuple[Input, ...]:
        """What of the task an annotator sees, as far as it can be read from the task."""
        found: dict[Input, None] = {}
        for tag in self._objects.values():
            with suppress(Unsupported):
                found |= dict.fromkeys(self._inputs(tag))
        return tuple(found)

    def _asked_about(self, tag: Element, control: Control, objects: list[Element]) -> tuple[Input, ...]:
        if control.kind == "spans":
            text = self._text(objects[0])
            if tag_name(tag) not in MARKED_BY[tag_name(objects[0])]:
                raise Unsupported(f"Label Studio's editor marks nothing in a <{objects[0].tag}> with a <{tag.tag}>.")
            return (text,)
        if control.kind == "ranking":
            return self._listed(objects[0])
        if not control.compared:
            return _together([self._inputs(shown_there) for shown_there in objects])
        sides = [self._inputs(tag) for tag in objects]
        kinds = {one.kind for side in sides for one in side}
        if kinds & RECORDINGS and not (len(kinds) == 1 and kinds <= OPENED):
            raise Unsupported(
                "It compares a recording with something else, or pages that nextlabel does not read; connect your own "
                "model for it."
            )
        if any(len(side) > 1 for side in sides) or sides[0] == sides[1]:
            raise Unsupported("It must compare two objects that show one field of the task each, and not the same one.")
        return (*sides[0], *sides[1])

    def _listed(self, shown_there: Element) -> tuple[Input, ...]:
        """The items of a list, and whatever else there is to read, such as what they are an answer to."""
        if tag_name(shown_there) != "list":
            raise Unsupported(f"It orders a <{shown(shown_there.tag)}>; Label Studio's editor orders only a <List>.")
        beside = islice((one for one in self.everything_shown if one.kind in _READ_BESIDE), _MOST_BESIDE)
        return tuple(dict.fromkeys((*self._inputs(shown_there), *beside)))

    def _shown(self, to_name: str, control: Control) -> list[Element]:
        names = to_name.split(",")
        if control.compared and (len(names) != 2 or names[0] == names[1]):
            raise Unsupported(f'toName="{shown(to_name)}" must name two objects, as in toName="one,other".')
        if not control.compared and len(names) > 1 and control.form.blank is None:
            raise Unsupported("It labels several objects at once, which Label Studio's editor cannot write down.")
        for name in names:
            if name not in self._objects or self._counts[name] > 1:
                raise Unsupported(f'toName="{shown(name)}" names no object of the config, or more than one.')
        return [self._objects[name] for name in names]


def _form(tag: Element, control: Control, target: Target) -> Form:
    """How its labels stand in results, which may depend on what it is about."""
    if control.kind == "ranking":
        return ranking_form(target)
    if control.kind == "spans" and target.inputs[0].layout:
        return regions_form(tag_name(tag), target.inputs[0])
    return control.form


def _together(fields: Sequence[tuple[Input, ...]]) -> tuple[Input, ...]:
    """Each field once; those of one object as they are, for all the controls on it share them."""
    return fields[0] if len(fields) == 1 else tuple(dict.fromkeys(one for some in fields for one in some))


def _asked_of_parts(around: list[Element]) -> str:
    """What has a control asked of parts of a task, where only one that is asked of the whole can be learned from it."""
    for name in ("perRegion", "perItem"):
        if is_true(around[0], name):
            return f'{name}="true"'
    selected = any(attribute(one, "visibleWhen") == "region-selected" for one in around)
    return 'visibleWhen="region-selected"' if selected else ""


def _silence(control: Control, around: list[Element]) -> Label | None:
    """Who submits without any of several choices, or any region, says that there is none, unless not asked at all."""
    if control.kind not in ("choices", "spans") or _is_asked_of_some(around) or is_true(around[0], "required"):
        return None
    return ()


def _is_asked_of_some(around: list[Element]) -> bool:
    """Whether it depends on what is chosen elsewhere if it is asked of a task at all."""
    return any(
        attribute(one, "visibleWhen") not in ("", "region-selected") or attribute(one, "whenChoiceValue")
        for one in around
    )
