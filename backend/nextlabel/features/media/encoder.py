"""Files behind addresses as features: fetched and described once, then kept by address."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np

from nextlabel.errors import ConfigurationError
from nextlabel.features import image
from nextlabel.features.media import audio, series, video
from nextlabel.features.media.apart import apart
from nextlabel.features.media.reading import address_of, read_all
from nextlabel.features.source import Source
from nextlabel.features.spaces import Curved, Scaled, Space
from nextlabel.features.text import content_hash
from nextlabel.labeling import InputKind, Task, read_field
from nextlabel.labeling.ranking import Features, Floats

log = logging.getLogger("nextlabel.features")


@dataclass(frozen=True, slots=True)
class Medium:
    """A kind of file, and how one is described.

    ``signature`` changes whenever the same file would give another row. ``require`` raises `ConfigurationError` saying
    what to install; a project whose medium is ``alone``, with nothing beside it to learn from, is told so by it.
    ``describe`` makes a row of ``width`` numbers of a file's bytes, None of what cannot be read: here, or in a process
    of its own where there is none. ``address`` is where the file stands, given the field's value.
    """

    kind: InputKind
    signature: str
    width: int
    require: Callable[[], None]
    describe: Callable[[bytes], Floats | None] | None = None
    address: Callable[[object], str] = address_of
    space: Callable[[Floats], Space] = Scaled.of
    alone: bool = False


PICTURES = Medium(
    "image", image.SIGNATURE, image.WIDTH, image.require_pillow, image.row_of, space=Curved.of, alone=True
)
SOUNDS = Medium("audio", audio.SIGNATURE, audio.WIDTH, audio.require)
VIDEOS = Medium("video", video.SIGNATURE, video.WIDTH, video.require)
SERIES = Medium("series", series.SIGNATURE, series.WIDTH, series.require, series.describe, series.address_of)
MEDIA: Mapping[str, Medium] = {one.kind: one for one in (PICTURES, SOUNDS, VIDEOS, SERIES)}


class MediaEncoder:
    """The first file of each field, by its address; zeros where it is missing or cannot be read.

    Features are kept by address: a file that changes behind the same address keeps those of the first.
    """

    def __init__(self, fields: Sequence[str], medium: Medium) -> None:
        self._fields, self._medium = tuple(fields), medium

    @property
    def kind(self) -> str:
        return self._medium.kind

    def encode(self, tasks: Sequence[Task], source: Source) -> Floats:
        """n × (the medium's width × fields)."""
        parts = [self._of_field(field, tasks, source) for field in self._fields]
        return np.nan_to_num(np.hstack(parts), copy=False)

    def _of_field(self, field: str, tasks: Sequence[Task], source: Source) -> Floats:
        addresses = [self._medium.address(read_field(task.data, field)) for task in tasks]

        def compute(places: Sequence[int]) -> Floats:
            return _rows(self._medium, [addresses[place] for place in places], source.file)

        if source.vectors is None:
            return compute(range(len(addresses)))
        keys = [content_hash(one) for one in addresses]
        return source.vectors.get(self._medium.signature, keys, self._medium.width, compute)

    def space(self, pool: Features) -> Space:
        return self._medium.space(np.asarray(pool))

    def state(self) -> dict[str, object]:
        return {"kind": self.kind, "fields": list(self._fields)}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> MediaEncoder:
        """Raises KeyError for a medium that this version does not have."""
        return cls(cast("list[str]", state["fields"]), MEDIA[cast(str, state["kind"])])


def _rows(medium: Medium, addresses: Sequence[str], file: Callable[[str], bytes] | None) -> Floats:
    """n × width, NaN where there is no file to be had now: that is never kept, so it is tried again."""
    rows = np.full((len(addresses), medium.width), np.nan, dtype=np.float32)
    if can_be_opened(medium.require, alone=medium.alone):
        with _describing(medium) as describe:
            for row, found in zip(rows, read_all(addresses, file, describe), strict=True):
                if found is not None:
                    row[:] = found
    return rows


def can_be_opened(require: Callable[[], None], *, alone: bool = False) -> bool:
    """Whether what it needs is installed; where it is not and nothing stands ``alone``, a warning says so once."""
    try:
        require()
    except ConfigurationError as error:
        if alone:
            raise
        _warn(str(error))
        return False
    return True


@lru_cache
def _warn(message: str) -> None:
    """Once in a process."""
    log.warning("%s Until then tasks are learned from their other fields.", message)


@contextmanager
def _describing(medium: Medium) -> Iterator[Callable[[bytes], Floats | None]]:
    if medium.describe is not None:
        yield medium.describe
        return
    with apart(f"{__package__}.{medium.kind}") as elsewhere:

        def describe(content: bytes) -> Floats | None:
            row = elsewhere(content)
            # A file that ended its child would end the next one too: it is kept as one that holds nothing.
            return None if row is None else np.frombuffer(row or bytes(4 * medium.width), dtype="<f4")

        yield describe
