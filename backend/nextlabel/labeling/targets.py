"""What is to be labeled: targets with their inputs, labels and scales, and the schema of a project."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field  # for an Input has a field
from itertools import islice
from typing import Literal

from nextlabel.errors import SchemaError
from nextlabel.labeling.kinds import KINDS, LONGEST_LABEL, Label, TargetKind
from nextlabel.labeling.scales import Scale
from nextlabel.labeling.tasks import Task, read_field

_REASONS, _LONGEST_NAME = 10, 60  # of what is left out, in one message
_MOST_OFFERED, _DEEPEST = 1_000, 50  # options or items that are read of one task, and how many within one another
_END = object()
_LARGEST_ID = 2**53  # beyond it JavaScript no longer counts
_INDEX, _LARGEST_INDEX = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII), 2**32 - 1

InputKind = Literal["text", "dialogue", "table", "image", "audio", "video", "series", "pdf", "metadata"]
"""What a task's field holds: words or a number · turns of a conversation · named values · the address of a picture, a
sound, a video · numbers over time or their address · the address of a document · a recording that is not read."""

OPENED = frozenset[InputKind](("image", "audio", "video", "series", "pdf"))
"""Kinds whose files are opened where they stand."""

RECORDINGS = OPENED - {"image"} | {"metadata"}
"""Kinds beside which all other fields of a task count: what is not opened, or says nothing, they stand for."""

Layout = Literal["", "turns", "turns by time", "page", "inline page", "list"]
"""How a tool shows the field where spans of it are marked: a text as it is · turns of a dialogue, as they come or by
their time · a page in HTML, by itself or within the tool's own. Of files: only the first · each of a "list"."""


@dataclass(frozen=True, slots=True)
class Input:
    """A field of the task that a target is about; `read_field` has its value.

    ``note`` says how the labeling config names it, for where tasks do not have it. ``layout`` matters for spans and
    lists of files only, and ``text_key`` where there are turns: which of their named values is the text.
    """

    field: str
    kind: InputKind = "text"
    note: str = dataclass_field(default="", compare=False, repr=False)
    layout: Layout = dataclass_field(default="", repr=False)
    text_key: str = dataclass_field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to be learned about each task: a control tag of the labeling config.

    ``inputs`` are the task fields it is about, in the order they are shown; ``labels`` the values that an annotator
    can choose (none for a number, which has a ``scale``). With ``compared`` it is about which of two inputs is better,
    and its two labels stand for the first and the second. One that is not ``pre_annotated`` is what an answer holds,
    such as which labels occur somewhere in it: it orders tasks, and people are shown nothing of it. With ``options``
    each task offers more labels in that field (`offered`), so that any label may occur. With a ``separator`` an option
    may hold others, and a label is the way to one from the outermost: all their names, with that between. What is
    ordered in a ``ranking`` are the items in that field, and its labels are buckets for them.
    """

    name: str
    kind: TargetKind
    inputs: tuple[Input, ...]
    labels: tuple[str, ...] = ()
    scale: Scale | None = None
    compared: bool = False
    pre_annotated: bool = dataclass_field(default=True, repr=False)
    options: str = dataclass_field(default="", repr=False)
    separator: str = dataclass_field(default="", repr=False)

    def offered(self, task: Task) -> dict[str, str]:
        """The labels that can be chosen for a task, the target's own and then those in the task's ``options``, and
        what people read there; of a ``ranking`` the ids of the items there.

        An option is an object with a ``value``, and perhaps ``html`` that is shown in its place, an ``alias`` that
        stands for it in labels, and where there is a separator ``children``. Anything else that is there is no option,
        nor is what comes after the thousandth, or has a label that is too long.

        An item is an object with an ``id``, a text or a whole number, and a ``title``, ``body`` or ``html``; of two
        with the same id only the later one is shown. They come in the order in which Label Studio shows them. Where
        anything else is among them, or more than a thousand, there are none: an order without some of them would hide
        these from people.
        """
        stated = read_field(task.data, self.options) if self.options else None
        if KINDS[self.kind].of_items:
            return _items(stated)
        found = {label: label for label in self.labels}
        for path, option in islice(_options_in(stated, nested=bool(self.separator)), _MOST_OFFERED):
            if len(label := self.separator.join(path)) <= LONGEST_LABEL:
                found.setdefault(label, str(option.get("html") or option.get("value")))
        return found

    def read(self, stated: object) -> Label | None:
        """A label as it was stored, where it is one that this target can have; None where it is not.

        ``stated`` may have been through JSON, which knows lists only. A label of which any part no longer fits is no
        label: half of it would say something that nobody has said.
        """
        kind = KINDS[self.kind]
        return kind.read(stated, None if self.options and not kind.of_items else self.labels, self.scale)


def _items(stated: object) -> dict[str, str]:
    items = stated if isinstance(stated, list) and len(stated) <= _MOST_OFFERED else []
    ids = [_id_of(item) for item in items]
    found = {one: _read_of(item) for one, item in zip(ids, items, strict=True) if one is not None}
    return {} if None in ids else dict(sorted(found.items(), key=lambda one: _index_of(one[0])))


def _index_of(name: str) -> int:
    """Label Studio's editor keeps items in a JavaScript object, which has whole numbers first, by their size."""
    return min(int(name), _LARGEST_INDEX) if _INDEX.fullmatch(name) else _LARGEST_INDEX


def _id_of(item: object) -> str | None:
    """As JavaScript writes it."""
    match item:
        case {"id": str(text)} if 0 < len(text) <= LONGEST_LABEL:
            return text
        case {"id": bool()}:
            return None
        case {"id": int() | float() as number} if abs(number) < _LARGEST_ID and number == int(number):
            return str(int(number))
        case _:
            return None


def _read_of(item: Mapping[str, object]) -> str:
    parts = (item.get(part) for part in ("title", "body", "html"))
    return "\n".join(str(one) for one in parts if isinstance(one, str | int | float))


def _options_in(stated: object, *, nested: bool) -> Iterator[tuple[tuple[str, ...], Mapping[str, object]]]:
    """Each option with the names of those around it and its own, as they are shown from top to bottom."""
    waiting: list[tuple[tuple[str, ...], Iterator[object]]] = [((), _listed(stated))]
    while waiting:
        around, options = waiting[-1]
        option = next(options, _END)
        if option is _END:
            waiting.pop()
        elif isinstance(option, Mapping) and (name := _name_of(option)):
            yield (*around, name), option
            if nested and len(waiting) < _DEEPEST:
                waiting.append(((*around, name), _listed(option.get("children"))))


def _name_of(option: Mapping[str, object]) -> str:
    name = option.get("alias") or option.get("value")
    return name if isinstance(name, str) else ""


def _listed(options: object) -> Iterator[object]:
    return islice(options, _MOST_OFFERED) if isinstance(options, list) else iter(())


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """What a project labels: the targets that nextlabel can learn, and by name what it leaves out and why, and which of
    the targets it learns by what an answer holds, and why.

    ``source`` is the labeling config in the tool's own words, which models for label-studio-ml read, and ``shown`` the
    task fields that annotators see, whether or not a target is about them.
    """

    targets: tuple[Target, ...]
    left_out: Mapping[str, str] = dataclass_field(default_factory=dict)
    source: str = dataclass_field(default="", repr=False)
    shown: tuple[Input, ...] = ()
    held: Mapping[str, str] = dataclass_field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Twelve hex digits that change whenever a target changes."""
        options = tuple(target.options for target in self.targets)
        layouts = [(one.layout, one.text_key) for target in self.targets for one in target.inputs if one.layout]
        separators = [target.name for target in self.targets if target.options and target.separator]
        also = [some for some in (options if any(options) else (), layouts, separators) if some]
        stated = repr((self.targets, *also) if also else self.targets)  # as ever where there are none
        return hashlib.sha256(stated.encode()).hexdigest()[:12]

    @property
    def source_digest(self) -> str:
        """Twelve hex digits that change with any word of the labeling config."""
        return hashlib.sha256(self.source.encode("utf-8", "replace")).hexdigest()[:12]

    def check_learnable(self) -> None:
        """Raises `SchemaError` where there is nothing that nextlabel can learn, with the reasons."""
        if not self.targets:
            found = islice(self.left_out.items(), _REASONS)
            reasons = " ".join(f"Control '{name[:_LONGEST_NAME]}': {why}" for name, why in found)
            raise SchemaError(
                "The labeling config holds nothing that nextlabel can learn. "
                f"{reasons or 'It has no control at all.'} docs/learned.md lists what is learned; for anything else, "
                "serve a model of your own (`nextlabel serve --model`)."
            )
