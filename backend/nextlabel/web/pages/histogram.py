"""How many tasks the model is how unsure of, as the bars of an SVG. Pure: from the read model to coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nextlabel.labeling import counted

WIDTH, HEIGHT = 720, 170
_LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 44, 22, 12, 30, 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of [0, 1]: where it is drawn, from where to where it is, and how many tasks."""

    x: float
    y: float
    width: float
    height: float
    low: float
    high: float
    tasks: int

    @property
    def words(self) -> str:
        return f"{self.low:.2f} to {self.high:.2f}: {counted(self.tasks, 'task')}"


@dataclass(frozen=True, slots=True)
class Histogram:
    """``ticks`` are places with what stands below them."""

    bars: Sequence[Bar]
    ticks: Sequence[tuple[float, str]]
    most: int

    title = "Uncertainty of the open tasks"

    @property
    def desc(self) -> str:
        total = sum(one.tasks for one in self.bars)
        half = sum(one.tasks for one in self.bars if one.low >= 0.5)
        fullest = max(self.bars, key=lambda one: one.tasks)
        return (
            f"{counted(total, 'open task')} by how unsure the model is of them, from 0 to 1. Most are at "
            f"{fullest.words}. {counted(half, 'task')} from 0.5 on."
        )


def histogram(parts: Sequence[Mapping[str, Any]]) -> Histogram | None:
    """``parts`` are the read model's; None where no task was counted."""
    most = max((one["tasks"] for one in parts), default=0)
    if not most:
        return None
    return Histogram([_bar(one, most) for one in parts], [(_x(n / 5), f"{n / 5:g}") for n in range(6)], most)


def _bar(part: Mapping[str, Any], most: int) -> Bar:
    x, end = _x(part["low"]), _x(part["high"])
    height = round((HEIGHT - _TOP - _BOTTOM) * part["tasks"] / most, 1)
    width = round(end - x - _GAP, 1)
    return Bar(x, round(HEIGHT - _BOTTOM - height, 1), width, height, part["low"], part["high"], part["tasks"])


def _x(share: float) -> float:
    return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)
