"""Who may ask: basic auth as Label Studio sends it, and the secret header of webhooks."""

from __future__ import annotations

import hmac
from functools import cached_property

from flask import request

from nextlabel.ports.state import Credentials
from nextlabel.service.answering import Service


class Unauthenticated(Exception):
    """No credentials, or the wrong ones; the message says what to do."""


class Authentication:
    """Checks requests against the installation's credentials, in constant time."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @cached_property
    def _credentials(self) -> Credentials:
        return self._service.credentials()

    def require_basic(self) -> None:
        """Raises `Unauthenticated` unless the request carries the user and password."""
        if not self._has_basic():
            raise Unauthenticated(
                "Basic auth is missing or wrong: run `nextlabel connect` again, it gives Label Studio the right "
                "user and password; `nextlabel credentials` shows them."
            )

    def require_webhook(self, header: str) -> None:
        """Raises `Unauthenticated` unless the request carries the webhook secret or basic auth."""
        if not _same(request.headers.get(header, ""), self._credentials.webhook_secret) and not self._has_basic():
            raise Unauthenticated(
                f"The webhook's {header} header is missing or wrong: run `nextlabel connect` again, it sets it."
            )

    def _has_basic(self) -> bool:
        try:
            given = request.authorization
        except ValueError:  # it holds bytes that no such header may hold
            return False
        if given is None or given.type != "basic":
            return False
        user, password = given.username or "", given.password or ""
        return _same(user, self._credentials.user) & _same(password, self._credentials.password)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())
