"""Style and scripts, under addresses that change with what they hold, so that a browser asks for each once."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Response, abort, request, url_for

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    "pages.css": "text/css",
    "pages.js": "text/javascript",
    "htmx.min.js": "text/javascript",
    "mark.svg": "image/svg+xml",
}
_FOR_A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    zipped: bytes
    digest: str


@cache
def _asset(name: str) -> _Asset:
    content = (_FOLDER / name).read_bytes()
    return _Asset(content, gzip.compress(content, mtime=0), hashlib.sha256(content).hexdigest()[:12])


def address(name: str) -> str:
    """Where a page finds one."""
    return url_for("pages.asset", digest=_asset(name).digest, name=name)


def asset(digest: str, name: str) -> Response:
    """One of them, whatever the digest: a page of an earlier release asks for what there is now."""
    if name not in _TYPES:
        abort(404)
    zips = request.accept_encodings["gzip"] > 0
    found = _asset(name)
    response = Response(found.zipped if zips else found.content, content_type=f"{_TYPES[name]}; charset=utf-8")
    response.headers |= {"Vary": "Accept-Encoding"} | ({"Content-Encoding": "gzip"} if zips else {})
    if digest == found.digest:
        response.headers["Cache-Control"] = _FOR_A_YEAR
    return response
