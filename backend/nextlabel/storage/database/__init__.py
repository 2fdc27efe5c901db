"""The SQL database: tables, migrations, and the two kinds of transaction."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

import orjson
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from nextlabel.errors import PayloadError, SettingsError, StorageBusy, StorageError

# What SQLite and PostgreSQL say of a disk that is full (SQLite also where the index of its log has no room, with which
# it could not even read), and of one that is read-only or broken.
_FULL = ("database or disk is full", "disk i/o error", "no space left on device", "disk full")
_NO_ROOM = (*_FULL, "readonly database", "unable to open database file", "read-only transaction")
# What SQLite says of a file that holds something else, or was written to by something else.
_DAMAGED = ("is malformed", "is not a database", "is encrypted")
_NUL = "cannot contain nul"  # PostgreSQL, of text that SQLite takes
# What they say when somebody else has kept a lock for longer than one waits.
_LOCKED = ("database is locked", "database table is locked", "lock timeout", "deadlock detected")
# What is said of a PostgreSQL that is down, starts, stops, or has no connection left.
_AWAY = ("connection failed", "connection is bad", "connection timeout", "connection is lost", "terminating connection")
_BUSY_SECONDS = 15
_KEPT_OPEN = 2  # connections to SQLite: to open one takes five times as long as a short question
_LONGEST_LOG = 16_000_000  # bytes that SQLite's log keeps of the disk; it is four million long between checkpoints
_CONNECT_SECONDS = 10
_CHUNK = 500  # SQLite allows no more than a thousand or so values in one statement
_MIGRATION_LOCK = 0x6E657874  # any number that all nextlabel processes agree on

T = TypeVar("T")

_engines: WeakSet[Engine] = WeakSet()
"""Of this process. None of their idle connections is open while it forks: to SQLite a child that inherits one seems to
hold locks that it does not, and to PostgreSQL both would talk at once."""


def _close_idle() -> None:
    for engine in list(_engines):
        engine.dispose()


os.register_at_fork(before=_close_idle)


def chunks(items: Collection[T]) -> Iterator[list[T]]:
    """As many at a time as a statement may name."""
    remaining = iter(items)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk


def in_utc(at: datetime) -> datetime:
    """A time as it is read: SQLite keeps no time zone, and all that we write is in UTC."""
    return at.replace(tzinfo=at.tzinfo or UTC)


class Database:
    """A database that is brought up to date at the first use by any process."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        _engines.add(self._engine)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one consistent state. Raises `StorageError` where the disk does not let even that,
        and `StorageBusy` where somebody else does not, or the database cannot be reached.
        """
        with _storage_errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that changes something, all of it or nothing.

        On SQLite it takes the write lock at once: a read that becomes a write later can fail half-way. Raises
        `StorageError` where there is no room, or the database is read-only, and `StorageBusy` where it cannot be
        reached or somebody else keeps it locked for more than 15 s; then nothing has changed.
        """
        with _storage_errors(), self._writing() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(nextlabel_write=True) as connection, connection.begin():
            yield connection

    def migrate(self) -> None:
        """Bring the schema up to date; safe when several processes start together.

        One that is up to date is only read. Raises `SettingsError` where a person must change something, `StorageBusy`
        where somebody else keeps it locked for more than 15 s, and `StorageError` where the disk is full.
        """
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        if self._is_at(ScriptDirectory.from_config(config).get_current_head()):
            return
        try:
            with self._writing() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SET LOCAL lock_timeout = 0"))  # another one's migration may take longer
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except DBAPIError as error:
            stated = str(error.orig).lower()
            if _is_locked(stated) or any(sign in stated for sign in _FULL):
                with _storage_errors():
                    raise
            raise SettingsError(
                f"The database at {self._engine.url.render_as_string(hide_password=True)} cannot be opened "
                f"({str(error.orig).strip()}): check NEXTLABEL_DATABASE_URL, or that NEXTLABEL_HOME can be written."
            ) from error
        except CommandError as error:
            raise SettingsError(
                f"The database at {self._engine.url.render_as_string(hide_password=True)} was brought up to date by a "
                f"later release of nextlabel ({error}): install that one again, or restore the copy from before. "
                "Nothing was changed."
            ) from error

    def _is_at(self, head: str | None) -> bool:
        """Whether no migration is left to do; False also where that cannot be read: what is tried next says why."""
        try:
            with self._engine.connect() as connection, connection.begin():
                return MigrationContext.configure(connection).get_current_heads() == (head,)
        except DBAPIError:
            return False

    @property
    def folder(self) -> Path | None:
        """Where its file is, if it is one."""
        url = self._engine.url
        return Path(url.database).parent if url.get_backend_name() == "sqlite" and url.database else None

    def dispose(self) -> None:
        """Close the connections that nobody uses."""
        self._engine.dispose()


def _is_locked(stated: str) -> bool:
    return any(sign in stated.lower() for sign in _LOCKED)


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        stated = str(error.orig).strip()
        if _NUL in stated.lower():
            raise PayloadError("A name that was sent holds the character NUL, which no name here does.") from error
        if _is_locked(stated):
            raise StorageBusy(
                f"Somebody else keeps the database locked ({stated}): nextlabel tries again, and nothing is lost. If "
                "it happens often, see what else writes to it for long, such as a backup."
            ) from error
        if error.connection_invalidated or any(sign in stated.lower() for sign in _AWAY):
            raise StorageBusy(
                f"The database cannot be reached ({stated}): check that it runs and has connections left. nextlabel "
                "tries again, and nothing is lost."
            ) from error
        if any(sign in stated.lower() for sign in _DAMAGED):
            raise StorageError(
                f"The database is damaged ({stated}): stop nextlabel and restore a copy, or move it away and connect "
                "the projects again: all labels are in the tool."
            ) from error
        if not any(sign in stated.lower() for sign in _NO_ROOM):
            raise
        raise StorageError(
            f"The database takes nothing more ({stated}): make room on its disk, or make it writable. Nothing is lost "
            "meanwhile, and nextlabel goes on by itself."
        ) from error


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError(
            "NEXTLABEL_DATABASE_URL cannot be read: write it as sqlite:///path or postgresql+psycopg://user@host/name."
        ) from None
    if parsed.get_backend_name() == "postgresql":
        _check_driver()
        patience = {} if "connect_timeout" in parsed.query else {"connect_timeout": _CONNECT_SECONDS}
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            connect_args=patience,
            pool_pre_ping=True,
            hide_parameters=True,
            json_serializer=_standard_json,
            json_deserializer=_read_json,
        )
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "handle_error", _hide_row)
        return engine
    if parsed.get_backend_name() != "sqlite":
        raise SettingsError(f"NEXTLABEL_DATABASE_URL names {parsed.get_backend_name()}: use sqlite or postgresql.")
    if not parsed.database or parsed.database == ":memory:":
        raise SettingsError("NEXTLABEL_DATABASE_URL names no file: write it as sqlite:///path.")
    try:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(
            f"The folder of {parsed.database} cannot be made ({error.strerror}): check NEXTLABEL_DATABASE_URL."
        ) from None
    engine = create_engine(
        parsed.set(drivername="sqlite"),
        pool_size=_KEPT_OPEN,
        max_overflow=-1,  # nobody waits for another one's connection
        hide_parameters=True,
        json_deserializer=_read_json,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "connect", partial(_note_file, parsed.database))
    event.listen(engine, "checkout", partial(_check_file, parsed.database))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _check_driver() -> None:
    try:
        import psycopg  # noqa: F401, PLC0415 - an optional dependency
    except ImportError as error:
        raise SettingsError(
            f"NEXTLABEL_DATABASE_URL names PostgreSQL, which needs psycopg ({error}): run `pip install "
            "'nextlabel[postgres]'`."
        ) from None


def _hide_row(context: ExceptionContext) -> None:
    """PostgreSQL's errors show the row that was refused in the lines after the first, and rows hold secrets."""
    original, wrapped = context.original_exception, context.sqlalchemy_exception
    stated = str(original)
    short = stated.partition("\n")[0]
    original.args = (short,)
    if wrapped is not None:
        wrapped.args = tuple(str(arg).replace(stated, short) for arg in wrapped.args)


def _standard_json(value: object) -> str:
    """PostgreSQL knows no NaN and no infinity: where a task holds one, nothing stands in its place."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def _read_json(stored: str | bytes) -> object:
    """Most of the time that it takes to read a hundred thousand tasks is spent here. Python's own reader is slower, but
    reads what it writes, NaN and halves of surrogate pairs too."""
    try:
        return orjson.loads(stored)
    except orjson.JSONDecodeError:
        return json.loads(stored)


def read_each(stored: Sequence[str]) -> list[Any]:
    """Many texts of JSON, read at once."""
    try:
        found: list[Any] = orjson.loads(f"[{','.join(stored)}]")
    except orjson.JSONDecodeError:
        found = []
    return found if len(found) == len(stored) else [_read_json(one) for one in stored]


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _finite(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(held) for held in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _prepare_sqlite(connection: object, record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # we send BEGIN ourselves, see below
    # First how long to wait for a lock: what follows may need one.
    busy = f"busy_timeout={_BUSY_SECONDS * 1000:.0f}"
    # While connections stay open the log is never removed: without a limit it stays as long as it ever was.
    log = f"journal_size_limit={_LONGEST_LOG}"
    for pragma in (busy, "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", log):
        connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]


def _note_file(path: str, connection: object, record: ConnectionPoolEntry) -> None:
    record.info["file"] = _identity(path)


def _check_file(path: str, connection: object, record: ConnectionPoolEntry, proxy: object) -> None:
    """A connection to a file that was replaced, by a backup say, would go on writing to the one that is gone."""
    if record.info["file"] != _identity(path):
        raise DisconnectionError(f"{path} is another file now.")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _prepare_postgresql(connection: Any, record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{_BUSY_SECONDS * 1000:.0f}ms'")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("nextlabel_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
