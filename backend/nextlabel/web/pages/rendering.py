"""From values to HTML: every page from its template, and the part of it that is live alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Response, g, request, url_for
from jinja2 import Environment, PackageLoader, StrictUndefined

from nextlabel.evaluation import accuracy
from nextlabel.evaluation.given import FEWEST_SHARED
from nextlabel.labeling import counted
from nextlabel.web.pages import assets

LIVE = "live"
"""The block of a template that is asked for again every three seconds, by its page's address and this argument."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def show(template: str, **values: object) -> Response:
    """The page; only what is live of it where that is asked for, and nothing where that has not changed."""
    found = _TEMPLATES.get_template(template)
    values |= {"session": g.session, "note": g.note, "page": template.removesuffix(".html")}
    if LIVE not in request.args:
        return Response(found.render(values))
    response = Response("".join(found.blocks[LIVE](found.new_context(values))))
    response.add_etag()
    response.make_conditional(request)
    return response


def rendered(template: str, **values: object) -> str:
    """A page that belongs to no request."""
    return str(_TEMPLATES.get_template(template).render(values))


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", "\u202f%")


def _at(time: str | None) -> str:
    """A time of the read model, for a person."""
    return f"{time[:10]} {time[11:16]}" if time else "–"


def _ago(time: str | None) -> str:
    """How long ago, by steps so coarse that what is shown stays the same for a while."""
    if not time:
        return "never"
    at = datetime.fromisoformat(time)
    seconds = (datetime.now(UTC) - at.replace(tzinfo=at.tzinfo or UTC)).total_seconds()
    steps = ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"))
    step, name = next((one for one in steps if seconds >= one[0]), (0, ""))
    return f"{counted(int(seconds // step), name)} ago" if step else "just now"


def _web_address(address: str | None) -> str | None:
    """An address that may be a link: a folder is none, nor is what a browser would run."""
    return address if address and urlsplit(address).scheme in ("http", "https") else None


def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("nextlabel.web.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"url_for": url_for, "counted": counted, "request": request}
    made.globals |= {"FEWEST": accuracy.FEWEST, "FEWEST_SHARED": FEWEST_SHARED}
    made.globals["asset"] = assets.address
    made.filters |= {"percent": _percent, "at": _at, "ago": _ago, "web_address": _web_address}
    made.globals["parts"] = made.get_template("parts.html").module  # in the live block too, which is rendered alone
    return made


_TEMPLATES: Any = _templates()
