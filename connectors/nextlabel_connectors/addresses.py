"""The addresses of tools that are reached over HTTP."""

from __future__ import annotations

from urllib.parse import urlsplit

from nextlabel.errors import ToolRejected


def checked_address(url: str, tool: str, port: int) -> str:
    """A tool's address as its paths are appended to it. Raises `ToolRejected` for what is none, or holds a password;
    ``port`` is where the tool usually listens."""
    stripped = url.strip().rstrip("/")
    if "@" in stripped:
        raise ToolRejected(f"{tool}'s address must not hold a user name or password: give the token instead.")
    try:
        parsed = urlsplit(stripped)
        complete = parsed.scheme in ("http", "https") and bool(parsed.hostname) and parsed.port != 0
    except ValueError as error:
        raise ToolRejected(f"{url!r} is not an address: give {tool}'s, e.g. https://label.example.org.") from error
    if not complete:
        raise ToolRejected(
            f"{url!r} is not a complete address: it must start with http:// or https://, e.g. http://localhost:{port}."
        )
    return stripped
