"""The `nextlabel` command: what it starts it takes down, and what it refuses it says in a sentence."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis
from click.testing import CliRunner, Result
from rq import Queue
from rq import Worker as RqWorker
from rq.serializers import JSONSerializer
from sqlalchemy import Engine, event, select, update
from werkzeug.serving import make_server

from everything import representing
from integration.test_loop import STARS, TOPICS, say_everything
from nextlabel import wiring
from nextlabel.cli import EXIT_CONFIGURATION, cli, running
from nextlabel.cli.context import alone_in
from nextlabel.jobs.embedded_redis import EmbeddedRedis
from nextlabel.jobs.job_queue import LEARN_QUEUE
from nextlabel.labeling import Input, ProjectId, ToolProjectId
from nextlabel.ports.tool import Finding
from nextlabel.settings import Settings
from nextlabel.storage.database.tables import connections
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel.web import create_app
from nextlabel.wiring import Parts
from nextlabel_connectors.trusted import trusted
from postgres import NewStore

if TYPE_CHECKING:
    from integration.conftest import Team

Run = Callable[..., Result]


@pytest.fixture
def environ(tmp_path: Path, new_store: NewStore) -> dict[str, str]:
    """An installation that nothing was set up in but its home, with as few processes as there can be."""
    kept = {name: value for name, value in os.environ.items() if "NEXTLABEL" not in name and "LABEL_STUDIO" not in name}
    kept.pop("REDIS_URL", None)
    ours = {"NEXTLABEL_HOME": str(tmp_path / "home"), "NEXTLABEL_WEB_WORKERS": "1", "OMP_NUM_THREADS": "1"}
    return kept | ours | new_store()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- nextlabel up ------------------------------------------------------------------------------------------


def processes_of(environ: Mapping[str, str]) -> dict[int, str]:
    """Every process on this machine that belongs to an installation: its home is in the environment or, as Redis
    overwrites its own environment, in the command line.
    """
    home, found = environ["NEXTLABEL_HOME"].encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            if home in command or b"NEXTLABEL_HOME=" + home in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = command.replace(b"\0", b" ").decode()
        except OSError:
            continue  # it ended meanwhile, or is not ours
    return found


def listens_on(port: int) -> set[str]:
    """The addresses that something on this machine listens on at a port."""
    found = set()
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        address, _, number = local.partition(":")
        if int(number, 16) == port and state == "0A":
            found.add(socket.inet_ntoa(bytes.fromhex(address)[::-1]))
    return found


def is_up(environ: Mapping[str, str], port: int) -> bool:
    """The backend answers and a worker waits for jobs."""
    try:
        if not httpx.get(f"http://127.0.0.1:{port}/health", timeout=CEILING_SECONDS, verify=trusted()).is_success:
            return False
    except httpx.TransportError:
        return False
    with wiring.connect_redis(EmbeddedRedis(Path(environ["NEXTLABEL_HOME"])).url) as client:
        return RqWorker.count(connection=client) == 1


@pytest.mark.parametrize(
    ("address", "host", "is_warned"),
    [
        ("http://172.17.0.1:9090", "127.0.0.1", True),
        ("http://172.17.0.1:9090", "0.0.0.0", False),  # noqa: S104
        ("http://127.0.0.1:9090", "127.0.0.1", False),
        ("http://host.docker.internal:9090", "127.0.0.1", False),
        ("https://nextlabel.example.org", "127.0.0.1", False),  # a proxy
    ],
)
def test_who_upgrades_is_told_that_projects_cannot_reach_the_loopback_address(
    team: Team, caplog: pytest.LogCaptureFixture, address: str, host: str, is_warned: bool
) -> None:
    known = team.parts.connections.get(team.project)
    team.parts.connections.save(replace(known, callback_url=address))
    running.warn_of_unreachable(team.parts, host, 9090)
    assert ("172.17.0.1:9090" in caplog.text and "--host 0.0.0.0" in caplog.text) == is_warned


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder of files with the names of modules that we use; one that is imported leaves ``imported`` there."""
    folder = tmp_path / "planted"
    folder.mkdir()
    for name in ("click", "gunicorn", "orjson", "redis", "rq", "secrets", "sitecustomize", "sqlalchemy"):
        code = f"open({str(folder / 'imported')!r}, 'a').write({name!r})\nraise SystemExit(3)\n"
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child outlives a parent that was killed with -9")
@pytest.mark.parametrize("name", representing(["SIGINT", "SIGTERM", "SIGKILL"], {"SIGINT", "SIGKILL"}))
def test_up_runs_everything_and_whatever_ends_it_leaves_nothing_behind(
    environ: dict[str, str], port: int, name: str, planted: Path, eventually: Callable[..., None]
) -> None:
    number = signal.Signals[name]
    command = [sys.executable, "-m", "nextlabel", "up", "--port", str(port)]
    out, pipe = planted.parent / "out", subprocess.PIPE
    with (
        out.open("w") as written,
        subprocess.Popen(command, env=environ, cwd=planted, stdout=written, stderr=pipe, text=True) as up,
    ):
        try:
            eventually(lambda: up.poll() is not None or "this machine only" in out.read_text())
            assert is_up(environ, port), "it is said to be ready before it is"
            names = " ".join(processes_of(environ).values())
            assert [part for part in (" up ", " serve ", " worker-process", ".sock") if part not in names] == []
            assert listens_on(port) == {"127.0.0.1"}
            up.send_signal(number)
            _, errors = up.communicate(timeout=CEILING_SECONDS)
            eventually(lambda: processes_of(environ) == {})
        finally:
            for pid in processes_of(environ):
                os.kill(pid, signal.SIGKILL)
    assert up.returncode == (-number if number == signal.SIGKILL else 0), errors
    assert number == signal.SIGKILL or "Traceback" not in errors
    output = out.read_text()
    assert f"nextlabel is ready: it is up on port {port}" in output
    assert f"See it in a browser at http://127.0.0.1:{port}; `nextlabel credentials` shows how to log in." in output
    assert not (planted / "imported").exists()
    home = f"NEXTLABEL_HOME={environ['NEXTLABEL_HOME']}"
    line = f"{home} nextlabel connect --url http://localhost:8080 --token ACCESS_TOKEN --project 1 --backend-url "
    assert f"{line}http://127.0.0.1:{port}\n" in output
    assert "this machine only" in output and "--host 172.17.0.1" in output
    assert ("nextlabel is down" in output) == (number != signal.SIGKILL)


def test_up_says_that_it_is_ready_once_it_serves_and_until_then_what_is_missing(
    team: Team, settings: Settings, backend: int, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    readiness = running._Readiness(settings, settings.redis_url or "", "127.0.0.1", backend, f"http://x.y:{backend}")
    readiness._complain_at = 0
    readiness()  # the backend answers, and no worker is there
    assert (capsys.readouterr().out, "No worker is alive" in caplog.text) == ("", True)
    worker_of_ours = RqWorker([LEARN_QUEUE], connection=team.parts.redis, serializer=JSONSerializer)
    worker_of_ours.register_birth()  # type: ignore[no-untyped-call]
    for _ in range(2):
        readiness._again_at = 0
        readiness()
    printed = capsys.readouterr().out
    assert printed.count("nextlabel is ready") == 1
    assert f"--project 1 --backend-url http://x.y:{backend}\n" in printed


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child outlives a parent that was killed with -9")
def test_a_home_is_held_by_one_up_beside_which_serve_and_work_run(
    environ: dict[str, str], port: int, run: Run, eventually: Callable[..., None]
) -> None:
    here = environ | {"NEXTLABEL_BACKEND_URL": f"http://127.0.0.1:{port}"}
    nextlabel = [sys.executable, "-m", "nextlabel"]
    with subprocess.Popen([*nextlabel, "up", "--host", "127.0.0.1", "--port", str(port)], env=environ) as up:
        try:
            eventually(lambda: up.poll() is not None or is_up(environ, port))
            for command in ("health", "status"):
                assert run(command, env=here).exit_code == 0
            second = run("up", "--port", str(port), env=environ)  # on the same port, too, the reason is the home
            assert second.exit_code == EXIT_CONFIGURATION
            assert f"process {up.pid} on " in second.stderr
            with subprocess.Popen([*nextlabel, "work"], env=environ) as work:
                eventually(lambda: "2 workers alive" in run("health", "worker", env=environ).stdout)
                work.terminate()
            assert work.returncode == 0
            up.kill()
            up.wait()
            with alone_in(Path(environ["NEXTLABEL_HOME"])):
                assert run("up", "--port", str(port), env=environ).exit_code == EXIT_CONFIGURATION
        finally:
            for pid in processes_of(environ):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_port_that_is_taken_is_refused_with_the_remedy_before_anything_is_started(
    environ: dict[str, str], command: str, run: Run
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(command, "--host", "127.0.0.1", "--port", str(port), env=environ)
    assert result.exit_code == EXIT_CONFIGURATION
    assert f"Port {port}" in result.stderr
    assert "--port" in result.stderr
    assert processes_of(environ) == {}


# --- without a process of its own --------------------------------------------------------------------------


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    """Runs a command in this process, in an environment of its own."""

    def run(*arguments: str, env: Mapping[str, str] = environ) -> Result:
        result = CliRunner().invoke(cli, arguments, env=dict.fromkeys(os.environ) | dict(env))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    return run


def test_the_installed_command_says_its_version(environ: dict[str, str]) -> None:
    command = [sys.executable, "-m", "nextlabel", "--version"]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert result.stdout.startswith("nextlabel, version ")


def test_status_of_an_empty_home_is_empty_and_says_what_to_do_next(run: Run) -> None:
    listed = json.loads(run("status", "--json").stdout)
    assert (listed["alarm"], listed["projects"]) == (None, [])
    assert "nextlabel connect" in run("status").stdout


def test_where_nothing_runs_status_and_health_say_so_of_each_part_with_the_remedy(
    run: Run, environ: dict[str, str], port: int
) -> None:
    nowhere = environ | {"NEXTLABEL_BACKEND_URL": f"http://127.0.0.1:{port}"}
    listed = run("status", "--json", env=nowhere)
    services = json.loads(listed.stdout)["services"]
    assert {one["name"]: one["runs"] for one in services} == {"redis": False, "workers": None, "backend": False}
    shown = (run("status", env=nowhere), run("health", env=nowhere))
    assert [one.exit_code for one in (listed, *shown)] == [1, 1, 1]
    for one in shown:
        assert "Redis does not run" in one.output
        assert f"backend does not answer at http://127.0.0.1:{port}" in one.output
        assert one.output.count("`nextlabel up`") == 2
    assert all(one["message"] in shown[0].stdout for one in services)
    assert shown[0].stdout.startswith("Not running as it should: redis, backend.\n")


@pytest.fixture
def backend(parts: Parts) -> Iterator[int]:
    """The port at which the backend of an installation answers."""
    server = make_server("127.0.0.1", 0, create_app(parts.service), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def test_a_backend_that_only_the_tool_knows_by_its_name_is_found_on_this_machine(
    connect: Callable[..., Result], backend: int
) -> None:
    for name in ("name.invalid", "127.0.0.1"):
        connect("--backend-url", f"http://{name}:{backend}")
        services = json.loads(connect("--json", command="status").stdout)["services"]
        assert {one["name"]: one["runs"] for one in services} == {"redis": True, "workers": False, "backend": True}


def test_a_server_that_is_not_nextlabel_is_not_taken_for_the_backend(run: Run) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        result = run("health", "backend", "--url", f"http://127.0.0.1:{other.server_port}")
        other.shutdown()
    assert (result.exit_code, "Something else than nextlabel" in result.stderr) == (1, True)


@pytest.mark.parametrize("command", ["pause", "predictions", "resume", "status"])
def test_a_project_that_is_not_connected_is_named(run: Run, command: str) -> None:
    result = run(command, "--project", "99")
    assert (result.exit_code, "Project 99 is not connected" in result.stderr) == (EXIT_CONFIGURATION, True)
    assert "nextlabel connect" in result.stderr


@pytest.mark.parametrize("command", representing(["connect", "status", "up"], {"connect", "status"}))
def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(
    environ: dict[str, str], tmp_path: Path, port: int, command: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['psycopg'] = sys.modules['s3fs'] = None")
    connect = ["--project", "1", "--url", "http://127.0.0.1:1", "--token", "t"]
    arguments = {"connect": connect, "up": ["--port", str(port)], "status": []}[command]
    for setting, remedy in (
        ({"NEXTLABEL_DATABASE_URL": "postgresql://nextlabel:hush@127.0.0.1:1/db"}, "pip install 'nextlabel[postgres]'"),
        ({"NEXTLABEL_MODELS_URL": "s3://bucket/models"}, "s3fs"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "nextlabel", command, *arguments],
            env=environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])} | setting,
            capture_output=True,
            text=True,
            timeout=CEILING_SECONDS,
            check=False,
        )
        assert done.returncode == EXIT_CONFIGURATION
        assert remedy in done.stderr
        assert "Traceback" not in done.stderr
        assert "hush" not in done.stderr


@pytest.mark.parametrize("command", ["status", "serve", "work", "up", "credentials"])
def test_a_database_that_is_none_is_a_sentence_whatever_is_to_be_done(
    run: Run, environ: dict[str, str], tmp_path: Path, port: int, command: str
) -> None:
    (tmp_path / "letter.txt").write_text("Dear friend, " * 100)
    served = ("--port", str(port)) if command in ("serve", "up") else ()
    result = run(command, *served, env=environ | {"NEXTLABEL_DATABASE_URL": f"sqlite:///{tmp_path / 'letter.txt'}"})
    assert (result.exit_code, "letter.txt cannot be opened" in result.stderr) == (EXIT_CONFIGURATION, True)


def test_a_home_in_which_something_is_in_the_way_is_said_so(run: Run, environ: dict[str, str]) -> None:
    home = Path(environ["NEXTLABEL_HOME"])
    home.mkdir()
    (home / "redis").write_text("in the way")
    result = run("work")
    assert (result.exit_code, str(home / "redis") in result.stderr) == (EXIT_CONFIGURATION, True)


@pytest.mark.parametrize("port", ["0", "-1", "65536", "many"])
def test_a_port_that_there_cannot_be_is_no_command_line(run: Run, port: str) -> None:
    result = run("serve", "--port", port)
    assert (result.exit_code, "--port" in result.stderr) == (2, True)


def test_a_redis_address_that_cannot_be_read_is_refused_and_not_shown(run: Run, environ: dict[str, str]) -> None:
    for arguments in (("health",), ("status",), ("work",)):
        result = run(*arguments, env=environ | {"REDIS_URL": "redis://:hu#sh@host:6379"})
        assert (result.exit_code, "REDIS_URL" in result.stderr) == (EXIT_CONFIGURATION, True)
        assert "hu" not in result.output


@pytest.mark.parametrize(
    ("arguments", "variables", "printed"),
    [
        ((), {}, r"--url is missing: give it, or set LABEL_STUDIO_URL"),
        (("--url", "http://ls"), {}, r"--token is missing: give it, or set LABEL_STUDIO_API_KEY"),
        ((), {"LABEL_STUDIO_URL": "http://ls"}, r"--token is missing"),
    ],
)
def test_connecting_without_an_address_or_a_token_says_where_to_put_it(
    run: Run, environ: dict[str, str], arguments: tuple[str, ...], variables: dict[str, str], printed: str
) -> None:
    result = run("connect", "--project", "1", *arguments, env=environ | variables)
    assert (result.exit_code, printed in result.stderr) == (EXIT_CONFIGURATION, True)


def test_a_bad_setting_is_refused_by_name(run: Run, environ: dict[str, str]) -> None:
    result = run("status", env=environ | {"NEXTLABEL_WORKERS": "none"})
    assert (result.exit_code, "NEXTLABEL_WORKERS" in result.stderr) == (EXIT_CONFIGURATION, True)


def test_a_home_that_cannot_be_made_is_said_so(run: Run, environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = run("status", env=environ | {"NEXTLABEL_HOME": str(tmp_path / "file" / "home")})
    assert (result.exit_code, "NEXTLABEL_HOME" in result.stderr) == (EXIT_CONFIGURATION, True)


def test_the_strategies_are_told_with_what_each_does(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nextlabel.strategies.finding._folders", [])  # of the homes of tests before, in this process
    listed = json.loads(run("strategies", "--json").stdout)
    found = {one["name"]: one for one in listed}
    assert set(found) >= {"margin", "entropy", "least_confidence", "random", "diverse"}
    assert all(one["about"] for one in listed)
    assert [one["name"] for one in listed if one["default"]] == ["adaptive"]
    ours = [one for one in listed if not one["about"].startswith("broken: ")]
    assert [one["name"] for one in ours if one["group"] == "own" or "Choose " not in one["when"]] == []
    shown = " ".join(run("strategies").stdout.split())
    assert shown.count("(the default)") == shown.count("adaptive (the default): ") == 1
    for one in listed:
        assert shown.count(one["when"]) == 1
        assert shown.index(one["when"]) < shown.index(f"{one['name']}: " if not one["default"] else "adaptive (the")


def test_the_credentials_are_made_once(run: Run) -> None:
    first, second = (json.loads(run("credentials", "--json").stdout) for _ in range(2))
    assert first == second
    assert len(first["password"]) > 30
    shown = run("credentials").stdout
    assert all(f"{role:<9} {password}" in shown for role, password in first["pages"].items())
    renewed = json.loads(run("credentials", "--renew", "viewer", "--json").stdout)
    assert renewed["pages"]["viewer"] != first["pages"]["viewer"]
    assert renewed | {"pages": {**renewed["pages"], "viewer": first["pages"]["viewer"]}} == first


def test_without_redis_health_is_a_sentence_and_not_a_traceback(run: Run, environ: dict[str, str]) -> None:
    result = run("health", "worker", env=environ | {"REDIS_URL": "redis://127.0.0.1:1"})
    assert (result.exit_code, "REDIS_URL" in result.stderr) == (1, True)


# --- nextlabel connect, with a tool in this process --------------------------------------------------------


@pytest.fixture
def connect(run: Run, environ: dict[str, str], team: Team) -> Iterator[Callable[..., Result]]:
    settings = team.parts.settings
    variables = {
        "NEXTLABEL_DATABASE_URL": settings.database_url,
        "NEXTLABEL_CONNECTOR": "memory",
        "NEXTLABEL_HOME": str(settings.home),
        "REDIS_URL": settings.redis_url or "",
    }

    def connect(*arguments: str, command: str = "connect", token: str = team.tool.access.token) -> Result:
        access = ("--url", "memory:", "--token", token, "--project", team.project) if command == "connect" else ()
        return run(command, *access, *arguments, env=environ | variables)

    team.parts.connections.note_address("http://127.0.0.1:9090")  # as `serve` does when it starts
    yield connect


def test_connecting_puts_the_queue_in_order_at_once(connect: Callable[..., Result], team: Team) -> None:
    team.import_mails(20)
    result = connect("--option", "strategy=random", "--option", "window=7", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["ok"], report["queue"], team.in_force()) == (True, "nextlabel-untrained-1", "nextlabel-untrained-1")
    options = team.parts.connections.get(team.project).options
    assert (options.strategy, options.window) == ("random", 7)


def test_connecting_says_what_is_left_out_and_what_is_learned_only_by_metadata(
    connect: Callable[..., Result], team: Team
) -> None:
    with team.tool.opened(team.at_tool) as it:
        (target,) = it.schema.targets
        audio = replace(target, name="mood", inputs=(Input("audio", "metadata"),))
        it.schema = replace(it.schema, targets=(target, audio), left_out={"box": "It marks regions."})
    findings = {one["message"]: one["level"] for one in json.loads(connect("--json").stdout)["findings"]}
    assert findings["Control 'box' is left out: It marks regions."] == "warning"
    assert any("'mood' is about $audio" in message for message in findings)


def test_connecting_says_what_orders_tasks_without_being_pre_annotated(
    connect: Callable[..., Result], team: Team
) -> None:
    with team.tool.opened(team.at_tool) as it:
        (target,) = it.schema.targets
        how = "by which of its labels the answer holds, and is not pre-annotated. It marks regions."
        it.schema = replace(it.schema, targets=(replace(target, pre_annotated=False),), held={target.name: how})
    messages = [one["message"] for one in json.loads(connect("--json").stdout)["findings"]]
    assert f"Control '{target.name}' orders tasks {how}" in messages
    assert not any("Pre-annotations" in one for one in messages)


def test_connecting_names_fields_that_tasks_do_not_have_and_so_does_status(
    connect: Callable[..., Result], team: Team
) -> None:
    team.import_mails(5)
    with team.tool.opened(team.at_tool) as it:
        (target,) = it.schema.targets
        it.schema = replace(it.schema, targets=(replace(target, inputs=(Input("body"), Input("text"))),))
    connected = connect("--json")
    assert (connected.exit_code, json.loads(connected.stdout)["ok"]) == (0, True)
    received = [*json.loads(connected.stdout)["findings"]]
    received += json.loads(connect("--json", command="status").stdout)["projects"][0]["findings"]
    assert sum("No task has the field 'body'" in one["message"] for one in received) == 2
    assert not any("the field 'text'" in one["message"] for one in received)


def test_a_project_with_nothing_to_learn_is_refused_and_left_as_it_is(
    connect: Callable[..., Result], team: Team
) -> None:
    with team.tool.opened(team.at_tool) as it:
        it.schema = replace(it.schema, targets=(), left_out={"box": "It marks regions."})
    done = connect()
    assert done.exit_code == EXIT_CONFIGURATION
    assert "'box': It marks regions." in done.output
    assert team.tool.predictions_held(team.at_tool) == {}


def test_connecting_again_keeps_the_options_and_changes_nothing(connect: Callable[..., Result], team: Team) -> None:
    team.import_mails(20)
    connect("--option", "window=7")
    queue = team.queue()
    report = json.loads(connect("--json").stdout)
    assert {finding["level"] for finding in report["findings"]} == {"unchanged"}
    assert team.queue() == queue
    assert team.parts.connections.get(team.project).options.window == 7


@pytest.mark.parametrize(
    ("arguments", "printed", "code"),
    [
        (("--option", "windw=7"), "'windw'", EXIT_CONFIGURATION),
        (("--option", "window"), "NAME=VALUE", EXIT_CONFIGURATION),
        (("--option", "strategy=margn"), "'margn'", EXIT_CONFIGURATION),
        (("--token", "hush"), "token", EXIT_CONFIGURATION),
        (("--project", "p999"), "p999", EXIT_CONFIGURATION),
    ],
)
def test_what_is_refused_is_named_and_nothing_of_it_is_kept(
    connect: Callable[..., Result], team: Team, arguments: tuple[str, ...], printed: str, code: int
) -> None:
    before = team.parts.connections.all()
    result = connect(*arguments)
    assert (result.exit_code, printed in result.stderr) == (code, True), result.stderr
    assert "hush" not in result.output
    assert team.parts.connections.all() == before


def test_connecting_while_the_tool_is_down_says_so(connect: Callable[..., Result], team: Team) -> None:
    team.tool.take_down()
    result = connect()
    assert (result.exit_code, "down" in result.stderr) == (1, True)


@pytest.mark.every_database
def test_status_tells_what_is_in_service_and_what_happened(connect: Callable[..., Result], team: Team) -> None:
    team.import_mails(40)
    connect("--option", "window=15")
    team.work(12)
    team.run()
    team.work(3)
    team.parts.rounds.add(team.project, 1.0, "it went well", failed=False)
    (one,) = json.loads(connect("--json", command="status").stdout)["projects"]
    received: dict[str, Any] = {
        name: one[name] for name in ("tasks", "open", "model", "labels", "queue", "window_left")
    }
    assert received == {
        "tasks": 40,
        "open": 28,
        "model": "nextlabel-2",
        "labels": 12,
        "queue": "nextlabel-2",
        "window_left": 15,
    }
    assert 0 < one["agreement_on_tasks_asked"]["agreement"] <= 1
    assert one["agreement_on_tasks_asked"]["labels"] == 12
    assert [version["state"] for version in one["versions"]] == ["retired", "in_service"]
    assert one["rounds"][0]["summary"] == "it went well"
    assert one["unreadable"] == []
    shown = " ".join(re.sub("[^ -~]+", " ", connect(command="status").stdout).split())
    assert "nextlabel-2, trained on 12 labels" in shown
    assert "agreement on the tasks asked" in shown
    assert "(harder than the average task)" in shown
    assert "on 12 labels" in shown
    assert "not measured: there are no audit tasks" in shown
    assert one["accuracy"] == one["accuracy_of_answers"] == {}
    assert team.tool.access.token not in connect("--json", command="status").output


def test_connect_and_status_tell_which_guesses_are_shown_and_from_when_on(
    connect: Callable[..., Result], team: Team
) -> None:
    team.import_mails(40)
    team.run()
    team.work(12)
    team.run()
    waiting = "withheld until 15 labels are learned (12 so far), then shown (show_predictions=15)"
    connected = connect("--option", "show_predictions=15", "--json")
    assert f"Pre-annotations: {waiting}." in [it["message"] for it in json.loads(connected.stdout)["findings"]]
    assert "Pre-annotations: withheld until 15" in connect().stdout
    (one,) = json.loads(connect("--json", command="status").stdout)["projects"]
    assert one["pre_annotations"] == {"shown": {"": False}, "when": waiting}
    assert "withheld until 15" in connect(command="status").stdout
    connect("--option", "show_predictions=90%")
    (one,) = json.loads(connect("--json", command="status").stdout)["projects"]
    assert "(12 so far), then shown where they are right with a chance of 90%" in one["pre_annotations"]["when"]
    refused = connect("--option", "show_predictions=often")
    assert (refused.exit_code, "write always, never" in refused.stderr) == (EXIT_CONFIGURATION, True)


def test_status_has_a_figure_for_every_kind_of_target(connect: Callable[..., Result], team: Team) -> None:
    team.ask_also(STARS, TOPICS)
    team.import_mails(60)
    connect()
    say_everything(team, 30)
    team.run()
    (one,) = json.loads(connect("--json", command="status").stdout)["projects"]
    figures = one["agreement_on_tasks_asked"]
    assert {"label.agreement", "stars.mean_absolute_error", "topics.micro_f1"} <= set(figures)
    shown = " ".join(connect(command="status").stdout.split())
    for target, words in (("label", " ± "), ("stars", "off by "), ("topics", "F1 ")):
        assert re.search(rf"{target}: [^:]*{words}", shown), shown


def test_status_says_from_which_home_it_reads_and_how_long_ago_each_project_was_read(
    connect: Callable[..., Result], team: Team, run: Run, environ: dict[str, str]
) -> None:
    connect()
    connection = team.parts.connections.get(team.project)
    team.parts.connections.save(
        replace(connection, project=ProjectId("never read"), at_tool=ToolProjectId("never read"))
    )
    team.parts.store.note_pull(team.project, datetime.now(UTC) - timedelta(minutes=7, seconds=5))
    listed = json.loads(connect("--json", command="status").stdout)
    ago = {one["project"]: one["pulled_seconds_ago"] for one in listed["projects"]}
    assert (ago.pop("never read"), 420 <= ago.pop(team.project) < 480, ago) == (None, True, {})
    shown = connect(command="status").stdout
    assert shown.count("7 minutes ago, at ") == 1
    assert re.search(r"last read from the tool\W+never", shown)
    assert listed["home"] == str(team.parts.settings.home)
    assert f"The state is read from {listed['home']}" in shown
    elsewhere = environ | {"NEXTLABEL_DATABASE_URL": team.parts.settings.database_url}
    assert "and the " in run("status", env=elsewhere).stdout.partition("The state is read from ")[2]
    team.run()  # a turn that changes nothing
    listed = json.loads(connect("--json", command="status").stdout)
    assert {one["pulled_seconds_ago"] for one in listed["projects"]} != {420, None}
    assert min(one["pulled_seconds_ago"] for one in listed["projects"] if one["pulled_at"]) < 60


def test_connect_and_status_say_each_finding_once(
    connect: Callable[..., Result], team: Team, redis_client: redis.Redis
) -> None:
    team.import_mails(12)
    with team.tool.opened(team.at_tool) as it:
        (target,) = it.schema.targets
        it.schema = replace(it.schema, targets=(replace(target, inputs=(Input("body"),)),))
    connected = connect("--option", "strategy=balanced:margin", "--option", "cold_start=0")
    assert "No task has the field 'body'" in connected.stdout
    assert "nothing to read" not in connected.output  # for that reason: one finding
    assert sum(mark in line[:2] for line in connected.stdout.splitlines() for mark in "!✗") == 1
    team.tool.disconnect(team.at_tool)
    redis_client.delete(f"nextlabel:drift:{team.project}")
    team.parts.turns.take(team.project)
    team.parts.findings.replace(team.project, team.parts.findings.of(team.project, "drift"), "another look")
    (one,) = json.loads(connect("--json", command="status").stdout)["projects"]
    messages = [it["message"] for it in one["findings"]]
    assert len(messages) == len(set(messages)) == 2
    assert "no longer go to" in messages[-1]
    assert " ".join(connect(command="status").stdout.split()).count("no longer go to") == 1


@pytest.mark.every_database
def test_status_of_any_number_of_versions_reads_the_labels_of_none(connect: Callable[..., Result], team: Team) -> None:
    team.import_mails(40)
    connect()
    for _ in range(3):
        team.work(4)
        team.run()
    asked: list[str] = []
    event.listen(Engine, "before_cursor_execute", listener := lambda *received: asked.append(received[2]))
    (one,) = json.loads(connect("--json", command="status").stdout)["projects"]
    event.remove(Engine, "before_cursor_execute", listener)
    assert [version["labels"] for version in one["versions"]] == [0, 4, 8, 12]
    assert any("FROM models" in statement for statement in asked)
    assert not any("trained_on" in statement for statement in asked)
    assert all("LIMIT" in statement for statement in asked if "FROM queues" in statement)


def test_status_tells_that_a_tool_does_not_answer(connect: Callable[..., Result], team: Team) -> None:
    connect()
    assert json.loads(connect("--json", command="status").stdout)["projects"][0]["tool_fails"] is None
    for _ in range(3):
        team.parts.circuits.failed(team.parts.connections.get(team.project), "It is down.")
    (one,) = json.loads(connect("--json", command="status").stdout)["projects"]
    assert (one["tool_fails"]["failures"], one["tool_fails"]["reason"]) == (3, "It is down.")
    assert one["tool_fails"]["left_alone_seconds"] > 0
    assert "3 times in a row" in connect(command="status").stdout


def test_status_tells_what_somebody_undid_in_the_tool_until_it_is_connected_again(
    connect: Callable[..., Result], team: Team
) -> None:
    connect()
    assert team.parts.connections.get(team.project).callback_url == "http://127.0.0.1:9090"
    team.parts.findings.replace(team.project, [Finding("warning", "The webhook is gone.")])
    (one,) = json.loads(connect("--json", command="status").stdout)["projects"]
    assert one["findings"] == [{"level": "warning", "message": "The webhook is gone."}]
    assert "The webhook is gone." in connect(command="status").stdout
    connect()
    (one,) = json.loads(connect("--json", command="status").stdout)["projects"]
    assert one["findings"] == []


def test_what_comes_from_elsewhere_is_shown_as_it_is(connect: Callable[..., Result], team: Team) -> None:
    connect()
    team.parts.rounds.add(team.project, 1.0, "it said [/b] and [red]", failed=True)
    team.parts.findings.replace(team.project, [Finding("problem", "[/]")])
    shown = connect(command="status").stdout
    assert "failed it said [/b] and [red]" in shown
    assert re.search(r"problem .*\[/\]", shown)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("relabel=yes", "'relabel' is 'yes': it must be auto or off."),
        ("recall_target=nan", "it must be between 0.1 and 0.99."),
        ("relable=auto", "Unknown option 'relable': known are"),
        ("strategy=margn", "margn"),
    ],
)
def test_what_is_wrong_with_an_option_itself_is_told_though_the_tool_is_down(
    connect: Callable[..., Result], team: Team, option: str, words: str
) -> None:
    team.tool.take_down()
    refused = connect("--option", option)
    assert (refused.exit_code, words in refused.stderr) == (EXIT_CONFIGURATION, True), refused.output
    assert "is down" in connect("--option", "of_another_release=").stderr


@pytest.mark.every_database
@pytest.mark.parametrize(
    "stored",
    [{"window": 7, "strategy": "random", "shown_from": 30}, {"window": 99999, "strategy": "random"}, ["random"]],
)
def test_an_option_that_this_release_cannot_use_is_told_stays_stored_and_stops_nobody(
    connect: Callable[..., Result], team: Team, stored: object, caplog: pytest.LogCaptureFixture
) -> None:
    other = type(team)(team.tool, team.parts, team.tool.create_project(["ham", "spam"]))
    other.choose()
    with team.parts.database.write() as sql:
        sql.execute(update(connections).where(connections.c.project == team.project).values(options=stored))
    for it in (team, other, team):
        it.import_mails(20)
        assert "tasks in order" in team.parts.turns.take(it.project)
    assert [record.getMessage() for record in caplog.records].count(f"project {team.project}: {complaint(team)}") == 1
    projects = {one["project"]: one for one in json.loads(connect("--json", command="status").stdout)["projects"]}
    assert projects[team.project]["findings"] == [{"level": "warning", "message": complaint(team)}]
    assert projects[other.project]["findings"] == []
    connect("--option", "seed=5")
    kept = stored_options(team)
    assert kept["seed"] == 5
    given = stored if isinstance(stored, dict) else {"options": stored}
    assert {name: kept[name] for name in given} == given


def test_options_that_somebody_broke_by_hand_are_told_too(connect: Callable[..., Result], team: Team) -> None:
    if not team.parts.settings.database_url.startswith("sqlite"):
        pytest.skip("PostgreSQL takes nothing but JSON")
    with team.parts.database.write() as sql:
        sql.exec_driver_sql("UPDATE connections SET options = '{window: 7}'")
    (one,) = json.loads(connect("--json", command="status").stdout)["projects"]
    assert one["findings"] == [{"level": "warning", "message": complaint(team)}]
    connect("--option", "window=7", "--option", "options=")
    assert complaint(team) == ""
    assert team.parts.connections.get(team.project).options.window == 7


def complaint(team: Team) -> str:
    return team.parts.connections.get(team.project).options.complaint


def stored_options(team: Team) -> Any:
    with team.parts.database.read() as sql:
        (found,) = sql.execute(select(connections.c.options).where(connections.c.project == team.project)).scalars()
    return found


def test_status_names_what_is_set_aside(connect: Callable[..., Result], team: Team) -> None:
    tasks = team.import_mails(9)
    for task in tasks[:7]:
        team.tool.spoil(team.at_tool, task)
    connect()
    (one,) = json.loads(connect("--json", command="status").stdout)["projects"]
    assert one["unreadable"] == [{"name": f"task {task}", "reason": "It is damaged."} for task in tasks[:7]]
    printed = connect(command="status").stdout
    assert f"task {tasks[0]}: It is damaged." in printed
    assert "7 in all" in printed


# --- what `nextlabel work` does besides its workers --------------------------------------------------------


@pytest.fixture
def housekeeping(team: Team, settings: Settings) -> running._Housekeeping:
    return running._Housekeeping(team.parts, settings)


def jobs(team: Team) -> int:
    return len(Queue(LEARN_QUEUE, connection=team.parts.redis, serializer=JSONSerializer))


def test_every_project_is_looked_at_on_a_schedule_whether_or_not_a_webhook_came(
    team: Team, housekeeping: running._Housekeeping
) -> None:
    for it in (team, type(team)(team.tool, team.parts, team.tool.create_project(["ham", "spam"]))):
        it.choose(quiet_seconds=0)
    housekeeping()
    assert jobs(team) == 2
    Queue(LEARN_QUEUE, connection=team.parts.redis, serializer=JSONSerializer).empty()  # type: ignore[no-untyped-call]
    housekeeping()
    assert jobs(team) == 0  # not again before it is time
    housekeeping._reconcile_at = 0
    housekeeping()
    assert jobs(team) == 2


def test_at_the_start_everything_is_to_be_read_again_unless_that_has_just_been_done(
    team: Team, settings: Settings
) -> None:
    team.import_mails(5)
    team.run()
    running._Housekeeping(team.parts, settings)()
    just_now = team.parts.store.full_pull_at(team.project)
    assert just_now is not None
    team.parts.store.note_full_pull(team.project, just_now - timedelta(hours=1))
    housekeeping = running._Housekeeping(team.parts, settings)
    housekeeping()
    assert team.parts.store.full_pull_at(team.project) is None
    assert team.run().read_again
    earlier = just_now - timedelta(hours=1)
    team.parts.store.note_full_pull(team.project, earlier)
    housekeeping._reconcile_at = 0
    housekeeping()  # no longer the start
    assert team.parts.store.full_pull_at(team.project) == earlier


def test_of_a_tool_that_does_not_answer_one_project_is_looked_at_once_its_time_is_over(
    team: Team, housekeeping: running._Housekeeping
) -> None:
    for it in (team, type(team)(team.tool, team.parts, team.tool.create_project(["ham", "spam"]))):
        it.choose(quiet_seconds=0)
    connection = team.parts.connections.get(team.project)
    for _ in range(3):
        team.parts.circuits.failed(connection, "It is down.")
    housekeeping()
    assert jobs(team) == 0
    (key,) = team.parts.redis.keys("nextlabel:circuit:*")
    team.parts.redis.hset(key, "until", "1")
    housekeeping._reconcile_at = 0
    housekeeping()
    assert jobs(team) == 1


def test_housekeeping_outlives_a_redis_that_is_away_for_a_while(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture, team: Team
) -> None:
    server = EmbeddedRedis(tmp_path_factory.mktemp("r"))
    parts = wiring.build(settings, server.url)
    team.choose(quiet_seconds=0)
    housekeeping = running._Housekeeping(parts, settings)
    try:
        housekeeping()
        assert "Redis cannot be reached" in caplog.text
        server.ensure()
        housekeeping._pause_until = housekeeping._reconcile_at = 0
        housekeeping()
        assert len(Queue(LEARN_QUEUE, connection=parts.redis, serializer=JSONSerializer)) == 1
    finally:
        server.stop()
