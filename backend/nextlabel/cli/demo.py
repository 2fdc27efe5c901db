"""`nextlabel demo`: the loop on real data in a minute, with no labeling tool and no settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from nextlabel.errors import NextlabelError
from nextlabel.jobs.embedded_redis import EmbeddedRedis, end_with_parent
from nextlabel.labeling import ProjectId
from nextlabel.settings import Settings
from nextlabel.wiring import Parts, build

_PROJECT = ProjectId("digits")
_SIMULATED, _SECONDS_PER_LABEL = 200, 0.3
_PATIENCE_SECONDS = 180.0
_COMMAND = (sys.executable, "-P", "-m", "nextlabel")
_LAST_LINES = 15  # of the log, where it does not come up

console = Console(stderr=True, highlight=False)


class DemoFailed(NextlabelError):
    """It did not come up; the message has the end of the log."""


@click.command()
@click.option(
    "--labels", type=click.IntRange(20, 1_500), help="Stop after so many labels. Without it nextlabel stays up."
)
@click.option("--port", type=click.IntRange(1, 65_535), default=9090, show_default=True, help="Port of the pages.")
def demo(labels: int | None, port: int) -> None:
    """See the loop: 1,797 handwritten digits are labeled in the order served, by a simulated annotator, and you watch
    it learn in the browser. All is in a folder of its own, which is deleted at the end; no labeling tool is needed.

    The digits are those that come with scikit-learn (Alpaydin & Kaynak, UCI, CC BY 4.0).
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="nextlabel-demo-") as folder, suppress(KeyboardInterrupt):
        truth = _write(Path(folder))
        with _up(Path(folder), port) as parts:
            _show_the_way(parts, port)
            _annotate(Path(folder), truth, labels or _SIMULATED)
            click.echo(_learned(parts, labels or _SIMULATED))
            if labels is None:
                click.echo("nextlabel stays up, to look around. Ctrl-C ends the demo.", err=True)
                signal.pause()
    click.echo("Everything was taken down. Your own project: `nextlabel up`, then `nextlabel connect`.", err=True)


def _write(folder: Path) -> dict[str, str]:
    """The file of tasks and what there is to label; by task the true digit."""
    import numpy as np  # noqa: PLC0415 - both take a second, and --help needs none
    from sklearn.datasets import load_digits  # noqa: PLC0415

    pixels, digits = (np.asarray(one).tolist() for one in load_digits(return_X_y=True))
    inputs = [{"field": "pixels", "kind": "table"}]
    target = {"name": "digit", "kind": "choice", "labels": [str(n) for n in range(10)], "inputs": inputs}
    (folder / f"{_PROJECT}.schema.json").write_text(json.dumps({"targets": [target]}), encoding="utf-8")
    truth = {}
    with (folder / f"{_PROJECT}.jsonl").open("w", encoding="utf-8") as file:
        for n, (greys, digit) in enumerate(zip(pixels, digits, strict=True), start=1):
            cells = {f"row {k // 8 + 1}, column {k % 8 + 1}": grey for k, grey in enumerate(greys)}
            file.write(json.dumps({"id": n, "pixels": cells}) + "\n")
            truth[str(n)] = str(digit)
    return truth


@contextmanager
def _up(folder: Path, port: int) -> Iterator[Parts]:
    """nextlabel with a home in the folder, and the file of tasks connected; a look into its state."""
    own = {"NEXTLABEL_HOME": str(folder / "home"), "NEXTLABEL_RECONCILE_SECONDS": "1"}
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*_COMMAND, "up", "--port", str(port)],
            env=_without_settings(os.environ) | own,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent(),
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )
    try:
        with console.status("nextlabel starts …"):
            _wait_until_it_answers(process, port, folder / "up.log")
            _connect(folder / f"{_PROJECT}.jsonl", _without_settings(os.environ) | own)
        parts = build(Settings.from_env(own), EmbeddedRedis(folder / "home").url)
        try:
            yield parts
        finally:
            parts.database.dispose()
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=60)


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """It shall not meet an installation that is there already."""
    return {name: value for name, value in environ.items() if not name.startswith(("NEXTLABEL_", "REDIS_"))}


def _connect(tasks: Path, environ: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [*_COMMAND, "files", str(tasks)], env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DemoFailed(f"The digits cannot be connected: {(done.stdout + done.stderr)[-1000:]}")


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5):
            return
        time.sleep(0.3)
    last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:])
    raise DemoFailed(f"nextlabel did not come up:\n{last}")


def _show_the_way(parts: Parts, port: int) -> None:
    password = parts.accounts.keys().passwords["viewer"]
    click.echo(f"Watch it learn: http://127.0.0.1:{port}/projects/{_PROJECT}", err=True)
    click.echo(f"Log in as viewer with the password {password}", err=True)


@dataclass
class _Annotator:
    """Labels whatever is first in the order, as somebody would who appends lines to the file of labels."""

    folder: Path
    truth: dict[str, str]
    done: set[str] = field(default_factory=set)

    def label_next(self) -> bool:
        """Whether there was a task to label: while an order is written there may be none for a moment."""
        with suppress(OSError), (self.folder / f"{_PROJECT}.next.jsonl").open(encoding="utf-8") as order:
            for line in order:
                task = str(json.loads(line)["id"])
                if task not in self.done:
                    self._append({"id": task, "label": self.truth[task], "by": "demo"})
                    self.done.add(task)
                    return True
        return False

    def _append(self, label: dict[str, str]) -> None:
        with (self.folder / f"{_PROJECT}.labels.jsonl").open("a", encoding="utf-8") as labels:
            labels.write(json.dumps(label) + "\n")


def _annotate(folder: Path, truth: dict[str, str], labels: int) -> None:
    from rich.progress import track  # noqa: PLC0415 - only where something is shown

    annotator = _Annotator(folder, truth)
    for _ in track(range(labels), "Labels in the order served", console=console):
        until = time.monotonic() + _PATIENCE_SECONDS
        while not annotator.label_next():
            if time.monotonic() > until:
                raise DemoFailed("The order has no task left: `nextlabel status` would say why.")
            time.sleep(_SECONDS_PER_LABEL)
        time.sleep(_SECONDS_PER_LABEL)


def _learned(parts: Parts, labels: int) -> str:
    """Once the last label is learned, or soon enough: what nextlabel itself says of the version in service."""
    until = time.monotonic() + _PATIENCE_SECONDS
    found: dict[str, Any] = parts.overview.project(_PROJECT)
    while found["labels"] < labels and time.monotonic() < until:
        time.sleep(1)
        found = parts.overview.project(_PROJECT)
    accuracy = next(iter(found["accuracy"].values()), None)
    learned = f"{found['model']} has learned {found['labels']} of {found['tasks']} digits"
    if accuracy is None:
        return f"{learned}; there are too few audit labels to measure its accuracy."
    low, high = f"{accuracy['low']:.0%}", f"{accuracy['high']:.0%}"
    of_all = f"{accuracy['value']:.0%} of all digits, likely {low} to {high}"
    return f"{learned}, and is right about {of_all} (by the labels of {accuracy['n']} audit tasks)."
