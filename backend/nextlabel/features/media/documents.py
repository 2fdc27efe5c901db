"""Documents as texts: opened once, then kept by address and counted or embedded as any text is."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from nextlabel.features.media import pdf
from nextlabel.features.media.apart import apart
from nextlabel.features.media.encoder import can_be_opened
from nextlabel.features.media.reading import address_of, read_all
from nextlabel.features.source import Source
from nextlabel.features.text import content_hash
from nextlabel.labeling import Task, read_field

_READ_AT_ONCE = 100  # documents, before their texts are kept


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


def with_their_texts(tasks: Sequence[Task], fields: Sequence[str], source: Source) -> list[Task]:
    """Tasks that hold the texts of the PDF files that these fields name, under the fields' names; empty where there is
    none to be had now, which is tried again."""
    texts = {field: _texts([address_of(read_field(task.data, field)) for task in tasks], source) for field in fields}
    return [Task(task.id, {field: texts[field][n] for field in fields}) for n, task in enumerate(tasks)]


def _texts(addresses: Sequence[str], source: Source) -> list[str]:
    keys = {address: content_hash(address) for address in addresses if address}
    found = {address: source.texts.get(pdf.SIGNATURE, key) if source.texts else None for address, key in keys.items()}
    missing = [address for address, text in found.items() if text is None]
    if missing and can_be_opened(pdf.require):
        with apart(pdf.__name__) as elsewhere:
            for start in range(0, len(missing), _READ_AT_ONCE):
                some = missing[start : start + _READ_AT_ONCE]
                for address, text in zip(some, read_all(some, source.file, _text_by(elsewhere)), strict=True):
                    if text is not None:
                        found[address] = text
                        if source.texts:
                            source.texts.keep(pdf.SIGNATURE, keys[address], text)
    return [found.get(address) or "" for address in addresses]


def _text_by(elsewhere: Callable[[bytes], bytes | None]) -> Callable[[bytes], str | None]:
    def read(content: bytes) -> str | None:
        # A file that ended its child would end the next one too: it is kept as one without any text.
        return None if (text := elsewhere(content)) is None else text.decode()

    return read
