"""Leases on a real Redis, held by real processes: the dead do not keep them, and the living are never robbed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import pytest
import redis

from nextlabel.jobs import leases, liveness
from nextlabel.jobs.leases import Leases
from nextlabel.jobs.liveness import Process

NAME = "nextlabel:lease:1"
FORK = multiprocessing.get_context("fork")
HOLDER = """
import os, signal, sys
import redis
from nextlabel.jobs import leases
leases.LEASE_SECONDS = float(sys.argv[3])
with redis.Redis.from_url(sys.argv[1]) as connection:
    assert leases.Leases(connection).take(sys.argv[2])
    print("held", flush=True)
    signal.pause()
"""
Eventually = Callable[[Callable[[], bool]], None]


@contextmanager
def holder(redis_url: str, seconds: float = leases.LEASE_SECONDS) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lease and renews it."""
    arguments = [sys.executable, "-c", HOLDER, redis_url, NAME, str(seconds)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def state(process: subprocess.Popen[str]) -> str:
    stat = liveness._stat(process.pid)
    return stat[0] if stat else ""


def is_free(connection: redis.Redis) -> bool:
    """Whether one more comer gets the lease, who gives it back at once."""
    lease = Leases(connection).take(NAME)
    if lease is not None:
        lease.release()
    return lease is not None


def hold_as(connection: redis.Redis, process: Process | str) -> None:
    connection.set(NAME, f"{process}:0123", px=60_000)


def this() -> Process:
    process = Process.this()
    assert process is not None
    return process


def test_a_lease_is_taken_over_at_once_when_its_holder_was_killed(redis_url: str, redis_client: redis.Redis) -> None:
    with holder(redis_url) as process:
        assert not is_free(redis_client)
        process.kill()
        process.wait()
        assert redis_client.pttl(NAME) > 0  # it has not run out
        assert Leases(redis_client).is_abandoned(NAME)
        assert is_free(redis_client)


def test_a_holder_that_has_ended_and_that_its_parent_has_not_looked_after_is_dead(
    redis_url: str, redis_client: redis.Redis, eventually: Eventually
) -> None:
    with holder(redis_url) as process:
        os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: state(process) == "Z")
        assert is_free(redis_client)


def test_a_holder_that_is_stopped_keeps_its_lease_until_it_has_run_out(
    redis_url: str, redis_client: redis.Redis, eventually: Eventually
) -> None:
    with holder(redis_url, seconds=3) as process:
        os.kill(process.pid, signal.SIGSTOP)
        eventually(lambda: state(process) == "T")
        while (left := redis_client.pttl(NAME)) > 0:
            asked = time.monotonic()
            assert not is_free(redis_client) or time.monotonic() - asked > left / 1_000, "it ran out meanwhile"
            time.sleep(0.05)
        assert is_free(redis_client)


def test_the_lease_of_a_forked_child_is_its_own_and_not_its_parents(redis_client: redis.Redis) -> None:
    """As RQ forks a process for each job."""
    here, there = FORK.Pipe()
    child = FORK.Process(target=hold, args=(redis_client, there))
    child.start()
    try:
        assert here.recv() == "held"
        assert not is_free(redis_client)
    finally:
        child.kill()
        child.join()
    assert is_free(redis_client)


def hold(connection: redis.Redis, received: Connection) -> None:
    assert Leases(connection).take(NAME)
    received.send("held")
    signal.pause()


def test_a_holder_keeps_its_lease_from_others_of_its_own_process(redis_client: redis.Redis) -> None:
    mine = Leases(redis_client).take(NAME)
    assert mine is not None
    assert not is_free(redis_client)
    assert not Leases(redis_client).is_abandoned(NAME)
    mine.release()
    assert is_free(redis_client)


def test_a_process_that_was_given_the_number_of_a_dead_holder_is_not_taken_for_it(redis_client: redis.Redis) -> None:
    me = this()
    hold_as(redis_client, Process(me.host, me.pid, me.started))
    assert not is_free(redis_client)
    hold_as(redis_client, Process(me.host, me.pid, me.started - 1))
    assert is_free(redis_client)


def gone() -> Process:
    """A process of this machine that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return Process(this().host, process.pid, this().started)


@pytest.mark.parametrize(
    "holder",
    [lambda: Process("another-machine", gone().pid, 1), lambda: "", lambda: "a word", lambda: f"{this().host}/x/y"],
    ids=["elsewhere", "nameless", "of another release", "nonsense"],
)
def test_a_holder_of_which_nothing_is_known_is_not_taken_for_dead(
    redis_client: redis.Redis, holder: Callable[[], Process | str]
) -> None:
    hold_as(redis_client, holder())
    assert not is_free(redis_client)


def test_where_the_kernel_tells_nothing_leases_are_held_and_run_out_as_ever(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dead = gone()
    monkeypatch.setattr(liveness, "_PROC", tmp_path_factory.mktemp("proc"))
    assert Process.this() is None
    assert is_free(redis_client)
    hold_as(redis_client, dead)
    assert not is_free(redis_client)


def test_of_two_who_find_a_dead_holder_one_gets_the_lease(redis_client: redis.Redis) -> None:
    """The second one found it dead before the first took its lease over."""
    hold_as(redis_client, gone())
    first, second = Leases(redis_client), Leases(redis_client)
    found = second._held_by_dead(NAME)
    taken = first.take(NAME)
    assert found
    assert taken is not None
    second._held_by_dead = lambda name: found  # type: ignore[method-assign]
    assert second.take(NAME) is None
    assert taken.held
    taken.release()
