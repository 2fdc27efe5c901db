"""A hub of models on this machine: what huggingface_hub asks of one, answered from folders, and ways to go wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

REVISION = "0123456789abcdef0123456789abcdef01234567"
_LARGE = 100  # bytes: from here on a file is kept as large ones are, with a sha256


@dataclass
class Hub:
    """``folder/owner/name`` holds the files of a model. ``fault`` is what is done with its model file: held, spoiled,
    short, or endless. ``begun`` is set once a held one has begun; ``sent`` are the paths of all files asked for."""

    folder: Path
    fault: str = ""
    begun: Event = field(default_factory=Event)
    let_go: Event = field(default_factory=Event)
    sent: list[str] = field(default_factory=list)
    said_size: int = 0

    def about(self, name: str) -> dict[str, object]:
        home = self.folder / name
        files = sorted(path for path in home.rglob("*") if path.is_file() and path.name != "card.json")
        card = home / "card.json"
        given = json.loads(card.read_text()) if card.is_file() else {}
        return {"id": name, "sha": REVISION, "siblings": [self._file(home, path) for path in files], **given}

    def _file(self, home: Path, path: Path) -> dict[str, object]:
        content, name = path.read_bytes(), path.relative_to(home).as_posix()
        size = self.said_size or len(content)
        about: dict[str, object] = {"rfilename": name, "size": size, "blobId": _sha1(content)}
        if len(content) >= _LARGE:
            about["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": size, "pointerSize": 130}
        return about


def _sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, hub: Hub, *how: object) -> None:
        self._hub = hub
        super().__init__(*how)  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        self._file(with_content=False)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if not path.startswith("/api/models/"):
            self._file(with_content=True)
            return
        name, _, revision = path.removeprefix("/api/models/").partition("/revision/")
        if not (self._hub.folder / name).is_dir():
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif revision not in ("", "main", "v1", REVISION):
            self._answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        else:
            self._answer(200, json.dumps(self._hub.about(name)).encode(), {"Content-Type": "application/json"})

    def _file(self, *, with_content: bool) -> None:
        name, _, place = self.path.removeprefix("/").partition("/resolve/")
        revision, _, file = place.partition("/")
        path = self._hub.folder / name / file
        if not place or not path.is_file():
            self._answer(404, b"", {})
            return
        content = path.read_bytes()
        headers = {"X-Repo-Commit": revision, "ETag": f'"{_sha1(content)}"'}
        if not with_content:
            self._answer(200, b"", headers | {"Content-Length": str(len(content))})
            return
        self._hub.sent.append(file)
        is_model = file.endswith((".onnx", ".safetensors"))
        match self._hub.fault if is_model else "":
            case "held":
                self._answer(200, content[: len(content) // 2], headers | {"Content-Length": str(len(content))})
                self._hub.begun.set()
                self._hub.let_go.wait()
                self.close_connection = True
            case "spoiled":
                self._answer(200, content[:-1] + bytes([content[-1] ^ 1]), headers)
            case "short":
                self._answer(200, content[:-1], headers)
            case "endless":
                self._endless(headers)
            case _:
                self._answer(200, content, headers)

    def _endless(self, headers: dict[str, str]) -> None:
        self._answer(200, b"", headers | {"Transfer-Encoding": "chunked"})
        try:
            while not self._hub.let_go.is_set():
                self.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        except OSError:
            self.close_connection = True

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not {"Content-Length", "Transfer-Encoding"} & headers.keys():
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Hub, str]]:
    """The hub, and the address of it."""
    hub = Hub(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, hub))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        hub.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()
