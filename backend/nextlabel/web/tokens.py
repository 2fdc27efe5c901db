"""Programs show a token: `Authorization: Bearer nextlabel_…`."""

from __future__ import annotations

from flask import g, request

from nextlabel.service.tokens import Tokens
from nextlabel.web.authentication import Unauthenticated


class NotAllowed(Exception):
    """A token that is known, and is for something else; the message says what to do."""


def require_token(tokens: Tokens, scope: str) -> None:
    """Notes the token's name for this request. Raises `Unauthenticated` without a token that is known, and `NotAllowed`
    for one without the scope."""
    try:
        given = request.authorization
    except ValueError:  # it holds bytes that no such header may hold
        given = None
    token = given.token if given is not None and given.type == "bearer" else None
    known = tokens.check(token) if token else None
    if known is None:
        raise Unauthenticated(
            f"A token is missing, or not known (any more): `nextlabel tokens create NAME --scope {scope}` makes one; "
            "send it as Authorization: Bearer TOKEN."
        )
    if scope not in known.scopes:
        raise NotAllowed(f"The token '{known.name}' is not for this: it takes one with the scope {scope}.")
    g.token = known.name
