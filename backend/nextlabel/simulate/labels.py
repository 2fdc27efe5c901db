"""Which kind the labels of a column are."""

from __future__ import annotations

from collections.abc import Sequence

from nextlabel.errors import ConfigurationError
from nextlabel.labeling import KINDS, TargetKind, number_in

_MOST_NUMBERED = 20  # classes that are numbers with a fraction: more of them are numbers


def kind_measured_by(metric: str) -> TargetKind:
    """Raises `ConfigurationError` for what measures none."""
    found = next((name for name, kind in KINDS.items() if metric in kind.metrics), None)
    if found is None:
        known = ", ".join(dict.fromkeys(name for kind in KINDS.values() for name in kind.metrics))
        raise ConfigurationError(f"metric is {metric!r}: choose from {known}.")
    return found


def kind_of(values: Sequence[object]) -> TargetKind:
    """What the values of a column are: the first kind that can read all of them; single choices where none can.

    Numbers are classes, as they mostly are in files, unless many different ones have a fraction.
    """
    found = next((name for name, kind in KINDS.items() if all(kind.read_cell(one) is not None for one in values)), None)
    if found != "choice":
        return found or "choice"
    numbers = {number_in(value) for value in values}
    fractions = None not in numbers and any(one is not None and one % 1 for one in numbers)
    return "number" if fractions and len(numbers) > _MOST_NUMBERED else "choice"
