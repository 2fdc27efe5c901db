"""What is to be labeled: targets with their inputs, labels and scales, and the schema of a project."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field  # for an Input has a field
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from math import isfinite, lcm
from sys import float_info
from typing import Literal, NamedTuple

from nextlabel.errors import SchemaError

_REASONS, _LONGEST_NAME = 10, 60  # of what is left out, in one message
_LARGEST = float_info.max

TargetKind = Literal["choice", "choices", "number", "spans"]
"""One of several labels · any number of them · a number · labeled pieces of a text."""
InputKind = Literal["text", "dialogue", "table", "image", "metadata"]
"""What a task's field holds: words or a number · turns of a conversation · named values · the address of a picture · a
recording that is not read, so that all other fields of the task stand for it."""


class Span(NamedTuple):
    """A labeled piece of a text: characters ``start`` to ``end`` (exclusive), counted from 0."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that a team's own model says of a task, as Label Studio writes results."""

    items: tuple[Mapping[str, object], ...]


Label = str | float | tuple[str, ...] | tuple[Span, ...] | Result
"""What was said of a target: of a ``choice`` its label, of ``choices`` the labels in the order of the target's, of a
``number`` the number, of ``spans`` the spans in the order of the text. A `Result` is of all controls at once."""


@dataclass(frozen=True, slots=True)
class Input:
    """A field of the task that a target is about; `read_field` has its value.

    ``note`` says how the labeling config names it, for where tasks do not have it.
    """

    field: str
    kind: InputKind = "text"
    note: str = dataclass_field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Scale:
    """The numbers that can be given: from ``low`` to ``high`` (None: no limit), in steps of ``step`` (None: any)."""

    low: float | None = None
    high: float | None = None
    step: float | None = None

    def nearest(self, number: float) -> float:
        """The closest number that can be given, as an editor writes it: 0.3, never 0.30000000000000004."""
        low = -_LARGEST if self.low is None else self.low
        number = max(low, min(number, _LARGEST if self.high is None else self.high))
        if not self.step:
            return number
        start, step, unit, fewest, most = _steps(self)
        value, parts = number.as_integer_ratio()
        steps = (2 * (value * unit - start * parts) // (step * parts) + 1) // 2
        return (start + max(fewest, min(steps, most)) * step) / unit


@lru_cache(maxsize=64)
def _steps(scale: Scale) -> tuple[int, int, int, int, int]:
    """Where steps are counted from (the lowest number, or 0) and how large one is, both in the same unit's parts, so
    that decimals are exact; that unit; and how many steps it may be, at the least and at the most."""
    step, low = Fraction(str(scale.step)), Fraction(str(-_LARGEST if scale.low is None else scale.low))
    high = Fraction(str(_LARGEST if scale.high is None else scale.high))
    start = Fraction(0) if scale.low is None else low
    unit = lcm(start.denominator, step.denominator)
    return int(start * unit), int(step * unit), unit, -((start - low) // step), (high - start) // step


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to be learned about each task: a control tag of the labeling config.

    ``inputs`` are the task fields it is about, in the order they are shown; ``labels`` the values that an annotator
    can choose (none for a number, which has a ``scale``). With ``compared`` it is about which of two inputs is better,
    and its two labels stand for the first and the second.
    """

    name: str
    kind: TargetKind
    inputs: tuple[Input, ...]
    labels: tuple[str, ...] = ()
    scale: Scale | None = None
    compared: bool = False

    def read(self, stated: object) -> Label | None:
        """A label as it was stored, where it is one that this target can have; None where it is not.

        ``stated`` may have been through JSON, which knows lists only. A label of which any part no longer fits is no
        label: half of it would say something that nobody has said.
        """
        match self.kind:
            case "choice":
                return stated if isinstance(stated, str) and stated in self.labels else None
            case "number":
                return self._number(stated)
            case "choices":
                return self._choices(stated)
            case "spans":
                return self._spans(stated)

    def _number(self, stated: object) -> float | None:
        if isinstance(stated, bool) or not isinstance(stated, int | float) or not isfinite(stated):
            return None
        low, high = (self.scale.low, self.scale.high) if self.scale else (None, None)
        inside = (low is None or stated >= low) and (high is None or stated <= high)
        return float(stated) if inside else None

    def _choices(self, stated: object) -> tuple[str, ...] | None:
        if not isinstance(stated, list | tuple) or not all(isinstance(one, str) for one in stated):
            return None
        chosen = set(stated)
        return tuple(label for label in self.labels if label in chosen) if chosen <= set(self.labels) else None

    def _spans(self, stated: object) -> tuple[Span, ...] | None:
        if not isinstance(stated, list | tuple):
            return None
        spans = [_span(one) for one in stated]
        known = [span for span in spans if span is not None and span.label in self.labels]
        return tuple(sorted(set(known))) if len(known) == len(spans) else None


def _span(stated: object) -> Span | None:
    match stated:
        case [int(start), int(end), str(label)] if 0 <= start < end:
            return Span(start, end, label)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """What a project labels: the targets that nextlabel can learn, and by name what it leaves out and why.

    ``source`` is the labeling config in the tool's own words, which models for label-studio-ml read, and ``shown`` the
    task fields that annotators see, whether or not a target is about them.
    """

    targets: tuple[Target, ...]
    left_out: Mapping[str, str] = dataclass_field(default_factory=dict)
    source: str = dataclass_field(default="", repr=False)
    shown: tuple[Input, ...] = ()

    @property
    def digest(self) -> str:
        """Twelve hex digits that change whenever a target changes."""
        return hashlib.sha256(repr(self.targets).encode()).hexdigest()[:12]

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
                f"{reasons or 'It has no control at all.'} The README lists what is learned; for anything else, "
                "serve a model of your own (`nextlabel serve --model`)."
            )
