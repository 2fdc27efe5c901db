"""How this installation is set up: a frozen `Settings`, and the only reader of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from nextlabel.errors import SettingsError

_FILE_HOST = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
_PORTS = range(1, 65_536)
_MAY_BE_FILES = (
    "NEXTLABEL_DATABASE_URL",
    "NEXTLABEL_PASSWORD",
    "NEXTLABEL_WEBHOOK_SECRET",
    "LABEL_STUDIO_API_KEY",
    "REDIS_URL",
    "NEXTLABEL_NOTES_URL",
)
_LARGEST_SECRET = 100_000

MEANINGS: Mapping[str, str] = {
    "NEXTLABEL_HOME": "state: database, models, cached features",
    "NEXTLABEL_DATABASE_URL": "or `postgresql://…` where several machines work",
    "NEXTLABEL_MODELS_URL": "anything that fsspec can write, e.g. `s3://bucket/models`; of this installation alone, "
    "for files in it that belong to no version are deleted",
    "REDIS_URL": "without it `nextlabel up` starts one of its own; set it where backend and worker are on different "
    "machines",
    "NEXTLABEL_CONNECTOR": "the kind of tool that projects without another are of",
    "NEXTLABEL_USER": "what tools must show with each question, made and kept where it is not given",
    "NEXTLABEL_PASSWORD": "the same",
    "NEXTLABEL_WEBHOOK_SECRET": "the same, with each event",
    "NEXTLABEL_BACKEND_URL": "where the tool finds nextlabel; without it where `up` or `serve` was last started",
    "LABEL_STUDIO_URL": "for `connect`: where the tool is, as nextlabel reaches it",
    "LABEL_STUDIO_API_KEY": "for `connect`: an access token of the tool",
    "NEXTLABEL_HOST": "the address that `up` and `serve` listen on, as `--host`; the image listens on all",
    "NEXTLABEL_WEB_WORKERS": "processes that answer",
    "NEXTLABEL_WEB_THREADS": "threads of each of them",
    "NEXTLABEL_WORKERS": "processes that learn, on this machine",
    "NEXTLABEL_RECONCILE_SECONDS": "how often labels are pulled even if no webhook came",
    "NEXTLABEL_FULL_RECONCILE_HOURS": "how often everything is read again, whatever seems to have changed; also when "
    "`nextlabel work` or `up` starts",
    "NEXTLABEL_KEEP_MODELS": "how many versions, and orders, of each project are kept whole, always also those in "
    "service now and before, and those of the last two orders; of older ones the figures stay",
    "NEXTLABEL_MAX_REQUEST_MB": "the largest request that is read",
    "NEXTLABEL_EMBEDDINGS": "a folder with a sentence model, or its name on the hub once it is downloaded",
    "NEXTLABEL_IMAGE_EMBEDDINGS": "the same for pictures (ONNX)",
    "NEXTLABEL_MODEL": "models of your own, `[name=]path/to/model.py:Class`, with commas between them",
    "NEXTLABEL_MODEL_START_SECONDS": "how long such a model may take to load",
    "NEXTLABEL_MODEL_PREDICT_SECONDS": "to answer one request of a few tasks",
    "NEXTLABEL_MODEL_FIT_SECONDS": "to learn",
    "NEXTLABEL_MODEL_MEMORY_MB": "how much address space it may have (Linux); 0: any",
    "NEXTLABEL_MODEL_IDLE_SECONDS": "for how long a model, ours or yours, stays in memory when nobody asks it; of at "
    "most 64 projects",
    "NEXTLABEL_FILE_HOSTS": "where pictures and other files may be read from beside the tool: `images.example.org`, "
    "`.example.org` (all below it), and with its port what is in a private network, `minio.internal:9000`. Storage to "
    "whose signed addresses Label Studio redirects counts too",
    "NEXTLABEL_STRATEGY_FUNCTIONS": "functions that a project may name as its strategy, `modal:package.module.function`"
    " or `function:…`, with commas between them; no other is imported",
    "NEXTLABEL_LOG_LEVEL": "`DEBUG`, `INFO`, `WARNING` or `ERROR`",
    "NEXTLABEL_LOG": "`text`, or `json`: one JSON object a line, with the ids of requests and jobs",
    "NEXTLABEL_METRICS": "`token`, or `open`: `/metrics` takes no token",
    "NEXTLABEL_PAGES": "`full`, or `read-only`: pages change nothing, for admins neither",
    "NEXTLABEL_NOTES_URL": "a webhook that takes Slack's messages, for notes to people; a secret",
}
"""What each variable is for, in the reference of settings (`make docs`)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between installations. Secrets are kept out of ``repr``.

    ``file_hosts`` are those that files of tasks may be read from beside the tool, in lower case: ``host`` at public
    addresses and the usual ports, ``.host`` for all hosts below it, ``host:port`` in a private network too.
    ``strategy_functions`` are the functions that a project may name as its strategy, by dotted path. ``embeddings`` and
    ``image_embeddings`` are each a folder, or a name on the hub.
    """

    home: Path
    database_url: str = field(repr=False)
    models_url: str
    redis_url: str | None = field(default=None, repr=False)
    connector: str = "label_studio"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    webhook_secret: str | None = field(default=None, repr=False)
    backend_url: str | None = None
    tool_url: str | None = None
    tool_token: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    web_workers: int = 2
    web_threads: int = 4
    workers: int = 1
    reconcile_seconds: float = 30.0
    full_reconcile_hours: float = 24.0
    keep_models: int = 10
    max_request_mb: int = 64
    embeddings: str = ""
    image_embeddings: str = ""
    models: str = ""
    model_start_seconds: float = 120.0
    model_predict_seconds: float = 60.0
    model_fit_seconds: float = 3600.0
    model_memory_mb: int | None = None
    model_idle_seconds: float = 900.0
    file_hosts: tuple[str, ...] = ()
    strategy_functions: tuple[str, ...] = ()
    log_level: str = "INFO"
    log_format: str = "text"
    metrics: str = "token"
    pages: str = "full"
    notes_url: str | None = field(default=None, repr=False)

    @property
    def strategies_folder(self) -> Path:
        """Where a team keeps query strategies of its own, a file each."""
        return self.home / "strategies"

    @property
    def embeddings_folder(self) -> Path:
        """Where models are that were downloaded by name."""
        return self.home / "embeddings"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the environment; of a secret that is not in it, the file that `NAME_FILE` names, as container platforms
        hand them over.

        Raises `SettingsError` naming the variable whose value is bad.
        """
        environ = {**environ, **_from_files(environ)}
        home = Path(environ.get("NEXTLABEL_HOME") or Path.home() / ".nextlabel").expanduser().absolute()
        return cls(
            home=home,
            database_url=environ.get("NEXTLABEL_DATABASE_URL") or f"sqlite:///{home / 'nextlabel.db'}",
            models_url=environ.get("NEXTLABEL_MODELS_URL") or str(home / "models"),
            redis_url=environ.get("REDIS_URL") or None,
            connector=environ.get("NEXTLABEL_CONNECTOR") or "label_studio",
            user=environ.get("NEXTLABEL_USER") or None,
            password=environ.get("NEXTLABEL_PASSWORD") or None,
            webhook_secret=environ.get("NEXTLABEL_WEBHOOK_SECRET") or None,
            backend_url=environ.get("NEXTLABEL_BACKEND_URL") or None,
            tool_url=environ.get("LABEL_STUDIO_URL") or None,
            tool_token=environ.get("LABEL_STUDIO_API_KEY") or None,
            host=environ.get("NEXTLABEL_HOST") or "127.0.0.1",
            web_workers=_whole(environ, "NEXTLABEL_WEB_WORKERS", 2, 1, 64),
            web_threads=_whole(environ, "NEXTLABEL_WEB_THREADS", 4, 1, 256),
            workers=_whole(environ, "NEXTLABEL_WORKERS", 1, 1, 64),
            reconcile_seconds=_number(environ, "NEXTLABEL_RECONCILE_SECONDS", 30.0, 1.0, 86_400.0),
            full_reconcile_hours=_number(environ, "NEXTLABEL_FULL_RECONCILE_HOURS", 24.0, 0.1, 8760.0),
            keep_models=_whole(environ, "NEXTLABEL_KEEP_MODELS", 10, 2, 1_000_000),
            max_request_mb=_whole(environ, "NEXTLABEL_MAX_REQUEST_MB", 64, 1, 4096),
            embeddings=environ.get("NEXTLABEL_EMBEDDINGS") or "",
            image_embeddings=environ.get("NEXTLABEL_IMAGE_EMBEDDINGS") or "",
            models=environ.get("NEXTLABEL_MODEL") or "",
            model_start_seconds=_number(environ, "NEXTLABEL_MODEL_START_SECONDS", 120.0, 1.0, 3600.0),
            model_predict_seconds=_number(environ, "NEXTLABEL_MODEL_PREDICT_SECONDS", 60.0, 0.1, 3600.0),
            model_fit_seconds=_number(environ, "NEXTLABEL_MODEL_FIT_SECONDS", 3600.0, 1.0, 604_800.0),
            model_memory_mb=_whole(environ, "NEXTLABEL_MODEL_MEMORY_MB", 0, 0, 10_000_000) or None,
            model_idle_seconds=_number(environ, "NEXTLABEL_MODEL_IDLE_SECONDS", 900.0, 1.0, 604_800.0),
            file_hosts=_hosts(environ, "NEXTLABEL_FILE_HOSTS"),
            strategy_functions=_functions(environ, "NEXTLABEL_STRATEGY_FUNCTIONS"),
            log_level=_one_of(environ, "NEXTLABEL_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
            log_format=_one_of(environ, "NEXTLABEL_LOG", "text", ("text", "json")),
            metrics=_one_of(environ, "NEXTLABEL_METRICS", "token", ("token", "open")),
            pages=_one_of(environ, "NEXTLABEL_PAGES", "full", ("full", "read-only")),
            notes_url=_web_address(environ, "NEXTLABEL_NOTES_URL"),
        )


def _from_files(environ: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name in _MAY_BE_FILES:
        path = environ.get(f"{name}_FILE")
        if not path or environ.get(name):
            continue
        try:
            with Path(path).open(encoding="utf-8") as file:
                found[name] = file.read(_LARGEST_SECRET).strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise SettingsError(f"{name}_FILE is {path}, which cannot be read ({reason}).") from None
        if not found[name]:
            raise SettingsError(f"{name}_FILE is {path}, which is empty.")
    return found


def _number(environ: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    text = environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}: it must be a number between {low:g} and {high:g}.") from None
    if not low <= value <= high:
        raise SettingsError(f"{name} is {text}: it must be between {low:g} and {high:g}.")
    return value


def _whole(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    value = _number(environ, name, default, low, high)
    if not value.is_integer():
        raise SettingsError(f"{name} is {value}: it must be a whole number.")
    return int(value)


def _hosts(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Hosts that stand apart by commas or white space."""
    given = (environ.get(name) or "").replace(",", " ").lower().split()
    for one in given:
        host, colon, port = one.partition(":")
        known_port = port.isascii() and port.isdecimal() and len(port) < 6 and int(port) in _PORTS
        # All hosts below one at one port would be as good as no rule for a private network.
        if not _FILE_HOST.fullmatch(host) or (colon and (host.startswith(".") or not known_port)):
            raise SettingsError(
                f"{name} is {environ[name]!r}: {one!r} in it must be a host (images.example.org), all hosts below one "
                "(.example.org), or a host with its port (minio.internal:9000), without http:// and path."
            )
    return tuple(dict.fromkeys(given))


def _functions(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Dotted paths that stand apart by commas or white space."""
    given = (environ.get(name) or "").replace(",", " ").split()
    for one in given:
        if not _DOTTED.fullmatch(one):
            raise SettingsError(
                f"{name} is {environ[name]!r}: {one!r} in it must be the dotted path of a function, "
                "package.module.function."
            )
    return tuple(dict.fromkeys(given))


def _web_address(environ: Mapping[str, str], name: str) -> str | None:
    """Whoever knows it may use it: no message holds it."""
    given = (environ.get(name) or "").strip()
    try:
        address = urlsplit(given)
        fits = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        fits = False
    if given and (not fits or not given.isascii() or not given.isprintable()):
        raise SettingsError(f"{name} must be the address of a webhook, beginning with https:// or http://.")
    return given or None


def _one_of(environ: Mapping[str, str], name: str, default: str, known: tuple[str, ...]) -> str:
    given = environ.get(name) or default
    found = next((one for one in known if one.lower() == given.lower()), None)
    if found is None:
        raise SettingsError(f"{name} is {given!r}: it must be one of {', '.join(known)}.")
    return found
