"""The text of a task that spans of an input are counted in, however the tool lays it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from nextlabel.features.pages import page_of
from nextlabel.features.passages import Passage
from nextlabel.labeling import Input, read_field

_LARGEST_WHOLE = 2**53  # up to which JavaScript writes a whole number as Python does


def text_for_spans(data: Mapping[str, object], shown: Input) -> str | None:
    """None where the task holds none, or one that the tool would show otherwise than can be known here."""
    value = read_field(data, shown.field)
    match shown.layout:
        case "":
            return value if isinstance(value, str) else None
        case "turns" | "turns by time":
            turns = turns_of(value, shown)
            return None if turns is None else turns.text
        case _:
            page = page_of(value, shown)
            return None if page is None else page.passage.text


def turns_of(value: object, shown: Input) -> Passage | None:
    """The turns of a dialogue, a piece and a line each, in the order in which the tool shows them.

    A turn without a text is an empty piece. None for what is no dialogue.
    """
    if not isinstance(value, list) or not value or not all(isinstance(turn, dict) for turn in value):
        return None
    turns = cast("list[dict[str, object]]", value)
    if shown.text_key not in turns[0]:
        return None  # Label Studio's editor then shows no turn at all
    if shown.layout == "turns by time":
        if not all(_is_timed(turn) for turn in turns):
            return None
        turns = sorted(turns, key=_time_of)
    return Passage.of(("\n" if n else "", _written(turn.get(shown.text_key))) for n, turn in enumerate(turns))


def _written(text: object) -> str:
    if isinstance(text, str):
        return text
    is_whole = isinstance(text, int) and not isinstance(text, bool) and abs(text) < _LARGEST_WHOLE
    return str(text) if is_whole else ""


def _is_timed(turn: Mapping[str, object]) -> bool:
    times = (turn.get(name) for name in ("start", "end", "duration"))
    return all(one is None or (isinstance(one, int | float) and not isinstance(one, bool)) for one in times)


def _time_of(turn: Mapping[str, object]) -> tuple[bool, float, float]:
    """As Label Studio's editor sorts: what starts at 0 or nowhere comes last, in the order given."""
    start, end, duration = (cast("float", turn.get(name) or 0) for name in ("start", "end", "duration"))
    return (False, start, end or start + duration) if start else (True, 0, 0)
