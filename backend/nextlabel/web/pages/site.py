"""The site that pages belong to: who may ask for each, which forms are believed, what every answer carries."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, redirect, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from nextlabel.errors import NextlabelError
from nextlabel.service.accounts import Accounts, Keys, Role
from nextlabel.web.errors import PREFIX, answer, is_browser, status_of
from nextlabel.web.pages import assets
from nextlabel.web.pages.recent import Recent
from nextlabel.web.pages.rendering import LIVE, show
from nextlabel.web.pages.sessions import NOTE, Session, Sessions

log = logging.getLogger("nextlabel.web.pages")

View = Callable[..., AnyResponse]
ReadProject = Callable[[str], dict[str, Any]]
"""`Overview.project`, read once for all pages of a project."""
_LARGEST_FORM = 16_384  # bytes
_SAFE = ("GET", "HEAD", "OPTIONS")
_REPEATED = frozenset(("project", "one", "other", "next"))  # arguments that a page may show
HEADERS: Mapping[str, str] = {
    # Nothing from elsewhere, nothing in the page itself that runs, and no page of ours within another.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_NOT_YOURS = "Only an admin may do this: log out, and in again as admin (`nextlabel credentials` shows how)."
_READ_ONLY = "Pages change nothing here (NEXTLABEL_PAGES=read-only): `nextlabel models promote` does, for one."
_NO_PAGE = {
    404: "There is no page at this address.",
    405: "This address takes a form, and is no page: go back to the page that the form is on.",
}
_OLD_FORM = "This form is from another session: go back, load the page again, and press the button once more."


class _Refused(Exception):
    """The sentence says what to do."""


class Site:
    """All pages. A page is registered with the role that it needs, and cannot be registered without."""

    def __init__(self, accounts: Accounts, *, read_only: bool = False) -> None:
        self.accounts = accounts
        self.blueprint = Blueprint("pages", __name__)
        self._needs: dict[str, Role | None] = {}
        self._keys = Recent[None, Keys](lambda _: accounts.keys())
        self._sessions = Sessions(read_only=read_only)
        self._changed: list[Callable[[], None]] = []
        self.blueprint.before_request(self._admit)
        self.blueprint.after_request(_finish)
        self.blueprint.register_error_handler(_Refused, lambda error: _sorry(error, 403))
        self.blueprint.register_error_handler(NextlabelError, _failed)
        self.blueprint.register_error_handler(HTTPException, lambda error: _sorry(error.description, error.code or 500))
        self.blueprint.register_error_handler(Exception, _unknown)
        for status, sentence in _NO_PAGE.items():
            self.blueprint.app_errorhandler(status)(partial(_no_page, sentence))
        self.get("/assets/<digest>/<name>", None, assets.asset)

    def get(self, rule: str, needs: Role | None, view: View) -> None:
        self._add(rule, needs, view, "GET")

    def post(self, rule: str, needs: Role | None, view: View) -> None:
        self._add(rule, needs, view, "POST")

    def _add(self, rule: str, needs: Role | None, view: View, method: str) -> None:
        self._needs[view.__name__] = needs
        self.blueprint.add_url_rule(rule, view.__name__, view, methods=[method])

    def recent(self, read: Callable[[Any], Any], mark: Callable[[Any], object] | None = None) -> Recent[Any, Any]:
        """What pages read, once for all who ask; read again at once when something was changed here."""
        made = Recent[Any, Any](read, mark)
        self._changed.append(made.forget)
        return made

    @property
    def keys(self) -> Keys:
        return self._keys(None)

    def go(self, address: str, note: str = "", session: Session | None = None) -> AnyResponse:
        """On to another page after a form, with a sentence that is shown there; as another session, where one is
        given."""
        for forget in self._changed:
            forget()
        response = redirect(address, 303)
        if note:
            self._sessions.write_note(_own(response), note, self.keys, secure=request.is_secure)
        if session:
            self._sessions.write(_own(response), session, self.keys, secure=request.is_secure)
        return response

    def log_in(self, role: Role) -> Session:
        return self._sessions.log_in(role, self.keys)

    def log_out(self) -> Session:
        return self._sessions.log_in(None, self.keys)

    def with_session(self, response: Response) -> Response:
        """The session of this request is kept by the browser, so that a form may be sent in it."""
        self._sessions.write(response, g.session, self.keys, secure=request.is_secure)
        return response

    def _admit(self) -> AnyResponse | None:
        request.max_content_length = _LARGEST_FORM
        needs = self._needs[(request.endpoint or "").rpartition(".")[2]]
        g.session, g.note = self._sessions.read(request, self.keys), self._sessions.note(request, self.keys)
        if request.method not in _SAFE and not g.session.owns(request.form.get("token", "")):
            raise _Refused(_OLD_FORM)
        if needs and g.session.role is None:
            return _to_login()
        if needs == "admin" and not g.session.is_admin:
            raise _Refused(_NOT_YOURS)
        if needs == "admin" and request.method not in _SAFE and g.session.read_only:
            raise _Refused(_READ_ONLY)
        return None


def _to_login() -> AnyResponse:
    wanted = request.path if request.method in _SAFE else None
    login = url_for("pages.login", next=wanted)
    if LIVE in request.args:
        return Response(status=401, headers={"HX-Redirect": login})
    return redirect(login, 303)


def _finish(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.update(HEADERS)
    _zip(response)
    if g.get("note") and response.mimetype == "text/html" and LIVE not in request.args and request.method == "GET":
        response.delete_cookie(NOTE)
    return response


def _zip(response: Response) -> None:
    """A page for who takes it zipped; none that repeats what its address holds: how well the token in a form zips with
    that would tell whoever listens what the token is (BREACH: Prado, Harris and Gluck, 2013)."""
    plain = response.status_code != 200 or response.mimetype != "text/html" or "Content-Encoding" in response.headers
    if plain or _REPEATED.intersection(request.args) or request.method != "GET":
        return
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(response.get_data(), 6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"


def _own(response: AnyResponse) -> Response:
    assert isinstance(response, Response)  # noqa: S101 - Flask's redirect makes nothing else
    return response


def _failed(error: NextlabelError) -> Response:
    status = status_of(error)
    if status >= 500:
        log.error("%s", error)
    return _sorry(error, status)


def _unknown(error: Exception) -> Response:
    log.exception("unexpected error")
    return _sorry("Something went wrong inside nextlabel; its log has the details.", 500)


def _no_page(sentence: str, error: HTTPException) -> Response:
    """Of an address that no page has: a page for people, and for programs what they get anywhere."""
    status = error.code or 404
    if request.path.startswith(f"{PREFIX}/") or not is_browser():
        return answer(error.description or error.name, status)
    return _finish(_sorry(sentence, status))


def _sorry(sentence: object, status: int) -> Response:
    """A page that says what happened, and what to do."""
    if "session" not in g:
        g.session, g.note = Session("", None, ""), ""
    response = show("sorry.html", sentence=str(sentence).partition("\n")[0])
    response.status_code = status
    return response
