"""The ``nextlabel`` command as a user runs it: a home folder of its own, a free port, gone when we are gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from nextlabel.jobs.embedded_redis import end_with_parent
from nextlabel.settings import Settings
from nextlabel.testing.servers import free_port
from nextlabel.wiring import Parts, build

_ROOT = Path(__file__).parent.parent
_START_SECONDS, _STOP_SECONDS = 60.0, 20.0
_PLUGIN = "Metadata-Version: 2.1\nName: nextlabel-benchmark\nVersion: 0\n"


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A folder for one installation, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="nextlabel-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def parts_of(home: Path) -> Parts:
    """The installation's parts, in this process, with its database made. Redis is not reached from here."""
    parts = build(Settings.from_env({"NEXTLABEL_HOME": str(home)}), "redis://127.0.0.1:1")
    parts.database.migrate()
    return parts


def environment(home: Path) -> dict[str, str]:
    """What the children see: this installation's settings only, and the benchmark's connector as a plug-in."""
    ours = ("NEXTLABEL_", "REDIS_", "LABEL_STUDIO_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = plugged_in(home / "plugin", "benchmarks.restless:CONNECTOR")
    return {**kept, "NEXTLABEL_HOME": str(home), "NEXTLABEL_LOG_LEVEL": "WARNING", "PYTHONPATH": path}


def plugged_in(folder: Path, connector: str) -> str:
    """A PYTHONPATH on which that object (``module:NAME``) is the connector "benchmark".

    It comes in as any plug-in does, by an entry point of an installed distribution.
    """
    plugin = folder / "nextlabel_benchmark-0.dist-info"
    plugin.mkdir(parents=True, exist_ok=True)
    (plugin / "METADATA").write_text(_PLUGIN)
    (plugin / "entry_points.txt").write_text(f"[nextlabel.connectors]\nbenchmark = {connector}\n")
    return os.pathsep.join(filter(None, (str(folder), str(_ROOT), os.environ.get("PYTHONPATH"))))


@contextmanager
def running(arguments: Sequence[str], env: Mapping[str, str], url: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command of this Python, from the first answer at ``url``/health until the block ends.

    Raises `RuntimeError` with the end of the log when it does not come up.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            preexec_fn=end_with_parent(),
        )
        try:
            _wait_until_healthy(process, url, log)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def nextlabel(command: str, home: Path, **variables: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """``nextlabel serve`` or ``nextlabel up``, with more of its settings: its address, and its process."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ("-m", "nextlabel", command, "--host", "127.0.0.1", "--port", str(port))
    with running(arguments, {**environment(home), **variables}, url, home / f"{command}.log") as process:
        yield url, process


def descendants(pid: int) -> dict[int, str]:
    """Command lines of a process and all that it has started, by process id. Linux only; elsewhere empty."""
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        with suppress(OSError):
            found[parent] = Path(f"/proc/{parent}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            for task in Path(f"/proc/{parent}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return found


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident memory of a process, and its fair share of it where pages are shared with others."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return kilobytes["Rss"] / 1024, kilobytes["Pss"] / 1024


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health", timeout=5.0).is_success:
                return
        time.sleep(0.01)
    raise RuntimeError(f"It did not come up (exit code {process.poll()}). Its log ends:\n{log.read_text()[-2000:]}")
