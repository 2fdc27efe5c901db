"""A Label Studio of our own: started, stopped and started again, and gone when we are gone."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import IO

import httpx
import orjson

from nextlabel.errors import ConfigurationError, ToolUnavailable
from nextlabel.ports.tool import ToolAccess
from nextlabel.testing.servers import TAIL, OwnServer, ending_with_us, made_once, version_in
from nextlabel_connectors.label_studio.testing.databases import Database, Postgres, Sqlite
from nextlabel_connectors.label_studio.testing.people import LabelStudioPerson
from nextlabel_connectors.trusted import trusted

VENV_VARIABLE = "NEXTLABEL_LABEL_STUDIO_VENV"
_DEFAULT_VENV = ".cache/label-studio/venv"


class LabelStudioMissing(ConfigurationError):
    """There is no Label Studio installed where one was looked for."""


class LabelStudioServer(OwnServer):
    """A Label Studio with its own data folder, owner, password and tokens.

    ``env`` is added to the server's environment, e.g. ``{"ML_BLOCK_LOCAL_IP": "true"}`` to see it refuse. ``postgres``
    is the address of an empty database on a PostgreSQL server: then that is its own, and stays when the server is
    closed.
    """

    title = "Label Studio"

    def __init__(
        self,
        venv: Path | None = None,
        *,
        port: int | None = None,
        legacy_tokens: bool = True,
        env: Mapping[str, str] | None = None,
        postgres: str = "",
    ) -> None:
        super().__init__(port)
        self._venv = (venv or Path(os.environ.get(VENV_VARIABLE) or _DEFAULT_VENV)).absolute()
        self._program = self._venv / "bin" / "label-studio"
        if not self._program.exists():
            raise LabelStudioMissing(f"There is no Label Studio in {self._venv}: run `make label-studio`.")
        self.email = "owner@example.org"
        self.password = secrets.token_urlsafe(24)
        self._legacy_token = secrets.token_hex(20)
        self._key = secrets.token_hex(32)
        self._env = {**self._account(legacy_tokens), **(env or {})}
        self._postgres = postgres

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @cached_property
    def _database(self) -> Database:
        return Postgres(self._postgres) if self._postgres else Sqlite(self._data)

    @property
    def database_url(self) -> str:
        """Of its database on PostgreSQL; empty where it has its own on SQLite. A secret, where it holds a password."""
        return self._postgres

    @property
    def version(self) -> str:
        return version_in(self._venv, "label_studio")

    @property
    def python(self) -> Path:
        """The interpreter of Label Studio's own environment, which has its SDK."""
        return self._venv / "bin" / "python"

    @property
    def legacy_access(self) -> ToolAccess:
        """The owner's legacy token; good once legacy tokens are allowed."""
        return ToolAccess(self.url, self._legacy_token)

    @cached_property
    def personal_access(self) -> ToolAccess:
        """A personal access token of the owner, made at the first call."""
        return ToolAccess(self.url, self.owner.create_personal_token())

    @cached_property
    def owner(self) -> LabelStudioPerson:
        return LabelStudioPerson.signed_in(self.url, self.email, self.password)

    def sign_up(self, email: str) -> LabelStudioPerson:
        """A new account in the owner's organization; in the community edition it may do everything but administrate."""
        return LabelStudioPerson.signed_up(self.url, self.owner.invitation(), email)

    def let_a_day_pass(self, project: int) -> None:
        """Make a project's tasks a day older, in its database: no callback lets anyone set the time of a change."""
        older = f"UPDATE task SET updated_at = {self._database.a_day_earlier} WHERE project_id = ?"  # noqa: S608
        self._database.execute(older, project)

    def store_data(self, task: int, data: object) -> None:
        """Put anything in the place of a task's data, in its database: no callback takes what cannot be read."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        statement = "UPDATE task SET data = ?, updated_at = ? WHERE id = ?"
        self._database.execute(statement, orjson.dumps(data).decode(), now, task)

    def break_task(self, task: int) -> None:
        """Put a date that is none into a task, in its database: Label Studio fails over all that it stands on."""
        self._date_task(task, self._database.no_date)

    @property
    def why_no_date(self) -> str:
        """What Label Studio says of a task that `break_task` broke."""
        return self._database.why_no_date

    def mend_task(self, task: int) -> None:
        """Label Studio can list it again; when it changed last stays as it was."""
        self._date_task(task, "2026-11-22 00:00:00.000000")

    def _date_task(self, task: int, created_at: str) -> None:
        self._database.execute("UPDATE task SET created_at = ? WHERE id = ?", created_at, task)

    def _prepare(self) -> None:
        if _listening(self._port):
            raise ToolUnavailable(f"Port {self._port} is taken: Label Studio would silently move to another one.")
        if not self._data.exists():
            self._copy_template()

    @property
    def _log_path(self) -> Path:
        return self._data / "label-studio.log"

    def _account(self, legacy_tokens: bool) -> dict[str, str]:
        """In the environment and not on the command line, which every user of the machine can read."""
        return {
            # It signs sessions. Where Label Studio has to make one, its processes may make two, and after a restart it
            # takes the other: everybody is signed out.
            "SECRET_KEY": self._key,
            "LABEL_STUDIO_USERNAME": self.email,
            "LABEL_STUDIO_PASSWORD": self.password,
            "LABEL_STUDIO_USER_TOKEN": self._legacy_token,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": str(legacy_tokens).lower(),
        }

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        options = ["--no-browser", "--log-level", "WARNING", "--internal-host", "127.0.0.1", "--port", str(self._port)]
        return subprocess.Popen(  # noqa: S603 (our own arguments)
            ending_with_us(self.python, [str(self._program), "start", *options]),
            env={**_environment(self._data, self._database), **self._env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def _answers(self) -> bool:
        return httpx.get(f"{self.url}/health", timeout=5.0, verify=trusted()).is_success

    def _copy_template(self) -> None:
        template = _template(self._venv, self._program, self._database)
        self._database.load(template)
        # Its .env holds a key that signs sessions and tokens: each server has one of its own.
        shutil.copytree(template, self._data, ignore=shutil.ignore_patterns(".env"))


def _template(venv: Path, program: Path, database: Database) -> Path:
    """A data folder without accounts and with all migrations done, which takes half a minute: made once per version
    and kind of database."""
    template = venv.parent / "template" / f"{version_in(venv, 'label_studio')}-{database.name}"
    with made_once(template) as folder:
        if folder is not None:
            data = folder / "data"
            data.mkdir()
            _migrate(program, data, database)
            database.save(data)
            data.rename(template)
    return template


def _migrate(program: Path, data: Path, database: Database) -> None:
    """Any command migrates first; `version` does nothing else."""
    done = subprocess.run(  # noqa: S603 (our own arguments)
        [program, "version"], env=_environment(data, database), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ToolUnavailable(f"Label Studio could not make its database:\n{(done.stdout + done.stderr)[-TAIL:]}")


def _environment(data: Path, database: Database) -> dict[str, str]:
    """All that the server needs, and nothing of ours: a DATABASE_URL here must not become its database."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(data),
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "SSRF_PROTECTION_ENABLED": "false",
        "ML_BLOCK_LOCAL_IP": "false",
        "COLLECT_ANALYTICS": "False",
        "LATEST_VERSION_CHECK": "False",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "HOST": "",
        **database.environment,
    }


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
