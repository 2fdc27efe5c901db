"""Label Studio's labeling config as a tree of tags: read safely, and asked in the way its editor asks it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from nextlabel.errors import SchemaError

_LARGEST = 1_000_000
_DEEPEST = 100  # a path of nested choices is a label, so depth times size bounds what a config can make us hold
_DECLARATION = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_LONGEST_SHOWN = 60


class Unsupported(Exception):
    """Why a control is left out, in a sentence."""


def read_tree(xml: str) -> Element:
    """The config's root. Raises `SchemaError` where it is unreadable, or too large or deep to be a config."""
    if len(xml) > _LARGEST:
        raise SchemaError(
            f"The labeling config is larger than nextlabel reads ({_LARGEST:,} characters): divide it into projects."
        )
    if _DECLARATION.search(xml):
        raise SchemaError("The labeling config declares a DTD or an entity: remove <!DOCTYPE …> and <!ENTITY …>.")
    try:
        root = ET.fromstring(xml)  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        raise SchemaError(
            f"The labeling config is not well-formed XML ({error}): correct it in the project's settings."
        ) from error
    depth, level = 0, [root]
    while level:
        if (depth := depth + 1) > _DEEPEST:
            raise SchemaError(
                f"The labeling config nests tags deeper than nextlabel reads ({_DEEPEST} levels): take levels out."
            )
        level = [child for tag in level for child in tag]
    return root


def parents_of(root: Element) -> Mapping[Element, Element]:
    return {child: tag for tag in root.iter() for child in tag}


def enclosing(tag: Element, parents: Mapping[Element, Element]) -> Iterator[Element]:
    """The tags around a tag, nearest first."""
    parent = parents.get(tag)
    while parent is not None:
        yield parent
        parent = parents.get(parent)


def tag_name(tag: Element) -> str:
    """In lower case: the editor does not mind it."""
    return tag.tag.lower()


def attribute(tag: Element, name: str) -> str:
    """An attribute, "" without one; the editor writes all names of attributes in lower case."""
    return tag.get(name) or tag.get(name.lower()) or ""


def is_true(tag: Element, name: str) -> bool:
    return attribute(tag, name).strip().lower() == "true"


def shown(text: str) -> str:
    """As much of a text as belongs in a sentence."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
