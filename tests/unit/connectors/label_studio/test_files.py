"""Which files of a task are read, over real sockets: never from where nextlabel must not look, never without end."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from nextlabel import wiring
from nextlabel.errors import FileUnavailable
from nextlabel.labeling import ToolProjectId
from nextlabel.ports.tool import HasFiles, ToolAccess
from nextlabel.settings import Settings
from nextlabel.testing import connection_to
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.files import FileLimits, fetch_file

TOKEN = "0123456789abcdef0123456789abcdef01234567"
CAT = b"\x89PNG a cat"

Answer = Callable[[BaseHTTPRequestHandler], None]


class Host:
    """A web server that answers as it is told, and what it was asked: paths, and the credentials shown."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.pages: dict[str, Answer] = {}
        self.asked: list[tuple[str, str | None]] = []


@contextmanager
def serving() -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            host.asked.append((self.path, self.headers["Authorization"]))
            host.pages.get(self.path, status(404))(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host = Host(server.server_port)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def tool() -> Iterator[Host]:
    with serving() as host:
        yield host


@pytest.fixture
def stranger() -> Iterator[Host]:
    with serving() as host:
        yield host


def status(code: int, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {**headers, "Content-Length": "0"}.items():
            handler.send_header(name, value)
        handler.end_headers()

    return answer


def redirect(to: str, code: int = 302) -> Answer:
    return status(code, Location=to)


def file(content: bytes = CAT, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def endless(pause: float) -> Answer:
    """More and more, without saying how much."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        try:
            for _ in range(2000):
                handler.wfile.write(b"x" * 1000)
                time.sleep(pause)
        except OSError:
            pass

    return answer


def dripping(begun: bytes, drop: bytes) -> Answer:
    """A drop every now and then, of what comes before a file or between its pieces."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        try:
            handler.wfile.write(begun)
            for _ in range(60):
                handler.wfile.write(drop)
                time.sleep(0.05)
        except OSError:
            pass

    return answer


def silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(1.0)


def fetch(tool: Host, address: str, *allowed: str, limits: FileLimits | None = None, under: str = "") -> bytes:
    client = LabelStudioClient(ToolAccess(tool.url + under, TOKEN))
    return fetch_file(client, ToolProjectId("7"), address, allowed, limits or FileLimits(seconds=CEILING_SECONDS))


@pytest.mark.parametrize("address", ["/data/upload/1/cat.png", "/data/local-files/?d=pets/cat.png"])
def test_what_label_studio_keeps_is_read_with_the_token(tool: Host, address: str) -> None:
    tool.pages[address] = file()
    assert fetch(tool, address) == fetch(tool, tool.url + address) == CAT
    assert tool.asked == [(address, f"Token {TOKEN}")] * 2


@pytest.mark.parametrize("address", ["s3://pets/cat.png", "gs://pets/cat.png", "azure-blob://pets/a cat.png"])
def test_cloud_storage_is_read_through_label_studio(tool: Host, address: str) -> None:
    asked = f"/projects/7/resolve/?fileuri={urlsafe_b64encode(address.encode()).decode()}"
    tool.pages[asked] = file()
    assert fetch(tool, address) == CAT


def test_label_studio_may_call_itself_by_another_name(tool: Host) -> None:
    path = "/tasks/12/resolve/?fileuri=czM6Ly9wZXRzL2NhdC5wbmc="
    tool.pages[path] = file()
    assert fetch(tool, f"https://label.example.org{path}") == CAT


def test_label_studio_may_be_served_under_a_path(tool: Host) -> None:
    tool.pages["/label/data/upload/1/cat.png"] = file()
    assert fetch(tool, "/data/upload/1/cat.png", under="/label") == CAT
    assert fetch(tool, "/label/data/upload/1/cat.png", under="/label") == CAT


@pytest.mark.parametrize(
    "path",
    [
        "/api/projects/1/next",
        "/data/../api/dm/actions",
        "/data/%2e%2e/api/users",
        "/data/..%2fapi/users",
        "/",
        "/user/",
    ],
)
def test_nothing_else_of_label_studio_is_asked_with_our_token(tool: Host, path: str) -> None:
    with pytest.raises(FileUnavailable, match="keeps no files"):
        fetch(tool, path)
    assert tool.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "ftp://example.org/cat.png",
        "cat.png",
        "",
        "//example.org/cat.png",
        "http://",
        "http://[::1",
        "http://example.org:99999/cat.png",
        "http://me:secret@127.0.0.1/cat.png",
        "\x00",
        "redis://127.0.0.1:6379/cat",
    ],
)
def test_what_is_no_web_address_is_not_asked_for(tool: Host, address: str) -> None:
    with pytest.raises(FileUnavailable):
        fetch(tool, address, "127.0.0.1", "example.org")


def test_another_host_is_read_only_where_it_is_allowed_and_without_the_token(tool: Host, stranger: Host) -> None:
    stranger.pages["/cat.png"] = file()
    with pytest.raises(FileUnavailable, match=f"127.0.0.1:{stranger.port} is not among"):
        fetch(tool, f"{stranger.url}/cat.png", f"127.0.0.1:{stranger.port + 1}", ".0.0.1", "127.0.0.1")
    assert fetch(tool, f"{stranger.url}/cat.png", f"127.0.0.1:{stranger.port}") == CAT
    assert stranger.asked == [("/cat.png", None)]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]"]
)
def test_a_private_address_is_not_reached_because_its_host_is_allowed(tool: Host, host: str) -> None:
    with pytest.raises(FileUnavailable, match="private network"):
        fetch(tool, f"http://{host}/latest/meta-data", host.strip("[]"))


def test_a_redirect_is_held_to_the_same_rule_and_takes_no_token_along(tool: Host, stranger: Host) -> None:
    tool.pages["/data/upload/1/cat.png"] = redirect(f"{stranger.url}/cat.png")
    stranger.pages["/cat.png"] = file()
    with pytest.raises(FileUnavailable, match="not among the hosts"):
        fetch(tool, "/data/upload/1/cat.png")
    assert stranger.asked == []
    assert fetch(tool, "/data/upload/1/cat.png", f"127.0.0.1:{stranger.port}") == CAT
    assert stranger.asked == [("/cat.png", None)]


@pytest.mark.parametrize("code", [302, 303])
def test_storage_that_label_studio_signs_an_address_of_is_asked_for_exactly_that(
    tool: Host, stranger: Host, code: int
) -> None:
    signed = "/pets/a%20cat%2Bdog.png?X-Amz-Credential=AK%2F20261124%2Fs3&X-Amz-SignedHeaders=host&X-Amz-Signature=a+b~"
    host, asked = f"127.0.0.1:{stranger.port}", "/tasks/12/resolve/?fileuri=czM6Ly9wZXRzLzE="
    tool.pages[asked] = redirect(f"http://{host}{signed}", code)
    stranger.pages[signed] = lambda handler: (file() if handler.headers["Host"] == host else status(403))(handler)
    assert fetch(tool, asked, host) == CAT
    assert stranger.asked == [(signed, None)]


def test_the_hosts_that_an_installation_allows_are_those_of_its_environment(
    tool: Host, stranger: Host, tmp_path: Path
) -> None:
    stranger.pages["/cat.png"] = file()
    connection = connection_to(ToolProjectId("7"), "label_studio", ToolAccess(tool.url, TOKEN))

    def read(**environ: str) -> bytes:
        parts = wiring.build(Settings.from_env({"NEXTLABEL_HOME": str(tmp_path), **environ}), "redis://127.0.0.1:9")
        connector = parts.open_connector(connection)
        assert isinstance(connector, HasFiles)
        return connector.file(f"{stranger.url}/cat.png")

    with pytest.raises(FileUnavailable, match="NEXTLABEL_FILE_HOSTS"):
        read()
    assert read(NEXTLABEL_FILE_HOSTS=f"images.example.org, 127.0.0.1:{stranger.port}") == CAT


def test_a_stranger_cannot_send_us_to_label_studios_api(tool: Host, stranger: Host) -> None:
    stranger.pages["/cat.png"] = redirect(f"{tool.url}/api/projects/1/next")
    with pytest.raises(FileUnavailable, match="keeps no files"):
        fetch(tool, f"{stranger.url}/cat.png", f"127.0.0.1:{stranger.port}")
    assert tool.asked == []


def test_a_circle_of_redirects_ends(tool: Host) -> None:
    tool.pages["/data/a"] = redirect("/data/a")
    with pytest.raises(FileUnavailable, match="more than 3 times"):
        fetch(tool, "/data/a")
    assert len(tool.asked) == 4


@pytest.mark.parametrize("answer", [file(b"x" * 5001), endless(0.0)])
def test_a_file_that_is_too_large_is_given_up_early(tool: Host, answer: Answer) -> None:
    tool.pages["/data/a"] = answer
    with pytest.raises(FileUnavailable, match="larger than"):
        fetch(tool, "/data/a", limits=FileLimits(size=5000))


@pytest.mark.parametrize("answer", [silent, endless(0.05)])
def test_a_file_that_takes_too_long_is_given_up(tool: Host, answer: Answer) -> None:
    tool.pages["/data/a"] = answer
    with pytest.raises(FileUnavailable, match=r"timed out|took more than 0\.2 seconds"):
        fetch(tool, "/data/a", limits=FileLimits(seconds=0.2))


@pytest.mark.parametrize(
    ("begun", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    ],
)
def test_a_stranger_that_never_comes_to_the_file_is_given_up(
    tool: Host, stranger: Host, begun: bytes, drop: bytes
) -> None:
    stranger.pages["/a"] = dripping(begun, drop)
    with pytest.raises(FileUnavailable, match=r"took more than 0\.5 seconds"):
        fetch(tool, f"{stranger.url}/a", f"127.0.0.1:{stranger.port}", limits=FileLimits(seconds=0.5))


@pytest.mark.parametrize(
    "answer",
    [
        status(403),
        status(500),
        status(204),
        status(302),
        status(304, Location="/data/b"),
        file(b"\x1f\x8b\x00", Content_Encoding="gzip"),
    ],
)
def test_an_answer_that_is_no_file_is_none(tool: Host, answer: Answer) -> None:
    tool.pages["/data/a"] = answer
    with pytest.raises(FileUnavailable):
        fetch(tool, "/data/a")


def test_a_host_that_is_down_or_unknown_is_no_more_than_a_missing_file(tool: Host) -> None:
    for address in ("http://127.0.0.1:9/cat.png", "http://nowhere.invalid/cat.png"):
        with pytest.raises(FileUnavailable):
            fetch(tool, address, "127.0.0.1:9", "nowhere.invalid")


def test_no_message_holds_a_token_or_a_signature(tool: Host) -> None:
    with pytest.raises(FileUnavailable) as caught:
        fetch(tool, "/data/a?signature=secret")
    assert "secret" not in str(caught.value)
    assert TOKEN not in str(caught.value)
