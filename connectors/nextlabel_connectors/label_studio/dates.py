"""Dates and times as numbers on a scale, and as Label Studio's editor writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from nextlabel.labeling import Scale

_BASE = datetime(1900, 1, 1)  # the editor writes no time zone, and a time without a date is of that day
_FIRST, _LAST = datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59, 59)  # years of four digits
_LONGEST = 100
# What the editor's formats (d3-time-format) and Python's write alike.
_ALIKE = re.compile(r"(?:[^%]|%[YmdHMSyjBbpI%])*")
_PROBE = datetime(2021, 11, 23, 17, 48, 39)  # of which each part is another number


@dataclass(frozen=True, slots=True)
class Moments:
    """Points in time in a written ``form``, counted in ``seconds`` since 1900; not ``dated`` they are of one day."""

    form: str
    seconds: int
    dated: bool = True

    def scale(self, earliest: str, latest: str) -> Scale:
        """From one to the other as far as they can be read, as `datetime.fromisoformat` or a year alone."""
        first, last = (_FIRST, _LAST) if self.dated else (_BASE, _BASE + timedelta(hours=23, minutes=59, seconds=59))
        start, end = (_iso(one) if self.dated else None for one in (earliest, latest))
        low, high = max(start or first, first), min(end or last, last)
        return Scale(self.count(low), self.count(high), 1.0) if low < high else self.scale("", "")

    def count(self, moment: datetime) -> float:
        return float((moment - _BASE) // timedelta(seconds=self.seconds))

    def number(self, text: object) -> float | None:
        """None where the text is no such point in time."""
        if not isinstance(text, str) or len(text) > _LONGEST:
            return None
        try:
            return self.count(datetime.strptime(text, self.form))
        except (ValueError, re.error):  # the latter where the form names a part twice
            return None

    def text(self, number: float) -> str:
        return (_BASE + timedelta(seconds=self.seconds) * round(number)).strftime(self.form)

    @property
    def is_exact(self) -> bool:
        """Whether what is written can be read again."""
        probe = _PROBE if self.dated else datetime.combine(_BASE, _PROBE.time())
        return _ALIKE.fullmatch(self.form) is not None and self.number(probe.strftime(self.form)) == self.count(probe)


def _iso(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(f"{text}-01-01" if text.isdecimal() else text)
    except ValueError:
        return None
    return found.replace(tzinfo=None)
