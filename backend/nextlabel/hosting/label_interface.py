"""The part of label-studio-sdk's LabelInterface that models use to read a labeling config, where there is no SDK."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn
from xml.etree import ElementTree as ET

_NOT_CONTROLS = ("Filter",)
_LABELS = ("Label", "Choice", "Relation")

NameFilter = Callable[[str], bool] | None


@dataclass
class Tag:
    """A tag of the labeling config: a control, an object or a label."""

    tag: str
    attr: dict[str, str]
    name: str = ""
    value: str = ""
    to_name: list[str] = field(default_factory=list)
    objects: list[Tag] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    labels_attrs: dict[str, Tag] = field(default_factory=dict)

    @property
    def value_name(self) -> str:
        """The field of the task that it shows."""
        return self.value[1:]

    @property
    def value_is_variable(self) -> bool:
        """Whether it shows a field of the task, and not always the same."""
        return self.value.startswith("$")

    @property
    def value_type(self) -> str | None:
        """ "url" where the field holds an address."""
        return self.attr.get("valueType") or self.attr.get("valuetype")

    def get_object(self, name: str | None = None) -> Tag:
        """The object that the control is about."""
        return _one({one.name: one for one in self.objects}, name)

    get_input = get_object

    def is_a(self, kinds: str | tuple[str, ...], wanted: NameFilter) -> bool:
        """Whether its tag is one of these, upper or lower case, and its name is wanted."""
        names = (kinds,) if isinstance(kinds, str) else kinds
        if self.tag.lower() not in [name.lower() for name in names]:
            return False
        return wanted is None or wanted(self.name.lower())

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(f"<{self.tag}> has no {name} here: install label-studio-sdk beside nextlabel")


class LabelInterface:
    """A labeling config, read."""

    def __init__(self, config: str, *_: object, **__: object) -> None:
        self.config = config
        self._controls: dict[str, Tag] = {}
        self._objects: dict[str, Tag] = {}
        self._read(ET.fromstring(config), None)  # noqa: S314 - the team's own config, in the team's own process
        for control in self._controls.values():
            control.objects = [self._objects[name] for name in control.to_name if name in self._objects]
            control.labels = list(control.labels_attrs)

    def _read(self, element: ET.Element, within: Tag | None) -> None:
        attr = dict(element.attrib)
        name, value = attr.get("name", ""), attr.get("valueList", attr.get("value", ""))
        if name and attr.get("toName") and element.tag not in _NOT_CONTROLS:
            within = Tag(element.tag, attr, name, value, attr["toName"].split(","))
            self._controls[name] = within
        elif name and value:
            self._objects[name] = Tag(element.tag, attr, name, value)
        elif element.tag in _LABELS and within is not None:
            label = attr.get("alias") or attr.get("value")
            if label:
                within.labels_attrs[label] = Tag(element.tag, attr, value=label)
        for child in element:
            self._read(child, within)

    @property
    def controls(self) -> list[Tag]:
        """What is labeled, in the config's order."""
        return list(self._controls.values())

    @property
    def objects(self) -> list[Tag]:
        """What is shown, in the config's order."""
        return list(self._objects.values())

    @property
    def labels(self) -> list[dict[str, Tag]]:
        """The labels of each control that has any."""
        return [control.labels_attrs for control in self.controls if control.labels_attrs]

    def get_tag(self, name: str) -> Tag:
        """The control or the object of that name."""
        return _one({**self._objects, **self._controls}, name)

    def get_control(self, name: str | None = None) -> Tag:
        """The control of that name, or the only one."""
        return _one(self._controls, name)

    get_output = get_control

    def get_object(self, name: str | None = None) -> Tag:
        """The object of that name, or the only one."""
        return _one(self._objects, name)

    get_input = get_object

    def find_tags(self, tag_type: str | None = None, match_fn: Callable[[Tag], bool] | None = None) -> list[Tag]:
        """The controls ("controls", "outputs"), the objects ("objects", "inputs") or both that match."""
        if tag_type in ("controls", "outputs"):
            found = self.controls
        elif tag_type in ("objects", "inputs"):
            found = self.objects
        else:
            found = self.objects + self.controls
        return [tag for tag in found if match_fn is None or match_fn(tag)]

    def get_first_tag_occurence(
        self,
        control_type: str | tuple[str, ...],
        object_type: str | tuple[str, ...],
        name_filter: NameFilter = None,
        to_name_filter: NameFilter = None,
    ) -> tuple[str, str, str]:
        """The names of the first control and object of these kinds that belong together, and the task's field."""
        for control in self.controls:
            if control.is_a(control_type, name_filter):
                for shown in control.objects:
                    if shown.is_a(object_type, to_name_filter):
                        return control.name, shown.name, shown.value_name
        raise ValueError(f"the labeling config has no {control_type} on {object_type}")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(f"the label interface has no {name} here: install label-studio-sdk beside nextlabel")


def _one(tags: dict[str, Tag], name: str | None) -> Tag:
    if name is None and len(tags) == 1:
        return next(iter(tags.values()))
    if name not in tags:
        raise KeyError(f"{name!r} is not in the labeling config, or there are several: {', '.join(tags)}")
    return tags[name]
