"""Regions of pages and dialogues: where Label Studio's editor writes that they are, and the spans that they are here.

A region stands in the task that it is of, so that only the task's data tells which characters it has. What does not fit
them is no span: the data may have been changed since, or come from elsewhere.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import cast

from nextlabel.features.layouts import turns_of
from nextlabel.features.pages import Page, page_of
from nextlabel.features.passages import Passage, Place
from nextlabel.labeling import Input, Label, Span, read_field
from nextlabel_connectors.label_studio.values import Data, Form, Value, all_spans, labels_under, offset_in

_COMPARED = 10_000  # characters of a region: of longer ones only the offsets must fit
_SPARE = re.compile(r"\s(?=\s)")  # spaces of which only the last is shown

_Ends = tuple[int, int]
_Read = Callable[[Value], _Ends | None]
_Write = Callable[[_Ends], dict[str, object] | None]
_NOTHING: tuple[Callable[[Value], Label | None], Callable[[Label], list[dict[str, object]]]] = (
    lambda value: None,
    lambda label: [],
)


def regions_form(control: str, shown: Input) -> Form:
    """How the spans that a control marks in a page or in turns stand in results.

    ``control`` is the tag's name in small letters: both the type of its results and the key of their labels.
    """
    codec = _of_turns if shown.layout in ("turns", "turns by time") else _of_page

    def for_task(data: Data) -> Form:
        found = codec(read_field(data, shown.field), shown)
        return Form(control, *_NOTHING, all_spans) if found is None else _form(control, *found)

    return Form(control, *_NOTHING, all_spans, for_task=for_task)


def _form(control: str, read: _Read, write: _Write) -> Form:
    def read_spans(value: Value) -> Label | None:
        ends, labels = read(value), labels_under(control, value)
        if ends is None or labels is None:
            return None
        return tuple(Span(*ends, label) for label in labels)

    def write_spans(label: Label) -> list[dict[str, object]]:
        spans = cast("tuple[Span, ...]", label)
        written = ((write((start, end)), name) for start, end, name in spans if start < end)
        return [{**where, control: [name]} for where, name in written if where is not None]

    return Form(control, read_spans, write_spans, all_spans)


def _agrees(stated: object, text: str, start: int, end: int, since: int) -> bool:
    """Whether what the editor wrote as the text of a region can be that of these characters.

    It writes what a browser shows as selected: without what is hidden, with the times between turns, in capitals where
    the page says so, with any space. Of turns that it was given it counts the text anew where spaces that follow others
    are not shown (``since`` the turn began), and so writes what stands as many characters further on.
    """
    if not isinstance(stated, str) or max(len(stated), end - start) > _COMPARED:
        return True
    one, other = _letters(stated), _letters(text[start:end])
    if _is_within(one, other) or _is_within(other, one):
        return True
    spare = len(_SPARE.findall(text, max(since, start - _COMPARED), end)) + text[since : since + 1].isspace()
    return one in _letters(text[start : end + spare])


def _letters(text: str) -> str:
    return "".join(text.replace("\\n", "").casefold().split())  # the editor writes line breaks as two characters


def _is_within(short: str, long: str) -> bool:
    """Whether all its characters stand there, in their order."""
    waiting = iter(long)
    return all(one in waiting for one in short)


# --- dialogues: the number of the turn, and UTF-16 code units into it ------------------------------------------------


def _of_turns(value: object, shown: Input) -> tuple[_Read, _Write] | None:
    turns = turns_of(value, shown)
    if turns is None:
        return None

    def read(value: Value) -> _Ends | None:
        start = _turn_place(value, "start", "startOffset", turns)
        end = _turn_place(value, "end", "endOffset", turns)
        if start is None or end is None or start >= end:
            return None
        since = turns.starts[bisect_right(turns.starts, start) - 1]
        return (start, end) if _agrees(value.get("text"), turns.text, start, end, since) else None

    def write(ends: _Ends) -> dict[str, object] | None:
        start, end = turns.place(ends[0], is_end=False), turns.place(ends[1], is_end=True)
        if start is None or end is None:
            return None
        return {
            "start": str(start.piece),
            "end": str(end.piece),
            "startOffset": start.offset,
            "endOffset": end.offset,
        }

    return read, write


def _turn_place(value: Value, turn: str, offset: str, turns: Passage) -> int | None:
    number, units = offset_in(value.get(turn)), offset_in(value.get(offset))
    return None if number is None or units is None else turns.position(Place(number, units))


# --- pages: characters from the start of the page, and the XPath of a text with UTF-16 code units into it ------------


def _of_page(value: object, shown: Input) -> tuple[_Read, _Write] | None:
    page = page_of(value, shown)
    if page is None:
        return None

    def read(value: Value) -> _Ends | None:
        counted = value.get("globalOffsets")
        if isinstance(counted, Mapping):
            start = _counted(counted.get("start"), page, is_end=False)
            end = _counted(counted.get("end"), page, is_end=True)
        else:
            start = _on_path(value.get("start"), value.get("startOffset"), page)
            end = _on_path(value.get("end"), value.get("endOffset"), page)
        if start is None or end is None or start >= end:
            return None
        return (start, end) if _agrees(value.get("text"), page.passage.text, start, end, end) else None

    def write(ends: _Ends) -> dict[str, object] | None:
        start, end = page.passage.place(ends[0], is_end=False), page.passage.place(ends[1], is_end=True)
        first, beyond = page.count(ends[0], is_end=False), page.count(ends[1], is_end=True)
        if start is None or end is None:
            return None
        return {
            "start": page.path(start.piece),
            "end": page.path(end.piece),
            "startOffset": start.offset,
            "endOffset": end.offset,
            "globalOffsets": {"start": first, "end": beyond},
        }

    return read, write


def _counted(stated: object, page: Page, *, is_end: bool) -> int | None:
    counted = offset_in(stated)
    return None if counted is None else page.position(counted, is_end=is_end)


def _on_path(path: object, offset: object, page: Page) -> int | None:
    piece, units = page.piece(path) if isinstance(path, str) else None, offset_in(offset)
    return None if piece is None or units is None else page.passage.position(Place(piece, units))
