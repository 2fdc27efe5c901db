"""What encoders need beside the tasks themselves: what was computed before, and files behind addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from scipy.sparse import csr_matrix

from nextlabel.features.text import count_features
from nextlabel.ranking import Floats

SHARD = 250  # items: three seconds of MiniLM, and 384 kB of its vectors

EMBED = "embed"
"""The kind of `Work` that gives texts their vectors; it needs the model of that signature."""

Told = Callable[[int, int], None]
"""Told how many of how many have been computed so far."""


def nobody(done: int, total: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Work:
    """A row of ``width`` numbers for each item, told so that another process can compute the same.

    ``kind`` names what is done and ``needs`` what it is done with, such as a model's signature. An item's row depends
    on nothing else: not on the other items, nor on who computes it.
    """

    kind: str
    needs: str
    items: Sequence[str]
    width: int


class Shards(Protocol):
    """Computes what takes long in shards, alone or with the help of other processes."""

    def rows(self, work: Work, compute: Callable[[range], Floats]) -> Iterator[tuple[range, Floats]]:
        """Places and their rows, shard by shard in any order, each place once. ``compute`` is what this process does
        for some places, len(places) × ``work.width``; what it raises is raised."""


class InPlace:
    """`Shards` of this process alone, first to last."""

    def rows(self, work: Work, compute: Callable[[range], Floats]) -> Iterator[tuple[range, Floats]]:
        for places in slices(range(len(work.items)), SHARD):
            yield places, compute(places)


def slices(places: range, size: int) -> list[range]:
    """The places cut into runs of ``size``."""
    return [places[start : start + size] for start in range(0, len(places), size)]


class Vectors(Protocol):
    """Dense vectors kept by content."""

    def get(
        self,
        signature: str,
        keys: Sequence[bytes],
        width: int,
        compute: Callable[[Sequence[int]], Floats],
        texts: Sequence[str] | None = None,
        told: Told = nobody,
    ) -> Floats:
        """n × ``width``; ``compute`` is given the places whose key is not known, each key once, and returns their
        rows. ``signature`` changes whenever the same content would give other vectors; a row that holds NaN is
        returned, but not kept.

        With ``texts``, one for each key, whoever has the model that ``signature`` stands for may compute rows as well.
        """


@dataclass(frozen=True, slots=True)
class Source:
    """For one project. ``file`` reads what stands at an address that a task names; it raises `FileUnavailable`.

    ``told`` hears how many texts have been embedded, where that takes a while.
    """

    count: Callable[[Sequence[str]], csr_matrix] = count_features
    vectors: Vectors | None = None
    file: Callable[[str], bytes] | None = None
    told: Told = nobody
