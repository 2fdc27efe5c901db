"""From values to HTML: every page from its template, and the part of it that is live alone."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Response, g, request, url_for
from jinja2 import Environment, PackageLoader, StrictUndefined

from nextlabel.evaluation import accuracy, agreement
from nextlabel.evaluation.given import FEWEST_SHARED
from nextlabel.labeling import counted
from nextlabel.web.pages import assets

LIVE = "live"
"""The block of a template that is asked for again every three seconds, by its page's address and this argument."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SECONDS, _MOST = 10.0, 200


def show(template: str, **values: object) -> Response:
    """The page; only what is live of it where that is asked for, and nothing where that has not changed.

    A value that is a function is called when the page is made: what is live is made once for ten seconds, for all who
    see the same and as long as the other values are the same.
    """
    found = _TEMPLATES.get_template(template)
    if LIVE not in request.args:
        return Response(found.render(_whole(template, values)))
    response = Response(_LIVE.body(template, values, lambda: _live(found, _whole(template, values))))
    response.add_etag(weak=True)  # it may be sent zipped
    response.make_conditional(request)
    return response


def rendered(template: str, **values: object) -> str:
    """A page that belongs to no request."""
    return str(_TEMPLATES.get_template(template).render(values))


def _whole(template: str, values: Mapping[str, object]) -> dict[str, object]:
    made = {name: one() if callable(one) else one for name, one in values.items()}
    return made | {"session": g.session, "note": g.note, "page": template.removesuffix(".html")}


def _live(template: Any, values: Mapping[str, object]) -> str:
    return "".join(template.blocks[LIVE](template.new_context(values)))


@dataclass(frozen=True, slots=True)
class _Made:
    """``period`` is when: what happened a while ago is another while ago in the next one."""

    period: int
    values: Mapping[str, object]
    body: str


class _Fragments:
    """What was made lately of what is live, 200 at most. An admin's forms carry the token of the session."""

    def __init__(self) -> None:
        self._known: OrderedDict[object, _Made] = OrderedDict()
        self._lock = threading.Lock()

    def body(self, template: str, values: Mapping[str, object], make: Callable[[], str]) -> str:
        session, period = g.session, _period()
        key = template, request.full_path, session.token if session.is_admin else session.role
        given = {name: one for name, one in values.items() if not callable(one)}
        known = self._known.get(key)
        if known is not None and known.period == period and _are_same(known.values, given):
            return known.body
        body = make()
        with self._lock:
            self._known[key] = _Made(period, given, body)
            self._known.move_to_end(key)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        return body


_LIVE = _Fragments()


def _are_same(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """By what they are: what was read once is the same object until it is read again."""
    return all(
        one[name] is value or (isinstance(value, str | int) and one[name] == value) for name, value in other.items()
    )


def _period() -> int:
    return int(time.time() // _SECONDS)


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
    now = datetime.fromtimestamp(_period() * _SECONDS, UTC)  # the same in each process
    seconds = (now - at.replace(tzinfo=at.tzinfo or UTC)).total_seconds()
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
    made.globals |= {"FEWEST": accuracy.FEWEST, "FEWEST_SHARED": FEWEST_SHARED, "several": agreement.of_several}
    made.globals["asset"] = assets.address
    made.filters |= {"percent": _percent, "at": _at, "ago": _ago, "web_address": _web_address}
    made.globals["parts"] = made.get_template("parts.html").module  # in the live block too, which is rendered alone
    return made


_TEMPLATES: Any = _templates()
