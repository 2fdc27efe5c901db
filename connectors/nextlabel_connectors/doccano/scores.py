"""Which score stands for which place in which order, so that an order is known by the scores alone.

The whole part of a score is the order's, and grows from order to order; the fraction is the place's, and grows towards
the front. Both together fit into the 53 bits of a float, so that a score comes back exactly as it was written.
"""

from __future__ import annotations

import re
from math import floor
from typing import NamedTuple

from nextlabel.errors import ToolRejected
from nextlabel.labeling import QueueVersion

DEFAULT_SCORE = 100.0
"""What doccano gives every task."""

_REFILLS, _MODELS, _PLACES = 10_000, 100_000, 2**20
_NAME = re.compile(r"nextlabel-(untrained-)?([1-9][0-9]{0,4})(?:\.([1-9][0-9]{0,3}))?")
_MODEL = 2 * _REFILLS  # numbers of orders that a model has room for: whether it was trained is in the last bit


class Place(NamedTuple):
    """A place in an order, counted from 0."""

    version: QueueVersion
    number: int


def score_of(version: QueueVersion, number: int) -> float:
    """Raises `ToolRejected` for an order or a place that no score stands for."""
    name = _NAME.fullmatch(version)
    if name is None or not 0 <= number < _PLACES - 1:
        raise ToolRejected(
            f"There is no score for place {number} of the order {version!r}: doccano's scores have room for orders up "
            f"to nextlabel-{_MODELS - 1}.{_REFILLS - 1} and {_PLACES - 1:,} places."
        )
    order = int(name[2]) * _MODEL + int(name[3] or 0) * 2 + (not name[1])
    return order + 1 - (number + 1) / _PLACES


def place_of(score: object) -> Place | None:
    """The place that this very score stands for; None for any other score."""
    if not isinstance(score, float) or not _MODEL <= score < _MODEL * _MODELS:
        return None
    order = floor(score)
    number = (1 - (score - order)) * _PLACES - 1
    if number != int(number) or not 0 <= number < _PLACES - 1:
        return None
    model, rest = divmod(order, _MODEL)
    refill, is_trained = divmod(rest, 2)
    kind = "" if is_trained else "untrained-"
    return Place(QueueVersion(f"nextlabel-{kind}{model}" + (f".{refill}" if refill else "")), int(number))
