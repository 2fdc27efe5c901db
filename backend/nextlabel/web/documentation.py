"""`/docs`: the documentation of this release, as the package brings it along. It holds no secret and asks for no login.

What is served is a file of the folder that the build made, known by its name before anything is asked for: no path
leads out of it. A clone has the folder once `make docs` was run.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from nextlabel.web.pages.site import HEADERS

FOLDER = Path(__file__).parent / "documentation_site"
_TYPES = {
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
_SMALL_ALREADY = frozenset({".png"})
_ASK_AGAIN, _FOR_A_DAY = "no-cache", "public, max-age=86400"
_MISSING = "The documentation is not in this installation. In a clone, `make docs` builds it."


@dataclass(frozen=True, slots=True)
class _Page:
    content: bytes
    zipped: bytes | None
    type: str
    etag: str
    lasts: str


def routes() -> Blueprint:
    """Open to everybody, under the policy of the pages."""
    made = Blueprint("documentation", __name__)

    @made.get("/docs")
    def docs() -> AnyResponse:
        return redirect("/docs/", 308)

    @made.get("/docs/")
    @made.get("/docs/<path:name>")
    def page(name: str = "index.html") -> Response:
        return _answer(name)

    @made.after_request
    def finish(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    return made


def _answer(name: str) -> Response:
    found = _page(name) if name in _names() else None
    if found is None:
        return _no_page()
    zips = found.zipped is not None and request.accept_encodings["gzip"] > 0
    response = Response(found.zipped if zips else found.content, content_type=found.type)
    response.headers |= {"Vary": "Accept-Encoding", "Cache-Control": found.lasts}
    if zips:
        response.headers["Content-Encoding"] = "gzip"
    response.set_etag(found.etag + ("-gzip" if zips else ""))
    response.make_conditional(request)
    return response


def _no_page() -> Response:
    missing = _page("404.html") if "404.html" in _names() else None
    content, type_ = (missing.content, missing.type) if missing else (_MISSING.encode(), _TYPES[".txt"])
    return Response(content, 404, content_type=type_, headers={"Cache-Control": "no-store"})


@cache
def _names() -> frozenset[str]:
    """Every file that may be asked for, by its path in the folder."""
    files = (one for one in FOLDER.rglob("*") if one.is_file() and one.suffix in _TYPES)
    return frozenset(one.relative_to(FOLDER).as_posix() for one in files)


@cache
def _page(name: str) -> _Page:
    """One of `_names`, read once."""
    path = FOLDER / name
    content = path.read_bytes()
    zipped = None if path.suffix in _SMALL_ALREADY else gzip.compress(content, mtime=0)
    lasts = _FOR_A_DAY if path.suffix in _SMALL_ALREADY else _ASK_AGAIN
    return _Page(content, zipped, _TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:20], lasts)
