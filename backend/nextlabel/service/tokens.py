"""Tokens for programs: who may read, change, or scrape metrics."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from nextlabel.errors import SettingsError
from nextlabel.storage.tokens import StoredToken, StoredTokens

SCOPES = ("read", "write", "metrics")
"""What a token may be used for; none includes another."""
_PREFIX = "nextlabel_"  # by which whoever finds one knows what it opens
_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Tokens:
    """Makes, lists, revokes and checks tokens. A token is shown once, when it is made: only its hash is kept.

    It is 256 random bits, so that a plain SHA-256 of it cannot be reversed by trying.
    """

    stored: StoredTokens

    def create(self, name: str, scopes: Collection[str]) -> str:
        """Returns the token. Raises `SettingsError` for a bad name or scope, and where there is one of that name."""
        if not _NAME.fullmatch(name):
            raise SettingsError(f"The name {name[:80]!r} must be 1 to 64 letters, digits and any of _ . @ -.")
        if unknown := set(scopes) - set(SCOPES):
            raise SettingsError(f"There is no scope {min(unknown)!r}: there are {', '.join(SCOPES)}.")
        if not scopes:
            raise SettingsError(f"A token needs a scope: {', '.join(SCOPES)}.")
        token = _PREFIX + secrets.token_urlsafe(32)
        self.stored.add(name, _hash(token), scopes)
        return token

    def revoke(self, name: str) -> None:
        """From the next request on it is refused. Raises `SettingsError` where there is none of that name."""
        if not self.stored.revoke(name):
            raise SettingsError(f"There is no token '{name[:80]}': `nextlabel tokens list` names those there are.")

    def all(self) -> Sequence[StoredToken]:
        return self.stored.all()

    def check(self, token: str) -> StoredToken | None:
        """What is known of a token; None for one that was never given, or is revoked."""
        if not token.startswith(_PREFIX) or len(token) > _LONGEST:
            return None
        return self.stored.by_hash(_hash(token))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
