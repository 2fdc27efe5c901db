"""Documents → their text, page by page."""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from time import monotonic

from nextlabel.errors import ConfigurationError

SIGNATURE = "pdf-1"
"""Changes whenever the same document would give another text."""

MOST_PAGES, MOST_CHARACTERS = 200, 100_000  # the first of them
_HEAD, _HEAD_WITHIN = b"%PDF-", 1024  # where every PDF file says so: what is none would be searched to its end
_SECONDS = 20.0  # then the pages that were read so far must do


def require() -> None:
    """Raises `ConfigurationError` saying what to install."""
    try:
        import pypdf  # noqa: F401, PLC0415
    except ImportError as error:
        raise ConfigurationError('Documents need pypdf: pip install "nextlabel[pdf]".') from error


def describe(content: bytes) -> str | None:
    """The text of its pages, empty for scanned ones; None for what is no PDF, or is locked with a password."""
    from pypdf import PdfReader  # noqa: PLC0415 - an extra

    if _HEAD not in content[:_HEAD_WITHIN]:
        return None
    texts, characters, until = list[str](), 0, monotonic() + _SECONDS
    try:
        for page in islice(PdfReader(BytesIO(content)).pages, MOST_PAGES):
            texts.append(page.extract_text()[: MOST_CHARACTERS - characters])
            characters += len(texts[-1])
            if characters >= MOST_CHARACTERS or monotonic() > until:
                break
    except Exception as error:  # broken files raise what they like; the pages before count
        if isinstance(error, MemoryError) and not texts:
            raise
        return "\n".join(texts) if texts else None
    return "\n".join(texts)
