"""Who is at the other end: a signed cookie, and the token that each form must carry."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from flask import Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer

from nextlabel.ports.requests import is_same_secret
from nextlabel.service.accounts import ROLES, Keys, Role

COOKIE, NOTE = "nextlabel", "nextlabel-note"
_SECONDS, _NOTE_SECONDS = 7 * 86_400, 60
_LONGEST_NOTE = 600


@dataclass(frozen=True, slots=True)
class Session:
    """A browser, with the role that it logged in as; None before. ``token`` is what its forms carry.

    ``read_only`` is whether pages change nothing, whoever asks.
    """

    id: str
    role: Role | None
    token: str
    read_only: bool = False

    @property
    def is_admin(self) -> bool:
        """Sees what only admins see."""
        return self.role == "admin"

    @property
    def may_decide(self) -> bool:
        """Has the buttons."""
        return self.is_admin and not self.read_only

    def owns(self, token: str) -> bool:
        """Whether a form with that token came from a page of this session."""
        return is_same_secret(token, self.token)


class Sessions:
    """Reads and writes cookies that nobody else can make; one ends after a week, or when the password is renewed."""

    def __init__(self, *, read_only: bool) -> None:
        self._read_only = read_only

    def read(self, request: Request, keys: Keys) -> Session:
        """That of the request; a new one that nobody has logged in with where it carries none that holds."""
        try:
            held = _signer(keys, COOKIE).loads(request.cookies.get(COOKIE, ""), max_age=_SECONDS)
            return self._session(keys, held["id"], _role(held, keys))
        except (BadData, KeyError, TypeError):
            return self._session(keys, secrets.token_urlsafe(18), None)

    def log_in(self, role: Role | None, keys: Keys) -> Session:
        """Another session, so that whoever knew the one before does not know this one."""
        return self._session(keys, secrets.token_urlsafe(18), role)

    def write(self, response: Response, session: Session, keys: Keys, *, secure: bool) -> None:
        held = {"id": session.id, "role": session.role, "print": session.role and keys.print_of(session.role)}
        _set(response, COOKIE, _signer(keys, COOKIE).dumps(held), _SECONDS, secure=secure)

    def write_note(self, response: Response, note: str, keys: Keys, *, secure: bool) -> None:
        """A sentence for the next page that is shown."""
        _set(response, NOTE, _signer(keys, NOTE).dumps(note[:_LONGEST_NOTE]), _NOTE_SECONDS, secure=secure)

    def note(self, request: Request, keys: Keys) -> str:
        try:
            return str(_signer(keys, NOTE).loads(request.cookies.get(NOTE, ""), max_age=_NOTE_SECONDS))
        except BadData:
            return ""

    def _session(self, keys: Keys, session: str, role: Role | None) -> Session:
        token = hmac.digest(keys.signing.encode(), f"token {session}".encode(), "sha256").hex()
        return Session(session, role, token, self._read_only)


def _role(held: dict[str, str], keys: Keys) -> Role | None:
    """None where the password that it was logged in with is another now."""
    role = next((one for one in ROLES if one == held["role"]), None)
    return role if role and is_same_secret(str(held["print"]), keys.print_of(role)) else None


def _signer(keys: Keys, purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(keys.signing, salt=purpose, signer_kwargs={"digest_method": hashlib.sha256})


def _set(response: Response, name: str, value: str, seconds: int, *, secure: bool) -> None:
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="Lax", secure=secure)
