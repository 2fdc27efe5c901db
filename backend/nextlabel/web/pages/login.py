"""Logging in and out."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, g, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from nextlabel.labeling import counted
from nextlabel.service.accounts import Accounts
from nextlabel.web.pages.attempts import Attempts
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import Site, log

_WRONG = "Name or password is wrong: `nextlabel credentials` shows both."


def add(site: Site, accounts: Accounts) -> None:
    attempts = Attempts()

    def login() -> AnyResponse:
        if g.session.role:
            return site.go(_wanted())
        return site.with_session(show("login.html", wrong="", name=""))

    def log_in() -> AnyResponse:
        address = request.remote_addr or ""
        if wait := attempts.wait(address):
            minutes = counted(int(wait // 60) + 1, "minute")
            return _again(site, f"Too many failed attempts from here: try again in {minutes}.", 429)
        role = site.keys.role_of(request.form.get("name", "").strip().lower(), request.form.get("password", ""))
        if role is None:
            attempts.note_failure(address)
            log.warning("somebody failed to log in to the pages, from %s", address)
            return _again(site, _WRONG, 401)
        accounts.note_login(role, address)
        return site.go(_wanted(), session=site.log_in(role))

    def log_out() -> AnyResponse:
        return site.go(url_for("pages.login"), session=site.log_out())

    site.get("/login", None, login)
    site.post("/login", None, log_in)
    site.post("/logout", None, log_out)


def _again(site: Site, sentence: str, status: int) -> Response:
    response = site.with_session(show("login.html", wrong=sentence, name=request.form.get("name", "")))
    response.status_code = status
    return response


def _wanted() -> str:
    """Where somebody wanted to go before they had to log in: a page of ours, never an address elsewhere."""
    wanted = request.args.get("next", "")
    parsed = urlsplit(wanted)
    local = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not (parsed.scheme or parsed.netloc)
    return wanted if local and wanted.isprintable() else url_for("pages.projects")
