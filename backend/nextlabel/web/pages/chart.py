"""The accuracy of versions over their labels, as the lines of an SVG. Pure: from the read model to coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

from nextlabel.evaluation.accuracy import in_words
from nextlabel.labeling import counted

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 22, 12, 30
_MOST_DRAWN, _MOST_CHARTS = 120, 6
_TICKS = 6


@dataclass(frozen=True, slots=True)
class Point:
    """A version that was measured: where it is drawn, and its figures."""

    x: float
    y: float
    top: float
    bottom: float
    version: str
    labels: int
    state: str
    found: Mapping[str, Any]

    @property
    def serves(self) -> bool:
        return self.state == "in_service"

    @property
    def aside(self) -> bool:
        """Whether it never served, because it was worse or a person had chosen another."""
        return self.state in ("turned_down", "held_back")

    @property
    def words(self) -> str:
        share = in_words(self.found["value"], self.found["low"], self.found["high"])
        return f"{self.version}: {share}, trained on {counted(self.labels, 'label')}"


@dataclass(frozen=True, slots=True)
class Chart:
    """One target's curve. ``ticks_x`` and ``ticks_y`` are places with what stands beside them."""

    target: str
    points: Sequence[Point]
    ticks_x: Sequence[tuple[float, str]]
    ticks_y: Sequence[tuple[float, str]]
    omitted: int

    @property
    def line(self) -> str:
        return " ".join(f"{one.x},{one.y}" for one in self.points)

    @property
    def band(self) -> str:
        """Around all intervals: along their upper ends, and back along the lower ones."""
        upper = [f"{one.x},{one.top}" for one in self.points]
        return " ".join([*upper, *(f"{one.x},{one.bottom}" for one in reversed(self.points))])

    @property
    def title(self) -> str:
        return f"Accuracy of each version{f' for {self.target}' if self.target else ''}, with its 95 % interval"

    @property
    def desc(self) -> str:
        first, last = self.points[0], self.points[-1]
        return f"{counted(len(self.points), 'version')} by their labels. First {first.words}. Last {last.words}."


def charts(versions: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """One for each target of which a version was measured; ``versions`` are the read model's, oldest first."""
    targets = list(dict.fromkeys(name for one in versions for name in one["accuracy"]))
    return [_chart(name, versions, several=len(targets) > 1) for name in targets[:_MOST_CHARTS]]


def _chart(target: str, versions: Sequence[Mapping[str, Any]], *, several: bool) -> Chart:
    measured = [one for one in versions if target in one["accuracy"]]
    drawn = sorted(_thinned(measured), key=lambda one: int(one["labels"]))
    lowest = min(0.9, floor(min(one["accuracy"][target]["low"] for one in drawn) * 10) / 10)
    most = max(one["labels"] for one in drawn)
    x, y = _Scale(0, most, _LEFT, WIDTH - _RIGHT), _Scale(lowest, 1, HEIGHT - _BOTTOM, _TOP)
    points = [_point(one, one["accuracy"][target], x, y) for one in drawn]
    ticks_x = [(x.at(n), f"{n:,}") for n in _round_steps(most)]
    tenths = range(10, round(lowest * 10) - 1, -1 if lowest >= 0.5 else -2)
    ticks_y = [(y.at(n / 10), f"{n * 10}") for n in tenths]
    return Chart(target if several else "", points, ticks_x, ticks_y, len(measured) - len(drawn))


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to places."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1)
        return round(self.start + share * (self.end - self.start), 1)


def _point(one: Mapping[str, Any], found: Mapping[str, Any], x: _Scale, y: _Scale) -> Point:
    places = x.at(one["labels"]), y.at(found["value"]), y.at(found["high"]), y.at(found["low"])
    return Point(*places, one["version"], one["labels"], one["state"], found)


def _thinned(measured: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Evenly, where there are more than can be seen; the newest and the one in service stay."""
    step = -(-len(measured) // _MOST_DRAWN)
    return [one for n, one in enumerate(reversed(measured)) if n % step == 0 or one["state"] == "in_service"]


def _round_steps(most: int) -> Iterator[int]:
    """Round numbers from 0 to the most, six at most."""
    step = next(n * 10**power for power in range(10) for n in (1, 2, 5) if most / (n * 10**power) <= _TICKS)
    return iter(range(0, most + 1, step))
