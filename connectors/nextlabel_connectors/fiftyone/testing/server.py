"""A FiftyOne of our own: its MongoDB and its App, started, stopped and started again, and gone when we are gone."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx

from nextlabel.errors import ConfigurationError, ToolUnavailable
from nextlabel.ports.tool import ToolAccess
from nextlabel.testing.servers import TAIL, Lasting, end_group, ending_with_us, free_port
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.fiftyone.process import FiftyOne
from nextlabel_connectors.trusted import trusted

VENV_VARIABLE = "NEXTLABEL_FIFTYONE_VENV"
_DEFAULT_VENV = ".cache/fiftyone/venv"
_MONGOD = "lib/python3*/site-packages/fiftyone/db/bin/mongod"
_STOP_SECONDS = 20.0


class FiftyOneMissing(ConfigurationError):
    """There is no FiftyOne installed where one was looked for."""


class FiftyOneServer(Lasting):
    """A MongoDB with FiftyOne's data on a free port of this machine, and the App once it is asked for."""

    title = "FiftyOne"

    def __init__(self, venv: Path | None = None) -> None:
        self._venv = (venv or Path(os.environ.get(VENV_VARIABLE) or _DEFAULT_VENV)).absolute()
        self.python = self._venv / "bin" / "python"
        mongod = next(self._venv.glob(_MONGOD), None)
        if mongod is None:
            raise FiftyOneMissing(f"There is no FiftyOne with a MongoDB in {self._venv}: run `make fiftyone`.")
        self._mongod, self._port, self._app_port = mongod, free_port(), free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def database(self) -> str:
        return f"mongodb://127.0.0.1:{self._port}/?serverSelectionTimeoutMS=2000"

    @property
    def access(self) -> ToolAccess:
        return ToolAccess(str(self._venv), self.database)

    @property
    def app_url(self) -> str:
        return f"http://127.0.0.1:{self._app_port}"

    def people(self, do: str, **what: object) -> Any:
        """What people do, as `people` names it."""
        script = Path(__file__).with_name("people.py")
        return FiftyOne(str(self.python), self.database, script).ask(do, what, CEILING_SECONDS)

    def start(self) -> Self:
        """Returns when its database answers."""
        data = self.folder / "mongo"
        data.mkdir(exist_ok=True)
        options = ["--dbpath", str(data), "--port", str(self._port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
        self._spawn("mongod", [str(self._mongod), *options, "--wiredTigerCacheSizeGB", "0.25"], self._database_answers)
        return self

    def launch_app(self) -> str:
        """The App's address; returns when it answers. As in FiftyOne's image for Docker no session in Python is behind
        it, so that every browser is for itself."""
        where = ["--port", str(self._app_port), "--address", "127.0.0.1"]
        program = [str(self.python), "-m", "fiftyone.server.main", *where]
        self._spawn("app", program, self._app_answers)
        return self.app_url

    def stop(self) -> None:
        """End what was started, the database last; the data stays."""
        for process in reversed(self._processes.values()):
            end_group(process, _STOP_SECONDS)
        self._processes.clear()

    def _spawn(self, name: str, command: Sequence[str], answers: Callable[[], bool]) -> None:
        if name in self._processes:
            return
        atexit.register(self.close)
        log = self.folder / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(  # noqa: S603 (our own arguments)
                ending_with_us(self.python, command, signal.SIGTERM),
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._processes[name] = process
        deadline = time.monotonic() + CEILING_SECONDS
        while not answers():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ToolUnavailable(f"FiftyOne's {name} does not answer:\n{log.read_text(errors='replace')[-TAIL:]}")
            time.sleep(0.1)

    def _database_answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _app_answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(self.app_url, timeout=5.0, verify=trusted()).is_success
        return False

    def _environment(self) -> Mapping[str, str]:
        """All that it needs, and nothing of ours."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "FIFTYONE_DATABASE_URI": self.database,
            "FIFTYONE_DATABASE_VALIDATION": "false",
            "FIFTYONE_DO_NOT_TRACK": "true",
        }
