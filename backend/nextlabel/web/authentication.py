"""Who may ask: basic auth of one of the tools, or the secret of its webhooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf

from flask import g, request

from nextlabel.ports.requests import WebhookRequest, is_same_secret
from nextlabel.service.answering import Caller, Service

_READ_AGAIN_SECONDS = 0.5


class Unauthenticated(Exception):
    """No credentials, or the wrong ones; the message says what to do."""


class Authentication:
    """Checks requests against the credentials of each tool, in constant time."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: Sequence[Caller] = ()
        self._read_at = -inf

    def require_basic(self) -> Sequence[Caller]:
        """The tools whose user and password the request carries. Raises `Unauthenticated` where it is nobody's."""
        found = self._those(_has_basic)
        if not found:
            raise Unauthenticated(
                "Basic auth is missing or wrong: run `nextlabel connect` again, it gives the tool the right "
                "user and password; `nextlabel credentials` shows them."
            )
        return found

    def require_webhook(self, sent: WebhookRequest) -> Sequence[Caller]:
        """The tools whose webhook it is, by its secret or by basic auth; raises `Unauthenticated` for nobody's."""
        found = self._those(lambda one: _is_genuine(one, sent)) or self._those(_has_basic)
        if not found:
            raise Unauthenticated(
                "The webhook's secret header is missing or wrong: run `nextlabel connect` again, it sets it."
            )
        return found

    def _those(self, shows: Callable[[Caller], bool]) -> Sequence[Caller]:
        """Read again, now and then, where it is nobody's: another process may have connected a tool."""
        found = _among(self._known, shows)
        if found or time.monotonic() - self._read_at < _READ_AGAIN_SECONDS:
            return found
        self._known, self._read_at = self._service.callers(), time.monotonic()
        return _among(self._known, shows)


def _among(known: Sequence[Caller], shows: Callable[[Caller], bool]) -> list[Caller]:
    """Only the tool that is named in the request's address, where one is."""
    only = g.get("tool")
    return [one for one in known if only in (None, one.tool) and shows(one)]


def tools(callers: Sequence[Caller]) -> tuple[str, ...]:
    """Their names."""
    return tuple(one.tool for one in callers)


def _is_genuine(caller: Caller, sent: WebhookRequest) -> bool:
    words = caller.type.webhooks
    return words is not None and words.is_genuine(sent, caller.credentials.webhook_secret)


def _has_basic(caller: Caller) -> bool:
    try:
        given = request.authorization
    except ValueError:  # it holds bytes that no such header may hold
        return False
    if given is None or given.type != "basic":
        return False
    expected = caller.credentials
    is_user = is_same_secret(given.username or "", expected.user)
    return is_same_secret(given.password or "", expected.password) & is_user
