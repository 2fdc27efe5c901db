"""How soon a webhook is acknowledged at 100 a second, with the worker idle and while it trains all the time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.figures import Figure, percentile
from benchmarks.open_loop import Answers, send_at_rate
from benchmarks.payloads import annotation_created, webhook_headers
from benchmarks.processes import descendants, nextlabel, parts_of, temporary_home
from nextlabel.labeling import ProjectId
from nextlabel.options import ProjectOptions
from nextlabel.ports.tool import ToolAccess
from nextlabel.testing import connection_to
from nextlabel.wiring import Parts

_RATE, _IDLE_SECONDS, _TRAINING_SECONDS = 100.0, 5.0, 15.0
_BUSY, _QUIET = ProjectId("1"), ProjectId("2")
_NEVER = ProjectOptions(quiet_seconds=3600, max_wait_seconds=86_400)
# Due again as soon as it is asked for; once a second, so that jobs do not pile up behind the one at work.
_ALWAYS = ProjectOptions(quiet_seconds=1, max_wait_seconds=1)
_AIM_MS = 25.0


def run() -> Iterator[Figure]:
    """Yields figures for a new connection each time (as Label Studio sends them) and for kept connections."""
    with temporary_home() as home:
        parts = parts_of(home)
        for project, options in ((_BUSY, _ALWAYS), (_QUIET, _NEVER)):
            access = ToolAccess("http://127.0.0.1:9", "none")
            parts.connections.save(connection_to(project, "benchmark", access, options))
        parts.database.dispose()
        with nextlabel("up", home, NEXTLABEL_RECONCILE_SECONDS="86400") as (url, process):
            _let_it_learn(parts)
            for keep_alive in (False, True):
                connections = "kept connections" if keep_alive else "new connections"
                _let_it_rest(process.pid)
                idle = _send(parts, url, _QUIET, _IDLE_SECONDS, keep_alive)
                yield from _received(f"idle, {connections}", idle, "")
                rounds, cpu, start = _trained(parts), _worker_cpu(process.pid), time.monotonic()
                with _beside(url, _TRAINING_SECONDS, keep_alive) as floor:
                    training = _send(parts, url, _BUSY, _TRAINING_SECONDS, keep_alive)
                share = (_worker_cpu(process.pid) - cpu) / (time.monotonic() - start)
                new = parts.rounds.last(_BUSY, _trained(parts) - rounds)
                busy = sum(one.seconds for one in new) / (time.monotonic() - start)
                note = f"{len(new)} trainings, {busy:.0%} of the time; worker at {share:.0%} of a core"
                yield from _received(f"training, {connections}", training, note)
                note = "what server and machine cost without the webhook's own work"
                yield Figure(
                    "webhook", f"/health meanwhile, {connections}: p99", percentile(floor().waited, 99), "ms", note=note
                )
                slower = percentile(training.waited, 99) / percentile(idle.waited, 99)
                yield Figure("webhook", f"training / idle, {connections}", slower, "× p99")


@contextmanager
def _beside(url: str, seconds: float, keep_alive: bool) -> Iterator[Callable[[], Answers]]:
    """Asks /health, which does nothing, twenty times a second meanwhile: what server and machine alone cost."""
    with ThreadPoolExecutor(1) as thread:
        floor = thread.submit(
            send_at_rate,
            f"{url}/health",
            lambda n: b"",
            {},
            rate=20,
            seconds=seconds,
            keep_alive=keep_alive,
            clients=4,
            expected=200,
        )
        yield floor.result


def _send(parts: Parts, url: str, project: ProjectId, seconds: float, keep_alive: bool) -> Answers:
    return send_at_rate(
        f"{url}/webhook",
        lambda n: annotation_created(project, n),
        webhook_headers(parts.connections.credentials_of("benchmark")),
        rate=_RATE,
        seconds=seconds,
        keep_alive=keep_alive,
    )


def _received(name: str, answers: Answers, note: str) -> Iterator[Figure]:
    waited = answers.waited
    yield Figure("webhook", f"{name}: p50", percentile(waited, 50), "ms", note=note)
    note = f"from sending it: {percentile(answers.took, 99):.1f} ms"
    yield Figure("webhook", f"{name}: p99", percentile(waited, 99), "ms", aim=_AIM_MS, note=note)
    yield Figure("webhook", f"{name}: slowest", percentile(waited, 100), "ms", note=f"of {len(waited):,}")
    kinds = ", ".join(f"{n} × {kind}" for kind, n in answers.failed.items())
    yield Figure("webhook", f"{name}: failed", sum(answers.failed.values()), "", aim=0, note=kinds)


def _let_it_learn(parts: Parts) -> None:
    """The start's own reconciliation trains the first model; measured is what comes after it."""
    deadline = time.monotonic() + 120
    while not parts.orders.announced(_BUSY):
        if time.monotonic() > deadline:
            raise RuntimeError("The worker did not train within two minutes.")
        time.sleep(0.2)


def _let_it_rest(pid: int) -> None:
    """Returns when the worker has had nothing to do for two seconds, or after a minute."""
    deadline = time.monotonic() + 60
    before = -1.0
    while (now := _worker_cpu(pid)) - before > 0.05 and time.monotonic() < deadline:
        before = now
        time.sleep(2)


def _trained(parts: Parts) -> int:
    return len(parts.models.history(_BUSY))


def _worker_cpu(pid: int) -> float:
    """Processor seconds of the worker process and the jobs that it has run or is running. Linux only; elsewhere 0."""
    ticks = 0
    for child, command in descendants(pid).items():
        if "worker-process" in command:
            with suppress(OSError):
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")
