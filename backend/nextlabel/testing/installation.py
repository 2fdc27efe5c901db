"""A real nextlabel, as a user starts it: `nextlabel up` with a home of its own, and the other commands beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import redis

from nextlabel.jobs.embedded_redis import EmbeddedRedis, end_with_parent
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import ModelRecord, QueueRecord
from nextlabel.ports.tool import ToolAccess
from nextlabel.settings import Settings
from nextlabel.testing.servers import free_port
from nextlabel.testing.waiting import CEILING_SECONDS, wait_for
from nextlabel.wiring import Parts, build


@dataclass
class Nextlabel:
    """`nextlabel up` on a free port, with a home of its own."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    _parts: Parts | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.home.parent / "up.log").read_text(encoding="utf-8")

    def start(self) -> None:
        self.port = self.port or free_port()
        with (self.home.parent / "up.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 (our own command)
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "nextlabel",
                    "up",
                    "--host",
                    "127.0.0.1",
                    "--port",
                    str(self.port),
                    *self.arguments,
                ],
                env=self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent(),
                start_new_session=True,
            )
        wait_for(self.healthy, "for nextlabel to be healthy")

    def stop(self, number: int = signal.SIGTERM) -> None:
        assert self.process is not None, "it was not started"
        self.process.send_signal(number)
        self.process.wait(timeout=CEILING_SECONDS)
        if self._parts is not None:
            self._parts.database.dispose()

    def processes(self, name: str = "") -> list[int]:
        """The processes of this home, by their environment or their arguments, with that text in their command."""
        return [pid for pid in map(int, _numbers(Path("/proc"))) if pid != os.getpid() and self._is_ours(pid, name)]

    def _is_ours(self, pid: int, name: str) -> bool:
        try:
            command, environ = (Path(f"/proc/{pid}/{file}").read_bytes() for file in ("cmdline", "environ"))
        except OSError:
            return False
        return os.fsencode(self.home) in environ + command and name.encode() in command

    @cached_property
    def _client(self) -> httpx.Client:
        """Kept: httpx reads all trusted certificates for each, which costs more than a start while it is waited for."""
        return httpx.Client(base_url=self.url, timeout=5)

    def healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return self._client.get("/health").status_code == 200
        except httpx.HTTPError:
            return False

    def command(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """A `nextlabel` command against the same home."""
        return subprocess.run(  # noqa: S603 (our own command)
            [sys.executable, "-P", "-m", "nextlabel", *arguments],
            env=self.environment() | environ,
            capture_output=True,
            text=True,
            timeout=CEILING_SECONDS,
            check=False,
        )

    def connect(self, project: int, access: ToolAccess, *options: str) -> subprocess.CompletedProcess[str]:
        """Without audit tasks among those that are ranked, unless an option asks for them."""
        return self.command(*self.to_connect(project, access, *options))

    def to_connect(self, project: int, access: ToolAccess, *options: str) -> tuple[str, ...]:
        """What is typed to connect a project."""
        flags = [part for option in ("audit_share=0", *options) for part in ("--option", option)]
        named = ("connect", "--url", access.url, "--token", access.token, "--project", str(project))
        return (*named, "--backend-url", self.url, "--json", *flags)

    def parts(self) -> Parts:
        """A look into its state, as another process of the same home."""
        self._parts = self._parts or build(Settings.from_env(self.environment()), EmbeddedRedis(self.home).url)
        return self._parts

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(EmbeddedRedis(self.home).url)

    def trained(self, project: int) -> Sequence[ModelRecord]:
        """The models that learned from at least one label, oldest first."""
        return [record for record in self.parts().models.history(ProjectId(str(project))) if record.labels]

    def queues(self, project: int) -> Sequence[QueueRecord]:
        return self.parts().orders.announced(ProjectId(str(project)))

    def http(self) -> httpx.Client:
        """A client with the credentials that Label Studio has."""
        found = json.loads(self.command("credentials", "--json").stdout)
        return httpx.Client(base_url=self.url, auth=(found["user"], found["password"]), timeout=CEILING_SECONDS)

    def environment(self) -> dict[str, str]:
        """Of its commands: this process's, without what concerns another installation."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("NEXTLABEL_", "LABEL_STUDIO", "REDIS_"))}
        return inherited | {"NEXTLABEL_HOME": str(self.home)} | self.environ


@contextmanager
def running(folder: Path, *arguments: str, **environ: str) -> Iterator[Nextlabel]:
    """nextlabel, up and healthy; taken down at the end."""
    one = Nextlabel(folder / "home", environ, arguments)
    one.start()
    try:
        yield one
    finally:
        one.stop()


def findings(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What `nextlabel connect --json` reported; fails with its messages when it did not succeed."""
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["findings"])


def _numbers(folder: Path) -> Iterator[str]:
    return (entry.name for entry in folder.iterdir() if entry.name.isdigit())
