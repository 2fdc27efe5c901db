"""`/docs`: the documentation of this release, as the package brings it along. It holds no secret and asks for no login.

What is served is a file of the folder that the build made, known by its name before anything is asked for: no path
leads out of it. A clone has the folder once `make docs` was run.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from flask import Blueprint, Response, redirect
from werkzeug.wrappers import Response as AnyResponse

from nextlabel.web.pages.site import HEADERS
from nextlabel.web.shipped import TYPES, ZIPPED_ALREADY, shipped

FOLDER = Path(__file__).parent / "documentation_site"
_ASK_AGAIN, _FOR_A_DAY = "no-cache", "public, max-age=86400"
_MISSING = "The documentation is not in this installation. In a clone, `make docs` builds it."


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
    if name not in _names():
        return _no_page()
    path = FOLDER / name
    response = shipped(path).response()
    response.headers["Cache-Control"] = _FOR_A_DAY if path.suffix in ZIPPED_ALREADY else _ASK_AGAIN
    return response


def _no_page() -> Response:
    name = "404.html"
    content, type_ = _MISSING.encode(), TYPES[".txt"]
    if name in _names():
        content, type_ = shipped(FOLDER / name).content, TYPES[".html"]
    return Response(content, 404, content_type=type_, headers={"Cache-Control": "no-store"})


@cache
def _names() -> frozenset[str]:
    """Every file that may be asked for, by its path in the folder."""
    files = (one for one in FOLDER.rglob("*") if one.is_file() and one.suffix in TYPES)
    return frozenset(one.relative_to(FOLDER).as_posix() for one in files)
