"""Documents as texts: opened once, then known by address, and counted or embedded as any text is."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from nextlabel.features.media import pdf
from nextlabel.features.media.apart import apart
from nextlabel.features.media.encoder import can_be_opened
from nextlabel.features.media.reading import address_of, kept_by_address, read_all, rows_of
from nextlabel.features.source import Source
from nextlabel.features.text import KnownTexts, content_hash
from nextlabel.labeling import Task, read_field
from nextlabel.labeling.ranking import Floats

Made = TypeVar("Made")

_NUMBERS = 8  # of 16 bits, which a hash is kept as by the address
_EMPTY = content_hash("")


class TextFiles:
    """Texts on disk, looked up by signature and key: a file each, written whole or not at all, damaged or not there.
    The folder may be deleted at any time, and where it cannot be written texts are made each time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, signature: str, key: bytes) -> str | None:
        try:
            return zlib.decompress(self._path(signature, key).read_bytes()).decode()
        except (OSError, ValueError, zlib.error):
            return None

    def keep(self, signature: str, key: bytes, text: str) -> None:
        path = self._path(signature, key)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(suffix=".tmp", dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(zlib.compress(text.encode()))
            Path(name).replace(path)

    def _path(self, signature: str, key: bytes) -> Path:
        return self._folder / signature / key.hex()[:2] / f"{key.hex()}.z"


def of_documents(
    tasks: Sequence[Task], fields: Sequence[str], source: Source, made: Callable[[Sequence[str]], Made]
) -> Made:
    """What ``made`` makes of the tasks' texts: those of the PDF files that these fields name, empty where there is none
    to be had now, which is tried again. A text is read where ``made`` asks for it; its hash is known without."""
    documents = [_Documents([address_of(read_field(task.data, field)) for task in tasks], source) for field in fields]
    try:
        return made(_joined(documents))
    except _LostError:
        return made(["\n".join(parts) for parts in zip(*(one.read_again() for one in documents), strict=True)])


class _LostError(Exception):
    """A text that was read before is not on disk any more."""


class _Documents:
    """The PDF files at these addresses, each by the hash of its text; of what cannot be had now that of no text."""

    def __init__(self, addresses: Sequence[str], source: Source) -> None:
        self._addresses, self._source = addresses, source
        rows = kept_by_address(addresses, source, pdf.SIGNATURE, _NUMBERS, self._hashes_in_numbers)
        there = np.asarray(np.isfinite(rows).all(axis=1))
        numbers = np.where(there[:, None], rows, 0).astype("<u2")
        self.hashes = [row.tobytes() if one else _EMPTY for row, one in zip(numbers, there, strict=True)]

    def text(self, place: int) -> str:
        """Raises `_LostError`."""
        if (text := self._on_disk(self.hashes[place])) is None:
            raise _LostError
        return text

    def read_again(self) -> list[str]:
        """All texts; a file is opened where its text is not on disk."""
        texts = [self._on_disk(key) for key in self.hashes]
        lost = sorted({one for one, text in zip(self._addresses, texts, strict=True) if text is None})
        opened = dict(zip(lost, self._opened(lost, self._kept), strict=True))
        return [opened[one] or "" if text is None else text for one, text in zip(self._addresses, texts, strict=True)]

    def _on_disk(self, key: bytes) -> str | None:
        if key == _EMPTY:
            return ""
        return self._source.texts.get(pdf.SIGNATURE, key) if self._source.texts else None

    def _kept(self, text: str) -> str:
        if self._source.texts:
            self._source.texts.keep(pdf.SIGNATURE, content_hash(text), text)
        return text

    def _hashes_in_numbers(self, addresses: Sequence[str]) -> Floats:
        def described(text: str) -> Floats:
            return np.frombuffer(content_hash(self._kept(text)), dtype="<u2").astype(np.float32)

        return rows_of(self._opened(addresses, described), _NUMBERS)

    def _opened(self, addresses: Sequence[str], described: Callable[[str], Made]) -> list[Made | None]:
        """Of each file's text; None where there is none to be had now."""
        if not addresses or not can_be_opened(pdf.require):
            return [None] * len(addresses)
        with apart(pdf.__name__) as elsewhere:

            def describe(content: bytes) -> Made | None:
                # A file that ended its child would end the next one too: it is kept as one without any text.
                return None if (text := elsewhere(content)) is None else described(text.decode())

            return read_all(addresses, self._source.file, describe)


def _joined(documents: Sequence[_Documents]) -> KnownTexts:
    """Of several fields one text."""
    if len(documents) == 1:
        return KnownTexts(documents[0].hashes, documents[0].text)
    keys = zip(*(one.hashes for one in documents), strict=True)
    hashes = [content_hash(f"{pdf.SIGNATURE}: {b''.join(some).hex()}") for some in keys]
    return KnownTexts(hashes, lambda place: "\n".join(one.text(place) for one in documents))
