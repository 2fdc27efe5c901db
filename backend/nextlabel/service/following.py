"""Whether the order is followed: whether the tool serves it, and how many labels came from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nextlabel.labeling import AnnotationId, counted
from nextlabel.ports.state import Connection, QueueCheck, QueueRecord
from nextlabel.ports.tool import TaskList
from nextlabel.service.addresses import list_of

Given = Sequence[tuple[AnnotationId, bool | None]]
"""Annotations, and whether the task of each stood in a window (`SqlLabelStore.from_order`)."""


def verified(announced: Sequence[QueueRecord], check: QueueCheck | None) -> dict[str, Any]:
    """When it was last read from the tool whether it serves the newest order ``announced``, and whether it did."""
    queue = announced[0].version if announced else None
    known = check if check and check.queue == queue else None
    return {
        "queue": queue,
        "at": known and known.at.isoformat(),
        "serves": known and known.serves,
        "lost_at": check and check.lost_at and check.lost_at.isoformat(),
        "sentence": _verified(queue, known),
    }


def _verified(queue: str | None, known: QueueCheck | None) -> str:
    if queue is None:
        return "there is no order yet"
    if known is None:
        return f"not read back yet: the next round asks the tool whether it serves {queue}"
    if known.serves:
        return f"read back from the tool: people who label get {queue}"
    return f"the tool serves another order than {queue}: the next round that succeeds writes it again"


def by_order(announced: Sequence[QueueRecord], given: Given) -> dict[str, Any]:
    """How many of the latest labels were of tasks that stood in the window then.

    ``by_chance`` is the share that it would be if people took any open task: what the newest window held of them.
    """
    known = [stood for _, stood in given if stood is not None]
    share = sum(known) / len(known) if known else None
    newest = announced[0] if announced else None
    by_chance = min(1.0, len(newest.window) / newest.pool) if newest and newest.pool else None
    return {
        "labels": sum(known),
        "n": len(known),
        "share": share,
        "by_chance": by_chance,
        "sentence": _by_order(sum(known), len(known), by_chance),
    }


def _by_order(labels: int, n: int, by_chance: float | None) -> str:
    if not n:
        return "not known yet: it is counted from the first label that comes while an order stands"
    came = f"{labels} of the last {counted(n, 'label')} are of tasks of the order in force, or of the one before"
    return came if by_chance is None else f"{came}; it holds {by_chance:.0%} of the open tasks"


def not_from_order(connection: Connection, given: Given) -> str | None:
    """Where people open those in the tool that did not."""
    others = [annotation for annotation, stood in given if stood is False]
    return list_of(connection, TaskList("nextlabel: not from the order", annotations=others)) if others else None
