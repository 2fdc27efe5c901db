"""Numbers over time → as many numbers whatever the channels and their length: level, shape, changes and spectrum.

A library of such measures (pycatch22, 22 of a channel) takes regular series without gaps and is no smaller than these.
"""

from __future__ import annotations

import csv
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import orjson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nextlabel.labeling.ranking import Floats

    Column = NDArray[np.float64]

SIGNATURE = "series-1"
"""Changes whenever the same series would give other features."""

MOST_ROWS, MOST_COLUMNS, MOST_CELLS = 100_000, 64, 2_000_000  # of a table, its first
_MOST_BYTES = 8_000_000  # of JSON, of which each number may take up to 100 in memory
_LONGEST_LINE = 100_000  # characters of a CSV file
_SEPARATORS = ",;\t|"
_MOST_NUMBERS = 0.5  # of the values of a column, from which on it is a channel
_LARGEST = 1e100
_TIMES = ("time", "date", "timestamp", "t", "ts", "datetime", "seconds")
_POINTS = 512  # of a channel at regular times, of which the spectrum is taken
_PARTS, _LAGS, _OCTAVES = 8, (1, 2, 4, 8, 16, 32), 8
_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_FIRST = 4  # channels that have columns of their own
_MEASURES = 2 + len(_QUANTILES) + 8 + len(_LAGS) + _OCTAVES + _PARTS
WIDTH = _MEASURES * (2 + _FIRST) + 2


def require() -> None:
    """Nothing has to be installed."""


def address_of(value: object) -> str:
    """Where the series stands; of one that stands in the task, its content as an address."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict | list) or not value:
        return ""
    try:
        return f"data:application/json;base64,{b64encode(orjson.dumps(value)).decode()}"
    except TypeError:  # nested too deep, or numbers beyond 64 bits
        return ""


def describe(content: bytes) -> Floats | None:
    """`WIDTH` numbers; None for what holds no numbers.

    The measures of each channel (`_measured`): their mean over all channels, the largest of each, and those of the
    first channels in order; then the logarithms of how many rows and channels there are. A column of times only says
    when the others were measured.
    """
    try:
        columns = _columns(content)
    except (ValueError, csv.Error, RecursionError, MemoryError):
        return None
    times, channels = _times_apart(columns)
    if not channels:
        return None
    with np.errstate(all="ignore"):
        measures = np.stack([_measured(times, channel) for channel in channels])
    rows = np.zeros((2 + _FIRST, _MEASURES))
    rows[0], rows[1] = measures.mean(axis=0), measures.max(axis=0)
    rows[2 : 2 + len(measures[:_FIRST])] = measures[:_FIRST]
    size = np.log1p([len(channels[0]), len(channels)])
    return np.asarray(np.nan_to_num(np.concatenate([rows.ravel(), size]), posinf=0, neginf=0), dtype=np.float32)


# --- tables ----------------------------------------------------------------------------------------------------------


def _columns(content: bytes) -> Mapping[str, Column]:
    """The columns by name that hold numbers mostly, NaN where there is none. Raises ValueError for what is no table."""
    text = content.lstrip()
    if text[:1] in (b"{", b"["):
        if len(text) > _MOST_BYTES:
            raise ValueError
        found = _of_json(orjson.loads(text))
    else:
        found = _of_csv(content.decode("utf-8-sig", "replace"))
    numbers = {name: _numbers(values) for name, values in found.items()}
    return {name: one for name, one in numbers.items() if len(one) and np.isfinite(one).mean() >= _MOST_NUMBERS}


def _of_json(value: object) -> dict[str, Sequence[object]]:
    """A list of numbers, or of rows with or without names; lists by name."""
    if isinstance(value, dict):
        lists = ((str(name), one) for name, one in value.items() if isinstance(one, list))
        return dict(islice(((name, one[: _rows(len(value))]) for name, one in lists), MOST_COLUMNS))
    rows = value if isinstance(value, list) else []
    if not any(isinstance(row, dict | list) for row in rows[:1]):
        return {"": rows[:MOST_ROWS]}
    return _turned((row if isinstance(row, dict) else dict(enumerate(row)) for row in rows if _is_row(row)), rows)


def _is_row(row: object) -> bool:
    return isinstance(row, dict | list)


def _turned(rows: Iterable[Mapping[object, object]], all_rows: Sequence[object]) -> dict[str, Sequence[object]]:
    names: dict[object, None] = {}
    for row in all_rows[:100]:
        inner = row if isinstance(row, dict) else range(len(row)) if isinstance(row, list) else ()
        names |= dict.fromkeys(islice(inner, MOST_COLUMNS))
    kept = list(islice(names, MOST_COLUMNS))
    taken = list(islice(rows, _rows(len(kept))))
    return {str(name): [row.get(name) for row in taken] for name in kept}


def _of_csv(text: str) -> dict[str, Sequence[object]]:
    lines = _lines(text)
    first = next(lines, "")
    separator = max(_SEPARATORS, key=first.count)
    head = next(csv.reader([first], delimiter=separator), [])[:MOST_COLUMNS]
    taken = [row[:MOST_COLUMNS] for row in islice(csv.reader(lines, delimiter=separator), _rows(len(head)))]
    if any(_number(cell) is not None for cell in head):  # there is no line of names
        taken.insert(0, head)
        head = [str(n) for n in range(len(head))]
    return {name: [row[n] if n < len(row) else None for row in taken] for n, name in enumerate(head)}


def _lines(text: str) -> Iterator[str]:
    """Raises ValueError for a line without end."""
    file = StringIO(text)
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise ValueError
        yield line


def _rows(columns: int) -> int:
    return min(MOST_ROWS, MOST_CELLS // max(columns, 1))


def _numbers(values: Sequence[object]) -> Column:
    return np.array([np.nan if (number := _number(one)) is None else number for one in values], dtype=np.float64)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) and abs(number) < _LARGEST else None


def _times_apart(columns: Mapping[str, Column]) -> tuple[Column | None, list[Column]]:
    """The times of rows, where a column is called so or comes first, and never goes back; and the channels."""
    names = list(columns)
    for name in [name for name in names if name.strip().lower() in _TIMES] + names[:1]:
        column = columns[name]
        if len(names) > 1 and np.isfinite(column).all() and (np.diff(column) >= 0).all() and column[-1] > column[0]:
            return column, [one for other, one in columns.items() if other != name]
    return None, list(columns.values())


# --- one channel -----------------------------------------------------------------------------------------------------


def _measured(times: Column | None, channel: Column) -> Column:
    """`_MEASURES` numbers of a channel: how large it is (logarithms, with their sign), how it is spread, how it moves
    from one value to the next, and how its parts differ. A value that is missing is between its neighbours."""
    known = np.flatnonzero(np.isfinite(channel))
    when = np.arange(len(channel), dtype=np.float64) if times is None else times[: len(channel)]
    values, when = channel[known], when[known[known < len(when)]]
    if not len(values) or len(values) != len(when):
        return np.zeros(_MEASURES)
    spread, changes = values.std() or 1.0, np.diff(values)
    regular = np.interp(np.linspace(when[0], when[-1], min(_POINTS, 2 * len(values))), when, values)
    level = (regular - regular.mean()) / (regular.std() or 1.0)
    around = (values - values.mean()) / spread
    crossings = np.diff(around > 0).mean() if len(values) > 1 else 0.0
    return np.concatenate(
        [
            _signed_log(np.array([values.mean(), values.std()])),
            _signed_log(np.quantile(values, _QUANTILES)),
            np.log1p(np.abs([(around**3).mean(), (around**4).mean()])) * np.sign([(around**3).mean(), 1]),
            [changes.std() / spread if len(changes) else 0, crossings, np.argmax(level) / len(level)],
            [np.argmin(level) / len(level), _trend(level), 1 - len(known) / len(channel)],
            [(level[lag:] * level[:-lag]).mean() if len(level) > lag else 0.0 for lag in _LAGS],
            _octaves(level),
            [part.mean() if len(part) else 0.0 for part in np.array_split(level, _PARTS)],
        ]
    )


def _signed_log(values: Column) -> Column:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _trend(level: Column) -> float:
    """How much it rises, from -1 to 1."""
    return float(np.linspace(-1, 1, len(level)) @ level / len(level) * np.sqrt(3))


def _octaves(level: Column) -> Column:
    """The share of each octave of frequencies, the slowest first."""
    power = np.abs(np.fft.rfft(level)[1:]) ** 2
    octave = np.minimum(np.log2(np.arange(1, len(power) + 1)).astype(int), _OCTAVES - 1)
    shares = np.bincount(octave, power, minlength=_OCTAVES) if len(power) else np.zeros(_OCTAVES)
    return np.asarray(shares / (shares.sum() or 1.0))
