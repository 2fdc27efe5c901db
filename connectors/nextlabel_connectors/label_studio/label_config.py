"""Label Studio's labeling config: which controls nextlabel learns, and why the others are left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from nextlabel.errors import SchemaError
from nextlabel.labeling import LabelSchema, Target
from nextlabel_connectors.label_studio.controls import CONTROLS, Control, Unsupported

SUPPORTED = "<Choices> with a single choice, or <Rating>, on a <Text> or <HyperText>"

_LARGEST = 1_000_000
_DECLARATION = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
# What Label Studio's editor takes for a reference to the task's data inside a `value`.
_REFERENCE = re.compile(r"\$([\w\[\].{}]+)")
_PLAIN_FIELD = re.compile(r"\w+")
# Tags that point at another tag without labeling anything.
_NOT_A_CONTROL = frozenset({"filter"})


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """A labeling config as far as nextlabel follows it.

    ``to_names`` maps each target to the object tag that it labels, ``controls`` to how its labels stand in results,
    ``labels`` to what can be chosen.
    """

    schema: LabelSchema
    to_names: Mapping[str, str]
    controls: Mapping[str, Control]
    labels: Mapping[str, frozenset[str]]


def parse_label_config(xml: str) -> LabelConfig:
    """Read a labeling config. Raises `SchemaError` when it is unreadable or holds nothing to learn."""
    tags = list(_tree(xml).iter())
    objects = {tag.get("name", ""): tag for tag in tags if tag.get("name") and not tag.get("toName")}
    targets: list[Target] = []
    to_names: dict[str, str] = {}
    controls: dict[str, Control] = {}
    left_out: dict[str, str] = {}
    for tag in tags:
        name = tag.get("name", "")
        if not name or not tag.get("toName") or tag.tag.lower() in _NOT_A_CONTROL:
            continue
        try:
            targets.append(_target(tag, objects))
            to_names[name], controls[name] = tag.get("toName", ""), CONTROLS[tag.tag]
        except Unsupported as reason:
            left_out[name] = str(reason)
    if not targets:
        raise SchemaError(_nothing_to_learn(left_out))
    schema = LabelSchema(tuple(targets), left_out)
    return LabelConfig(schema, to_names, controls, {target.name: frozenset(target.labels) for target in targets})


def _tree(xml: str) -> Element:
    if len(xml) > _LARGEST:
        raise SchemaError(f"The labeling config is larger than {_LARGEST:,} characters; nextlabel does not read it.")
    if _DECLARATION.search(xml):
        raise SchemaError("The labeling config declares a DTD or an entity: remove <!DOCTYPE …> and <!ENTITY …>.")
    try:
        return ET.fromstring(xml)  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        raise SchemaError(f"The labeling config is not well-formed XML: {error}.") from error


def _target(tag: Element, objects: Mapping[str, Element]) -> Target:
    control = CONTROLS.get(tag.tag)
    if control is None:
        raise Unsupported(f"<{tag.tag}> is not supported yet.")
    _check_asked_of_every_task(tag)
    labels = control.labels(tag)
    return Target(tag.get("name", ""), control.kind, _inputs(tag.get("toName", ""), objects), labels)


def _check_asked_of_every_task(tag: Element) -> None:
    """Only a control that is asked once of every task can be learned from the task."""
    if "{{" in tag.get("name", "") + tag.get("toName", ""):
        raise Unsupported("It is repeated by a <Repeater>, which is not supported yet.")
    for attribute in ("perRegion", "perItem"):
        if tag.get(attribute, "false").lower() == "true":
            raise Unsupported(f'{attribute}="true" asks it of parts of a task, which is not supported yet.')
    if "visibleWhen" in tag.attrib:
        raise Unsupported("visibleWhen asks it of some tasks only, which is not supported yet.")


def _inputs(to_name: str, objects: Mapping[str, Element]) -> tuple[str, ...]:
    if "," in to_name:
        raise Unsupported("It labels several objects at once, which is not supported yet.")
    shown = objects.get(to_name)
    if shown is None:
        raise Unsupported(f'toName="{to_name}" names no object of the config.')
    if shown.tag not in ("Text", "HyperText"):
        raise Unsupported(f"It labels a <{shown.tag}>, which is not supported yet.")
    if shown.get("valueType", "text").lower() == "url":
        raise Unsupported(f'<{shown.tag} valueType="url"> keeps the text elsewhere; it must stand in the task.')
    fields = tuple(dict.fromkeys(_REFERENCE.findall(shown.get("value", ""))))
    if not fields:
        raise Unsupported(f"<{shown.tag}> shows no field of the task.")
    for name in fields:
        if not _PLAIN_FIELD.fullmatch(name):
            raise Unsupported(f"<{shown.tag}> shows ${name}, which lies inside another field; copy it to the top.")
    return fields


def _nothing_to_learn(left_out: Mapping[str, str]) -> str:
    found = " ".join(f"Control '{name}': {reason}" for name, reason in left_out.items()) or "It has no control at all."
    return f"The labeling config holds nothing that nextlabel can learn. {found} Supported is {SUPPORTED}."
