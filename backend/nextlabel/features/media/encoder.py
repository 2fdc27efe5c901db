"""Files behind addresses as features: fetched and described once, then kept by address."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import cast

import numpy as np

from nextlabel.errors import ConfigurationError
from nextlabel.features import image, visual_words
from nextlabel.features.media import audio, series, video
from nextlabel.features.media.apart import apart
from nextlabel.features.media.reading import address_of, kept_by_address, read_all, rows_of
from nextlabel.features.source import Source
from nextlabel.features.spaces import Curved, Scaled, Space
from nextlabel.features.text import content_hash
from nextlabel.features.visual_words import VisualWords
from nextlabel.labeling import InputKind, Task, read_field
from nextlabel.labeling.ranking import Features, Floats

log = logging.getLogger("nextlabel.features")


@dataclass(frozen=True, slots=True)
class Medium:
    """A kind of file, and how one is described.

    ``signature`` changes whenever the same file would give another row. ``require`` raises `ConfigurationError` saying
    what to install; a project whose medium is ``alone``, with nothing beside it to learn from, is told so by it.
    ``describe`` makes a row of ``width`` numbers of a file's bytes, None of what cannot be read: here, or in a process
    of its own where there is none. ``address`` is where the file stands, given the field's value; ``words`` are those
    of the project's pictures.
    """

    kind: InputKind
    signature: str
    width: int
    require: Callable[[], None]
    describe: Callable[[bytes], Floats | None] | None = None
    address: Callable[[object], str] = address_of
    space: Callable[[Floats], Space] = Scaled.of
    alone: bool = False
    words: VisualWords | None = None


PICTURES = Medium(
    "image", image.SIGNATURE, image.WIDTH, image.require_pillow, image.row_of, space=Curved.of, alone=True
)
SOUNDS = Medium("audio", audio.SIGNATURE, audio.WIDTH, audio.require)
VIDEOS = Medium("video", video.SIGNATURE, video.WIDTH, video.require)
SERIES = Medium("series", series.SIGNATURE, series.WIDTH, series.require, series.describe, series.address_of)
MEDIA: Mapping[str, Medium] = {one.kind: one for one in (PICTURES, SOUNDS, VIDEOS, SERIES)}
_FEWEST_PICTURES, _MOST_PICTURES = 20, 400  # that words are learned from
_ENOUGH = 512  # pictures: of more, words are not learned again


class MediaEncoder:
    """The first file of each field, by its address; zeros where it is missing or cannot be read.

    Features are kept by address: a file that changes behind the same address keeps those of the first.
    """

    def __init__(self, fields: Sequence[str], medium: Medium) -> None:
        self._fields, self._medium = tuple(fields), medium

    @classmethod
    def of(cls, fields: Sequence[str], medium: Medium, tasks: Sequence[Task], source: Source) -> MediaEncoder:
        """The encoder for these tasks, which are all that are known."""
        words = _words_of(fields, tasks, source) if medium is PICTURES else None
        return cls(fields, medium if words is None else _in_words(words))

    @property
    def kind(self) -> str:
        return self._medium.kind

    def encode(self, tasks: Sequence[Task], source: Source) -> Floats:
        """n × (the medium's width × fields)."""
        parts = [self._of_field(field, tasks, source) for field in self._fields]
        return np.nan_to_num(np.hstack(parts), copy=False)

    def _of_field(self, field: str, tasks: Sequence[Task], source: Source) -> Floats:
        medium, addresses = self._medium, _addresses(self._medium, field, tasks)
        return kept_by_address(
            addresses, source, medium.signature, medium.width, lambda some: _rows(medium, some, source.file)
        )

    def space(self, pool: Features) -> Space:
        return self._medium.space(np.asarray(pool))

    def state(self) -> dict[str, object]:
        words = {} if self._medium.words is None else {"words": self._medium.words.words}
        return {"kind": self.kind, "fields": list(self._fields), **words}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> MediaEncoder:
        """Raises KeyError for a medium that this version does not have."""
        words = VisualWords(cast(Floats, state["words"])) if "words" in state else None
        medium = MEDIA[cast(str, state["kind"])] if words is None else _in_words(words)
        return cls(cast("list[str]", state["fields"]), medium)


def _in_words(words: VisualWords) -> Medium:
    """Pictures described by these words, too."""
    digest = hashlib.blake2b(np.ascontiguousarray(words.words, dtype="<f4").tobytes(), digest_size=8).hexdigest()
    return replace(
        PICTURES,
        signature=f"image-2-{digest}",
        width=PICTURES.width + len(words.words),
        describe=partial(image.row_of, words=words),
        words=words,
    )


def _words_of(fields: Sequence[str], tasks: Sequence[Task], source: Source) -> VisualWords | None:
    """The words of a project's pictures; None where these are few, or cannot be had now.

    They are kept, and learned again when there are twice as many pictures, up to `_ENOUGH`: by other words all pictures
    must be described again.
    """
    addresses = {one for field in fields for one in _addresses(PICTURES, field, tasks) if one}
    if len(addresses) < _FEWEST_PICTURES:
        return None

    def compute(places: Sequence[int]) -> Floats:
        rows = np.full((visual_words.MOST, visual_words.WIDTH), np.nan, dtype=np.float32)
        PICTURES.require()
        drawn = sorted(addresses, key=content_hash)[:_MOST_PICTURES]  # the same ones, whatever comes first
        decode = partial(image.decode, width=visual_words.SIDE, height=visual_words.SIDE)
        pictures = read_all(drawn, source.file, decode)
        known = [one for one in pictures if one is not None]
        if len(known) >= _FEWEST_PICTURES:
            rows[:] = 0
            learned = VisualWords.of(known).words
            rows[: len(learned)] = learned
        return rows[list(places)]

    level = min(len(addresses), _ENOUGH).bit_length()
    keys = [content_hash(f"{level} {place} {fields!r}") for place in range(visual_words.MOST)]
    everything = range(visual_words.MOST)
    rows = (
        compute(everything)
        if source.vectors is None
        else source.vectors.get(visual_words.SIGNATURE, keys, visual_words.WIDTH, compute)
    )
    return None if np.isnan(rows).any() else VisualWords(rows[rows.any(axis=1)])


def _addresses(medium: Medium, field: str, tasks: Sequence[Task]) -> list[str]:
    return [medium.address(read_field(task.data, field)) for task in tasks]


def _rows(medium: Medium, addresses: Sequence[str], file: Callable[[str], bytes] | None) -> Floats:
    """n × width, NaN where there is no file to be had now."""
    if not can_be_opened(medium.require, alone=medium.alone):
        return rows_of([None] * len(addresses), medium.width)
    with _describing(medium) as describe:
        return rows_of(read_all(addresses, file, describe), medium.width)


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
