"""Long computations, described so that another process can take a share of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]
Rows = TypeVar("Rows", bound="Numbers | Sequence[object]")

SHARD = 250  # items: three seconds of MiniLM, and 384 kB of its vectors
STEP = 25

EMBED = "embed"
"""The kind of `Work` that gives texts their vectors; it needs the model of that signature."""

SCORE = "score"
"""The kind of `Work` that asks a version about tasks; it needs that version, and the team's model where it is one."""

Progress = Callable[[str, int], None]
"""Told what is going on: the step's name, and how many tasks it has come to so far."""

EmbedProgress = Callable[[int, int], None]
"""Told how many of how many have been computed so far."""


def nobody(done: int, total: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Work(Generic[Rows]):
    """A row for each item, described so that another process can compute the same.

    ``kind`` names what is done and ``needs`` what it is done with, such as a model's signature. An item's row depends
    on nothing else: not on the other items, nor on who computes it. ``read`` makes rows of what `write` made of them;
    None for anything but as many rows as asked for.

    A ``shard`` of so many items is taken at a time and computed in pieces of ``step``.
    """

    kind: str
    needs: str
    items: Sequence[str]
    read: Callable[[bytes, int], Rows | None]
    shard: int = SHARD
    step: int = STEP


class Shards(Protocol):
    """Computes what takes long in shards, alone or with the help of other processes."""

    def rows(self, work: Work[Rows], compute: Callable[[range], Rows]) -> Generator[tuple[range, Rows], None, None]:
        """Places and their rows, piece by piece in any order, each place once. ``compute`` is what this process does
        for some places; what it raises is raised."""


class InPlace:
    """`Shards` of this process alone, first to last."""

    def rows(self, work: Work[Rows], compute: Callable[[range], Rows]) -> Generator[tuple[range, Rows], None, None]:
        for places in slices(range(len(work.items)), work.shard):
            yield places, compute(places)


def slices(places: range, size: int) -> list[range]:
    """The places cut into runs of ``size``."""
    return [places[start : start + size] for start in range(0, len(places), size)]


def write(rows: Numbers | Sequence[object]) -> bytes:
    """Rows of numbers, or of plain values such as JSON holds, so that those of two pieces may stand one after the
    other."""
    if isinstance(rows, np.ndarray):
        return np.ascontiguousarray(rows, dtype="<f4").tobytes()
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def numbers(width: int) -> Callable[[bytes, int], Numbers | None]:
    """Reads n × ``width`` numbers."""

    def read(received: bytes, n: int) -> Numbers | None:
        return np.frombuffer(received, dtype="<f4").reshape(n, width) if len(received) == 4 * n * width else None

    return read


def values(received: bytes, n: int) -> Sequence[object] | None:
    """Reads n plain values."""
    try:
        rows = [json.loads(line) for line in received.splitlines()]
    except ValueError:
        return None
    return rows if len(rows) == n else None
