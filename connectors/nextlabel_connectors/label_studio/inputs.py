"""The object tags of a labeling config: which fields of the task an annotator sees there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from xml.etree.ElementTree import Element

from nextlabel.labeling import Input, InputKind, Layout
from nextlabel_connectors.label_studio.config_xml import Unsupported, attribute, is_true, shown, tag_name

# What Label Studio's editor takes for a reference to the task's data inside a `value`: a name ends before a space, a
# hyphen or a letter that is not of these. (Its import takes all that follows a leading `$` for the name.)
REFERENCE = re.compile(r"\$([\w\[\].{}]+)", re.ASCII)
_NAMES = "names are of the letters a-z, digits and _, with . and [0] for what lies inside another field"
_TEXTS = ("text", "hypertext")
# These show one field as a whole.
_WHOLES: Mapping[str, InputKind] = {
    "paragraphs": "dialogue",
    "chat": "dialogue",
    "list": "dialogue",
    "table": "table",
    "image": "image",
}
# What these show is opened where it stands.
_RECORDINGS: Mapping[str, InputKind] = {
    "audio": "audio",
    "audioplus": "audio",
    "video": "video",
    "timeseries": "series",
    "pdf": "pdf",
}
_HERE = ("", "text", "json")
_TEXT_KEY = "text"  # of a turn of <Paragraphs>
MARKED_BY: Mapping[str, frozenset[str]] = {
    "text": frozenset(("labels",)),
    "hypertext": frozenset(("labels", "hypertextlabels")),
    "paragraphs": frozenset(("paragraphlabels",)),
}
"""What shows a text → the controls with which Label Studio's editor lets it be marked."""


def inputs_of(tag: Element) -> tuple[Input, ...]:
    """What a control on this object tag is about. Raises `Unsupported` where that cannot be read from the task."""
    if kind := _RECORDINGS.get(tag_name(tag)):
        # Where an address is put together from several fields, none of them is one.
        return _fields(tag, kind if REFERENCE.fullmatch(attribute(tag, "value")) else "metadata")
    if _is_page_elsewhere(tag):
        return _fields(tag, "metadata")
    if tag_name(tag) in _TEXTS:
        _must_stand_in_the_task(tag)
        return _fields(tag)
    whole = _WHOLES.get(tag_name(tag))
    if whole is None:
        raise Unsupported(_cannot_read(tag))
    if whole == "image":
        return (replace(_only_field(tag, whole), layout="list" if _list_of(tag) else ""),)
    _must_stand_in_the_task(tag)
    return (_only_field(tag, whole),)


def fields_of(tag: Element) -> tuple[Input, ...]:
    """Whatever fields an object shows, as ones that are not read. Raises `Unsupported` where it shows none."""
    return _fields(tag, "metadata")


def count_fields(tag: Element) -> int:
    """How many references to fields of the task an object shows."""
    return sum(1 for _ in REFERENCE.finditer(_value(tag)))


def text_of(tag: Element) -> Input:
    """The one text whose characters regions of this tag are counted in. Raises `Unsupported` where there is none."""
    if tag_name(tag) not in MARKED_BY:
        raise Unsupported(
            f"It marks regions of a <{shown(tag.tag)}>; nextlabel learns only those of a <Text>, a <HyperText> and "
            "<Paragraphs>."
        )
    _must_stand_in_the_task(tag)
    match tag_name(tag):
        case "hypertext":
            return replace(_only_field(tag), layout="inline page" if is_true(tag, "inline") else "page")
        case "paragraphs":
            layout: Layout = "turns by time" if is_true(tag, "contextScroll") else "turns"
            return replace(_only_field(tag, "dialogue"), layout=layout, text_key=attribute(tag, "textKey") or _TEXT_KEY)
        case _:
            return _only_field(tag)


def _list_of(tag: Element) -> str:
    """The field with the list of images that the editor shows instead of its value; "" where there is none."""
    return attribute(tag, "valueList") if tag_name(tag) == "image" else ""


def _value(tag: Element) -> str:
    return _list_of(tag) or attribute(tag, "value")


def _is_page_elsewhere(tag: Element) -> bool:
    return tag_name(tag) == "hypertext" and attribute(tag, "valueType").strip().lower() == "url"


def _must_stand_in_the_task(tag: Element) -> None:
    if attribute(tag, "valueType").strip().lower() not in _HERE or attribute(tag, "resolver"):
        stated = 'resolver="…"' if attribute(tag, "resolver") else f'valueType="{shown(attribute(tag, "valueType"))}"'
        raise Unsupported(f"<{tag.tag} {stated}> keeps what it shows elsewhere; it must stand in the task.")
    if attribute(tag, "encoding").lower() not in ("", "none"):
        raise Unsupported(f"<{tag.tag} encoding=…> shows an encoded text; it must stand in the task as it is.")


def _fields(tag: Element, kind: InputKind = "text") -> tuple[Input, ...]:
    value = _value(tag)
    names = dict.fromkeys(name.rstrip(".") for name in REFERENCE.findall(value))
    if "$" in value and not all(names or [""]):
        raise Unsupported(f'value="{shown(value)}" names no field that Label Studio\'s editor can read: {_NAMES}.')
    if not names:
        raise Unsupported(f"<{tag.tag}> shows no field of the task.")
    if any("{{" in name for name in names):
        raise Unsupported("It is repeated by a <Repeater>, which is not supported.")
    return tuple(Input(name, kind, _note(value, name)) for name in names)


def _note(value: str, name: str) -> str:
    if value in (f"${name}", f"${name}."):
        return ""
    return f'In value="{shown(value)}" Label Studio\'s editor reads ${shown(name)}: {_NAMES}.'


def _only_field(tag: Element, kind: InputKind = "text") -> Input:
    field, *more = _fields(tag, kind)
    if more or not REFERENCE.fullmatch(_value(tag)):
        raise Unsupported(f"<{tag.tag}> must show exactly one field of the task, and nothing around it.")
    return field


def _cannot_read(tag: Element) -> str:
    if tag_name(tag) == "header":
        return "It labels a <Header>, which Label Studio's editor does not let be labeled; use a <Text>."
    return f"It labels a <{shown(tag.tag)}>, which nextlabel does not read; connect your own model for it."
