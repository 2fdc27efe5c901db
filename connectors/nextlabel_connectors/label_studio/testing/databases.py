"""Where a Label Studio of our own keeps its rows: in its data folder (SQLite), or on a PostgreSQL that is given."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Protocol

from nextlabel.errors import ConfigurationError, ToolUnavailable
from nextlabel.testing.waiting import CEILING_SECONDS

_DUMP = "label_studio.sql"


class Database(Protocol):
    """What a server asks of its database; values of a statement stand for its question marks."""

    name: str
    environment: Mapping[str, str]
    """Settings with which Label Studio finds it."""

    a_day_earlier: str
    """SQL: when the task changed, less a day."""

    no_date: str
    """What its column for dates takes, and Label Studio cannot read."""

    why_no_date: str
    """What Label Studio says then."""

    def save(self, template: Path) -> None:
        """Keep what a new Label Studio has made in it in that folder."""

    def load(self, template: Path) -> None:
        """Make it what was saved there."""

    def execute(self, statement: str, *values: object) -> None: ...


class Sqlite(Database):
    """A file in the server's data folder, with which it is copied."""

    name = "sqlite"
    environment: Mapping[str, str] = {}
    a_day_earlier = "date(updated_at, '-1 day') || substr(updated_at, 11)"  # SQLite's own times lose microseconds
    no_date = "2026-13-45 00:00:00.000000"
    why_no_date = "month must be in 1..12"

    def __init__(self, data: Path) -> None:
        self._file = data / "label_studio.sqlite3"

    def save(self, template: Path) -> None:
        """It is in the folder already."""

    def load(self, template: Path) -> None:
        """It came with the folder."""

    def execute(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self._file, timeout=CEILING_SECONDS)) as database, database:
            database.execute(statement, values)


class Postgres(Database):
    """A database on a PostgreSQL server, empty at first; whoever made it drops it.

    ``url`` is one that libpq understands. PostgreSQL's own `pg_dump` and `psql` must be installed.
    """

    name = "postgresql"
    a_day_earlier = "updated_at - interval '1 day'"
    no_date = "12026-01-01 00:00:00"
    why_no_date = "timestamp too large (after year 10K)"

    def __init__(self, url: str) -> None:
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415 (only PostgreSQL needs it)

        self._url, at = url, {key: str(value) for key, value in conninfo_to_dict(url).items()}
        self.environment = {
            "DJANGO_DB": "default",
            "POSTGRE_HOST": at.get("host", "localhost"),
            "POSTGRE_PORT": at.get("port", "5432"),
            "POSTGRE_USER": at.get("user", "postgres"),
            "POSTGRE_PASSWORD": at.pop("password", ""),
            "POSTGRE_NAME": at["dbname"],
        }
        self._without_password = make_conninfo(**at)

    def save(self, template: Path) -> None:
        """With what removes it first: whoever has made the template loads it too."""
        self._run("pg_dump", "--clean", "--if-exists", "--no-owner", "--no-acl", "--file", template / _DUMP)

    def load(self, template: Path) -> None:
        self._run("psql", "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--file", template / _DUMP)

    def execute(self, statement: str, *values: object) -> None:
        import psycopg  # noqa: PLC0415

        with psycopg.connect(self._url, options="-c timezone=UTC") as database:
            database.execute(statement.replace("?", "%s").encode(), values)

    def _run(self, program: str, *options: str | Path) -> None:
        """The password goes by the environment: every user of the machine can read a command line."""
        found = shutil.which(program)
        if found is None:
            raise ConfigurationError(f"There is no {program}: install PostgreSQL's client programs.")
        done = subprocess.run(  # noqa: S603 (our own arguments)
            [found, *options, "--dbname", self._without_password],
            env={**os.environ, "PGPASSWORD": self.environment["POSTGRE_PASSWORD"]},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ToolUnavailable(f"{program} could not copy Label Studio's database:\n{done.stderr[-3000:]}")
