"""The settings that this process works with, for people to read: of a secret only whether there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from urllib.parse import urlsplit, urlunsplit

from nextlabel.settings import Settings

_NAMES = {
    "redis_url": "REDIS_URL",
    "tool_url": "LABEL_STUDIO_URL",
    "tool_token": "LABEL_STUDIO_API_KEY",
    "models": "NEXTLABEL_MODEL",
    "log_format": "NEXTLABEL_LOG",
}
"""Of fields whose variable is not NEXTLABEL_ and the field's name."""
_OPTIONS_HIDDEN = frozenset(("parameters",))  # of a team's own model: they may hold a key


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable and what is in force; ``usual`` is whether nothing else was set."""

    name: str
    value: str
    usual: bool


def settings_in_force(settings: Settings) -> list[Setting]:
    """Every one, in the order in which they are documented."""
    return [_setting(settings, one.name, one.repr, one.default) for one in fields(settings)]


def options_in_force(options: Mapping[str, object]) -> dict[str, str]:
    """A project's options by name as people read them, but for what may hold a secret."""
    return {name: _plain(value) for name, value in without_secrets(options).items()}


def without_secrets(options: Mapping[str, object]) -> dict[str, object]:
    """A project's options by name, but for what may hold a secret."""
    return {name: value for name, value in options.items() if name not in _OPTIONS_HIDDEN}


def _setting(settings: Settings, name: str, shown: bool, default: object) -> Setting:
    value = getattr(settings, name)
    usual = value == default if default is not MISSING else False
    words = _plain(value) if shown else "set, and not shown" if value else ""
    return Setting(_NAMES.get(name, f"NEXTLABEL_{name.upper()}"), words, usual)


def _plain(value: object) -> str:
    """As a person would write it; of an address without the name and password that it may hold."""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return _without_password("" if value is None else str(value))


def _without_password(text: str) -> str:
    try:
        parts = urlsplit(text)
        secret = parts.username or parts.password or parts.query
    except ValueError:
        return "set, and not shown"
    if not (parts.scheme and secret):
        return text
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
