"""A doccano of our own: started, stopped and started again, and gone when we are gone."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import IO

import httpx

from nextlabel.errors import ConfigurationError, ToolUnavailable
from nextlabel.testing.servers import TAIL, OwnServer, ending_with_us, made_once, version_in
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.doccano.testing.people import DoccanoPerson
from nextlabel_connectors.trusted import trusted

VENV_VARIABLE = "NEXTLABEL_DOCCANO_VENV"
_DEFAULT_VENV = ".cache/doccano/venv"
_OWNER = "owner"


class DoccanoMissing(ConfigurationError):
    """There is no doccano installed where one was looked for."""


class DoccanoServer(OwnServer):
    """A doccano for this machine only, with a database on SQLite and an owner who may do everything."""

    title = "doccano"

    def __init__(self, venv: Path | None = None) -> None:
        super().__init__()
        self._venv = (venv or Path(os.environ.get(VENV_VARIABLE) or _DEFAULT_VENV)).absolute()
        self._backend = next(self._venv.glob("lib/python*/site-packages/backend"), None)
        if self._backend is None:
            raise DoccanoMissing(f"There is no doccano in {self._venv}: run `make doccano`.")
        self._password, self._key = secrets.token_urlsafe(24), secrets.token_urlsafe(48)

    @property
    def version(self) -> str:
        return version_in(self._venv, "doccano")

    @cached_property
    def owner(self) -> DoccanoPerson:
        return DoccanoPerson.signed_in(self.url, _OWNER, self._password)

    def execute(self, statement: str, rows: Sequence[Sequence[object]] = ((),)) -> None:
        """Change its database, for what no callback and no page can do."""
        with closing(sqlite3.connect(self._database, timeout=CEILING_SECONDS)) as database, database:
            database.executemany(statement, rows)

    def ask(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self._database, timeout=CEILING_SECONDS)) as database:
            return database.execute(statement, values).fetchall()

    def _prepare(self) -> None:
        if not self._database.exists():
            shutil.copyfile(self._template(), self._database)
            account = ["--username", _OWNER, "--email", "owner@example.org", "--noinput"]
            password = {"DJANGO_SUPERUSER_PASSWORD": self._password}
            self._run(["manage.py", "createsuperuser", *account], self.folder, password)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        command = ["-m", "gunicorn.app.wsgiapp", "config.wsgi", "--bind", f"127.0.0.1:{self._port}", "--workers", "3"]
        return subprocess.Popen(  # noqa: S603 (our own arguments)
            ending_with_us(self._python, [str(self._python), *command, "--timeout", "120"]),
            cwd=self._backend,
            env=self._environment(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def _answers(self) -> bool:
        return httpx.get(f"{self.url}/v1/me", timeout=5.0, verify=trusted()).status_code == httpx.codes.FORBIDDEN

    @property
    def _python(self) -> Path:
        return self._venv / "bin" / "python"

    @property
    def _database(self) -> Path:
        return self.folder / "db.sqlite3"

    @property
    def _log_path(self) -> Path:
        return self.folder / "doccano.log"

    def _environment(self, home: Path) -> dict[str, str]:
        """All that the server needs, and nothing of ours: a DATABASE_URL here must not become its database."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "STANDALONE": "True",
            "DJANGO_SETTINGS_MODULE": "config.settings.production",
            "DATABASE_URL": f"sqlite:///{home}/db.sqlite3",
            "MEDIA_ROOT": f"{home}/media",
            "SECRET_KEY": self._key,
        }

    def _template(self) -> Path:
        """A database without accounts and with all migrations done, which takes 20 seconds: made once per version."""
        template = self._venv.parent / "template" / f"{self.version}.sqlite3"
        with made_once(template) as folder:
            if folder is not None:
                self._run(["manage.py", "migrate"], folder)
                self._run(["manage.py", "create_roles"], folder)
                (folder / "db.sqlite3").rename(template)
        return template

    def _run(self, command: Sequence[str], home: Path, more: dict[str, str] | None = None) -> None:
        done = subprocess.run(  # noqa: S603 (our own arguments)
            [self._python, *command],
            cwd=self._backend,
            env={**self._environment(home), **(more or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ToolUnavailable(f"doccano could not {command[1]}:\n{(done.stdout + done.stderr)[-TAIL:]}")
