"""The numbers that a target can have."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import lcm
from sys import float_info

_LARGEST = float_info.max


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
