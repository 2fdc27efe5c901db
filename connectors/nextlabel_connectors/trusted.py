"""Which certificates are trusted: read once for a process, where httpx reads them anew for each client."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted(*, by_environment: bool = True) -> ssl.SSLContext:
    """httpx's own, for ``verify``: 30 ms or more to read. ``by_environment``: SSL_CERT_FILE may name others."""
    return httpx.create_ssl_context(trust_env=by_environment)
