"""Files that the package brings along, as they are sent: each is read and zipped once."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Response, request

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml; charset=utf-8",
    ".png": "image/png",
    ".py": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
"""What is served, by how its name ends; nothing else is."""
ZIPPED_ALREADY = frozenset({".png"})


@dataclass(frozen=True, slots=True)
class Shipped:
    """A file: ``zipped`` is None where that would not make it smaller; ``digest`` changes with what it holds."""

    content: bytes
    zipped: bytes | None
    type: str
    digest: str

    def response(self) -> Response:
        """Zipped for whoever takes that, and without content for whoever has it."""
        zips = self.zipped is not None and request.accept_encodings["gzip"] > 0
        response = Response(self.zipped if zips else self.content, content_type=self.type)
        response.headers["Vary"] = "Accept-Encoding"
        if zips:
            response.headers["Content-Encoding"] = "gzip"
        response.set_etag(self.digest + ("-gzip" if zips else ""))
        response.make_conditional(request)
        return response


@cache
def shipped(path: Path) -> Shipped:
    """A file of ours whose name ends in one of `TYPES`."""
    content = path.read_bytes()
    zipped = None if path.suffix in ZIPPED_ALREADY else gzip.compress(content, mtime=0)
    return Shipped(content, zipped, TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:20])
