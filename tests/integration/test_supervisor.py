"""Child processes are kept alive together, and end together."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from nextlabel.cli import EXIT_CONFIGURATION, supervisor
from nextlabel.cli.supervisor import ChildFailed, ChildMisconfigured, Supervisor


class Shell(Supervisor):
    """Its children are shell commands instead of ours."""

    def _spawn(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["/bin/sh", "-c", *arguments], env={**os.environ, **self.environ})

    def processes(self) -> list[int]:
        return [child.process.pid for child in self._children]


@pytest.fixture(autouse=True)
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pytest gets its own handlers back, and nothing waits before a restart."""
    monkeypatch.setattr(supervisor, "_RESTART_SECONDS", 0)
    monkeypatch.setattr(supervisor, "_TICK_SECONDS", 0.01)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def report(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_children(number: int) -> None:
    children = Shell({})
    children.start("one", "exec sleep 300")
    children.start("two", "exec sleep 300")
    children.run(report(number))
    assert [alive(pid) for pid in children.processes()] == [False, False]


def test_a_child_that_others_need_ends_after_them(tmp_path: Path) -> None:
    children = Shell({"OUT": str(tmp_path / "ends")})
    says = 'trap "sleep $1; echo $0 >> $OUT; exit" TERM; echo up >> "$OUT"; while :; do sleep .05; done'
    children.start("backend", says, "backend", "0", ends_last=True)
    children.start("worker", says, "worker", "0.5")
    started = tmp_path / "ends"
    children.run(lambda: report(signal.SIGTERM)() if started.exists() and len(started.read_text()) >= 6 else None)
    assert started.read_text().split() == ["up", "up", "worker", "backend"]


def test_a_child_that_others_need_has_time_to_end_where_they_have_used_it_up(tmp_path: Path) -> None:
    """The backend takes one to three seconds, and was killed wherever a worker was fitting for long."""
    notes = tmp_path / "notes"
    children = Shell({"OUT": str(notes)}, grace=0.2)
    up = 'echo up >> "$OUT"; while :; do sleep .05; done'
    children.start("backend", f'trap "sleep 1.2; echo ended >> $OUT; exit" TERM; {up}', ends_last=True)
    children.start("worker", f'trap "" TERM; {up}')
    children.run(lambda: report(signal.SIGTERM)() if notes.exists() and len(notes.read_text()) >= 6 else None)
    assert notes.read_text().split() == ["up", "up", "ended"]


def test_a_child_that_died_is_started_again() -> None:
    children = Shell({})
    children.start("one", "exec sleep 300")
    (first,) = children.processes()
    os.kill(first, signal.SIGKILL)

    def until_replaced() -> None:
        if children.processes() != [first]:
            report(signal.SIGTERM)()

    children.run(until_replaced)
    assert children.processes() != [first]


def test_a_child_that_does_not_stay_up_ends_everything_with_a_sentence() -> None:
    children = Shell({})
    children.start("healthy", "exec sleep 300")
    children.start("broken", "exit 3")
    with pytest.raises(ChildFailed, match=r"broken process does not stay up \(exit code 3\)"):
        children.run()
    assert not alive(children.processes()[0])


def test_a_child_that_only_a_person_can_mend_is_not_started_again(tmp_path: Path) -> None:
    children = Shell({"OUT": str(tmp_path / "starts")})
    children.start("misconfigured", f'echo start >> "$OUT"; exit {EXIT_CONFIGURATION}')
    with pytest.raises(ChildMisconfigured):
        children.run()
    assert (tmp_path / "starts").read_text().split() == ["start"]


@pytest.mark.parametrize("code", [3, EXIT_CONFIGURATION])
def test_a_child_that_has_stood_is_started_again_however_often_it_fails(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_STANDS_AFTER_SECONDS", 0.2)
    starts, ailing = tmp_path / "starts", tmp_path / "ailing"
    children = Shell({"OUT": str(starts), "AILING": str(ailing)})
    children.start("ailing", f'echo start >> "$OUT"; while [ ! -e "$AILING" ]; do sleep 0.05; done; exit {code}')

    def ail_then_end() -> None:
        if children._children[0].has_stood:
            ailing.touch()
        if starts.exists() and len(starts.read_text().split()) > 2 * supervisor._HOPELESS_AFTER:
            report(signal.SIGTERM)()

    children.run(ail_then_end)
    assert len(starts.read_text().split()) > 2 * supervisor._HOPELESS_AFTER


def test_a_child_that_does_not_listen_is_killed_after_a_while(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    children = Shell({}, grace=0.2)
    children.start("deaf", f"trap '' TERM; touch {ready}; while :; do sleep 0.05; done")
    while not ready.exists():
        time.sleep(0.01)
    children.run(report(signal.SIGTERM))
    assert not alive(children.processes()[0])
