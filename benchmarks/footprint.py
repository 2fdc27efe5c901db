"""What it takes to run: memory of each process, and the time until it answers."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from benchmarks.figures import Figure, over_repeats, stopwatch
from benchmarks.processes import descendants, environment, memory_mb, nextlabel, temporary_home

_REPEATS = 5


def run() -> Iterator[Figure]:
    """Yields start-up times, then the memory of ``nextlabel up`` at rest (Linux only)."""
    with temporary_home() as home:
        env = environment(home)
        for name, arguments in (
            ("an empty Python", ("-c", "")),
            ("nextlabel --version", ("-m", "nextlabel", "--version")),
        ):
            cpu = _children_cpu()
            took = [_seconds(arguments, env) for _ in range(_REPEATS)]
            yield over_repeats("footprint", name, took, "s", note=_cpu_note(cpu))
        for command in ("serve", "up"):
            took, cpu = [], _children_cpu()
            for _ in range(_REPEATS):
                with stopwatch() as seconds, nextlabel(command, home) as (_, process):
                    took.append(seconds())
                    if command == "up" and len(took) == _REPEATS:
                        time.sleep(3)  # until the worker has started, too
                        figures = list(_memory(process.pid))
            yield over_repeats("footprint", f"nextlabel {command} until it answers", took, "s", note=_cpu_note(cpu))
        yield from figures


def _seconds(arguments: Sequence[str], env: dict[str, str]) -> float:
    with stopwatch() as seconds:
        subprocess.run([sys.executable, *arguments], env=env, check=True, capture_output=True)
    return seconds()


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu_note(before: float) -> str:
    """What the children took of the processors, which is less a matter of how busy the machine is."""
    return f"{(_children_cpu() - before) / _REPEATS:.1f} s of processor time, from start to end"


def _memory(pid: int) -> Iterator[Figure]:
    total = 0.0
    for child, command in sorted(descendants(pid).items()):
        resident, share = memory_mb(child)
        total += share
        program, _, arguments = command.partition(" -m nextlabel ")
        name = arguments.split(" --")[0] if arguments else program.split("/")[-1].split(" ")[0]
        yield Figure("footprint", f"memory: {name}", resident, "MB", note=f"{share:.0f} MB without what it shares")
    yield Figure("footprint", "memory: all together", total, "MB", note="shared pages counted once")
