"""A doccano of our own: started, stopped and started again, and gone when we are gone."""

from __future__ import annotations

import atexit
import fcntl
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from nextlabel.errors import ConfigurationError, ToolUnavailable
from nextlabel.testing.servers import ending_with_us, free_port, signal_group
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.doccano.testing.people import DoccanoPerson

VENV_VARIABLE = "NEXTLABEL_DOCCANO_VENV"
_DEFAULT_VENV = ".cache/doccano/venv"
_OWNER = "owner"
_STOP_SECONDS = 10.0
_TAIL = 3000


class DoccanoMissing(ConfigurationError):
    """There is no doccano installed where one was looked for."""


class DoccanoServer:
    """A doccano on a free port, for this machine only, with a database on SQLite and an owner who may do everything.

    Start it in a thread that lives as long as it should: on Linux it dies with the thread that started it. ``stop`` and
    ``start`` keep address and data; leaving the context, or ``close``, removes the data.
    """

    def __init__(self, venv: Path | None = None) -> None:
        self._venv = (venv or Path(os.environ.get(VENV_VARIABLE) or _DEFAULT_VENV)).absolute()
        self._backend = next(self._venv.glob("lib/python*/site-packages/backend"), None)
        if self._backend is None:
            raise DoccanoMissing(f"There is no doccano in {self._venv}: run `make doccano`.")
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._password, self._key = secrets.token_urlsafe(24), secrets.token_urlsafe(48)

    @cached_property
    def _home(self) -> Path:
        """Made at the first start; only we may look inside."""
        return Path(tempfile.mkdtemp(prefix="nextlabel-doccano-"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @cached_property
    def owner(self) -> DoccanoPerson:
        return DoccanoPerson.signed_in(self.url, _OWNER, self._password)

    def start(self) -> Self:
        """Returns when it answers. Raises `ToolUnavailable` with the end of its log when it does not."""
        if self._process is not None:
            return self
        if not self._database.exists():
            shutil.copyfile(self._template(), self._database)
            account = ["--username", _OWNER, "--email", "owner@example.org", "--noinput"]
            password = {"DJANGO_SUPERUSER_PASSWORD": self._password}
            self._run(["manage.py", "createsuperuser", *account], self._home, password)
        command = ["-m", "gunicorn.app.wsgiapp", "config.wsgi", "--bind", f"127.0.0.1:{self._port}", "--workers", "3"]
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own arguments)
                ending_with_us(self._python, [str(self._python), *command, "--timeout", "120"]),
                cwd=self._backend,
                env=self._environment(self._home),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that Ctrl-C reaches us first and stop() ends all of it
            )
        atexit.register(self.close)
        try:
            self._wait_until_healthy(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it and whatever it has started; the data stays."""
        process, self._process = self._process, None
        if process is None:
            return
        signal_group(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        signal_group(process, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """Stop it and remove its data."""
        self.stop()
        atexit.unregister(self.close)
        shutil.rmtree(self._home, ignore_errors=True)

    def execute(self, statement: str, rows: Sequence[Sequence[object]] = ((),)) -> None:
        """Change its database, for what no callback and no page can do."""
        with closing(sqlite3.connect(self._database, timeout=CEILING_SECONDS)) as database, database:
            database.executemany(statement, rows)

    def ask(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self._database, timeout=CEILING_SECONDS)) as database:
            return database.execute(statement, values).fetchall()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _python(self) -> Path:
        return self._venv / "bin" / "python"

    @property
    def _database(self) -> Path:
        return self._home / "db.sqlite3"

    @property
    def _log_path(self) -> Path:
        return self._home / "doccano.log"

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

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + CEILING_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ToolUnavailable(f"doccano ended at once ({process.returncode}). Its log ends:\n{self._tail()}")
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/v1/me", timeout=5.0).status_code == httpx.codes.FORBIDDEN:
                    return
            time.sleep(0.1)
        raise ToolUnavailable(f"doccano did not answer in {CEILING_SECONDS:.0f} s. Its log ends:\n{self._tail()}")

    def _tail(self) -> str:
        return self._log_path.read_text(errors="replace")[-_TAIL:]

    def _template(self) -> Path:
        """A database without accounts and with all migrations done, which takes 20 seconds: made once per version.

        Parallel starts wait for the first one.
        """
        root = self._venv.parent / "template"
        root.mkdir(exist_ok=True)
        template = root / f"{self.version}.sqlite3"
        with (root / f"{template.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not template.exists():
                with tempfile.TemporaryDirectory(dir=root) as folder:
                    self._run(["manage.py", "migrate"], Path(folder))
                    self._run(["manage.py", "create_roles"], Path(folder))
                    (Path(folder) / "db.sqlite3").rename(template)
        return template

    @property
    def version(self) -> str:
        metadata = next(self._venv.glob("lib/python*/site-packages/doccano-*.dist-info"), None)
        return metadata.name.removeprefix("doccano-").removesuffix(".dist-info") if metadata else "unknown"

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
            raise ToolUnavailable(f"doccano could not {command[1]}:\n{(done.stdout + done.stderr)[-_TAIL:]}")
