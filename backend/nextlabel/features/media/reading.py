"""What stands at addresses that tasks name: fetched side by side, with patience that ends, a few decoded at a time."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import sample
from threading import BoundedSemaphore, Lock
from time import monotonic
from typing import TypeVar

import numpy as np

from nextlabel.errors import FileUnavailable
from nextlabel.features.source import Source
from nextlabel.features.text import content_hash
from nextlabel.features.work import EmbedProgress, nobody
from nextlabel.labeling.ranking import Floats

Found = TypeVar("Found")

_MOST_BYTES = 20_000_000  # of a data: URI, as much as a connector reads of a file
_DECODERS = BoundedSemaphore(2)  # files decoded at once in this process, each with up to 0.5 GB
_READERS = 8  # files fetched at once
_SLOW_SECONDS, _SLOW_IN_A_ROW = 5.0, 16


def address_of(value: object) -> str:
    """Of several files the first; empty where there is none."""
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, str) else ""


def read_all(
    addresses: Sequence[str], file: Callable[[str], bytes] | None, describe: Callable[[bytes], Found | None]
) -> list[Found | None]:
    """What ``describe`` makes of each file; None where there is none to be had now, or it makes nothing of it."""
    found: list[Found | None] = [None] * len(addresses)
    patience = _Patience()

    def read(place: int) -> None:
        content = _content(addresses[place], file, patience)
        if content is not None:
            with _DECODERS:
                found[place] = describe(content)

    with ThreadPoolExecutor(_READERS) as readers:
        # In another order each time: what comes first must not use up the patience for all others for ever.
        list(readers.map(read, sample(range(len(addresses)), len(addresses))))
    return found


def kept_by_address(
    addresses: Sequence[str],
    source: Source,
    signature: str,
    width: int,
    read: Callable[[Sequence[str]], Floats],
    progress: EmbedProgress = nobody,
) -> Floats:
    """n × ``width``: ``read`` is asked for the rows of those addresses that are not known under that signature."""

    def compute(places: Sequence[int]) -> Floats:
        return read([addresses[place] for place in places])

    if source.vectors is None:
        return compute(range(len(addresses)))
    keys = [content_hash(one) for one in addresses]
    return source.vectors.get(signature, keys, width, compute, progress=progress)


def rows_of(found: Sequence[Floats | None], width: int) -> Floats:
    """n × ``width``, NaN where there is nothing to be had now: that is never kept, so it is tried again."""
    rows = np.full((len(found), width), np.nan, dtype=np.float32)
    for row, one in zip(rows, found, strict=True):
        if one is not None:
            row[:] = one
    return rows


class _Patience:
    """Runs out when nothing but time-outs come: a thousand of them would hold up a round for an hour."""

    def __init__(self) -> None:
        self._slow, self._lock = 0, Lock()

    def read(self, file: Callable[[str], bytes], address: str) -> bytes | None:
        if self._slow >= _SLOW_IN_A_ROW:
            return None
        start = monotonic()
        try:
            content = file(address)
        except FileUnavailable:
            with self._lock:
                self._slow += monotonic() - start >= _SLOW_SECONDS
            return None
        self._slow = 0
        return content


def _content(address: str, file: Callable[[str], bytes] | None, patience: _Patience) -> bytes | None:
    if address.startswith("data:"):
        head, _, coded = address.partition(",")
        if not head.endswith(";base64") or len(coded) > _MOST_BYTES:
            return None
        try:
            return b64decode(coded)
        except ValueError:
            return None
    return patience.read(file, address) if address and file is not None else None
