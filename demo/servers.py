"""The two servers, each with a folder of its own: both end with us, and leave nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from demo.errors import DemoFailed
from nextlabel.jobs.embedded_redis import end_with_parent
from nextlabel.settings import Settings
from nextlabel.wiring import Parts, build
from nextlabel_connectors.label_studio.testing import LabelStudioServer

_START_SECONDS = 60.0
_STOP_SECONDS = 40.0  # `nextlabel up` gives its own children 30
_COMMAND_SECONDS = 300.0
_TAIL_LINES = 15


class OwnLabelStudio(LabelStudioServer):
    """A Label Studio whose database and log we may read."""

    @property
    def database(self) -> Path:
        return self._data / "label_studio.sqlite3"

    @property
    def log(self) -> Path:
        return self._log_path


class Nextlabel:
    """`nextlabel up` on a port of this machine, and the other commands in the same home."""

    def __init__(self, home: Path, port: int) -> None:
        self.log = home.with_suffix(".log")
        self._port = port
        self._environ = _environment(home)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Returns at once; `wait_until_healthy` says when it is there."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "nextlabel", "up", "--host", "127.0.0.1", "--port", str(self._port)],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent(),
                start_new_session=True,  # Ctrl-C reaches the demo only, which then ends things in order
            )

    def wait_until_healthy(self) -> None:
        """Raises `DemoFailed` with the end of the log when it does not come up."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            self.check()
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health", timeout=5.0).is_success:
                    return
            time.sleep(0.1)
        raise DemoFailed(f"nextlabel did not answer in {_START_SECONDS:.0f} s. Its log ends:\n{self.log_tail()}")

    def check(self) -> None:
        """Raises `DemoFailed` when the server is no longer there."""
        if self._process is not None and self._process.poll() is not None:
            code = self._process.returncode
            raise DemoFailed(f"nextlabel ended by itself (exit code {code}). Its log ends:\n{self.log_tail()}")

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def command(self, *arguments: str, **environ: str) -> dict[str, Any]:
        """What ``nextlabel <arguments> --json`` reports. Raises `DemoFailed` with its words when it has no report."""
        done = subprocess.run(
            [sys.executable, "-m", "nextlabel", *arguments, "--json"],
            env={**self._environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
            preexec_fn=end_with_parent(),
            start_new_session=True,
        )
        try:
            return dict(json.loads(done.stdout))
        except ValueError:
            printed = done.stderr.strip() or done.stdout.strip() or "nothing"
            raise DemoFailed(f"`nextlabel {arguments[0]}` failed (exit code {done.returncode}): {printed}") from None

    def parts(self) -> Parts:
        """The demo's own look at the registry of this home. Redis is not connected to."""
        return build(Settings.from_env(self._environ), redis_url="redis://127.0.0.1")

    def log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_TAIL_LINES:]) or "(empty)"


def _environment(home: Path) -> dict[str, str]:
    """Ours without its settings for nextlabel: the demo must not touch anyone's database or Redis.

    What every version learned is kept: the demo measures by it when a label was first learned.
    """
    ours = {
        name: value
        for name, value in os.environ.items()
        if name != "REDIS_URL" and not name.startswith(("NEXTLABEL_", "LABEL_STUDIO_"))
    }
    return {**ours, "NEXTLABEL_HOME": str(home), "NEXTLABEL_KEEP_MODELS": "100000", "OMP_NUM_THREADS": "1"}
