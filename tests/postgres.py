"""A PostgreSQL of our own for tests: started in a folder of its own behind a socket, and gone when we are gone.

NEXTLABEL_TEST_POSTGRES_URL names another to use, by a database whose user may create others; with
NEXTLABEL_TEST_DATABASE=postgresql the label store of every test is on it, and with
NEXTLABEL_TEST_LABEL_STUDIO=postgresql the database of the Label Studio that tests share.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from nextlabel.jobs.embedded_redis import end_with_parent
from nextlabel.testing.waiting import CEILING_SECONDS

ON_POSTGRES = os.environ.get("NEXTLABEL_TEST_DATABASE") == "postgresql"
LABEL_STUDIO_ON_POSTGRES = os.environ.get("NEXTLABEL_TEST_LABEL_STUDIO") == "postgresql"
NewStore = Callable[[], dict[str, str]]
"""Settings for the label store of an installation to be started."""

URL = os.environ.get("NEXTLABEL_TEST_POSTGRES_URL", "")

_USER = "nextlabel"
_DEBIAN = Path("/usr/lib/postgresql")
# Nothing here has to outlive the machine.
_CARELESS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=50")


class PostgresMissing(Exception):
    """There is no PostgreSQL installed."""


class PostgresServer:
    """A server that only this machine's users reach. It refuses to run as root: then it runs as somebody else."""

    def __init__(self) -> None:
        """Raises `PostgresMissing`."""
        self._programs = _programs()
        self._folder = Path(tempfile.mkdtemp(prefix="nextlabel-pg-"))  # a socket's path must be short
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{_USER}@/postgres?host={self._folder}"

    def __enter__(self) -> Self:
        account = _unprivileged()
        if account:
            shutil.chown(self._folder, account["user"], account["group"])
        initdb = [
            "initdb",
            "-D",
            str(self._folder / "data"),
            "-U",
            _USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale",
            "C.UTF-8",
            "--no-sync",
        ]
        self._run(*initdb, check=True, **account)
        self.start()
        return self

    def start(self) -> None:
        """Returns once it answers."""
        account, data, log = _unprivileged(), self._folder / "data", self._folder / "log"
        options = [option for careless in _CARELESS for option in ("-c", careless)]
        server = ["postgres", "-D", str(data), "-k", str(self._folder), "-c", "listen_addresses=", *options]
        with log.open("wb") as received:
            self._process = process = subprocess.Popen[bytes](
                [str(self._programs / server[0]), *server[1:]],
                stdin=subprocess.DEVNULL,
                stdout=received,
                stderr=received,
                cwd=self._folder,
                preexec_fn=end_with_parent(signal.SIGQUIT),
                start_new_session=True,
                **account,
            )
        deadline = time.monotonic() + CEILING_SECONDS
        while self._run("pg_isready", "-q", "-h", str(self._folder)):
            if process.poll() is not None or time.monotonic() > deadline:
                stated = log.read_text(errors="replace")[-2000:]
                self.close()
                raise RuntimeError(f"PostgreSQL did not start. Its log ends:\n{stated}")
            time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def stop(self, number: int = signal.SIGINT) -> None:
        """End it, with all that it holds written down: as careless as it is, it would lose some otherwise."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()

    def close(self) -> None:
        """End it at once and remove its data."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str, check: bool = False, **account: Any) -> int:
        command = [str(self._programs / program), *arguments]
        return subprocess.run(command, check=check, capture_output=True, cwd=self._folder, **account).returncode


def needed() -> PostgresServer:
    """One to be started. Where none is installed the test is skipped, but in CI it fails."""
    try:
        return PostgresServer()
    except PostgresMissing as missing:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def create_database(server: str, template: str = "template0") -> str:
    """The URL of a new one on the server of that URL."""
    name = f"nextlabel_{uuid4().hex}"
    _administer(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def as_libpq(url: str) -> str:
    """The same for whoever knows nothing of SQLAlchemy."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def drop_database(url: str) -> None:
    _administer(url, f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')


def _administer(server: str, statement: str) -> None:
    """From the database that every server has: neither a template nor what is dropped may be in use."""
    url = make_url(server).set(drivername="postgresql+psycopg", database="postgres")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as sql:
        sql.execute(text(statement))
    engine.dispose()


def _programs() -> Path:
    """The newest that Debian has installed, else those on the PATH."""
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True)
    found = versions[0] if versions else shutil.which("initdb")
    if found is None:
        raise PostgresMissing(
            "There is no PostgreSQL: run `make postgres` as root, or set NEXTLABEL_TEST_POSTGRES_URL."
        )
    return Path(found).resolve().parent


def _unprivileged() -> dict[str, Any]:
    """Whom a child of root runs as, in `subprocess`'s words; nobody else where we are not root."""
    if os.geteuid() != 0:
        return {}
    names = {account.pw_name for account in pwd.getpwall()}
    account = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
