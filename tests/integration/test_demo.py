"""`nextlabel demo`, as somebody runs it who has nothing but the package."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextlabel.testing.servers import free_port
from nextlabel.testing.waiting import CEILING_SECONDS


@pytest.fixture
def folder() -> Iterator[Path]:
    """For all that is temporary; its path is short, as such a one is."""
    with tempfile.TemporaryDirectory(prefix="nl-") as made:
        yield Path(made)


def demo(folder: Path, port: int, labels: int) -> subprocess.Popen[str]:
    """Beside an installation that is none of its business."""
    environ = os.environ | {"TMPDIR": str(folder), "NEXTLABEL_HOME": str(folder / "of somebody")}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "nextlabel", "demo", "--port", str(port), "--labels", str(labels)],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_digits_are_labeled_in_the_order_served_and_nothing_is_left_behind(folder: Path) -> None:
    with demo(folder, free_port(), labels=20) as running:
        told, _ = running.communicate(timeout=CEILING_SECONDS)
    assert running.returncode == 0, told
    assert re.search(
        r"Watch it learn: http://127\.0\.0\.1:\d+/projects/digits\nLog in as viewer with the password \w", told
    )
    assert "has learned 20 of 1797 digits" in told
    assert list(folder.iterdir()) == []


@pytest.mark.everything
def test_ctrl_c_ends_all_of_it(folder: Path) -> None:
    port = free_port()
    with demo(folder, port, labels=1000) as running:
        assert running.stdout is not None
        while "password" not in (line := running.stdout.readline()):
            assert line, "it ended"
        running.send_signal(signal.SIGINT)
        told, _ = running.communicate(timeout=CEILING_SECONDS)
    assert (running.returncode, "taken down" in told, list(folder.iterdir())) == (0, True, []), told
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_that_is_taken_is_named_with_what_to_do(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with demo(folder, taken.getsockname()[1], labels=20) as running:
            told, _ = running.communicate(timeout=CEILING_SECONDS)
    assert (running.returncode, "choose others with --port" in told) == (1, True), told
