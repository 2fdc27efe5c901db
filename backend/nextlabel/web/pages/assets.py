"""Style and scripts, under addresses that change with what they hold, so that a browser asks for each once."""

from __future__ import annotations

from pathlib import Path

from flask import Response, abort, url_for

from nextlabel.web.shipped import Shipped, shipped

_FOLDER = Path(__file__).parent / "static"
_NAMES = frozenset({"pages.css", "pages.js", "htmx.min.js", "mark.svg"})
_FOR_A_YEAR = "public, max-age=31536000, immutable"


def _asset(name: str) -> Shipped:
    return shipped(_FOLDER / name)


def address(name: str) -> str:
    """Where a page finds one."""
    return url_for("pages.asset", digest=_asset(name).digest, name=name)


def asset(digest: str, name: str) -> Response:
    """One of them, whatever the digest: a page of an earlier release asks for what there is now."""
    if name not in _NAMES:
        abort(404)
    found = _asset(name)
    response = found.response()
    if digest == found.digest:
        response.headers["Cache-Control"] = _FOR_A_YEAR
    return response
