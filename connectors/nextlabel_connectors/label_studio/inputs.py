"""The object tags of a labeling config: which fields of the task an annotator sees there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree.ElementTree import Element

from nextlabel.labeling import Input, InputKind
from nextlabel_connectors.label_studio.config_xml import Unsupported, attribute, shown, tag_name

# What Label Studio's editor takes for a reference to the task's data inside a `value`.
REFERENCE = re.compile(r"\$([\w\[\].{}]+)")
_PLAIN_FIELD = re.compile(r"\w+")
_TEXTS = ("text", "hypertext")
# These show one field as a whole.
_WHOLES: Mapping[str, InputKind] = {"paragraphs": "dialogue", "table": "table", "image": "image"}
_RECORDINGS = ("audio", "audioplus", "video", "timeseries")
_HERE = ("", "text", "json")


def inputs_of(tag: Element) -> tuple[Input, ...]:
    """What a control on this object tag is about. Raises `Unsupported` where that cannot be read from the task."""
    if tag_name(tag) in _RECORDINGS or _is_page_elsewhere(tag):
        return tuple(Input(field, "metadata") for field in _fields(tag))
    if tag_name(tag) in _TEXTS:
        _must_stand_in_the_task(tag)
        return tuple(Input(field) for field in _fields(tag))
    kind = _WHOLES.get(tag_name(tag))
    if kind is None:
        raise Unsupported(_cannot_read(tag))
    if kind == "image":
        if attribute(tag, "valueList"):
            raise Unsupported("It labels a list of images (valueList), which is not supported; connect your own model.")
    else:
        _must_stand_in_the_task(tag)
    return (Input(_only_field(tag), kind),)


def text_of(tag: Element) -> Input:
    """The one text whose characters regions of this tag are counted in. Raises `Unsupported` where there is none."""
    if tag_name(tag) != "text":
        raise Unsupported(f"It marks regions of a <{shown(tag.tag)}>; nextlabel learns only those of a <Text>.")
    _must_stand_in_the_task(tag)
    return Input(_only_field(tag))


def _is_page_elsewhere(tag: Element) -> bool:
    return tag_name(tag) == "hypertext" and attribute(tag, "valueType").strip().lower() == "url"


def _must_stand_in_the_task(tag: Element) -> None:
    if attribute(tag, "valueType").strip().lower() not in _HERE or attribute(tag, "resolver"):
        said = 'resolver="…"' if attribute(tag, "resolver") else f'valueType="{shown(attribute(tag, "valueType"))}"'
        raise Unsupported(f"<{tag.tag} {said}> keeps what it shows elsewhere; it must stand in the task.")
    if attribute(tag, "encoding").lower() not in ("", "none"):
        raise Unsupported(f"<{tag.tag} encoding=…> shows an encoded text; it must stand in the task as it is.")


def _fields(tag: Element) -> tuple[str, ...]:
    fields = tuple(dict.fromkeys(REFERENCE.findall(attribute(tag, "value"))))
    if not fields:
        raise Unsupported(f"<{tag.tag}> shows no field of the task.")
    for name in fields:
        if not _PLAIN_FIELD.fullmatch(name):
            raise Unsupported(f"<{tag.tag}> shows ${shown(name)}, which lies inside another field; copy it to the top.")
    return fields


def _only_field(tag: Element) -> str:
    field, *more = _fields(tag)
    if more or attribute(tag, "value") != f"${field}":
        raise Unsupported(f"<{tag.tag}> must show exactly one field of the task, and nothing around it.")
    return field


def _cannot_read(tag: Element) -> str:
    if tag_name(tag) == "header":
        return "It labels a <Header>, which Label Studio's editor does not let be labeled; use a <Text>."
    return f"It labels a <{shown(tag.tag)}>, which nextlabel does not read; connect your own model for it."
